/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any bytes as what the evaluation of a dkms.conf answered. Built with
 * -fsanitize=fuzzer,address,undefined from this file,
 * lib/recipes/{answer,exclusive,overrides,recipe, validate,version}.c and
 * lib/base/{digest,error,text,text_integers}.c, with -lcrypto; the corpus is
 * tests/fuzz/corpus/record. A recipe that breaks a promise of recipe.h is a crash.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/recipes/recipe_internal.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_module(const struct recipe *recipe, const struct recipe_module *module)
{
	size_t length = strlen(module->built_location);

	promise(name_is_safe(module->built_name) && name_is_safe(module->dest_name));
	promise(!string_ends_with(module->dest_name, ".ko"));
	promise(length == 0 || (module->built_location[length - 1] == '/' &&
				path_is_safe(module->built_location, length - 1)));
	promise(string_starts_with(module->dest_location, "/extra") ||
		string_starts_with(module->dest_location, "/kernel") ||
		string_starts_with(module->dest_location, "/updates"));
	promise(path_is_safe(module->dest_location + 1, strlen(module->dest_location) - 1));
	for (const struct recipe_module *other = recipe->modules; other < module; other++)
		promise(strcmp(other->dest_name, module->dest_name) != 0);
}

static void check(const struct recipe *recipe, const struct kernel *kernel)
{
	promise(string_equal(recipe->package_name, "demo"));
	promise(string_equal(recipe->package_version, "0.1"));
	promise(recipe->module_count >= 1 && recipe->module_count <= RECIPE_MODULES);
	for (size_t i = 0; i < recipe->module_count; i++)
		check_module(recipe, &recipe->modules[i]);
	promise(recipe->make && *recipe->make && strlen(recipe->make) <= RECIPE_VALUE);
	for (size_t i = 0; i < recipe->patch_count; i++)
		promise(path_is_safe(recipe->patches[i], strlen(recipe->patches[i])));
	for (size_t i = 0; i < recipe->depend_count; i++)
		promise(name_is_safe(recipe->depends[i]));
	promise(recipe->name_count >= 1 && recipe->name_count <= TICKET_FILES);
	for (size_t i = 0; i < recipe->name_count; i++)
		promise(name_is_safe(recipe->names[i]));
	promise(recipe->unknown_count <= RECIPE_UNKNOWN);
	for (size_t i = 0; i < recipe->unknown_count; i++)
		promise(name_is_safe(recipe->unknown[i]));
	ignore_result(recipe_check_exclusive(recipe, kernel, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char release[] = "6.1.0-56-amd64", config[] = "CONFIG_I2C=m\nCONFIG_DRM=y\n";
	static const struct kernel kernel = { .release = release, .config = config };
	static const struct recipe_request request = { .module = "demo",
						       .version = "0.1",
						       .kernel = &kernel };
	struct recipe *recipe = NULL;
	struct error *error = NULL;

	if (recipe_validate(&request, (const char *)data, size, &recipe, &error) == 0) {
		promise(!error && recipe_report_is_whole((const char *)data, size));
		check(recipe, &kernel);
	} else {
		promise(!recipe && error_code(error) != 0);
	}
	recipe = recipe_free(recipe);
	error = error_free(error);
	return 0;
}
