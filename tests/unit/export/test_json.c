/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "export/json.h"
#include "fake_json.h"
#include "fake_model.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define HOSTILE "a\"b\\c\nd\x01\xc3\xa9"

static json_t *event(struct hs_model *model, const struct hs_log_entry *entry)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hs_json_event(out, entry, &fake_view(model)->clock), 0);
	fclose(out);
	assert_ptr_equal(strchr(text, '\n'), text + size - 1);
	return parse(text);
}

static struct hs_edge *busy_edge(struct hs_model *model, const char *client, double failures,
				 double connects)
{
	struct hs_edge *edge = fake_edge(model, client, "db", 5432);

	edge->rates.failures = failures;
	edge->rates.connects = connects;
	return edge;
}

static void test_graph_order(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json;
	static const char *const expected[] = { "failing", "stuck", "broken", "failed", "busy",
						"active",  "older", "a",      "b" };

	(void)state;
	busy_edge(model, "b", 0, 0);
	busy_edge(model, "a", 0, 0);
	busy_edge(model, "older", 0, 0)->connects = 7;
	busy_edge(model, "active", 0, 0)->active = 1;
	busy_edge(model, "busy", 0, 100);
	fake_failure(&busy_edge(model, "failed", 0, 0)->failures, HS_REASON_RESET,
		     HS_CAUSE_UNKNOWN, 1);
	fake_failure(&busy_edge(model, "broken", 0, 0)->connection_failures, HS_REASON_ABORTED,
		     HS_CAUSE_UNKNOWN, 2);
	busy_edge(model, "stuck", 0, 0)->stuck[HS_CAUSE_PATH_LOSS] = 1;
	busy_edge(model, "failing", 0.1, 0);
	json = document(model, "graph");
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		char path[64];

		snprintf(path, sizeof(path), "items.%zu.client.name", i);
		assert_text(json, path, expected[i]);
	}
	json_decref(json);
	fake_free(model);
}

static struct hs_model *graph_model(void)
{
	struct hs_model *model = fake_new();
	struct hs_edge *edge = fake_edge(model, "app.py", "postgres", 5432);

	strcpy(edge->key.server->identity.unit, "postgresql.service");
	edge->first_seen_ns = HS_NS_PER_SEC;
	edge->connects = 120;
	edge->cancelled = 50;
	fake_failure(&edge->failures, HS_REASON_REFUSED, HS_CAUSE_NO_LISTENER, 2);
	fake_failure(&edge->failures, HS_REASON_TIMED_OUT, HS_CAUSE_NO_ANSWER, 1);
	fake_failure(&edge->connection_failures, HS_REASON_TIMED_OUT, HS_CAUSE_NO_ANSWER, 4);
	fake_failure(&edge->connection_failures, HS_REASON_ABORTED, HS_CAUSE_TIMESTAMP_REJECTED, 8);
	fake_failure(&edge->connection_failures, HS_REASON_ABORTED, HS_CAUSE_UNKNOWN, 16);
	edge->retransmits[HS_CLIENT][HS_RETRANSMIT_RTO] = 3;
	edge->retransmits[HS_SERVER][HS_RETRANSMIT_UNTRACED] = 1;
	edge->resets[HS_SERVER] = 2;
	edge->rates.connects = 1.5;
	edge->rates.sent_bytes = NAN;
	for (int i = 0; i < 100; i++)
		hs_histogram_add(&edge->connect_duration, &hs_buckets_handshake, 0.002);
	return model;
}

