/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where everything is, see places.h. The paths are the caller's own word. */
#include "orchestrator/places.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/text.h"
#include "orchestrator/configuration.h"

static int absolute(const char *path, char **ret_path, struct error **error)
{
	char directory[PATH_MAX];
	char *joined;

	if (path[0] == '/')
		joined = strdup(path);
	else if (!getcwd(directory, sizeof(directory)))
		return error_set_errno(error, errno, "current directory");
	else
		joined = format_string("%s/%s", directory, path);
	if (!joined)
		return error_set_errno(error, ENOMEM, "%s", path);
	for (size_t length = strlen(joined); length > 1 && joined[length - 1] == '/'; length--)
		joined[length - 1] = '\0';
	free(*ret_path);
	*ret_path = joined;
	return 0;
}

/* $XDG_CONFIG_HOME/kmodbox where there is one, else the host's. */
static char *choose_config(bool root)
{
	const char *config = root ? NULL : secure_getenv("XDG_CONFIG_HOME");
	const char *home = root ? NULL : secure_getenv("HOME");
	char *path = NULL;

	if (config && config[0] == '/')
		path = format_string("%s/kmodbox", config);
	else if (home && home[0] == '/')
		path = format_string("%s/.config/kmodbox", home);
	if (path && access(path, F_OK) == 0)
		return path;
	free(path);
	return strdup("/etc/kmodbox");
}

/* $XDG_STATE_HOME/kmodbox, the ordinary user's place for state (XDG Base Directory 0.8). */
static int user_state(char **ret_path, struct error **error)
{
	const char *state = secure_getenv("XDG_STATE_HOME");
	const char *home = secure_getenv("HOME");

	if (state && state[0] == '/')
		*ret_path = format_string("%s/kmodbox", state);
	else if (home && home[0] == '/')
		*ret_path = format_string("%s/.local/state/kmodbox", home);
	else
		return error_set(error, ENOENT,
				 "neither XDG_STATE_HOME nor HOME is set: name the trees with "
				 "--dkmstree, --sourcetree, --installtree and --statedir");
	return *ret_path ? 0 : error_set_errno(error, ENOMEM, "state directory");
}

static int choose(const char *given, const char *root_default, const char *user_base,
		  const char *user_name, char **ret_path, struct error **error)
{
	cleanup_free char *path = NULL;

	if (given)
		return absolute(given, ret_path, error);
	path = user_base ? format_string("%s/%s", user_base, user_name) : strdup(root_default);
	return path ? absolute(path, ret_path, error)
		    : error_set_errno(error, ENOMEM, "%s", user_name);
}

static int choose_all(const struct options *options, struct places *places, struct error **error)
{
	cleanup_free char *base = NULL;
	cleanup_free char *installed = NULL;
	bool root = geteuid() == 0;
	int r = 0;

	/* Asked for only when something is left to its default. */
	if (!root && (!options->dkms_tree || !options->source_tree || !options->install_tree ||
		      !options->state_directory))
		r = user_state(&base, error);
	if (r == 0)
		r = absolute(options->kernel_root ? options->kernel_root : "/",
			     &places->kernel_root, error);
	if (r < 0)
		return r;
	installed =
		format_string("%s/lib/modules",
			      string_equal(places->kernel_root, "/") ? "" : places->kernel_root);
	if (!installed)
		return error_set_errno(error, ENOMEM, "places");
	r = choose(options->dkms_tree, "/var/lib/dkms", base, "dkms", &places->dkms_tree, error);
	if (r == 0)
		r = choose(options->source_tree, "/usr/src", base, "src", &places->source_tree,
			   error);
	if (r == 0)
		r = choose(options->install_tree, installed, base, "modules", &places->install_tree,
			   error);
	if (r == 0)
		r = choose(options->state_directory, "/var/lib/kmodbox", base, "state",
			   &places->state, error);
	if (r == 0 && options->config)
		r = absolute(options->config, &places->config, error);
	else if (r == 0)
		places->config = choose_config(root);
	if (r == 0)
		r = absolute(options->dkms_config ? options->dkms_config : "/etc/dkms",
			     &places->dkms_config, error);
	if (r < 0)
		return r;
	/* As DKMS: headers are found in the install tree, unless a kernel root or a user's tree
	 * says else. */
	places->module_tree =
		strdup(options->kernel_root || !options->install_tree ? "/lib/modules"
								      : places->install_tree);
	return places->module_tree && places->config ? 0 : error_set_errno(error, ENOMEM, "places");
}

