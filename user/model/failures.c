// SPDX-License-Identifier: GPL-2.0-or-later
/* Failures of an edge, counted by reason and cause. Readers use it without the rest of the model. */
#include <stdlib.h>

#include "model/private.h"

uint64_t hs_failures_of(const struct hs_failures *failures, enum hs_reason reason)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < failures->count; i++)
		if (!reason || failures->kinds[i].reason == reason)
			sum += failures->kinds[i].count;
	return sum;
}

uint64_t hs_failures_total(const struct hs_failures *failures)
{
	return hs_failures_of(failures, HS_REASON_NONE);
}

void hs_failures_add(struct hs_model *model, struct hs_failures *failures, const struct hs_verdict *verdict)
{
	struct hs_failure_count *kinds = failures->kinds;

	for (size_t i = 0; i < failures->count; i++) {
		if (kinds[i].reason == verdict->reason && kinds[i].cause == verdict->cause) {
			kinds[i].count++;
			kinds[i].at[verdict->stage]++;
			return;
		}
	}
	kinds = reallocarray(kinds, failures->count + 1, sizeof(*kinds));
	if (!kinds) {
		model->counters.dropped[HS_MODEL_LOSS_EDGE]++;
		return;
	}
	failures->kinds = kinds;
	kinds += failures->count++;
	*kinds = (struct hs_failure_count){ verdict->reason, verdict->cause, 1, {} };
	kinds->at[verdict->stage] = 1;
}
