/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the name of a Kubernetes pod to the name of what made it. */
#ifndef HS_META_WORKLOAD_H
#define HS_META_WORKLOAD_H

#include <stdbool.h>

#include "meta/text.h"

/* It can be the name of a pod: a DNS subdomain, and not the name every machine has. */
bool hs_is_pod_name(struct hs_text name);

/* Without what Deployment, DaemonSet, Job, CronJob and StatefulSet add. "" only of "". */
struct hs_text hs_workload_name(struct hs_text pod);

#endif
