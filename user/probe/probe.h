/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel side as userspace sees it: load what the kernel accepts, attach it, hand out
 * records. The only place that knows libbpf.
 */
#ifndef HS_PROBE_PROBE_H
#define HS_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hook.h"
#include "probe/counts.h"
#include "hopscope/event.h"

struct hs_probe;

struct hs_probe_config {
	size_t ring_bytes;    /* of the ring buffer; rounded up to a power of two of pages; 0: default */
	const char *disabled; /* rungs not to be tried, for tests: "connect:fexit,snapshot"; or NULL */
	uint32_t sockets;     /* entries of the table of sockets, for tests; 0: by the machine's memory */
	uint32_t routes;      /* whose calls may be counted at one time; 0: default */
	uint32_t drop_budget; /* dropped packets told of per CPU in 100 ms, for tests; 0: 1000 */
};

/* A record; borrowed for the call. It has been validated: its size fits its kind. */
typedef void (*hs_record_fn)(void *arg, const struct hs_event *event);

/*
 * Loads and attaches. A refused hook is no failure: hs_probe_hooks() tells. 0 with *probe, or
 * -errno with one line for the user in message when nothing at all can be watched.
 */
int hs_probe_open(const struct hs_probe_config *config, struct hs_probe **probe, char *message, size_t size);
void hs_probe_close(struct hs_probe *probe);

/* Readable when the ring should be drained before the next turn of the timer. */
int hs_probe_fd(const struct hs_probe *probe);

/* Hands out all records that are in the ring. The number of records, or -errno. */
int hs_probe_drain(struct hs_probe *probe, hs_record_fn sink, void *arg);

/*
 * One snapshot pass over all sockets: HS_EV_PASS, the sockets, HS_EV_PASS with end set.
 * 0, or -errno (-ENOENT: the hook is not attached).
 */
int hs_probe_snapshot(struct hs_probe *probe, hs_record_fn sink, void *arg);

/*
 * Whether somebody follows events as they happen: then accept() is a record of its own, at once.
 * Otherwise (the default) the next record of its connection tells of it, which costs less.
 */
void hs_probe_live(struct hs_probe *probe, bool live);

/* How much payload of the socket with that cookie is wanted, from its next segment on. */
void hs_probe_watch(struct hs_probe *probe, uint64_t cookie, const struct hs_wanted *wanted);

/* The counters of calls; borrowed. */
struct hs_counts *hs_probe_counts(struct hs_probe *probe);

/* Whether somebody follows calls as they happen: then none is only counted. */
void hs_probe_follow_calls(struct hs_probe *probe, bool follows);

/* Clients reach that server on this node: their ends need not tell what they say, for HS_SERVER_NS from time_ns on. */
/* The counters of calls; borrowed, never NULL. */
struct hs_counts *hs_probe_counts(struct hs_probe *probe);
/* Somebody follows calls as they happen: none is only counted. */
void hs_probe_follow_calls(struct hs_probe *probe, bool follows);
void hs_probe_server(struct hs_probe *probe, const struct hs_server *server, uint64_t time_ns);

/* The loss counters of the kernel side as a record. */
void hs_probe_losses(const struct hs_probe *probe, struct hs_ev_loss *loss);

const struct hs_hook_status *hs_probe_hooks(const struct hs_probe *probe, size_t *count);
uint64_t hs_probe_map_bytes(const struct hs_probe *probe); /* as the kernel accounts them */
const char *hs_probe_tracefs(const struct hs_probe *probe); /* "mounted", "private mount", "" not needed or none */
/* Events that the kernel kept from a program because it was running already on that CPU. */
uint64_t hs_probe_misses(const struct hs_probe *probe);
uint64_t hs_probe_malformed(const struct hs_probe *probe); /* records refused by validation */

#endif
