// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls that the kernel counts: which routes and answers it may count, and what it has counted. A call
 * that was told, by payload or by a record of its own, teaches the kernel its route and status: the next
 * of its kind need not be told.
 */
#include <stdlib.h>

#include "hopscope/count.h"
#include "model/private.h"

/* A route on an edge, in one version of HTTP/1. */
struct hs_counted {
	struct hs_route_key key;
	uint32_t number;
	struct hs_edge *edge;
	struct hs_calls_key calls; /* without status */
	uint16_t statuses[HS_ROUTE_ANSWERS]; /* that it counts; other ones are told */
	size_t status_count;
	struct hs_counted *next;   /* of the same edge */
	UT_hash_handle hh;         /* by key */
	UT_hash_handle hh_number;
};

static const struct hs_counting *counting(const struct hs_model *model)
{
	static const struct hs_counting none = {}; /* a replay */

	return model->config.counting ? model->config.counting : &none;
}

static void *arg_of(const struct hs_model *model)
{
	return model->config.introduce_arg;
}

static struct hs_counted *find(struct hs_model *model, const struct hs_route_key *key)
{
	struct hs_counted *counted;

	HASH_FIND(hh, model->counted, key, sizeof(*key), counted);
	return counted;
}

static struct hs_counted *find_number(struct hs_model *model, uint32_t number)
{
	struct hs_counted *counted;

	HASH_FIND(hh_number, model->counted_by_number, &number, sizeof(number), counted);
	return counted;
}

uint32_t hs_counted_group(const struct hs_edge *edge, const char *version)
{
	return edge->number * 2 + !strcmp(version, "1.1");
}

/* An edge whose calls are counted is known by its number. */
static void count_edge(struct hs_model *model, struct hs_edge *edge)
{
	if (edge->counted)
		return;
	HASH_ADD(hh_number, model->edges_by_number, number, sizeof(edge->number), edge);
	if (counting(model)->edge)
		counting(model)->edge(arg_of(model), edge->number, true);
}

static struct hs_counted *make(struct hs_model *model, struct hs_edge *edge, const struct hs_route_key *key,
			       const struct hs_calls_key *calls)
{
	struct hs_counted *counted = calloc(1, sizeof(*counted));

	if (!counted)
		return NULL;
	count_edge(model, edge);
	counted->key = *key;
	counted->number = ++model->counted_number;
	counted->edge = edge;
	counted->calls = *calls;
	counted->next = edge->counted;
	edge->counted = counted;
	HASH_ADD(hh, model->counted, key, sizeof(counted->key), counted);
	HASH_ADD(hh_number, model->counted_by_number, number, sizeof(counted->number), counted);
	if (counting(model)->route)
		counting(model)->route(arg_of(model), key, counted->number, true);
	return counted;
}

static uint64_t word_of(const char *text, size_t length)
{
	uint64_t word = 0;

	for (size_t i = 0; i < length && i < 8; i++)
		word |= (uint64_t)(uint8_t)text[i] << 8 * i;
	return word;
}

static bool hash_command(const char *name, uint64_t *hash)
{
	size_t length = strlen(name);

	*hash = hs_command_hash(word_of(name, length), length > 8 ? word_of(name + 8, length - 8) : 0);
	return length && length <= HS_COMMAND_MAX && !strchr(name, ' ');
}

/* By what the kernel knows calls like this one. False: it cannot. */
static bool hash_call(struct hs_model *model, const struct hs_call *call, const struct hs_calls_key *calls, uint64_t *hash)
{
	if (!calls->protocol->is_at_rest)
		return false;
	if (calls->protocol->is_plain)
		return calls->protocol->is_plain(call) && hash_command(call->operation, hash);
	return hs_route_hash(model->config.routes, call->operation, call->target, calls->route, hash);
}

static void learn_status(struct hs_model *model, struct hs_counted *counted, int32_t status)
{
	if (status < 0)
		status = HS_STATUS_NONE;
	for (size_t i = 0; i < counted->status_count; i++)
		if (counted->statuses[i] == status)
			return;
	if (status >= 500 || (status < 200 && status != HS_STATUS_NONE) || counted->status_count == HS_ROUTE_ANSWERS)
		return;
	counted->statuses[counted->status_count++] = status;
	if (counting(model)->answer)
		counting(model)->answer(arg_of(model),
					&(struct hs_count_key){ .route = counted->number, .status = status });
}

