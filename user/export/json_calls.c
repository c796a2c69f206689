/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an edge tells of its calls, and /api/v1/routes: the same by operation and route. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/call_result.h"
#include "export/json_calls.h"

const char *hs_call_protocol_name(const struct hs_protocol *protocol, bool rpc)
{
	return rpc ? "grpc" : protocol->name;
}

double hs_call_error_ratio(double rate, double failed_rate, uint64_t calls, uint64_t failed)
{
	if (rate > 0)
		return failed_rate < rate ? failed_rate / rate : 1;
	return calls ? (double)failed / (double)calls : NAN;
}

static void put_latency(struct hs_json *json, const struct hs_latency *latency)
{
	hs_json_put_real(json, "p50_seconds", hs_latency_quantile(latency, 0.50));
	hs_json_put_real(json, "p95_seconds", hs_latency_quantile(latency, 0.95));
	hs_json_put_real(json, "p99_seconds", hs_latency_quantile(latency, 0.99));
}

/* ---- of an edge ---- */

/* Each once: an edge has one, or a few. */
static void put_protocols(struct hs_json *json, const struct hs_edge *edge)
{
	const char *known[HS_PROTOCOLS_MAX + 1];
	size_t count = 0, i;

	hs_json_open(json, "protocols", '[');
	for (const struct hs_calls *calls = edge->calls; calls; calls = calls->hh.next) {
		const char *name = hs_call_protocol_name(calls->key.protocol, calls->key.rpc);

		for (i = 0; i < count && strcmp(known[i], name); i++)
			;
		if (i < count || count == HS_PROTOCOLS_MAX + 1)
			continue;
		known[count++] = name;
		hs_json_put_text(json, NULL, name);
	}
	hs_json_close(json, ']');
}

double hs_edge_error_ratio(const struct hs_edge *edge)
{
	return hs_call_error_ratio(edge->rates.calls, edge->rates.call_failures, edge->call_count,
				   edge->call_failures);
}

void hs_json_put_calls(struct hs_json *json, const struct hs_edge *edge)
{
	hs_json_put_number(json, "calls", edge->call_count);
	hs_json_put_number(json, "failed_calls", edge->call_failures);
	hs_json_put_real(json, "call_error_ratio", hs_edge_error_ratio(edge));
	hs_json_open(json, "call_duration", '{');
	hs_json_put_number(json, "count", edge->call_latency ? edge->call_latency->total : 0);
	if (edge->call_latency)
		put_latency(json, edge->call_latency);
	hs_json_close(json, '}');
	put_protocols(json, edge);
}

/* ---- routes ---- */

struct row {
	const struct hs_edge *edge;
	const struct hs_calls *calls;
};

/* Rows that differ in their result only. */
struct group {
	const struct row *row;
	size_t count;
	uint64_t calls, failed, request_bytes, response_bytes;
	double rate, failed_rate;
};

static int compare_keys(const struct hs_calls_key *a, const struct hs_calls_key *b)
{
	int order = strcmp(a->protocol->name, b->protocol->name);

	if (!order)
		order = a->rpc - b->rpc;
	if (!order)
		order = strcmp(a->route, b->route);
	return order ? order : strcmp(a->operation, b->operation);
}

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (a->edge != b->edge)
		return a->edge < b->edge ? -1 : 1;
	return compare_keys(&a->calls->key, &b->calls->key);
}

static int compare_reals(double a, double b)
{
	return (a < b) - (a > b);
}

/* Fails now, has failed, busy; then by name, so that the order does not jump about. */
static int compare_groups(const void *left, const void *right)
{
	const struct group *a = left, *b = right;
	int order = compare_reals(a->failed_rate, b->failed_rate);

	if (!order)
		order = compare_reals(a->rate, b->rate);
	if (!order)
		order = (a->failed < b->failed) - (a->failed > b->failed);
	if (!order)
		order = (a->calls < b->calls) - (a->calls > b->calls);
	return order ? order : compare_keys(&a->row->calls->key, &b->row->calls->key);
}

static bool is_failed(const struct hs_calls *calls)
{
	return calls->key.failed || calls->key.end != HS_CALL_ANSWERED;
}

static void group_add(struct group *group, const struct hs_calls *calls)
{
	group->count++;
	group->calls += calls->count;
	group->rate += calls->rate;
	group->request_bytes += calls->request_bytes;
	group->response_bytes += calls->response_bytes;
	if (!is_failed(calls))
		return;
	group->failed += calls->count;
	group->failed_rate += calls->rate;
}

static size_t count_rows(const struct hs_model *model)
{
	size_t count = 0;

	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		for (const struct hs_calls *calls = edge->calls; calls; calls = calls->hh.next)
			count++;
	return count;
}

