/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings for people: lists of them, and one in full. They come as /api/v1/findings has them. */
#ifndef HS_CMD_EXPLAIN_H
#define HS_CMD_EXPLAIN_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cmd/filter.h"
#include "cmd/screen.h"

/* Values of --cause and --reason, and what is asked with them. */
extern const char *const hs_explain_causes[];
extern const char *const hs_explain_reasons[];
extern const struct hs_filter hs_explain_filters[];

/*
 * Leaves in the document what the user asked for: the filters, --since and the ID. 0, or an
 * enum hs_exit with a line in message: there is no such ID.
 */
int hs_explain_select(const struct hs_args *args, json_t *document, char *message, size_t size);

/* All that one look at a document of selected findings prints. */
void hs_explain_write(const struct hs_args *args, FILE *out, const json_t *document,
		      const struct hs_screen *screen);

/*
 * For -f: writes those of the document that are new, or whose count has grown since the last
 * call, oldest first, and notes them in seen, an object that is empty at first. How many.
 */
size_t hs_explain_write_news(const struct hs_args *args, FILE *out, const json_t *document,
			     json_t *seen, const struct hs_screen *screen);

/* One finding in three lines, or in full. now: nanoseconds since 1970, for "4s ago". */
void hs_explain_entry(FILE *out, const json_t *finding, int64_t now,
		      const struct hs_screen *screen);
void hs_explain_detail(FILE *out, const json_t *finding, int64_t now,
		       const struct hs_screen *screen);

#define HS_EXPLAIN_LEN 1024

/* A moment of the timeline in plain words: "SYN sent again (retry 2)". */
void hs_explain_moment(const json_t *finding, const json_t *moment, char text[HS_EXPLAIN_LEN]);

/* What to do, with the address and port that it is about in the commands. */
void hs_explain_remedy(const json_t *finding, char text[HS_EXPLAIN_LEN]);

/* The kernel's timer, as the retries in the timeline show it; "" without retries. */
void hs_explain_timer(const json_t *finding, char text[HS_EXPLAIN_LEN]);

#endif
