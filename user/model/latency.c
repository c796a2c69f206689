// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/latency.h"

#include <math.h>

#include "hopscope/count.h"

static_assert(HS_LATENCY_STEPS == 1 << HS_LATENCY_STEP_SHIFT && HS_ROUGH_STEPS == 1 << HS_ROUGH_STEP_SHIFT, "steps");

static unsigned bin_of(uint64_t ns, unsigned unit_shift, unsigned step_shift, unsigned bins)
{
	unsigned bin = hs_latency_bin_of(ns, unit_shift, step_shift);

	return bin < bins ? bin : bins - 1;
}

/* The lower bound of a step. */
static double bound(unsigned bin)
{
	unsigned power = bin / HS_LATENCY_STEPS, step = bin % HS_LATENCY_STEPS;

	if (!power)
		return ldexp(step, HS_LATENCY_UNIT_SHIFT);
	return ldexp(HS_LATENCY_STEPS + step, HS_LATENCY_UNIT_SHIFT + power - 1);
}

void hs_latency_add(struct hs_latency *latency, uint64_t ns)
{
	latency->count[bin_of(ns, HS_LATENCY_UNIT_SHIFT, HS_LATENCY_STEP_SHIFT, HS_LATENCY_BINS)]++;
	latency->total++;
}

void hs_latency_merge(struct hs_latency *sum, const struct hs_latency *other)
{
	for (unsigned i = 0; i < HS_LATENCY_BINS; i++)
		sum->count[i] += other->count[i];
	sum->total += other->total;
}

void hs_rough_latency_add(struct hs_rough_latency *latency, uint64_t ns)
{
	latency->count[bin_of(ns, HS_ROUGH_UNIT_SHIFT, HS_ROUGH_STEP_SHIFT, HS_ROUGH_BINS)]++;
}

/* Into the middle of the steps that one of its steps spans. */
void hs_latency_merge_rough(struct hs_latency *sum, const struct hs_rough_latency *other)
{
	const unsigned span = HS_LATENCY_STEPS / HS_ROUGH_STEPS;

	for (unsigned i = 0; i < HS_ROUGH_BINS; i++) {
		sum->count[i * span + span / 2] += other->count[i];
		sum->total += other->count[i];
	}
}

double hs_latency_quantile(const struct hs_latency *latency, double q)
{
	uint64_t rank = ceil(q * latency->total), seen = 0;

	if (!latency->total)
		return NAN;
	for (unsigned i = 0; i < HS_LATENCY_BINS; i++) {
		seen += latency->count[i];
		if (seen && seen >= rank)
			return (bound(i) + bound(i + 1)) / 2e9;
	}
	return bound(HS_LATENCY_BINS) / 1e9;
}
