/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the model's log as a reader of the past wants them: in the order in which they
 * happened. Their numbers are in the order in which they came to be known, and that is another
 * one: an accept() that nobody followed is told with the next record of its connection.
 */
#ifndef HS_EXPORT_EVENTS_H
#define HS_EXPORT_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

struct hs_event_place {
	uint64_t time_ns, number;
};

struct hs_events {
	struct hs_event_place *place;
	size_t count;
};

/* The number of the first entry not older than since_ns (CLOCK_MONOTONIC); of the next to come if none is. */
uint64_t hs_events_first(const struct hs_model *model, int64_t since_ns);

/* The same of calls: by when they were over. */
uint64_t hs_requests_first(const struct hs_model *model, int64_t since_ns);

/*
 * What happened since since_ns, of the entries from that number on; no more than the last ones.
 * 0, or -ENOMEM. hs_events_free() lets go of it.
 */
int hs_events_collect(struct hs_events *events, const struct hs_model *model, uint64_t from, int64_t since_ns,
		      uint64_t last);
void hs_events_free(struct hs_events *events);

#endif
