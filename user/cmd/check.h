/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_CMD_CHECK_H
#define HS_CMD_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A status document for people. */
void hs_check_write(FILE *out, const json_t *status, bool color);

/* Whether there are hooks and each is attached on some rung. */
bool hs_check_all_attached(const json_t *status);

#endif
