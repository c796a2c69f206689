/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of one hook: the loader fills it, `check`, /metrics and the API show it. */
#ifndef HS_BASE_HOOK_H
#define HS_BASE_HOOK_H

#include <stdbool.h>

#define HS_HOOK_RUNGS 3

struct hs_hook_rung {
	const char *name;   /* "fexit", "cgroup", "syscalls", "tp_btf", "iter" */
	bool tried;
	int error;          /* -errno of the refusal, 0 */
	char refusal[256];  /* the kernel's own words, "" when it was not refused */
	const char *misses; /* what a better rung would see, a phrase; NULL: nothing */
};

struct hs_hook_status {
	const char *hook;  /* "connect": the label in hopscope_hook_attached{hook} */
	const char *gives; /* what it gives, a phrase */
	const char *lost;  /* what is lost without it, a phrase */
	bool attached;
	int rung;          /* the one in use, -1 none */
	int rungs;
	struct hs_hook_rung ladder[HS_HOOK_RUNGS]; /* best first */
};

#endif