void hs_counted_learn(struct hs_model *model, struct hs_edge *edge, const struct hs_call *call,
		      const struct hs_calls_key *calls)
{
	struct hs_route_key key = { .group = hs_counted_group(edge, call->version) };
	struct hs_counted *counted;
	uint64_t hash;

	if (calls->end != HS_CALL_ANSWERED || edge == model->other_edge || !hash_call(model, call, calls, &hash))
		return;
	key.hash = hash;
	counted = find(model, &key);
	if (!counted && HASH_COUNT(model->counted) < model->config.max_routes)
		counted = make(model, edge, &key, calls);
	if (counted && counted->calls.seen_at == calls->seen_at)
		learn_status(model, counted, call->status);
}

void hs_counted_forget(struct hs_model *model, struct hs_edge *edge)
{
	struct hs_counted *next;

	if (!edge->counted)
		return;
	for (struct hs_counted *counted = edge->counted; counted; counted = next) {
		next = counted->next;
		if (counting(model)->route)
			counting(model)->route(arg_of(model), &counted->key, counted->number, false);
		HASH_DEL(model->counted, counted);
		HASH_DELETE(hh_number, model->counted_by_number, counted);
		free(counted);
	}
	HASH_DELETE(hh_number, model->edges_by_number, edge);
	if (counting(model)->edge)
		counting(model)->edge(arg_of(model), edge->number, false);
	edge->counted = NULL;
}

/* ---- what the kernel tells ---- */

static struct hs_calls_key key_of(const struct hs_counted *counted, uint32_t status)
{
	struct hs_calls_key key = counted->calls;

	key.status = status == HS_STATUS_NONE ? -1 : (int32_t)status;
	key.failed = status >= 500;
	return key;
}

int hs_counted_feed(struct hs_model *model, const struct hs_ev_counted *event)
{
	struct hs_counted *counted = find_number(model, event->key.route);
	struct hs_calls_key key;

	if (!counted) { /* its edge was forgotten, a moment before */
		model->counters.undecoded[0][HS_L7_LOSS_CALLS] += event->grown.count;
		return 0;
	}
	key = key_of(counted, event->key.status);
	hs_calls_grow(model, counted->edge, &key, &event->grown);
	return 0;
}

int hs_latencies_feed(struct hs_model *model, const struct hs_ev_latencies *event)
{
	struct hs_edge *edge;

	HASH_FIND(hh_number, model->edges_by_number, &event->edge, sizeof(event->edge), edge);
	if (!edge)
		return 0;
	if (!edge->call_latency)
		edge->call_latency = calloc(1, sizeof(*edge->call_latency));
	for (uint32_t i = 0; edge->call_latency && i < event->count; i++) {
		const struct hs_bin *bin = &event->bins[i];

		if (bin->bin >= HS_LATENCY_BINS)
			continue;
		edge->call_latency->count[bin->bin] += bin->grown;
		edge->call_latency->total += bin->grown;
	}
	for (int part = 0; part < HS_PART_MAX; part++) {
		for (unsigned i = 0; i <= HS_PART_BUCKETS; i++)
			edge->parts[part].count[i] += event->part[part][i];
		edge->parts[part].sum += event->part_ns[part] / 1e9;
	}
	return 0;
}

bool hs_counted_call(struct hs_model *model, const struct hs_ev_call *event, struct hs_call *call)
{
	const struct hs_counted *counted = find_number(model, event->route);

	if (!counted)
		return false;
	*call = (struct hs_call){
		.request_ns = event->request_ns, .request_end_ns = event->request_end_ns, .read_ns = event->read_ns,
		.response_ns = event->response_ns, .response_end_ns = event->response_end_ns,
		.request_bytes = event->request_bytes, .response_bytes = event->response_bytes,
		.rtt_us = event->rtt_us, .status = event->status > HS_STATUS_NONE ? event->status : -1,
		.end = event->status ? HS_CALL_ANSWERED : HS_CALL_UNANSWERED, .failed = event->status >= 500,
		.counted = true,
	};
	memcpy(call->operation, counted->calls.operation, sizeof(call->operation));
	memcpy(call->target, counted->calls.route, sizeof(counted->calls.route)); /* shorter */
	memcpy(call->version, counted->calls.version, sizeof(call->version));
	return true;
}

void hs_counted_told(struct hs_model *model, const struct hs_ev_call *event)
{
	struct hs_counted *counted = find_number(model, event->route);

	if (counted && event->status)
		learn_status(model, counted, event->status);
}
