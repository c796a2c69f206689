/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's counters of calls: what is counted, and by how much it has grown. */
#ifndef HS_PROBE_COUNTS_H
#define HS_PROBE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hopscope/event.h"

struct hs_counts;

/* The maps hs_routes, hs_counts and hs_edge_counts, and how many counters they may hold. */
struct hs_counts_config {
	int routes, counts, edges; /* file descriptors; borrowed */
	uint32_t max_counts, max_edges;
};
struct hs_counts *hs_counts_new(const struct hs_counts_config *config); /* NULL when memory is short */
void hs_counts_free(struct hs_counts *counts); /* NULL is fine */

/*
 * Count, or no more: how long the calls of an edge take, which has to come before its routes; requests of a route,
 * which have that number; and answers of a status to them, until the route is no more. Where the kernel has no
 * room, calls of that kind go on being told one by one.
 */
void hs_counts_edge(struct hs_counts *counts, uint32_t edge, bool wanted);
void hs_counts_route(struct hs_counts *counts, const struct hs_route_key *key, uint32_t number, bool wanted);
void hs_counts_answer(struct hs_counts *counts, const struct hs_count_key *key);

/* A record of HS_EV_COUNTED or HS_EV_LATENCIES for every entry that has grown since the last time. */
void hs_counts_read(struct hs_counts *counts, uint64_t time_ns, void (*sink)(void *arg, const struct hs_event *event),
		    void *arg);

#endif
