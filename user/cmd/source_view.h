/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents and events straight from a view: what the in-process sources share. */
#ifndef HS_CMD_SOURCE_VIEW_H
#define HS_CMD_SOURCE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/source.h"
#include "export/view.h"

/* The document called name; NULL with the source's message written. */
json_t *hs_view_document(struct hs_source *source, const struct hs_view *view, const char *name);

/* "last=20&since=5m&follow=1", as the API takes it. */
struct hs_event_query {
	uint64_t last;     /* UINT64_MAX: all */
	uint64_t since_ns; /* CLOCK_MONOTONIC; 0: from the beginning */
	bool follow;
};

void hs_event_query_parse(const char *text, const struct hs_view *view, struct hs_event_query *query);

/*
 * Hands what the query asks for of the entries from *next on to line(), events in the order in which
 * they happened, requests in that in which they were over, and moves *next on. What line() returned when that was not 0; or -ENOMEM.
 */
int hs_view_stream(const struct hs_view *view, const char *name, const struct hs_event_query *query, uint64_t *next,
		   int (*line)(void *arg, const char *text, size_t length), void *arg);

#endif
