/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a command writes: how wide it is, whether it takes colours, and how writing ended. */
#ifndef HS_CMD_SCREEN_H
#define HS_CMD_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/options.h"

enum hs_style {
	HS_PLAIN,
	HS_HEADING,
	HS_DIM,
	HS_GOOD,
	HS_WARNING,
	HS_BAD,
	HS_STYLES,
};

struct hs_screen {
	bool tty;
	bool color;
	int width;  /* columns; 0: no limit, nothing is shortened */
	int height; /* lines; 0: no limit */
};

/* Of stdout, as it is now, with the user's --color, NO_COLOR and so on. */
struct hs_screen hs_screen_now(const struct hs_args *args);

/* The escape sequences before and after a text; "" without colour. */
const char *hs_style_on(enum hs_style style, bool color);
const char *hs_style_off(enum hs_style style, bool color);

/*
 * One line on stderr; control characters in it are made harmless. Messages begin with "hopscope".
 */
void hs_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Flushes stdout. status, or HS_EXIT_IO with a complaint when it could not be written; a reader
 * that went away (`| head`) is no error and gets HS_EXIT_OK.
 */
int hs_output_end(int status);

/* Flushes stdout too; false: it cannot be written any more, stop. */
bool hs_output_alive(void);

#endif
