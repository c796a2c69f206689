/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/accept.h"
#include "export/prometheus.h"
#include "fake_model.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define HOSTILE "a\"b\\c\nd\xc3\xa9"

static char *scrape(struct hs_model *model, enum hs_exposition exposition)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hs_prometheus_write(out, exposition, fake_view(model)), 0);
	fclose(out);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at += len) {
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return;
	}
	fail_msg("no line %s in\n%.20000s", line, text);
}

static void assert_absent(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("%s is in\n%.20000s", part, text);
}

#define EDGE "{client=\"app\",server=\"db\",server_port=\"5432\""

static struct hs_model *small_model(void)
{
	struct hs_model *model = fake_new();
	struct hs_edge *edge = fake_edge(model, "app", "db", 5432);

	edge->connects = 12;
	edge->active = 3;
	edge->sent_bytes = 18446744073709551615ull;
	fake_failure(&edge->failures, HS_REASON_REFUSED, HS_CAUSE_NO_LISTENER, 2);
	fake_failure(&edge->failures, HS_REASON_TIMED_OUT, HS_CAUSE_NO_ANSWER, 4);
	fake_failure(&edge->failures, HS_REASON_TIMED_OUT, HS_CAUSE_DROPPED_EGRESS, 5);
	fake_failure(&edge->connection_failures, HS_REASON_ABORTED, HS_CAUSE_SERVER_THINKING, 6);
	edge->stuck[HS_CAUSE_UNKNOWN] = 7;
	edge->stuck[HS_CAUSE_TIMESTAMP_REJECTED] = 8;
	edge->stuck_seen = 1ull << HS_CAUSE_PATH_LOSS | 1ull << HS_CAUSE_TIMESTAMP_REJECTED;
	edge->retransmits[HS_SERVER][HS_RETRANSMIT_SYN_ACK] = 4;
	edge->resets[HS_CLIENT] = 1;
	hs_histogram_add(&edge->connect_duration, &hs_buckets_handshake, 0.00003);
	hs_histogram_add(&edge->connect_duration, &hs_buckets_handshake, 2);
	hs_histogram_add(&edge->connect_duration, &hs_buckets_handshake, 99);
	model->counters.events[HS_EV_CONNECTION] = 31;
	model->counters.accepts_unobserved = 5;
	return model;
}

static void test_edges(void **state)
{
	struct hs_model *model = small_model();
	char *text = scrape(model, HS_EXPOSITION_TEXT);

	(void)state;
	assert_line(text, "# HELP hopscope_tcp_connects_total Connections established.");
	assert_line(text, "# TYPE hopscope_tcp_connects_total counter");
	assert_line(text, "hopscope_tcp_connects_total" EDGE "} 12");
	assert_line(text, "hopscope_tcp_active_connections" EDGE "} 3");
	assert_line(text, "hopscope_tcp_connects_cancelled_total" EDGE "} 0");
	assert_line(text, "hopscope_tcp_sent_bytes_total" EDGE "} 18446744073709551615");
	assert_line(text, "hopscope_tcp_received_bytes_total" EDGE "} 0");
	assert_line(text, "hopscope_tcp_connect_failures_total" EDGE ",reason=\"refused\",cause=\"no_listener\"} 2");
	assert_line(text,
		    "hopscope_tcp_retransmits_total" EDGE ",sender=\"server\",kind=\"syn_ack\"} 4");
	assert_line(text, "hopscope_tcp_resets_total" EDGE ",sender=\"client\"} 1");
	assert_absent(text, "reason=\"gave_up\"");
	assert_absent(text, "sender=\"client\",kind");
	assert_absent(text, "# UNIT");
	assert_absent(text, "# EOF");
	free(text);
	fake_free(model);
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		count++;
	return count;
}

#define LABELS(reason, cause) EDGE ",reason=\"" reason "\",cause=\"" cause "\"} "

