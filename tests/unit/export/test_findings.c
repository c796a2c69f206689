/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/findings. */
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
#include "fake_model.h"

#define HOSTILE "a\"b\\c\nd\x01\x1b[2J\xc3\xa9"

static json_t *findings(struct hs_model *model)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_error_t error;
	json_t *json;

	assert_int_equal(hs_json_document(out, "findings", fake_view(model)), 0);
	fclose(out);
	json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s at %d in\n%.4000s", error.text, error.position, text);
	free(text);
	return json;
}

/* The value at a path such as "items.0.server.port"; NULL when it is absent. */
static json_t *at(json_t *json, const char *path)
{
	char copy[256], *rest = copy, *key;

	snprintf(copy, sizeof(copy), "%s", path);
	while (json && (key = strsep(&rest, ".")))
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) :
					     json_object_get(json, key);
	return json;
}

static void assert_text(json_t *json, const char *path, const char *expected)
{
	const char *text = json_string_value(at(json, path));

	if (!text || strcmp(text, expected))
		fail_msg("%s is %s, not %s", path, text ? text : "no text", expected);
}

static void assert_number(json_t *json, const char *path, double expected)
{
	double number = json_number_value(at(json, path));

	if (!json_is_number(at(json, path)) || fabs(number - expected) > 1e-9 * fabs(expected))
		fail_msg("%s is %.17g, not %.17g", path, number, expected);
}

static void assert_absent(json_t *json, const char *path)
{
	if (at(json, path))
		fail_msg("%s is there", path);
}

static struct hs_moment *moment(struct hs_finding *finding, uint64_t time_ns,
				enum hs_moment_type type, enum hs_side side, uint32_t number)
{
	struct hs_moment *made = &finding->timeline[finding->timeline_count++];

	*made = (struct hs_moment){ time_ns, type, side, number, "" };
	return made;
}

static struct hs_evidence *evidence(struct hs_finding *finding, const char *signal,
				    enum hs_side side, enum hs_evidence_unit unit, double number)
{
	struct hs_evidence *made = &finding->evidence[finding->evidence_count++];

	*made = (struct hs_evidence){ signal, side, unit, number, "" };
	return made;
}

static struct hs_finding *full(struct hs_model *model)
{
	struct hs_finding *finding =
		fake_finding(model, "orders.py", "payments.py", 8002, HS_CAUSE_ACCEPT_QUEUE_FULL);
	uint64_t start = HS_NS_PER_SEC / 2;

	finding->id = 0xbeef;
	finding->key.reason = HS_REASON_TIMED_OUT;
	finding->key.ended_by = HS_ENDED_SYN_RETRIES;
	finding->confidence = HS_CONFIDENCE_PROVED;
	finding->stage = HS_STAGE_ACCEPT;
	finding->count = 12;
	finding->stuck = 3;
	finding->first_seen_ns = finding->start_ns = start;
	finding->last_seen_ns = finding->end_ns = start + 250000123;
	finding->error = ETIMEDOUT;
	finding->end[HS_CLIENT].pid = 4711;
	finding->end[HS_CLIENT].port = 40312;
	finding->end[HS_CLIENT].netns = 4026531840u;
	strcpy(finding->end[HS_CLIENT].comm, "python3");
	fake_address(finding->end[HS_CLIENT].address, "10.0.0.7");
	fake_address(finding->end[HS_SERVER].address, "2001:db8::1");
	finding->has_tcp[HS_CLIENT] = finding->has_tcp[HS_SERVER] = true;
	finding->state[HS_CLIENT] = TCP_SYN_SENT;
	finding->state[HS_SERVER] = TCP_ESTABLISHED;
	finding->tcp[HS_CLIENT].rto_us = 1000000;
	finding->tcp[HS_CLIENT].min_rtt_us = UINT32_MAX;
	finding->tcp[HS_CLIENT].retrans[HS_RETRANSMIT_SYN] = 2;
	moment(finding, start, HS_MOMENT_SYN_SENT, HS_CLIENT, 0);
	strcpy(moment(finding, start + 41000, HS_MOMENT_DROPPED, HS_SERVER, 0)->text, HOSTILE);
	moment(finding, start + 1000, HS_MOMENT_SYN_SENT_AGAIN, HS_CLIENT, 2);
	moment(finding, start + 250000123, HS_MOMENT_ENDED, HS_NO_SIDE, ETIMEDOUT);
	moment(finding, 0, HS_MOMENT_NOW, HS_NO_SIDE, 0);
	evidence(finding, "backlog", HS_SERVER, HS_EVIDENCE_NONE, 129);
	evidence(finding, "oldest_unaccepted", HS_SERVER, HS_EVIDENCE_SECONDS, 31);
	evidence(finding, "unread", HS_CLIENT, HS_EVIDENCE_BYTES, 8192);
	strcpy(evidence(finding, "drop_reason", HS_NO_SIDE, HS_EVIDENCE_TEXT, 0)->text, HOSTILE);
	evidence(finding, "odd", HS_NO_SIDE, HS_EVIDENCE_NONE, 0.5);
	evidence(finding, "nothing", HS_NO_SIDE, HS_EVIDENCE_NONE, NAN);
	return finding;
}

