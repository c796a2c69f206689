/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this process may do, and what each capability is for. */
#ifndef HS_META_CAPABILITY_H
#define HS_META_CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>

struct hs_capability {
	const char *name; /* "CAP_BPF" */
	const char *why;
	bool present;
};

#define HS_CAPABILITIES 6

/* Fills capabilities[HS_CAPABILITIES] from the effective set; the number filled. */
size_t hs_capabilities(struct hs_capability *capabilities);

#endif
