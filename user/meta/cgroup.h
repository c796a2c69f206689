/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the path of a control group tells: container, pod, systemd unit. */
#ifndef HS_META_CGROUP_H
#define HS_META_CGROUP_H

#include <stddef.h>

#include "meta/identity.h"

/* All texts are valid UTF-8 and NUL-ended, "" when the path does not tell. */
struct hs_cgroup {
	char container_id[HS_CONTAINER_ID_LEN]; /* 64 hex digits; lxc: the container's name */
	char pod_uid[HS_POD_UID_LEN];
	char unit[HS_NAME_LEN]; /* decoded; ends in ".service" */
	const char *runtime;    /* a constant; "" when the id is known and its maker is not */
};

/*
 * Components as in struct hs_process_facts: leaf first, each ended by NUL. Of several containers
 * or pods in one path the innermost wins. A unit counts inside of the container; the one around
 * a container is its manager's, unless the container was made inside of its own unit (podman).
 */
void hs_cgroup_parse(const char *components, size_t len, struct hs_cgroup *cgroup);

#endif
