/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The query of /api/v1/events. Knows nothing of HTTP. */
#ifndef HS_EXPORT_HTTP_QUERY_H
#define HS_EXPORT_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HS_EVENTS_LAST 20 /* without last and since */

struct hs_events_query { /* all zero: nothing was asked */
	bool follow;
	bool last_given;
	uint64_t last;      /* at most so many of what is there already */
	enum { HS_SINCE_ALWAYS, HS_SINCE_TIME, HS_SINCE_AGO } since_kind;
	int64_t since_ns;   /* unix time, or how long ago */
};

/* Take one parameter (value NULL: "?follow"). False with a line for the user in message. */
bool hs_events_query_set(struct hs_events_query *query, const char *name, const char *value,
			 char *message, size_t size);

#endif
