/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name of what a process runs. */
#ifndef HS_META_EXECUTABLE_H
#define HS_META_EXECUTABLE_H

#include <stddef.h>

#include "meta/identity.h"

/*
 * The executable's last part; of interpreters the script, module, jar or main class. Titles that
 * a process writes over argv[0] count only where there is nothing better. Never "". name is
 * valid UTF-8, cut to size bytes.
 */
void hs_executable_name(const struct hs_process_facts *facts, char *name, size_t size);

#endif
