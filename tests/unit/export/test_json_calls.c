/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls in the documents: of an edge, by route, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/json.h"
#include "fake_json.h"

#define HOSTILE "a\"b\\c\nd\x01\xc3\xa9"

static void test_edge(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_edge *edge = fake_edge(model, "app", "shop", 80);
	json_t *json;

	(void)state;
	fake_calls(edge, &fake_http, 200, 97, 10);
	fake_calls(edge, &fake_http, 503, 3, 10);
	fake_calls(edge, &fake_http, 0, 1, 10)->key.rpc = true;
	edge->rates.calls = 50;
	edge->rates.call_failures = 5;
	fake_edge(model, "z", "shop", 81);
	json = document(model, "graph");
	assert_number(json, "items.0.calls", 101);
	assert_number(json, "items.0.failed_calls", 3);
	assert_number(json, "items.0.call_error_ratio", 0.1);
	assert_number(json, "items.0.call_duration.count", 101);
	assert_true(json_number_value(at(json, "items.0.call_duration.p99_seconds")) > 0.0098);
	assert_true(json_number_value(at(json, "items.0.call_duration.p50_seconds")) < 0.0102);
	assert_int_equal(json_array_size(at(json, "items.0.protocols")), 2);
	assert_text(json, "items.0.protocols.0", "http");
	assert_text(json, "items.0.protocols.1", "grpc");
	assert_number(json, "items.0.rates.calls_per_second", 50);
	assert_number(json, "items.0.rates.failed_calls_per_second", 5);
	assert_number(json, "items.1.calls", 0);
	assert_number(json, "items.1.call_duration.count", 0);
	assert_absent(json, "items.1.call_duration.p50_seconds");
	assert_absent(json, "items.1.call_error_ratio");
	assert_int_equal(json_array_size(at(json, "items.1.protocols")), 0);
	assert_text(json, "edges.0.mainstat", "50 req/s");
	assert_text(json, "edges.0.color", "red");
	assert_text(json, "nodes.1.id", "shop");
	assert_text(json, "nodes.1.mainstat", "50 req/s");
	assert_text(json, "nodes.1.secondarystat", "5.0 errors/s");
	assert_number(json, "nodes.1.arc__errors", 0.1);
	assert_number(json, "nodes.1.detail__calls_served", 101);
	json_decref(json);
	fake_free(model);
}

/* Results are merged, and so are versions; another operation is another line. */
static void test_routes(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_edge *edge = fake_edge(model, "app", "shop", 80);
	struct hs_calls *calls;
	json_t *json;

	(void)state;
	strcpy(fake_calls(edge, &fake_http, 200, 50, 10)->key.version, "1.1");
	strcpy(fake_calls(edge, &fake_http, 200, 40, 10)->key.version, "2");
	calls = fake_calls(edge, &fake_http, 503, 10, 800);
	calls->rate = 1;
	calls = fake_calls(edge, &fake_http, 200, 5, 1);
	calls->key.end = HS_CALL_UNANSWERED;
	calls->rate = 0.5;
	strcpy(fake_calls(edge, &fake_http, 200, 7, 1)->key.operation, "POST");
	calls = fake_calls(edge, &fake_db, -1, 1, 1);
	strcpy(calls->key.route, HOSTILE);
	strcpy(calls->key.error, HOSTILE);
	calls->key.failed = true;
	json = document(model, "routes");
	assert_text(json, "kind", "RouteList");
	assert_int_equal(json_array_size(at(json, "items")), 3);
	assert_text(json, "items.0.client.name", "app");
	assert_number(json, "items.0.server.port", 80);
	assert_text(json, "items.0.protocol", "http");
	assert_text(json, "items.0.operation", "GET");
	assert_text(json, "items.0.route", "/users/{id}");
	assert_number(json, "items.0.calls", 105);
	assert_number(json, "items.0.failed_calls", 15);
	assert_number(json, "items.0.error_ratio", 1);
	assert_number(json, "items.0.rates.calls_per_second", 1.5);
	assert_number(json, "items.0.request_bytes", 10500);
	assert_number(json, "items.0.response_bytes", 210000);
	assert_int_equal(json_array_size(at(json, "items.0.statuses")), 3);
	assert_text(json, "items.0.statuses.0.status", "200");
	assert_number(json, "items.0.statuses.0.calls", 90);
	assert_text(json, "items.0.statuses.1.status", "503");
	assert_text(json, "items.0.statuses.2.status", "unanswered");
	assert_number(json, "items.0.duration.count", 105);
	assert_true(json_number_value(at(json, "items.0.duration.p50_seconds")) < 0.011);
	assert_true(json_number_value(at(json, "items.0.duration.p99_seconds")) > 0.73);
	assert_text(json, "items.1.protocol", "postgresql");
	assert_text(json, "items.1.route", HOSTILE);
	assert_text(json, "items.1.statuses.0.status", HOSTILE);
	assert_number(json, "items.1.error_ratio", 1);
	assert_text(json, "items.2.operation", "POST");
	assert_number(json, "items.2.error_ratio", 0);
	json_decref(json);
	fake_free(model);
}

static void test_requests(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_request *request;
	json_t *json;

	(void)state;
	fake_request(model, "app", "shop", 80);
	request = fake_request(model, "app", "shop", 80);
	request->call.end = HS_CALL_UNANSWERED;
	request->call.response_ns = request->call.response_end_ns = 0;
	request->call.status = -1;
	strcpy(request->call.target, HOSTILE);
	json = document(model, "requests");
	assert_text(json, "kind", "RequestList");
	assert_number(json, "items.0.number", 1);
	assert_text(json, "items.0.time", "2026-01-01T00:00:01.000000000Z");
	assert_text(json, "items.0.client.name", "app");
	assert_number(json, "items.0.server.port", 80);
	assert_text(json, "items.0.seen_at", "server");
	assert_text(json, "items.0.protocol", "http");
	assert_text(json, "items.0.version", "1.1");
	assert_text(json, "items.0.operation", "GET");
	assert_text(json, "items.0.target", "/users/42");
	assert_text(json, "items.0.route", "/users/{id}");
	assert_text(json, "items.0.status", "200");
	assert_text(json, "items.0.outcome", "answered");
	assert_true(json_is_false(at(json, "items.0.failed")));
	assert_absent(json, "items.0.error_type");
	assert_number(json, "items.0.duration_seconds", 0.016);
	assert_number(json, "items.0.send_seconds", 0.001);
	assert_number(json, "items.0.wait_seconds", 0.01);
	assert_number(json, "items.0.receive_seconds", 0.005);
	assert_number(json, "items.0.request_bytes", 0);
	assert_number(json, "items.0.response_bytes", 2000);
	assert_absent(json, "items.1.status");
	assert_absent(json, "items.1.wait_seconds");
	assert_absent(json, "items.1.receive_seconds");
	assert_text(json, "items.1.outcome", "unanswered");
	assert_text(json, "items.1.error_type", "unanswered");
	assert_true(json_is_true(at(json, "items.1.failed")));
	assert_text(json, "items.1.target", HOSTILE);
	json_decref(json);
	fake_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edge),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
