/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_CMD_OBSERVE_H
#define HS_CMD_OBSERVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cmd/filter.h"

/* One event as one line for people, '\n' included; times are local. */
void hs_observe_write(FILE *out, const json_t *event, bool color);

extern const struct hs_filter hs_observe_filters[];

/* Values of --type and --reason. */
extern const char *const hs_observe_types[];
extern const char *const hs_observe_reasons[];

#endif
