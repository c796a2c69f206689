/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that an exporter may read: one snapshot interface for metrics, JSON and whatever
 * comes. The owner of the model fills it under its lock and passes it on.
 */
#ifndef HS_EXPORT_VIEW_H
#define HS_EXPORT_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/hook.h"
#include "meta/capability.h"
#include "model/model.h"

struct hs_stage { /* one counter of things that were dropped */
	const char *stage;
	uint64_t count;
};

struct hs_view {
	const struct hs_model *model;
	struct hs_clock clock;
	const struct hs_hook_status *hooks;
	size_t hook_count;
	const struct hs_stage *dropped; /* all stages, those of the model and kernel too */
	size_t dropped_count;
	const struct hs_capability *capabilities;
	size_t capability_count;
	const char *kernel;      /* uname -r */
	const char *btf;         /* where the kernel's BTF came from, "" none */
	const char *cgroup_root; /* cgroup v2 mount point, "" none */
	const char *tracefs;     /* "mounted", "private mount" or "" none */
	const char *cpu;         /* machine: x86_64 */
	bool ready;              /* attached, and the first snapshot is done */
	uint64_t started_ns;
	uint64_t map_bytes;      /* memory of the BPF maps */
	uint64_t pass_count;
	double pass_seconds;     /* of the last snapshot pass */
};

#endif
