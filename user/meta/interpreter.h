/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of its arguments names the program that an interpreter runs. */
#ifndef HS_META_INTERPRETER_H
#define HS_META_INTERPRETER_H

#include <stdbool.h>

#include "meta/text.h"

struct hs_interpreter;

/* By the executable's name: python3.11, java, bash …; NULL: it is no interpreter. */
const struct hs_interpreter *hs_interpreter_find(struct hs_text executable);

/* It only starts another program (env, ld.so): the script is a program with arguments. */
bool hs_interpreter_is_launcher(const struct hs_interpreter *interpreter);

/*
 * The last part of the script's path (or the module, jar or main class), "" when there is none:
 * interactive, code from an option, or cut away. args holds whole arguments, each ended by NUL,
 * without argv[0]; what follows the script is left in it.
 */
struct hs_text hs_interpreter_script(const struct hs_interpreter *interpreter,
				     struct hs_text *args);

#endif
