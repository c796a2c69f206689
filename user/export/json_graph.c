/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/graph: the edges, what hurts most first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/json_calls.h"
#include "model/finding.h"

uint64_t hs_edge_failures(const struct hs_edge *edge)
{
	return hs_failures_total(&edge->failures);
}

uint64_t hs_edge_stuck(const struct hs_edge *edge)
{
	uint64_t sum = 0;

	for (int cause = 0; cause < HS_CAUSE_MAX; cause++)
		sum += edge->stuck[cause];
	return sum;
}

static uint64_t all_failures(const struct hs_edge *edge)
{
	return hs_edge_failures(edge) + hs_failures_total(&edge->connection_failures);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int compare_reals(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare_names(const struct hs_edge *a, const struct hs_edge *b)
{
	int order = strcmp(a->key.client->identity.name, b->key.client->identity.name);

	if (!order)
		order = strcmp(a->key.server->identity.name, b->key.server->identity.name);
	return order ? order : compare_numbers(b->key.server_port, a->key.server_port);
}

/* Failing now, hangs, has failed, busy, in use; then by name, so that the order does not jump about. */
static int compare_edges(const void *left, const void *right)
{
	const struct hs_edge *a = *(const struct hs_edge *const *)left;
	const struct hs_edge *b = *(const struct hs_edge *const *)right;
	int order = compare_reals(a->rates.failures, b->rates.failures);

	if (!order)
		order = compare_numbers(hs_edge_stuck(a), hs_edge_stuck(b));
	if (!order)
		order = compare_reals(a->rates.call_failures, b->rates.call_failures);
	if (!order)
		order = compare_numbers(all_failures(a), all_failures(b));
	if (!order)
		order = compare_reals(a->rates.calls, b->rates.calls);
	if (!order)
		order = compare_reals(a->rates.connects, b->rates.connects);
	if (!order)
		order = compare_numbers(a->active, b->active);
	if (!order)
		order = compare_numbers(a->connects, b->connects);
	return order ? order : compare_names(a, b);
}

static const struct hs_edge **sorted_edges(const struct hs_model *model, size_t *count)
{
	const struct hs_edge **edges;
	size_t n = 0;

	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		n++;
	edges = malloc((n + 1) * sizeof(*edges));
	if (!edges)
		return NULL;
	n = 0;
	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		edges[n++] = edge;
	qsort(edges, n, sizeof(*edges), compare_edges);
	*count = n;
	return edges;
}

static void put_reasons(struct hs_json *json, const char *key, const struct hs_failures *failures)
{
	hs_json_open(json, key, '{');
	for (int reason = HS_REASON_NONE + 1; reason < HS_REASON_MAX; reason++)
		hs_json_put_known_number(json, hs_reason_name(reason),
					 hs_failures_of(failures, reason));
	hs_json_close(json, '}');
}

static void add_causes(const struct hs_failures *failures, uint64_t sum[HS_CAUSE_MAX])
{
	for (size_t i = 0; i < failures->count; i++)
		sum[failures->kinds[i].cause] += failures->kinds[i].count;
}

static void put_causes(struct hs_json *json, const struct hs_edge *edge)
{
	uint64_t sum[HS_CAUSE_MAX] = { 0 };

	add_causes(&edge->failures, sum);
	add_causes(&edge->connection_failures, sum);
	hs_json_open(json, "causes", '{');
	for (int cause = 0; cause < HS_CAUSE_MAX; cause++)
		hs_json_put_known_number(json, hs_cause_name(cause), sum[cause]);
	hs_json_close(json, '}');
}

static void put_failures(struct hs_json *json, const struct hs_edge *edge)
{
	put_reasons(json, "failures", &edge->failures);
	hs_json_put_number(json, "failed_connects", hs_edge_failures(edge));
	put_reasons(json, "connection_failures", &edge->connection_failures);
	hs_json_put_number(json, "failed_connections",
			   hs_failures_total(&edge->connection_failures));
	put_causes(json, edge);
	hs_json_put_number(json, "stuck", hs_edge_stuck(edge));
}

static void put_retransmits(struct hs_json *json, const struct hs_edge *edge)
{
	uint64_t sum = 0;

	hs_json_open(json, "retransmits", '{');
	for (int side = 0; side < HS_SIDES; side++) {
		hs_json_put_retransmits(json, hs_json_side[side], edge->retransmits[side]);
		for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++)
			sum += edge->retransmits[side][kind];
	}
	hs_json_close(json, '}');
	hs_json_put_number(json, "retransmitted_segments", sum);
}

static void put_resets(struct hs_json *json, const struct hs_edge *edge)
{
	hs_json_open(json, "resets", '{');
	for (int side = 0; side < HS_SIDES; side++)
		hs_json_put_number(json, hs_json_side[side], edge->resets[side]);
	hs_json_close(json, '}');
}

static void put_totals(struct hs_json *json, const struct hs_edge *edge)
{
	hs_json_put_number(json, "active_connections", edge->active);
	hs_json_put_number(json, "connects", edge->connects);
	hs_json_put_number(json, "closes", edge->closes);
	hs_json_put_number(json, "cancelled", edge->cancelled);
	put_failures(json, edge);
	hs_json_put_number(json, "sent_bytes", edge->sent_bytes);
	hs_json_put_number(json, "received_bytes", edge->received_bytes);
	put_retransmits(json, edge);
	put_resets(json, edge);
}

static void put_durations(struct hs_json *json, const struct hs_edge *edge)
{
	hs_json_put_histogram(json, "connect_duration", &edge->connect_duration,
			      &hs_buckets_handshake);
	hs_json_put_histogram(json, "accept_delay", &edge->accept_delay, &hs_buckets_handshake);
	hs_json_put_histogram(json, "connection_duration", &edge->connection_duration,
			      &hs_buckets_connection);
	hs_json_put_histogram(json, "rtt", &edge->rtt, &hs_buckets_rtt);
}

static void put_parts(struct hs_json *json, const struct hs_edge *edge)
{
	hs_json_put_histogram(json, "network_duration", &edge->parts[HS_PART_NETWORK], &hs_buckets_part);
	hs_json_put_histogram(json, "queue_duration", &edge->parts[HS_PART_QUEUE], &hs_buckets_part);
	hs_json_put_histogram(json, "service_duration", &edge->parts[HS_PART_SERVICE], &hs_buckets_part);
}

static void put_rates(struct hs_json *json, const struct hs_edge_rates *rates)
{
	hs_json_open(json, "rates", '{');
	hs_json_put_real(json, "connects_per_second", rates->connects);
	hs_json_put_real(json, "failures_per_second", rates->failures);
	hs_json_put_real(json, "sent_bytes_per_second", rates->sent_bytes);
	hs_json_put_real(json, "received_bytes_per_second", rates->received_bytes);
	hs_json_put_real(json, "retransmits_per_second", rates->retransmits);
	hs_json_put_real(json, "calls_per_second", rates->calls);
	hs_json_put_real(json, "failed_calls_per_second", rates->call_failures);
	hs_json_close(json, '}');
}

static void put_edge(struct hs_json *json, const struct hs_view *view, const struct hs_edge *edge)
{
	const struct hs_json_end client = { .workload = edge->key.client };
	const struct hs_json_end server = { .workload = edge->key.server,
					    .port = (uint16_t)edge->key.server_port };

	hs_json_open(json, NULL, '{');
	hs_json_put_end(json, "client", &client);
	hs_json_put_end(json, "server", &server);
	hs_json_put_time(json, "first_seen", &view->clock, edge->first_seen_ns);
	hs_json_put_time(json, "last_seen", &view->clock, edge->last_seen_ns);
	put_totals(json, edge);
	put_durations(json, edge);
	hs_json_put_calls(json, edge);
	if (edge->call_count)
		put_parts(json, edge);
	put_rates(json, &edge->rates);
	hs_json_close(json, '}');
}

int hs_json_graph(struct hs_json *json, const struct hs_view *view)
{
	size_t count = 0;
	const struct hs_edge **edges = sorted_edges(view->model, &count);
	int error;

	if (!edges)
		return -ENOMEM;
	hs_json_open(json, "items", '[');
	for (size_t i = 0; i < count; i++)
		put_edge(json, view, edges[i]);
	hs_json_close(json, ']');
	error = hs_json_panel(json, edges, count);
	free(edges);
	return error;
}
