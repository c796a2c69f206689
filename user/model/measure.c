// SPDX-License-Identifier: GPL-2.0-or-later
/* What is measured of the calls of one kind. */
#include <stdlib.h>

#include "model/model.h"

const struct hs_buckets *hs_calls_buckets(const struct hs_calls *calls)
{
	return calls->key.protocol->kind == HS_PROTOCOL_DB ? &hs_buckets_db : &hs_buckets_call;
}

/* Most messages have none: a GET, a 204. */
static void measure_bodies(struct hs_calls *calls, const struct hs_call *call)
{
	if (!calls->bodies)
		calls->bodies = calloc(1, sizeof(*calls->bodies));
	if (!calls->bodies)
		return;
	if (call->request_bytes)
		hs_histogram_add(&calls->bodies->request, &hs_buckets_body, call->request_bytes);
	if (call->response_bytes)
		hs_histogram_add(&calls->bodies->response, &hs_buckets_body, call->response_bytes);
}

/* How long it took not to be answered says nothing of how fast answers are. */
static void measure_latency(struct hs_calls *calls, uint64_t duration_ns)
{
	if (!calls->latency)
		calls->latency = calloc(1, sizeof(*calls->latency));
	if (calls->latency)
		hs_rough_latency_add(calls->latency, duration_ns);
}

void hs_calls_measure(struct hs_calls *calls, const struct hs_call *call, uint64_t duration_ns)
{
	calls->count++;
	calls->request_bytes += call->request_bytes;
	calls->response_bytes += call->response_bytes;
	hs_histogram_add(&calls->duration, hs_calls_buckets(calls), duration_ns / 1e9);
	if (calls->key.protocol->kind == HS_PROTOCOL_HTTP && !calls->key.rpc &&
	    (call->request_bytes || call->response_bytes))
		measure_bodies(calls, call);
	if (call->end == HS_CALL_ANSWERED)
		measure_latency(calls, duration_ns);
}

static void grow_sizes(struct hs_histogram *sizes, const uint32_t *grown, uint64_t bytes)
{
	for (unsigned i = 0; i < HS_COUNT_SIZES; i++)
		sizes->count[i] += grown[i];
	sizes->count[HS_HISTOGRAM_BUCKETS] += grown[HS_COUNT_SIZES];
	sizes->sum += bytes;
}

void hs_calls_measure_many(struct hs_calls *calls, const struct hs_count *grown)
{
	calls->count += grown->count;
	calls->request_bytes += grown->request_bytes;
	calls->response_bytes += grown->response_bytes;
	for (unsigned i = 0; i < HS_COUNT_BUCKETS; i++)
		calls->duration.count[i] += grown->bucket[i];
	calls->duration.count[HS_HISTOGRAM_BUCKETS] += grown->bucket[HS_COUNT_BUCKETS];
	calls->duration.sum += grown->duration_ns / 1e9;
	if (!calls->bodies && calls->key.protocol->kind == HS_PROTOCOL_HTTP &&
	    (grown->request_bytes || grown->response_bytes))
		calls->bodies = calloc(1, sizeof(*calls->bodies));
	if (calls->bodies) {
		grow_sizes(&calls->bodies->request, grown->request_size, grown->request_bytes);
		grow_sizes(&calls->bodies->response, grown->response_size, grown->response_bytes);
	}
	if (!calls->latency)
		calls->latency = calloc(1, sizeof(*calls->latency));
	for (unsigned i = 0; calls->latency && i < HS_COUNT_BINS; i++)
		calls->latency->count[i] += grown->bin[i];
}

void hs_calls_free_measures(struct hs_calls *calls)
{
	free(calls->bodies);
	free(calls->latency);
}
