/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probe and model together, kept up to date by turns: what the daemon runs, and what a
 * reading command runs for itself when no daemon answers.
 */
#ifndef HS_CMD_ENGINE_H
#define HS_CMD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "export/view.h"
#include "probe/probe.h"

#define HS_TURN_MS 100 /* how often hs_engine_turn() wants to be called */

struct hs_recorder;
struct hs_engine;

struct hs_engine_config {
	struct hs_probe_config probe;
	struct hs_model_config model; /* what it asks for is set by the engine */
	struct hs_recorder *recorder; /* gets every record, or NULL; borrowed */
	double snapshot_seconds;      /* at least so long between passes */
};

/* The defaults, with this process as self. */
void hs_engine_defaults(struct hs_engine_config *config);

/* 0 with *engine, or -errno with one line in message. Ready after the first turn. */
int hs_engine_open(const struct hs_engine_config *config, struct hs_engine **engine, char *message, size_t size);
void hs_engine_close(struct hs_engine *engine);

/*
 * Drain the ring, make a snapshot pass when it is due, let time pass. Takes the lock. True when
 * there are events or calls that were not there before.
 */
bool hs_engine_turn(struct hs_engine *engine);

/* A snapshot pass now, whatever the last one took. */
void hs_engine_pass(struct hs_engine *engine);
int hs_engine_fd(const struct hs_engine *engine); /* readable: turn now */
/* Until a turn is due: the ring is filling, or HS_TURN_MS are over; or until a signal. */
void hs_engine_wait(const struct hs_engine *engine);

/*
 * Whether somebody follows events as they happen. Nobody does at first: then accept() comes to
 * be known with the next record of its connection, at its close or in a pass.
 */
void hs_engine_follow(struct hs_engine *engine, bool follows);

/* The same of calls: while nobody follows, those that went well and fast are kept in samples. */
void hs_engine_follow_requests(struct hs_engine *engine, bool follows);

/*
 * A view of everything, under the engine's lock until hs_engine_unlock(). fresh: bring the
 * model up to date first, within a budget that many readers cannot exceed.
 */
const struct hs_view *hs_engine_lock(struct hs_engine *engine, bool fresh);
void hs_engine_unlock(struct hs_engine *engine);

/* A counter of the caller's to be shown with the other losses; up to four. */
void hs_engine_add_stage(struct hs_engine *engine, const char *stage, uint64_t (*count)(void *arg), void *arg);

#endif
