// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/latency.h"

#include <math.h>

#define UNIT_SHIFT 5 /* a step of the first power is 32 ns */
#define STEP_SHIFT 5
#define ROUGH_STEP_SHIFT 3
#define ROUGH_UNIT_SHIFT (UNIT_SHIFT + STEP_SHIFT - ROUGH_STEP_SHIFT) /* its powers begin at the same times */

static unsigned bin_of(uint64_t ns, unsigned unit_shift, unsigned step_shift)
{
	uint64_t units = ns >> unit_shift, steps = 1u << step_shift;
	unsigned power;
	uint64_t bin;

	if (units < steps)
		return units;
	power = 63 - __builtin_clzll(units) - step_shift;
	bin = (power + 1) * steps + ((units >> power) & (steps - 1));
	return bin < steps * (HS_LATENCY_POWERS + 1) ? bin : steps * (HS_LATENCY_POWERS + 1) - 1;
}

/* The lower bound of a step. */
static double bound(unsigned bin)
{
	unsigned power = bin / HS_LATENCY_STEPS, step = bin % HS_LATENCY_STEPS;

	if (!power)
		return ldexp(step, UNIT_SHIFT);
	return ldexp(HS_LATENCY_STEPS + step, UNIT_SHIFT + power - 1);
}

void hs_latency_add(struct hs_latency *latency, uint64_t ns)
{
	latency->count[bin_of(ns, UNIT_SHIFT, STEP_SHIFT)]++;
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
	latency->count[bin_of(ns, ROUGH_UNIT_SHIFT, ROUGH_STEP_SHIFT)]++;
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