static void test_failures(void **state)
{
	struct hs_model *model = small_model();
	char *text = scrape(model, HS_EXPOSITION_TEXT);

	(void)state;
	assert_line(text, "# TYPE hopscope_tcp_connect_failures_total counter");
	assert_line(text, "hopscope_tcp_connect_failures_total" LABELS("refused", "no_listener") "2");
	assert_line(text, "hopscope_tcp_connect_failures_total" LABELS("timed_out", "no_answer") "4");
	assert_line(text,
		    "hopscope_tcp_connect_failures_total" LABELS("timed_out", "dropped_egress") "5");
	assert_int_equal(count_of(text, "\nhopscope_tcp_connect_failures_total{"), 3);
	assert_line(text, "# TYPE hopscope_tcp_connection_failures_total counter");
	assert_line(text, "hopscope_tcp_connection_failures_total"
		    LABELS("aborted", "server_thinking") "6");
	assert_int_equal(count_of(text, "\nhopscope_tcp_connection_failures_total{"), 1);
	assert_line(text, "# TYPE hopscope_tcp_stage_failures_total counter");
	assert_line(text, "hopscope_tcp_stage_failures_total" EDGE ",stage=\"connect\",cause=\"no_listener\"} 2");
	assert_line(text, "hopscope_tcp_stage_failures_total" EDGE ",stage=\"connect\",cause=\"no_answer\"} 4");
	assert_line(text, "hopscope_tcp_stage_failures_total" EDGE ",stage=\"transfer\",cause=\"server_thinking\"} 6");
	assert_int_equal(count_of(text, "\nhopscope_tcp_stage_failures_total{"), 4);
	free(text);
	fake_free(model);
}

/* The first and the last of the causes, and one that is over. */
static void test_stuck(void **state)
{
	struct hs_model *model = small_model();
	char *text = scrape(model, HS_EXPOSITION_TEXT);

	(void)state;
	assert_line(text, "# TYPE hopscope_tcp_stuck_connections gauge");
	assert_line(text, "hopscope_tcp_stuck_connections" EDGE ",cause=\"unknown\"} 7");
	assert_line(text, "hopscope_tcp_stuck_connections" EDGE ",cause=\"path_loss\"} 0");
	assert_line(text, "hopscope_tcp_stuck_connections" EDGE ",cause=\"timestamp_rejected\"} 8");
	assert_int_equal(count_of(text, "\nhopscope_tcp_stuck_connections{"), 3);
	free(text);
	fake_free(model);
}

static void test_histograms(void **state)
{
	struct hs_model *model = small_model();
	char *text = scrape(model, HS_EXPOSITION_TEXT);

	(void)state;
	assert_line(text, "# TYPE hopscope_tcp_connect_duration_seconds histogram");
	assert_line(text, "hopscope_tcp_connect_duration_seconds_bucket" EDGE ",le=\"5e-05\"} 1");
	assert_line(text, "hopscope_tcp_connect_duration_seconds_bucket" EDGE ",le=\"1.1\"} 1");
	assert_line(text, "hopscope_tcp_connect_duration_seconds_bucket" EDGE ",le=\"3.2\"} 2");
	assert_line(text, "hopscope_tcp_connect_duration_seconds_bucket" EDGE ",le=\"15.5\"} 2");
	assert_line(text, "hopscope_tcp_connect_duration_seconds_bucket" EDGE ",le=\"+Inf\"} 3");
	assert_line(text, "hopscope_tcp_connect_duration_seconds_count" EDGE "} 3");
	assert_line(text, "hopscope_tcp_connect_duration_seconds_sum" EDGE "} 101.00003");
	assert_absent(text, "hopscope_tcp_rtt_seconds_bucket");
	assert_line(text, "# TYPE hopscope_tcp_rtt_seconds histogram");
	free(text);
	fake_free(model);
}

static void test_own(void **state)
{
	struct hs_model *model = small_model();
	char *text = scrape(model, HS_EXPOSITION_TEXT);

	(void)state;
	assert_line(text, "hopscope_dropped_total{stage=\"ring_connection\"} 7");
	assert_line(text, "hopscope_dropped_total{stage=\"edges\"} 0");
	assert_line(text, "hopscope_hook_attached{hook=\"connect\"} 1");
	assert_line(text, "hopscope_hook_attached{hook=\"retransmit\"} 0");
	assert_line(text, "# TYPE hopscope_hook_info gauge");
	assert_line(text, "hopscope_hook_info{hook=\"connect\",rung=\"syscalls\"} 1");
	assert_absent(text, "hopscope_hook_info{hook=\"retransmit\"");
	assert_line(text, "hopscope_events_total{kind=\"connection\"} 31");
	assert_line(text, "hopscope_events_total{kind=\"connect_error\"} 0");
	assert_line(text, "hopscope_accepts_unobserved_total 5");
	assert_line(text, "hopscope_snapshot_duration_seconds 0.25");
	assert_line(text, "hopscope_snapshots_total 3");
	assert_line(text, "hopscope_connections 0");
	assert_line(text, "hopscope_edges 1");
	assert_line(text, "hopscope_map_memory_bytes 4096");
	assert_line(text, "hopscope_ready 1");
	assert_non_null(strstr(text, "\nhopscope_build_info{version=\""));
	free(text);
	fake_free(model);
}