static void test_verdict(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json;

	(void)state;
	full(model);
	json = findings(model);
	assert_text(json, "apiVersion", "hopscope/v1");
	assert_text(json, "kind", "FindingList");
	assert_text(json, "items.0.id", "0000beef");
	assert_text(json, "items.0.reason", "timed_out");
	assert_text(json, "items.0.ended_by", "syn_retries");
	assert_text(json, "items.0.cause", "accept_queue_full");
	assert_text(json, "items.0.confidence", "proved");
	assert_text(json, "items.0.stage", "accept");
	assert_text(json, "items.0.error", "ETIMEDOUT");
	assert_text(json, "items.0.summary", hs_cause_summary(HS_CAUSE_ACCEPT_QUEUE_FULL));
	assert_text(json, "items.0.remedy", hs_cause_remedy(HS_CAUSE_ACCEPT_QUEUE_FULL));
	assert_number(json, "items.0.count", 12);
	assert_number(json, "items.0.stuck", 3);
	assert_text(json, "items.0.first_seen", "2026-01-01T00:00:00.500000000Z");
	assert_text(json, "items.0.last_seen", "2026-01-01T00:00:00.750000123Z");
	assert_text(json, "items.0.start", "2026-01-01T00:00:00.500000000Z");
	assert_number(json, "items.0.duration_seconds", 0.250000123);
	json_decref(json);
	fake_free(model);
}

static void test_ends(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json;

	(void)state;
	full(model);
	json = findings(model);
	assert_text(json, "items.0.client.name", "orders.py");
	assert_text(json, "items.0.client.address", "10.0.0.7");
	assert_number(json, "items.0.client.port", 40312);
	assert_number(json, "items.0.client.pid", 4711);
	assert_text(json, "items.0.client.comm", "python3");
	assert_number(json, "items.0.client.netns", 4026531840.0);
	assert_text(json, "items.0.server.name", "payments.py");
	assert_text(json, "items.0.server.address", "2001:db8::1");
	assert_number(json, "items.0.server.port", 8002); /* the key's, where the end has none */
	assert_absent(json, "items.0.server.pid");
	assert_text(json, "items.0.tcp.client.state", "syn_sent");
	assert_number(json, "items.0.tcp.client.rto_seconds", 1);
	assert_absent(json, "items.0.tcp.client.min_rtt_seconds");
	assert_number(json, "items.0.tcp.client.retransmits.syn", 2);
	assert_text(json, "items.0.tcp.server.state", "established");
	assert_absent(json, "items.0.tcp.server.cwnd"); /* known by its accept() alone */
	json_decref(json);
	fake_free(model);
}

