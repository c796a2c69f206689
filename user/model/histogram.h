/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixed-bucket histograms of durations and sizes, as Prometheus' classic histograms count them. */
#ifndef HS_MODEL_HISTOGRAM_H
#define HS_MODEL_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HS_HISTOGRAM_BUCKETS 16

/* Upper bounds in seconds or bytes, ascending, without +Inf. */
struct hs_buckets {
	unsigned count; /* <= HS_HISTOGRAM_BUCKETS */
	double bound[HS_HISTOGRAM_BUCKETS];
};

extern const struct hs_buckets hs_buckets_handshake;  /* SYN to established, and established to accept() */
extern const struct hs_buckets hs_buckets_connection; /* life of a connection */
extern const struct hs_buckets hs_buckets_rtt;
extern const struct hs_buckets hs_buckets_part; /* of a call: network, queue, service */
extern const struct hs_buckets hs_buckets_call; /* as the semantic conventions advise for HTTP and RPC */
extern const struct hs_buckets hs_buckets_db;   /* … and for databases */
extern const struct hs_buckets hs_buckets_body; /* bytes: they advise none */

struct hs_histogram {
	uint64_t count[HS_HISTOGRAM_BUCKETS + 1]; /* per bucket, not cumulated; the last is +Inf */
	double sum;
};

void hs_histogram_add(struct hs_histogram *histogram, const struct hs_buckets *buckets, double value);
/* Adds what another one of the same buckets has. */
void hs_histogram_join(struct hs_histogram *histogram, const struct hs_histogram *other);
uint64_t hs_histogram_total(const struct hs_histogram *histogram);

/*
 * The quantile q (0 to 1), interpolated in its bucket like PromQL's histogram_quantile().
 * NaN without observations; the highest finite bound when it falls into +Inf.
 */
double hs_histogram_quantile(const struct hs_histogram *histogram, const struct hs_buckets *buckets, double q);

#endif
