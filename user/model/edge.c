// SPDX-License-Identifier: GPL-2.0-or-later
/* Edges: created on first use, bounded, rates kept, forgotten when idle. */
#include <math.h>
#include <stdlib.h>

#include "model/private.h"

#define RATE_SPAN 30.0 /* seconds: the memory of the moving rates */

struct hs_edge *hs_edge_find(struct hs_model *model, struct hs_workload *client, struct hs_workload *server,
			     uint16_t port)
{
	struct hs_edge probe = {}, *edge;

	probe.key.client = client;
	probe.key.server = server;
	probe.key.server_port = port;
	HASH_FIND(hh, model->edges, &probe.key, sizeof(probe.key), edge);
	return edge;
}

static struct hs_edge *make(struct hs_model *model, struct hs_workload *client, struct hs_workload *server,
			    uint16_t port)
{
	struct hs_edge *edge = calloc(1, sizeof(*edge));

	if (!edge)
		return NULL;
	edge->key.client = hs_workload_ref(client);
	edge->key.server = hs_workload_ref(server);
	edge->key.server_port = port;
	edge->first_seen_ns = model->now_ns;
	HASH_ADD(hh, model->edges, key, sizeof(edge->key), edge);
	return edge;
}

/* hs_model_new() makes the overflow edge's workload; the edge itself shows only once needed. */
static struct hs_edge *other(struct hs_model *model)
{
	static struct hs_edge last_resort; /* memory is out: what lands here is lost, and counted */

	model->counters.dropped[HS_MODEL_LOSS_EDGE]++;
	if (!model->other_edge)
		model->other_edge = make(model, model->other, model->other, 0);
	return model->other_edge ? model->other_edge : &last_resort;
}

struct hs_edge *hs_edge_get(struct hs_model *model, struct hs_workload *client, struct hs_workload *server,
			    uint16_t port)
{
	struct hs_edge *edge = hs_edge_find(model, client, server, port);

	if (!edge && HASH_COUNT(model->edges) < model->config.max_edges)
		edge = make(model, client, server, port);
	if (!edge)
		edge = other(model);
	edge->last_seen_ns = model->now_ns;
	return edge;
}

static void forget(struct hs_model *model, struct hs_edge *edge)
{
	HASH_DEL(model->edges, edge);
	hs_workload_unref(model, edge->key.client);
	hs_workload_unref(model, edge->key.server);
	hs_calls_free(model, edge);
	free(edge->failures.kinds);
	free(edge->connection_failures.kinds);
	free(edge);
}

static void move(double *rate, uint64_t *last, uint64_t total, double seconds, double weight)
{
	*rate += ((total - *last) / seconds - *rate) * weight;
	if (*rate < 1e-3)
		*rate = 0;
	*last = total;
}

/* A young edge has no past: until it is as old as the span its rates are plain means. */
static double rate_weight(double seconds, double age)
{
	double weight = 1 - exp(-seconds / RATE_SPAN), mean = seconds / (age > seconds ? age : seconds);

	return mean > weight ? mean : weight;
}

static void move_rates(struct hs_edge *edge, double seconds, double age)
{
	double weight = rate_weight(seconds, age);
	uint64_t failures = hs_failures_total(&edge->failures), retransmits = 0;

	for (int i = 0; i < HS_RETRANSMIT_MAX; i++)
		retransmits += edge->retransmits[HS_CLIENT][i] + edge->retransmits[HS_SERVER][i];
	move(&edge->rates.connects, &edge->last.connects, edge->connects, seconds, weight);
	move(&edge->rates.failures, &edge->last.failures, failures, seconds, weight);
	move(&edge->rates.calls, &edge->last.calls, edge->call_count, seconds, weight);
	move(&edge->rates.call_failures, &edge->last.call_failures, edge->call_failures, seconds, weight);
	move(&edge->rates.sent_bytes, &edge->last.sent_bytes, edge->sent_bytes, seconds, weight);
	move(&edge->rates.received_bytes, &edge->last.received_bytes, edge->received_bytes, seconds, weight);
	move(&edge->rates.retransmits, &edge->last.retransmits, retransmits, seconds, weight);
	for (struct hs_calls *calls = edge->calls; calls; calls = calls->hh.next)
		move(&calls->rate, &calls->last_count, calls->count, seconds, weight);
}

void hs_edge_tick(struct hs_model *model)
{
	double seconds = hs_seconds(model->rates_ns, model->now_ns);
	struct hs_edge *edge, *next;

	if (seconds < 1)
		return;
	model->rates_ns = model->now_ns;
	HASH_ITER(hh, model->edges, edge, next) {
		move_rates(edge, seconds, hs_seconds(edge->first_seen_ns, model->now_ns));
		if (edge != model->other_edge && !edge->references &&
		    edge->last_seen_ns + model->config.edge_ttl_ns < model->now_ns)
			forget(model, edge);
	}
}

void hs_edge_free_all(struct hs_model *model)
{
	while (model->edges)
		forget(model, model->edges);
	model->other_edge = NULL;
}
