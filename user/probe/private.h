/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the probe: what probe.c loads and attaches, and reading.c reads. */
#ifndef HS_PROBE_PRIVATE_H
#define HS_PROBE_PRIVATE_H

#include <bpf/libbpf.h>
#include <stddef.h>
#include <stdint.h>

#include "hopscope.skel.h"
#include "probe/hooks.h"
#include "probe/probe.h"
#include "probe/reasons.h"

#define MAX_LINKS (HS_HOOK_COUNT * HS_RUNG_PROGRAMS)

struct hs_probe {
	struct hs_probe_config config;
	struct hs_bpf *skeleton;
	struct ring_buffer *ring;
	struct bpf_link *links[MAX_LINKS];
	size_t link_count;
	struct bpf_link *snapshot;
	int egress; /* the second link of a program for both directions; -1: none */
	struct hs_hook_status hooks[HS_HOOK_COUNT];
	const char *tracefs;
	struct hs_reasons reasons;
	struct hs_counts *counts;
	hs_record_fn sink;
	void *sink_arg;
	uint64_t malformed;
	uint32_t passes;
	int task_work; /* BTF id of the kernel function, -errno; 0: not asked yet */
};

/* Called by libbpf for each record of the ring: checks it, and gives it to the sink. Always 0. */
int hs_probe_record(void *probe, void *data, size_t size);

#endif
