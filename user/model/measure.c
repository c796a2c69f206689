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

void hs_calls_free_measures(struct hs_calls *calls)
{
	free(calls->bodies);
	free(calls->latency);
}