static void test_graph(void **state)
{
	struct hs_model *model = graph_model();
	json_t *json = document(model, "graph");

	(void)state;
	assert_text(json, "apiVersion", "hopscope/v1");
	assert_text(json, "kind", "CallGraph");
	assert_text(json, "time", "2026-01-01T00:00:01.000000000Z");
	assert_non_null(at(json, "node"));
	assert_text(json, "items.0.client.kind", "process");
	assert_text(json, "items.0.server.kind", "unit");
	assert_text(json, "items.0.server.unit", "postgresql.service");
	assert_number(json, "items.0.server.port", 5432);
	assert_absent(json, "items.0.client.port");
	assert_absent(json, "items.0.client.pid");
	assert_text(json, "items.0.first_seen", "2026-01-01T00:00:01.000000000Z");
	assert_absent(json, "items.0.last_seen");
	assert_number(json, "items.0.failed_connects", 3);
	assert_int_equal(json_object_size(at(json, "items.0.failures")), 2);
	assert_number(json, "items.0.failures.timed_out", 1);
	assert_number(json, "items.0.failed_connections", 28);
	assert_int_equal(json_object_size(at(json, "items.0.connection_failures")), 2);
	assert_number(json, "items.0.connection_failures.timed_out", 4);
	assert_number(json, "items.0.connection_failures.aborted", 24);
	assert_int_equal(json_object_size(at(json, "items.0.causes")), 4);
	assert_number(json, "items.0.causes.no_listener", 2);
	assert_number(json, "items.0.causes.no_answer", 5);
	assert_number(json, "items.0.causes.timestamp_rejected", 8);
	assert_number(json, "items.0.causes.unknown", 16);
	assert_number(json, "items.0.stuck", 0);
	assert_number(json, "items.0.retransmits.client.rto", 3);
	assert_int_equal(json_object_size(at(json, "items.0.retransmits.server")), 1);
	assert_number(json, "items.0.retransmitted_segments", 4);
	assert_number(json, "items.0.resets.client", 0);
	assert_number(json, "items.0.connect_duration.count", 100);
	assert_number(json, "items.0.connect_duration.sum_seconds", 0.2);
	assert_number(json, "items.0.connect_duration.p50_seconds", 0.00175);
	assert_number(json, "items.0.rtt.count", 0);
	assert_absent(json, "items.0.rtt.p50_seconds");
	assert_number(json, "items.0.rates.connects_per_second", 1.5);
	assert_absent(json, "items.0.rates.sent_bytes_per_second");
	json_decref(json);
	fake_free(model);
}

static void test_panel(void **state)
{
	struct hs_model *model = graph_model();
	struct hs_edge *edge;
	json_t *json;

	(void)state;
	fake_failure(&fake_edge(model, "curl", "app.py", 80)->failures, HS_REASON_REFUSED,
		     HS_CAUSE_NO_LISTENER, 1);
	edge = fake_edge(model, "wget", "app.py", 81);
	edge->stuck[HS_CAUSE_UNKNOWN] = 1;
	edge->stuck[HS_CAUSE_TIMESTAMP_REJECTED] = 2;
	json = document(model, "graph");
	assert_number(json, "items.0.stuck", 3);
	assert_text(json, "edges.0.id", "wget>app.py:81");
	assert_text(json, "edges.0.color", "red");
	assert_number(json, "nodes.0.detail__stuck_connections", 3);
	assert_number(json, "nodes.1.detail__stuck_connections", 0);
	assert_int_equal(json_array_size(at(json, "nodes")), 4);
	assert_int_equal(json_array_size(at(json, "edges")), 3);
	assert_text(json, "nodes.2.id", "postgres");
	assert_text(json, "nodes.2.title", "postgres");
	assert_text(json, "nodes.2.subtitle", "unit");
	assert_text(json, "nodes.2.mainstat", "1.5 conn/s");
	assert_number(json, "nodes.2.arc__success", 1);
	assert_number(json, "nodes.2.arc__errors", 0);
	assert_number(json, "nodes.2.detail__connects_served", 120);
	assert_text(json, "nodes.0.id", "app.py");
	assert_number(json, "nodes.0.arc__errors", 1);
	assert_text(json, "edges.1.id", "app.py>postgres:5432");
	assert_text(json, "edges.1.source", "app.py");
	assert_text(json, "edges.1.target", "postgres");
	assert_text(json, "edges.1.color", "green");
	assert_text(json, "edges.2.color", "red");
	assert_text(json, "edges.2.secondarystat", "");
	assert_non_null(strstr(json_string_value(at(json, "edges.1.secondarystat")), "p95 2.4"));
	json_decref(json);
	fake_free(model);
}

static struct hs_connection *open_connection(struct hs_model *model)
{
	struct hs_connection *connection = fake_connection(model);
	struct hs_end *client = &connection->end[HS_CLIENT];

	fake_address(connection->address[HS_CLIENT], "10.0.0.7");
	fake_address(connection->address[HS_SERVER], "2001:db8::1");
	connection->port[HS_CLIENT] = 40312;
	connection->port[HS_SERVER] = 443;
	connection->start_ns = 500000000;
	connection->established_ns = 500123000;
	client->here = true;
	client->state = TCP_CLOSE_WAIT;
	client->pid = 4711;
	client->workload = fake_workload(model, "app.py", HS_WORKLOAD_PROCESS);
	client->netns = 4026531840;
	client->tcp.bytes_acked = 100;
	client->tcp.bytes_received = 200;
	client->tcp.srtt_us = 1500;
	client->tcp.min_rtt_us = UINT32_MAX;
	client->tcp.snd_ssthresh = 0x7fffffff;
	client->tcp.total_retrans = 2;
	client->tcp.retrans[HS_RETRANSMIT_TLP] = 2;
	client->tcp.pending_timer = 5;
	client->tcp.last_sent_ms = 1500;
	client->tcp.backoff = 3;
	return connection;
}