static void collect_rows(const struct hs_model *model, struct row *rows)
{
	size_t count = 0;

	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		for (const struct hs_calls *calls = edge->calls; calls; calls = calls->hh.next)
			rows[count++] = (struct row){ edge, calls };
	qsort(rows, count, sizeof(*rows), compare_rows);
}

static size_t make_groups(const struct row *rows, size_t count, struct group *groups)
{
	size_t made = 0;

	for (size_t i = 0; i < count; i++) {
		if (!i || compare_rows(&rows[i - 1], &rows[i]))
			groups[made++].row = &rows[i];
		group_add(&groups[made - 1], rows[i].calls);
	}
	qsort(groups, made, sizeof(*groups), compare_groups);
	return made;
}

/* How it went, in one word. */
static void result_word(const struct hs_calls *calls, char text[HS_RESULT_LEN])
{
	struct hs_call_result result = hs_result_of_calls(&calls->key);

	if (result.end == HS_CALL_ANSWERED)
		hs_result_status(&result, text);
	if (result.end != HS_CALL_ANSWERED || !*text)
		hs_result_error_type(&result, text);
	if (!*text)
		strcpy(text, "ok");
}

/* The calls of the group from that row on that went as it did; 0 where an earlier row has told of them. */
static uint64_t count_alike(const struct group *group, size_t at, const char *word)
{
	char other[HS_RESULT_LEN];
	uint64_t sum = 0;

	for (size_t i = 0; i < group->count; i++) {
		result_word(group->row[i].calls, other);
		if (strcmp(word, other))
			continue;
		if (i < at)
			return 0;
		sum += group->row[i].calls->count;
	}
	return sum;
}

static void put_statuses(struct hs_json *json, const struct group *group)
{
	char word[HS_RESULT_LEN];
	uint64_t calls;

	hs_json_open(json, "statuses", '[');
	for (size_t i = 0; i < group->count; i++) {
		result_word(group->row[i].calls, word);
		calls = count_alike(group, i, word);
		if (!calls)
			continue;
		hs_json_open(json, NULL, '{');
		hs_json_put_text(json, "status", word);
		hs_json_put_number(json, "calls", calls);
		hs_json_close(json, '}');
	}
	hs_json_close(json, ']');
}

static void put_duration(struct hs_json *json, const struct group *group)
{
	struct hs_latency latency = { 0 };

	for (size_t i = 0; i < group->count; i++)
		if (group->row[i].calls->latency)
			hs_latency_merge_rough(&latency, group->row[i].calls->latency);
	hs_json_open(json, "duration", '{');
	hs_json_put_number(json, "count", latency.total);
	put_latency(json, &latency);
	hs_json_close(json, '}');
}

static void put_group(struct hs_json *json, const struct group *group)
{
	const struct hs_calls_key *key = &group->row->calls->key;
	const struct hs_edge *edge = group->row->edge;
	const struct hs_json_end client = { .workload = edge->key.client };
	const struct hs_json_end server = { .workload = edge->key.server,
					    .port = (uint16_t)edge->key.server_port };

	hs_json_open(json, NULL, '{');
	hs_json_put_end(json, "client", &client);
	hs_json_put_end(json, "server", &server);
	hs_json_put_text(json, "protocol", hs_call_protocol_name(key->protocol, key->rpc));
	hs_json_put_known_text(json, "operation", key->operation);
	hs_json_put_known_text(json, "route", key->route);
	hs_json_put_number(json, "calls", group->calls);
	hs_json_put_number(json, "failed_calls", group->failed);
	hs_json_put_real(json, "error_ratio", hs_call_error_ratio(group->rate, group->failed_rate, group->calls,
								 group->failed));
	put_duration(json, group);
	put_statuses(json, group);
	hs_json_put_number(json, "request_bytes", group->request_bytes);
	hs_json_put_number(json, "response_bytes", group->response_bytes);
	hs_json_open(json, "rates", '{');
	hs_json_put_real(json, "calls_per_second", group->rate);
	hs_json_put_real(json, "failed_calls_per_second", group->failed_rate);
	hs_json_close(json, '}');
	hs_json_close(json, '}');
}

int hs_json_routes(struct hs_json *json, const struct hs_view *view)
{
	size_t count = count_rows(view->model);
	struct row *rows = calloc(count + 1, sizeof(*rows));
	struct group *groups = calloc(count + 1, sizeof(*groups));
	int error = rows && groups ? 0 : -ENOMEM;

	if (!error) {
		collect_rows(view->model, rows);
		count = make_groups(rows, count, groups);
		hs_json_open(json, "items", '[');
		for (size_t i = 0; i < count; i++)
			put_group(json, &groups[i]);
		hs_json_close(json, ']');
	}
	free(rows);
	free(groups);
	return error;
}
