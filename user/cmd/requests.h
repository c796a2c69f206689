/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_CMD_REQUESTS_H
#define HS_CMD_REQUESTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cmd/filter.h"
#include "cmd/screen.h"

/*
 * One request as one line, '\n' included, and the line of titles above them; times are local. They fit the
 * width of the screen; wide has all there is, whatever the width.
 */
void hs_requests_write(FILE *out, const json_t *request, const struct hs_screen *screen, bool wide);
void hs_requests_titles(FILE *out, const struct hs_screen *screen, bool wide);

extern const struct hs_filter hs_requests_filters[];

#endif