static void test_connections(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json;

	(void)state;
	open_connection(model);
	fake_process(model, 4711, "python3");
	json = document(model, "connections");
	assert_text(json, "kind", "ConnectionList");
	assert_text(json, "items.0.client.name", "app.py");
	assert_text(json, "items.0.client.address", "10.0.0.7");
	assert_text(json, "items.0.client.comm", "python3");
	assert_number(json, "items.0.client.netns", 4026531840);
	assert_text(json, "items.0.server.name", "2001:db8::1");
	assert_text(json, "items.0.server.kind", "address");
	assert_absent(json, "items.0.server.pid");
	assert_text(json, "items.0.state", "close_wait");
	assert_text(json, "items.0.start", "2026-01-01T00:00:00.500000000Z");
	assert_absent(json, "items.0.accepted");
	assert_number(json, "items.0.age_seconds", 0.5);
	assert_number(json, "items.0.connect_duration_seconds", 0.000123);
	assert_absent(json, "items.0.accept_delay_seconds");
	assert_number(json, "items.0.sent_bytes", 100);
	assert_number(json, "items.0.received_bytes", 200);
	assert_number(json, "items.0.retransmitted_segments", 2);
	assert_absent(json, "items.0.ends.server");
	assert_number(json, "items.0.ends.client.srtt_seconds", 0.0015);
	assert_absent(json, "items.0.ends.client.min_rtt_seconds");
	assert_absent(json, "items.0.ends.client.ssthresh");
	assert_absent(json, "items.0.ends.client.rto_seconds");
	assert_number(json, "items.0.ends.client.last_sent_seconds", 1.5);
	assert_number(json, "items.0.ends.client.backoff", 3);
	assert_number(json, "items.0.ends.client.retransmits.tlp", 2);
	assert_text(json, "items.0.ends.client.timer", "tail_loss_probe");
	json_decref(json);
	fake_free(model);
}

/* Seen from the server only; one end known by its accept() alone; nothing known at all. */
static void test_sparse_connections(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_connection *connection = open_connection(model);
	json_t *json;

	(void)state;
	connection->end[HS_SERVER] = connection->end[HS_CLIENT];
	connection->end[HS_CLIENT] = (struct hs_end){ 0 };
	connection->edge = fake_edge(model, "caller", "app.py", 443);
	connection = fake_connection(model);
	connection->end[HS_SERVER].here = true;
	connection->end[HS_SERVER].state = 200;
	fake_connection(model);
	json = document(model, "connections");
	assert_int_equal(json_array_size(at(json, "items")), 3);
	assert_text(json, "items.2.client.name", "caller");
	assert_number(json, "items.2.sent_bytes", 200);
	assert_number(json, "items.2.received_bytes", 100);
	assert_text(json, "items.2.state", "close_wait");
	assert_absent(json, "items.1.state");
	assert_absent(json, "items.1.sent_bytes");
	assert_absent(json, "items.1.ends.server.segs_out");
	assert_text(json, "items.0.client.name", "unknown");
	assert_text(json, "items.0.client.kind", "other");
	json_decref(json);
	fake_free(model);
}

static void test_listeners(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_listener *listener;
	json_t *json;

	(void)state;
	fake_listener(model, "quiet", "::", 22)->backlog = 1;
	fake_listener(model, "own", "127.0.0.1", 9464)->own = true;
	listener = fake_listener(model, "nginx", "0.0.0.0", 80);
	listener->drops = 3;
	listener->overflows = 2;
	listener->backlog_limit = 511;
	listener->oldest_wait_ns = 250000000;
	listener->pid = 1;
	json = document(model, "listeners");
	assert_text(json, "kind", "ListenerList");
	assert_int_equal(json_array_size(at(json, "items")), 2);
	assert_text(json, "items.0.server.name", "nginx");
	assert_text(json, "items.0.server.address", "0.0.0.0");
	assert_number(json, "items.0.server.port", 80);
	assert_number(json, "items.0.drops", 3);
	assert_number(json, "items.0.overflows", 2);
	assert_number(json, "items.0.backlog_limit", 511);
	assert_number(json, "items.0.oldest_wait_seconds", 0.25);
	assert_text(json, "items.1.server.address", "::");
	assert_absent(json, "items.1.oldest_wait_seconds");
	json_decref(json);
	fake_free(model);
}

