/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of text that fit themselves to a width. */
#ifndef HS_CMD_TABLE_H
#define HS_CMD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/display.h"
#include "cmd/screen.h"

struct hs_column {
	const char *title;
	bool right;       /* numbers */
	int floor;        /* 0: never shortened; else it may be, and stays readable down to this */
	enum hs_cut cut;
	int drop;         /* 0: always shown; the highest leaves first when there is no room */
};

struct hs_table;

/*
 * columns stays borrowed, an array of count pointers that is copied. NULL: out of memory;
 * the other functions accept that and do nothing.
 */
struct hs_table *hs_table_new(const struct hs_column *const *columns, size_t count);
void hs_table_free(struct hs_table *table);

/* The next cell, row by row from the left; text is any text, made clean here. */
void hs_table_add(struct hs_table *table, enum hs_style style, const char *text);
size_t hs_table_rows(const struct hs_table *table);

/* Fits the columns to width (0: as wide as it takes). Call it after the last cell. */
void hs_table_layout(struct hs_table *table, int width, bool headers);

/*
 * Gives the pieces of one line from left to right, padding included. row -1 is the line of
 * titles.
 */
typedef void (*hs_table_piece)(void *arg, enum hs_style style, const char *text);
void hs_table_line(const struct hs_table *table, long row, hs_table_piece piece, void *arg);

/* Layout and all lines, or the first lines of them where lines is not 0. */
void hs_table_print(struct hs_table *table, FILE *out, const struct hs_screen *screen,
		    bool headers);

#endif