static double value_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	while (at && (at[-1] != '\n' || at[strlen(name)] != ' '))
		at = strstr(at + 1, name);
	if (!at)
		fail_msg("no %s", name);
	return atof(at + strlen(name));
}

static void test_process(void **state)
{
	struct hs_model *model = fake_new();
	char *text = scrape(model, HS_EXPOSITION_TEXT), *again;

	(void)state;
	assert_true(value_of(text, "process_resident_memory_bytes") > 100000);
	assert_true(value_of(text, "process_virtual_memory_bytes") > 100000);
	assert_true(value_of(text, "process_open_fds") >= 3);
	assert_true(value_of(text, "process_max_fds") >= value_of(text, "process_open_fds"));
	assert_true(value_of(text, "process_cpu_seconds_total") >= 0);
	assert_true(value_of(text, "process_start_time_seconds") > 1.5e9);
	assert_true(value_of(text, "process_start_time_seconds") <= (double)time(NULL) + 1);
	again = scrape(model, HS_EXPOSITION_TEXT);
	assert_true(value_of(text, "process_start_time_seconds") ==
		    value_of(again, "process_start_time_seconds"));
	free(again);
	free(text);
	fake_free(model);
}

/* Four workers share a port; the agent's own listener is nobody's business. */
static void test_listeners(void **state)
{
	struct hs_model *model = fake_new();
	struct hs_listener *listener;
	char *text;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		fake_listener(model, "redis", "::1", (uint16_t)(6379 + i));
		listener = fake_listener(model, "nginx", "0.0.0.0", 80);
		listener->backlog = i;
		listener->backlog_limit = 511;
		listener->drops = 10 * i;
		listener->overflows = 3 * i;
		listener->syn_queue = 1;
		hs_histogram_add(&listener->accept_delay, &hs_buckets_handshake, i);
	}
	fake_listener(model, "hopscope", "127.0.0.1", 9464)->own = true;
	fake_listener(model, NULL, "127.0.0.1", 25);
	text = scrape(model, HS_EXPOSITION_TEXT);
#define NGINX "{server=\"nginx\",server_port=\"80\",address=\"0.0.0.0\"} "
	assert_line(text, "hopscope_tcp_listen_backlog" NGINX "6");
	assert_line(text, "hopscope_tcp_listen_backlog_limit" NGINX "2044");
	assert_line(text, "hopscope_tcp_listen_drops_total" NGINX "60");
	assert_line(text, "hopscope_tcp_listen_overflows_total" NGINX "18");
	assert_line(text, "hopscope_tcp_listen_syn_queue" NGINX "4");
	assert_line(text, "hopscope_tcp_listen_accept_delay_seconds_count" NGINX "4");
	assert_line(text, "hopscope_tcp_listen_accept_delay_seconds_sum" NGINX "6.0");
	assert_absent(text, "hopscope_tcp_listen_accept_delay_seconds_count{server=\"redis\"");
	assert_line(text, "hopscope_tcp_listen_backlog{server=\"redis\",server_port=\"6382\","
			  "address=\"::1\"} 0");
	assert_line(text, "hopscope_tcp_listen_backlog{server=\"unknown\",server_port=\"25\","
			  "address=\"127.0.0.1\"} 0");
	assert_absent(text, "server=\"hopscope\"");
	free(text);
	fake_free(model);
}

static void test_openmetrics(void **state)
{
	struct hs_model *model = small_model();
	char *text = scrape(model, HS_EXPOSITION_OPENMETRICS);

	(void)state;
	assert_line(text, "# HELP hopscope_tcp_connects Connections established.");
	assert_line(text, "# TYPE hopscope_tcp_connects counter");
	assert_line(text, "hopscope_tcp_connects_total" EDGE "} 12");
	assert_line(text, "# UNIT hopscope_tcp_sent_bytes bytes");
	assert_line(text, "# UNIT hopscope_tcp_connect_duration_seconds seconds");
	assert_line(text, "# TYPE hopscope_build info");
	assert_line(text, "# TYPE hopscope_hook info");
	assert_line(text, "# TYPE process_cpu_seconds counter");
	assert_absent(text, "# TYPE hopscope_tcp_connects_total");
	assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
	free(text);
	fake_free(model);
}

