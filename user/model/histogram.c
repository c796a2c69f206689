// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/histogram.h"

#include <math.h>

/*
 * SYNs are sent again after 1, 3, 7 and 15 s in all. The bounds lie just above, so that a handshake
 * which needed one is in the bucket that ends there, and its quantile is about right.
 */
const struct hs_buckets hs_buckets_handshake = {
	.count = 16,
	.bound = { 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
		   1.1, 3.2, 7.5, 15.5 },
};

const struct hs_buckets hs_buckets_connection = {
	.count = 11,
	.bound = { 0.001, 0.01, 0.1, 1, 10, 60, 300, 1800, 3600, 21600, 86400 },
};

const struct hs_buckets hs_buckets_rtt = {
	.count = 14,
	.bound = { 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
		   0.5, 1 },
};

const struct hs_buckets hs_buckets_call = {
	.count = 14,
	.bound = { 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10 },
};

const struct hs_buckets hs_buckets_part = {
	.count = 16,
	.bound = { 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
		   2.5, 10 },
};

const struct hs_buckets hs_buckets_db = {
	.count = 9,
	.bound = { 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10 },
};

/* Powers of eight: each is ten series more for every kind of call. */
const struct hs_buckets hs_buckets_body = {
	.count = 7,
	.bound = { 128, 1024, 8192, 65536, 524288, 4194304, 33554432 },
};

void hs_histogram_add(struct hs_histogram *histogram, const struct hs_buckets *buckets, double value)
{
	unsigned i = 0;

	while (i < buckets->count && value > buckets->bound[i])
		i++;
	histogram->count[i < buckets->count ? i : HS_HISTOGRAM_BUCKETS]++;
	histogram->sum += value;
}

void hs_histogram_join(struct hs_histogram *histogram, const struct hs_histogram *other)
{
	for (unsigned i = 0; i <= HS_HISTOGRAM_BUCKETS; i++)
		histogram->count[i] += other->count[i];
	histogram->sum += other->sum;
}

uint64_t hs_histogram_total(const struct hs_histogram *histogram)
{
	uint64_t total = 0;

	for (unsigned i = 0; i <= HS_HISTOGRAM_BUCKETS; i++)
		total += histogram->count[i];
	return total;
}

double hs_histogram_quantile(const struct hs_histogram *histogram, const struct hs_buckets *buckets, double q)
{
	uint64_t total = hs_histogram_total(histogram);
	double rank = q * total, below = 0, lower = 0;

	if (!total)
		return NAN;
	for (unsigned i = 0; i < buckets->count; i++) {
		if (histogram->count[i] && below + histogram->count[i] >= rank)
			return lower + (buckets->bound[i] - lower) * (rank - below) / histogram->count[i];
		below += histogram->count[i];
		lower = buckets->bound[i];
	}
	return lower;
}