static int open_directory(const char *path, bool make, int *ret_fd, struct error **error)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return error_set_errno(error, ENOMEM, "%s", path);
	for (char *end = make ? strchr(copy + 1, '/') : NULL; make; end = strchr(end + 1, '/')) {
		if (end)
			*end = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return error_set_errno(error, errno, "cannot make directory %s", copy);
		if (!end)
			break;
		*end = '/';
	}
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 && (make || errno != ENOENT))
		return error_set_errno(error, errno, "cannot open directory %s", path);
	return 0;
}

/* Before anything is made, as DKMS: the installer would say so when all is built. */
static int require_writable(int directory_fd, const char *tree, const char *path,
			    const char *option, struct error **error)
{
	if (faccessat(directory_fd, ".", W_OK, AT_EACCESS) == 0)
		return 0;
	if (errno == EROFS)
		return error_refuse(error, EXIT_INFRASTRUCTURE, EROFS,
				    "nothing was changed: the %s %s is on a read-only device; "
				    "remount it read-write and try again: Read-only file system",
				    tree, path);
	return error_refuse(error, EXIT_USAGE, errno,
			    "you may not write to the %s %s: run kmodbox as root, or name another "
			    "tree with %s",
			    tree, path, option);
}

static int require_trees(const struct options *options, const struct places *places,
			 struct error **error)
{
	const enum verb verb = options->verb;
	int r = require_writable(places->dkms_tree_fd, "dkms tree", places->dkms_tree, "--dkmstree",
				 error);

	if (r == 0 && (verb == VERB_INSTALL || verb == VERB_UNINSTALL || verb == VERB_MATCH ||
		       verb == VERB_AUTOINSTALL))
		r = require_writable(places->install_tree_fd, "install tree", places->install_tree,
				     "--installtree", error);
	return r;
}

int places_open(const struct options *options, bool make, struct places *ret_places,
		struct error **error)
{
	cleanup_places struct places places = PLACES_INITIAL;
	int r = choose_all(options, &places, error);

	if (r == 0)
		r = open_directory(places.dkms_tree, make, &places.dkms_tree_fd, error);
	if (r == 0)
		r = open_directory(places.install_tree, make, &places.install_tree_fd, error);
	if (r == 0 && make)
		r = open_directory(places.source_tree, make, &places.source_tree_fd, error);
	if (r == 0 && make)
		r = open_directory(places.state, make, &places.state_fd, error);
	/* What is said there is done, by verbs that change something. */
	if (r == 0 && make)
		r = configuration_open(places.config, &places.config_fd, error);
	if (r == 0 && make)
		r = configuration_open(places.dkms_config, &places.dkms_config_fd, error);
	if (r < 0 && error)
		error_set_code(*error, EXIT_USAGE);
	if (r == 0 && places.dkms_tree_fd < 0 && options->dkms_tree_named)
		r = error_refuse(error, EXIT_USAGE, ENOENT,
				 "the dkms tree %s is not there; name one that is with --dkmstree",
				 places.dkms_tree);
	if (r == 0 && make)
		r = require_trees(options, &places, error);
	if (r < 0)
		return r;
	*ret_places = places;
	places = PLACES_INITIAL;
	return 0;
}

int places_choose_kernels(const struct options *options, struct places *ret_places,
			  struct error **error)
{
	cleanup_places struct places places = PLACES_INITIAL;
	int r = absolute(options->kernel_root ? options->kernel_root : "/", &places.kernel_root,
			 error);

	if (r == 0)
		r = options->install_tree && !options->kernel_root
			    ? absolute(options->install_tree, &places.module_tree, error)
			    : absolute("/lib/modules", &places.module_tree, error);
	if (r < 0)
		return r;
	*ret_places = places;
	places = PLACES_INITIAL;
	return 0;
}

int places_open_config(const struct options *options, struct places *ret_places,
		       struct error **error)
{
	cleanup_places struct places places = PLACES_INITIAL;
	int r = 0;

	if (options->config)
		r = absolute(options->config, &places.config, error);
	else
		places.config = choose_config(geteuid() == 0);
	if (r == 0 && !places.config)
		r = error_set_errno(error, ENOMEM, "places");
	if (r == 0)
		r = configuration_open(places.config, &places.config_fd, error);
	if (r < 0)
		return r;
	*ret_places = places;
	places = PLACES_INITIAL;
	return 0;
}

void places_close(struct places *places)
{
	free(places->dkms_tree);
	free(places->source_tree);
	free(places->install_tree);
	free(places->kernel_root);
	free(places->state);
	free(places->module_tree);
	free(places->config);
	free(places->dkms_config);
	(void)close_fd(places->dkms_tree_fd);
	(void)close_fd(places->source_tree_fd);
	(void)close_fd(places->install_tree_fd);
	(void)close_fd(places->state_fd);
	(void)close_fd(places->config_fd);
	(void)close_fd(places->dkms_config_fd);
	*places = PLACES_INITIAL;
}