static void test_status(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json;

	(void)state;
	model->counters.undecoded[0][HS_L7_LOSS_BYTES] = 700;
	model->counters.undecoded[1][HS_L7_LOSS_SEGMENTS] = 4;
	model->counters.calls[1] = 12;
	json = document(model, "status");
	assert_text(json, "kind", "Status");
	assert_non_null(at(json, "version"));
	assert_true(json_is_true(at(json, "ready")));
	assert_number(json, "uptime_seconds", 0.5);
	assert_text(json, "kernel", "6.1.0");
	assert_text(json, "machine", "x86_64");
	assert_absent(json, "cgroup_root");
	assert_text(json, "hooks.0.rung", "syscalls");
	assert_text(json, "hooks.0.ladder.0.error", "EPERM");
	assert_text(json, "hooks.0.ladder.0.refusal", "no \"BTF\"\nfor it");
	assert_absent(json, "hooks.0.ladder.0.misses");
	assert_absent(json, "hooks.0.ladder.1.error");
	assert_text(json, "hooks.0.ladder.1.misses", "a thing");
	assert_absent(json, "hooks.1.rung");
	assert_true(json_is_false(at(json, "hooks.1.attached")));
	assert_text(json, "capabilities.0.capability", "CAP_BPF");
	assert_number(json, "dropped.ring_connection", 7);
	assert_text(json, "protocols.0.protocol", "unknown");
	assert_text(json, "protocols.1.protocol", hs_protocols[0]->name);
	assert_number(json, "protocols.0.undecoded_bytes", 700);
	assert_number(json, "protocols.1.calls", 12);
	assert_number(json, "protocols.1.lost_segments", 4);
	for (size_t i = 2; i < json_array_size(at(json, "protocols")); i++) { /* HTTP/1 and HTTP/2 are one */
		json_t *protocol = json_array_get(at(json, "protocols"), i);

		assert_string_not_equal(json_string_value(at(protocol, "protocol")), hs_protocols[0]->name);
	}
	assert_number(json, "snapshot.passes", 3);
	assert_number(json, "snapshot.last_seconds", 0.25);
	assert_number(json, "map_bytes", 4096);
	json_decref(json);
	fake_free(model);
}

static struct hs_log_entry *full_event(struct hs_model *model, enum hs_log_type type)
{
	struct hs_log_entry *entry = fake_event(model, type);

	entry->end[HS_CLIENT].workload = fake_workload(model, "app", HS_WORKLOAD_PROCESS);
	entry->end[HS_CLIENT].pid = 17;
	strcpy(entry->end[HS_CLIENT].comm, "python3");
	fake_address(entry->end[HS_SERVER].address, "10.1.1.1");
	entry->end[HS_SERVER].port = 80;
	entry->duration_ns = 1500000;
	entry->sent_bytes = 10;
	entry->received_bytes = 20;
	entry->reason = HS_REASON_REFUSED;
	entry->error = ECONNREFUSED;
	entry->kind = HS_RETRANSMIT_RTO;
	entry->segments = 2;
	entry->attempt = 3;
	entry->rto_us = 200000;
	entry->sender = HS_SERVER;
	entry->reset_reason = 0;
	entry->retransmits = 4;
	return entry;
}

/* What each type tells, and that it tells nothing else. */
static void test_events(void **state)
{
	static const struct {
		const char *type;
		const char *keys[6];
	} expected[HS_LOG_MAX] = {
		[HS_LOG_CONNECT] = { "connect", { "duration_seconds" } },
		[HS_LOG_ACCEPT] = { "accept", { "delay_seconds" } },
		[HS_LOG_CLOSE] = { "close",
				   { "duration_seconds", "sent_bytes", "received_bytes",
				     "retransmitted_segments", "error" } },
		[HS_LOG_FAILURE] = { "failure",
				     { "reason", "duration_seconds", "retransmitted_segments",
				       "error" } },
		[HS_LOG_RETRANSMIT] = { "retransmit",
					{ "sender", "retransmit_kind", "segments", "attempt",
					  "rto_seconds", "error" } },
		[HS_LOG_RESET] = { "reset", { "sender", "reset_reason" } },
		[HS_LOG_ERROR] = { "error", { "error" } },
	};

	(void)state;
	for (int type = 0; type < HS_LOG_MAX; type++) {
		struct hs_model *model = fake_new();
		json_t *json = event(model, full_event(model, type));
		size_t keys = 7; /* apiVersion, kind, number, time, type, client, server */

		for (size_t i = 0; i < ARRAY_LEN(expected[type].keys) && expected[type].keys[i];
		     i++, keys++)
			assert_non_null(at(json, expected[type].keys[i]));
		assert_int_equal(json_object_size(json), keys);
		assert_text(json, "type", expected[type].type);
		json_decref(json);
		fake_free(model);
	}
}

