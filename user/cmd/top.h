/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hopscope top in two parts: top.c fetches and obeys keys, top_draw.c puts the state on the
 * screen. Nothing else includes this.
 */
#ifndef HS_CMD_TOP_H
#define HS_CMD_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cmd/listing.h"

#define HS_TOP_LEAST_LINES 3
#define HS_TOP_LEAST_COLUMNS 10

struct hs_top_view {
	const struct hs_listing *listing;
	const char *title; /* "calls" */
	size_t order;      /* index into the listing's sorts */
	bool reverse;
	size_t selected; /* row */
	size_t first;    /* row at the top of the window */
};

enum { HS_TOP_VIEWS = 3 };

struct hs_top {
	struct hs_top_view view[HS_TOP_VIEWS];
	size_t current;
	json_t *document; /* of the current view; NULL: not fetched yet */
	size_t rows;      /* of the last drawing */
	bool help, paused, done;
	char message[256]; /* in the place of the keys: an error of the source */
};

/* Draws everything; any size of the terminal will do. */
void hs_top_draw(struct hs_top *top);

#endif