/* A name that breaks out of its quotes would be a series, or a line, of its own. */
static void test_hostile_labels(void **state)
{
	struct hs_model *model = fake_new();
	char *text;

	(void)state;
	fake_edge(model, HOSTILE, "bad\xff" "byte\xed\xa0\x80", 1)->connects = 1;
	text = scrape(model, HS_EXPOSITION_TEXT);
	assert_line(text, "hopscope_tcp_connects_total{client=\"a\\\"b\\\\c\\nd\xc3\xa9\","
		    "server=\"bad?byte???\",server_port=\"1\"} 1");
	free(text);
	fake_free(model);
}

/* Calls of every protocol and at either end, the same ones twice. */
static void many_calls(struct hs_edge *edge, unsigned i)
{
	static const struct hs_protocol *const protocols[] = { &fake_http, &fake_db, &fake_dns, &fake_tls };

	for (unsigned j = 0; j < 32; j++) {
		struct hs_calls *calls = fake_calls(edge, protocols[j % 4], j % 3 ? 200 : 503, 1 + i, j);

		calls->key.seen_at = j / 4 % 2 ? HS_CLIENT : HS_SERVER;
		calls->key.rpc = j % 8 == 4;
		calls->key.end = j / 8 % 3;
		strcpy(calls->key.route, HOSTILE);
		strcpy(calls->key.operation, HOSTILE);
		strcpy(calls->key.error, j % 5 ? "" : HOSTILE);
	}
}

/* Many of everything, hostile names too. */
static struct hs_model *large_model(void)
{
	struct hs_model *model = fake_new();

	for (unsigned i = 0; i < 50; i++) {
		char name[32];
		struct hs_edge *edge;

		snprintf(name, sizeof(name), HOSTILE "%u", i);
		edge = fake_edge(model, name, "server", (uint16_t)i);
		for (int reason = 1; reason < HS_REASON_MAX; reason++)
			fake_failure(&edge->failures, reason, reason, i + 1);
		for (int cause = 0; cause < HS_CAUSE_MAX; cause++) {
			fake_failure(&edge->connection_failures, HS_REASON_RESET, cause, i + 1);
			edge->stuck[cause] = i + 1;
		}
		for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++)
			edge->retransmits[i % 2][kind] = 1;
		edge->resets[i % 2] = i;
		hs_histogram_add(&edge->connect_duration, &hs_buckets_handshake, i * 1e-4);
		hs_histogram_add(&edge->accept_delay, &hs_buckets_handshake, i * 1e-5);
		hs_histogram_add(&edge->connection_duration, &hs_buckets_connection, i * 1e3);
		hs_histogram_add(&edge->rtt, &hs_buckets_rtt, i * 1e-3);
		many_calls(edge, i);
		fake_listener(model, i % 3 ? name : NULL, i % 2 ? "::" : "0.0.0.0",
			      (uint16_t)(i / 4));
	}
	return model;
}

/* Runs command with the scrape as its input. Returns its exit code; 127: no such command. */
static int check_with(const char *command, enum hs_exposition exposition)
{
	struct hs_model *model = large_model();
	char path[] = "/tmp/scrape.XXXXXX", line[1024];
	char *text = scrape(model, exposition);
	int fd = mkstemp(path), status;

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	snprintf(line, sizeof(line), "{ %s; } < %s", command, path);
	status = system(line);
	unlink(path);
	free(text);
	fake_free(model);
	return WEXITSTATUS(status);
}

static void test_promtool(void **state)
{
	int code = check_with("command -v promtool >/dev/null || exit 127; promtool check metrics",
			      HS_EXPOSITION_TEXT);

	(void)state;
	if (code == 127)
		skip();
	assert_int_equal(code, 0);
}