static void test_timeline(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json;

	(void)state;
	full(model);
	json = findings(model);
	assert_int_equal(json_array_size(at(json, "items.0.timeline")), 5);
	assert_text(json, "items.0.timeline.0.event", "syn_sent");
	assert_text(json, "items.0.timeline.0.end", "client");
	assert_number(json, "items.0.timeline.0.offset_seconds", 0);
	assert_absent(json, "items.0.timeline.0.number");
	assert_text(json, "items.0.timeline.1.text", HOSTILE);
	assert_number(json, "items.0.timeline.1.offset_seconds", 0.000041);
	assert_text(json, "items.0.timeline.1.time", "2026-01-01T00:00:00.500041000Z");
	assert_number(json, "items.0.timeline.2.number", 2);
	assert_absent(json, "items.0.timeline.2.text");
	assert_text(json, "items.0.timeline.3.error", "ETIMEDOUT");
	assert_absent(json, "items.0.timeline.3.end");
	assert_absent(json, "items.0.timeline.3.number");
	assert_text(json, "items.0.timeline.4.event", "now");
	assert_absent(json, "items.0.timeline.4.offset_seconds");
	assert_absent(json, "items.0.timeline.4.time");
	json_decref(json);
	fake_free(model);
}

static void test_evidence(void **state)
{
	struct hs_model *model = fake_new();
	json_t *json;

	(void)state;
	full(model);
	json = findings(model);
	assert_text(json, "items.0.evidence.0.signal", "backlog");
	assert_text(json, "items.0.evidence.0.end", "server");
	assert_true(json_is_integer(at(json, "items.0.evidence.0.value")));
	assert_number(json, "items.0.evidence.0.value", 129);
	assert_absent(json, "items.0.evidence.0.unit");
	assert_true(json_is_real(at(json, "items.0.evidence.1.value")));
	assert_text(json, "items.0.evidence.1.unit", "seconds");
	assert_number(json, "items.0.evidence.2.value", 8192);
	assert_text(json, "items.0.evidence.2.unit", "bytes");
	assert_text(json, "items.0.evidence.3.value", HOSTILE);
	assert_absent(json, "items.0.evidence.3.end");
	assert_number(json, "items.0.evidence.4.value", 0.5);
	assert_absent(json, "items.0.evidence.5.value");
	json_decref(json);
	fake_free(model);
}

static void test_order(void **state)
{
	struct hs_model *model = fake_new();
	static const char *const expected[] = { "now", "a", "b", "old" };
	json_t *json;

	(void)state;
	fake_finding(model, "old", "s", 1, HS_CAUSE_UNKNOWN)->last_seen_ns = 1;
	fake_finding(model, "now", "s", 1, HS_CAUSE_UNKNOWN)->last_seen_ns = 9;
	for (int i = 0; i < 2; i++) {
		struct hs_finding *same = fake_finding(model, i ? "a" : "b", "s", 1, HS_CAUSE_UNKNOWN);

		same->last_seen_ns = 5;
		same->id = i ? 1 : 2;
	}
	json = findings(model);
	for (size_t i = 0; i < 4; i++) {
		char path[64];

		snprintf(path, sizeof(path), "items.%zu.client.name", i);
		assert_text(json, path, expected[i]);
	}
	json_decref(json);
	fake_free(model);
}

/* Next to nothing is known, and what hangs goes on. */
static void test_sparse(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_finding *finding;
	json_t *json = findings(model);

	(void)state;
	assert_int_equal(json_array_size(at(json, "items")), 0);
	json_decref(json);
	fake_finding(model, HOSTILE, HOSTILE, 0, HS_CAUSE_MAX);
	finding = fake_finding(model, "a", "b", 1, HS_CAUSE_UNKNOWN);
	finding->id = ~0u;
	finding->start_ns = HS_NS_PER_SEC / 4;
	finding->key.reason = HS_REASON_STUCK;
	json = findings(model);
	assert_text(json, "items.0.client.name", HOSTILE);
	assert_text(json, "items.0.cause", "unknown");
	assert_absent(json, "items.0.error");
	assert_absent(json, "items.0.start");
	assert_absent(json, "items.0.last_seen");
	assert_absent(json, "items.0.duration_seconds");
	assert_int_equal(json_object_size(at(json, "items.0.tcp")), 0);
	assert_text(json, "items.1.id", "ffffffff");
	assert_text(json, "items.1.ended_by", "pending");
	assert_number(json, "items.1.duration_seconds", 0.75);
	json_decref(json);
	fake_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdict), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_timeline), cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_order), cmocka_unit_test(test_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