static void test_event_values(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json = event(model, full_event(model, HS_LOG_RETRANSMIT));

	(void)state;
	assert_text(json, "kind", "Event");
	assert_number(json, "number", 1);
	assert_text(json, "time", "2026-01-01T00:00:01.000000000Z");
	assert_text(json, "client.name", "app");
	assert_text(json, "client.comm", "python3");
	assert_absent(json, "client.address");
	assert_absent(json, "client.port");
	assert_text(json, "server.name", "10.1.1.1");
	assert_number(json, "server.port", 80);
	assert_text(json, "sender", "server");
	assert_text(json, "retransmit_kind", "rto");
	assert_number(json, "rto_seconds", 0.2);
	assert_text(json, "error", "ECONNREFUSED");
	json_decref(json);
	fake_free(model);
}

static void test_sparse_event(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_log_entry *entry = fake_event(model, HS_LOG_RESET);
	json_t *json = event(model, entry);

	(void)state;
	assert_absent(json, "reset_reason");
	assert_text(json, "server.name", "unknown");
	json_decref(json);
	entry->type = HS_LOG_CLOSE;
	entry->error = 9999;
	json = event(model, entry);
	assert_absent(json, "duration_seconds");
	assert_number(json, "sent_bytes", 0);
	assert_text(json, "error", "errno 9999");
	json_decref(json);
	fake_free(model);
}

static void test_hostile_text(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_log_entry *entry = fake_event(model, HS_LOG_CONNECT);
	char name[HS_NAME_LEN];
	json_t *json;

	(void)state;
	entry->end[HS_CLIENT].workload = fake_workload(model, HOSTILE, HS_WORKLOAD_PROCESS);
	entry->end[HS_SERVER].workload = fake_workload(model, "x\xff\xfe\xc3", HS_WORKLOAD_PROCESS);
	memcpy(entry->end[HS_SERVER].comm, "\xe2\x82", 3);
	json = event(model, entry);
	assert_text(json, "client.name", HOSTILE);
	assert_text(json, "server.name", "x???");
	assert_text(json, "server.comm", "??");
	json_decref(json);
	/* longer than what is made valid at once */
	for (size_t i = 0; i + 3 < sizeof(name); i += 3)
		memcpy(name + i, "\xe2\x82\xac", 4);
	entry->end[HS_CLIENT].workload = fake_workload(model, name, HS_WORKLOAD_PROCESS);
	json = event(model, entry);
	assert_text(json, "client.name", name);
	json_decref(json);
	fake_free(model);
}

static void test_errors(void **state)
{
	static const char *const names[] = { "graph", "connections", "listeners", "routes", "requests", "status" };
	struct hs_model *model = graph_model();

	(void)state;
	for (int i = 0; i < 200; i++) {
		open_connection(model);
		fake_calls(fake_edge(model, "a", "b", 80), &fake_http, 200 + i, 1, 1);
		fake_request(model, "a", "b", 80);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		FILE *out = fopen("/dev/full", "w");

		assert_int_equal(hs_json_document(out, names[i], fake_view(model)), -EIO);
		fclose(out);
	}
	assert_int_equal(hs_json_document(stderr, "nothing", fake_view(model)), -ENOENT);
	fake_free(model);
}

static void test_empty(void **state)
{
	static const char *const names[] = { "graph", "routes", "requests", "connections", "listeners" };
	struct hs_model *model = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		json_t *json = document(model, names[i]);

		assert_true(json_is_array(at(json, "items")));
		assert_int_equal(json_array_size(at(json, "items")), 0);
		json_decref(json);
	}
	fake_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_graph_order),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_panel),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_sparse_connections),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_event_values),
		cmocka_unit_test(test_sparse_event),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