static void test_python_parser(void **state)
{
	static const char command[] = "for p in /usr/bin/python3 python3; do $p -c 'import "
				      "prometheus_client' 2>/dev/null && "
				      "exec $p -c 'import sys\n"
				      "from prometheus_client.openmetrics.parser import "
				      "text_string_to_metric_families as parse\n"
				      "text = sys.stdin.read()\n"
				      "families = list(parse(text))\n"
				      "names = {s.labels[\"client\"] for f in families for s in "
				      "f.samples if \"client\" in s.labels}\n"
				      "assert \"a\\\"b\\\\c\\nd\\u00e90\" in names, names\n"
				      "assert len(families) == text.count(\"# TYPE \"), len(families)'; done; exit 127";
	int code = check_with(command, HS_EXPOSITION_OPENMETRICS);

	(void)state;
	if (code == 127)
		skip();
	assert_int_equal(code, 0);
}

/* No series twice, families in one piece. */
static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_no_duplicates(void **state)
{
	struct hs_model *model = large_model();
	char *text = scrape(model, HS_EXPOSITION_TEXT), *rest = text, *line;
	char **series = calloc(100000, sizeof(*series));
	size_t count = 0;

	(void)state;
	while ((line = strsep(&rest, "\n"))) {
		if (*line && *line != '#') {
			*strrchr(line, ' ') = '\0';
			series[count++] = line;
		}
	}
	qsort(series, count, sizeof(*series), compare_text);
	assert_true(count > 1000);
	for (size_t i = 1; i < count; i++)
		assert_string_not_equal(series[i - 1], series[i]);
	free(series);
	free(text);
	fake_free(model);
}

static void test_full_disk(void **state)
{
	struct hs_model *model = large_model();
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_int_equal(hs_prometheus_write(out, HS_EXPOSITION_TEXT, fake_view(model)), -EIO);
	fclose(out);
	fake_free(model);
}

static void test_negotiation(void **state)
{
	static const struct {
		const char *accept;
		enum hs_exposition expected;
	} cases[] = {
		{ NULL, HS_EXPOSITION_TEXT },
		{ "", HS_EXPOSITION_TEXT },
		{ "*/*", HS_EXPOSITION_TEXT },
		{ "text/html", HS_EXPOSITION_TEXT },
		{ "application/json, ,;;=,", HS_EXPOSITION_TEXT },
		/* Prometheus 3, 2, and an old 2 */
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
		  "application/openmetrics-text;version=0.0.1;q=0.4,"
		  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
		  "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
		  HS_EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;version=1.0.0,"
		  "application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  HS_EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text; version=0.0.1,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  HS_EXPOSITION_TEXT },
		{ "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.8",
		  HS_EXPOSITION_TEXT },
		{ "text/plain;q=0.2,application/openmetrics-text;q=0.8",
		  HS_EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;q=0", HS_EXPOSITION_TEXT },
		{ "application/openmetrics-text;q=0, */*", HS_EXPOSITION_TEXT },
		{ "application/openmetrics-text, */*", HS_EXPOSITION_OPENMETRICS },
		{ "text/plain, application/openmetrics-text", HS_EXPOSITION_TEXT },
		{ "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.5 , text/plain ; q=0.4",
		  HS_EXPOSITION_OPENMETRICS },
		{ "text/*;q=0.5, application/openmetrics-text;q=0.4", HS_EXPOSITION_TEXT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (hs_exposition_negotiate(cases[i].accept) != cases[i].expected)
			fail_msg("%s", cases[i].accept);
	}
	assert_string_equal(hs_exposition_content_type(HS_EXPOSITION_TEXT),
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(hs_exposition_content_type(HS_EXPOSITION_OPENMETRICS),
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void test_encodings(void **state)
{
	static const struct {
		const char *header;
		bool gzip;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "deflate, gzip;q=1.0, *;q=0.5", true },
		{ "gzip;q=0", false },
		{ "gzip;q=0.000", false },
		{ "*", true },
		{ "*;q=0", false },
		{ "*, gzip;q=0", false },
		{ "identity", false },
		{ "GZIP", true },
		{ "x-gzip", true },
		{ "gzip;q=0.5, identity", false },
		{ "identity;q=0.5, gzip;q=0.5", true },
		{ "notgzip, gzipped", false },
		{ "gzip;q=abc", true },
		{ "br", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (hs_accept_gzip(cases[i].header) != cases[i].gzip)
			fail_msg("%s", cases[i].header);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_hostile_labels),
		cmocka_unit_test(test_promtool),
		cmocka_unit_test(test_python_parser),
		cmocka_unit_test(test_no_duplicates),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_encodings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
