// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/latency.h"

#include <math.h>

#define UNIT_SHIFT 5 /* a step of the first power is 32 ns */
#define STEP_SHIFT 5

static unsigned bin_of(uint64_t ns)
{
	uint64_t units = ns >> UNIT_SHIFT;
	unsigned power, bin;

	if (units < HS_LATENCY_STEPS)
		return units;
	power = 63 - __builtin_clzll(units) - STEP_SHIFT;
	bin = (power + 1) * HS_LATENCY_STEPS + ((units >> power) & (HS_LATENCY_STEPS - 1));
	return bin < HS_LATENCY_BINS ? bin : HS_LATENCY_BINS - 1;
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
	latency->count[bin_of(ns)]++;
	latency->total++;
}

void hs_latency_merge(struct hs_latency *sum, const struct hs_latency *other)
{
	for (unsigned i = 0; i < HS_LATENCY_BINS; i++)
		sum->count[i] += other->count[i];
	sum->total += other->total;
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
