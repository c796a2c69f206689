/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A distribution of durations with a relative error below 1.6 % from 1 us to more than an hour: for
 * quantiles that people read. Log-linear: 32 steps to every power of two.
 */
#ifndef HS_MODEL_LATENCY_H
#define HS_MODEL_LATENCY_H

#include <stdint.h>

#define HS_LATENCY_STEPS 32
#define HS_LATENCY_POWERS 32
#define HS_LATENCY_BINS (HS_LATENCY_STEPS * (HS_LATENCY_POWERS + 1))

struct hs_latency {
	uint64_t total;
	uint32_t count[HS_LATENCY_BINS];
};

/* The same in 8 steps to a power of two, below 8 %: a quarter of the memory, for what there are many of. */
#define HS_ROUGH_STEPS 8
#define HS_ROUGH_BINS (HS_ROUGH_STEPS * (HS_LATENCY_POWERS + 1))

struct hs_rough_latency {
	uint32_t count[HS_ROUGH_BINS];
};

void hs_latency_add(struct hs_latency *latency, uint64_t ns);
/* sum += other */
void hs_latency_merge(struct hs_latency *sum, const struct hs_latency *other);
void hs_rough_latency_add(struct hs_rough_latency *latency, uint64_t ns);
void hs_latency_merge_rough(struct hs_latency *sum, const struct hs_rough_latency *other);
/* The quantile q (0 to 1) in seconds, the middle of its step; NaN without observations. */
double hs_latency_quantile(const struct hs_latency *latency, double q);

#endif
