/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shell program evaluate.sh as a string, so that kmodbox needs no file of it where it runs. */
#include "lib/recipes/recipe_internal.h"

__asm__(".pushsection .rodata\n"
	".globl recipe_script\n"
	".type recipe_script, %object\n"
	"recipe_script:\n"
	".incbin \"lib/recipes/evaluate.sh\"\n"
	".byte 0\n"
	".size recipe_script, . - recipe_script\n"
	".popsection\n");
