/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls in the metrics: which family, which labels, each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/call_result.h"
#include "export/prometheus.h"
#include "fake_model.h"

#define ENDS "{client=\"app\",server=\"shop\",server_port=\"80\""
#define GRAPH "{client=\"app\",server=\"shop\",connection_type=\""

static char *scrape(struct hs_model *model)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hs_prometheus_write(out, HS_EXPOSITION_TEXT, fake_view(model)), 0);
	fclose(out);
	return text;
}

/* That line, and how many samples of this name there are in all. */
static void assert_sample(const char *text, const char *line)
{
	size_t length = strlen(line);
	unsigned found = 0;

	for (const char *at = text; (at = strstr(at, line)); at += length)
		found += at[-1] == '\n' && at[length] == '\n';
	if (found != 1)
		fail_msg("%u lines %s in\n%.20000s", found, line, strstr(text, "# HELP http_server"));
}

static void assert_none(const char *text, const char *name)
{
	char sample[128];

	snprintf(sample, sizeof(sample), "\n%s", name);
	if (strstr(text, sample))
		fail_msg("there is %s", name);
}

struct story {
	struct hs_model *model;
	struct hs_edge *edge;
	struct hs_calls *calls;
};

static struct story tell(const struct hs_protocol *protocol, int status, unsigned count, double duration_ms)
{
	struct story story = { .model = fake_new() };

	story.edge = fake_edge(story.model, "app", "shop", 80);
	story.calls = fake_calls(story.edge, protocol, status, count, duration_ms);
	return story;
}

static char *end(struct story *story)
{
	char *text = scrape(story->model);

	fake_free(story->model);
	return text;
}

#define HTTP ENDS ",http_request_method=\"GET\",url_scheme=\"http\",http_response_status_code=\"200\"," \
	"http_route=\"/users/{id}\",network_protocol_version=\"1.1\""

static void test_http_server(void **state)
{
	struct story story = tell(&fake_http, 200, 3, 7);
	char *text;

	(void)state;
	strcpy(story.calls->key.version, "1.1");
	text = end(&story);
	assert_sample(text, "http_server_request_duration_seconds_bucket" HTTP ",le=\"0.005\"} 0");
	assert_sample(text, "http_server_request_duration_seconds_bucket" HTTP ",le=\"0.01\"} 3");
	assert_sample(text, "http_server_request_duration_seconds_bucket" HTTP ",le=\"10.0\"} 3");
	assert_sample(text, "http_server_request_duration_seconds_count" HTTP "} 3");
	assert_sample(text, "http_server_request_duration_seconds_sum" HTTP "} 0.021");
	assert_sample(text, "http_server_request_body_size_bytes_bucket" HTTP ",le=\"128.0\"} 3");
	assert_sample(text, "http_server_request_body_size_bytes_sum" HTTP "} 300.0");
	assert_sample(text, "http_server_response_body_size_bytes_bucket" HTTP ",le=\"1024.0\"} 0");
	assert_sample(text, "http_server_response_body_size_bytes_bucket" HTTP ",le=\"8192.0\"} 3");
	assert_sample(text, "traces_service_graph_request_total" GRAPH "\"} 3");
	assert_sample(text, "traces_service_graph_request_failed_total" GRAPH "\"} 0");
	assert_sample(text, "traces_service_graph_request_server_seconds_count" GRAPH "\"} 3");
	assert_none(text, "traces_service_graph_request_client_seconds");
	assert_none(text, "http_client");
	free(text);
}

/* 4xx is an error to the client, and none of the server's. */
static void test_http_client(void **state)
{
	struct story story = tell(&fake_http, 404, 2, 600);
	char *text;

	(void)state;
	story.calls->key.seen_at = HS_CLIENT;
	text = end(&story);
	assert_sample(text, "http_client_request_duration_seconds_count" ENDS ",server_address=\"shop\","
		      "http_request_method=\"GET\",url_scheme=\"http\",http_response_status_code=\"404\","
		      "http_route=\"/users/{id}\",error_type=\"404\"} 2");
	assert_sample(text, "traces_service_graph_request_total" GRAPH "virtual_node\"} 2");
	assert_sample(text, "traces_service_graph_request_failed_total" GRAPH "virtual_node\"} 0");
	assert_sample(text, "traces_service_graph_request_client_seconds_count" GRAPH "virtual_node\"} 2");
	assert_none(text, "traces_service_graph_request_server_seconds");
	assert_none(text, "http_server");
	free(text);
}

static void test_unanswered(void **state)
{
	struct story story = tell(&fake_http, -1, 4, 3000);
	char *text;

	(void)state;
	story.calls->key.end = HS_CALL_UNANSWERED;
	*story.calls->key.route = '\0';
	text = end(&story);
	assert_sample(text, "http_server_request_duration_seconds_bucket" ENDS ",http_request_method=\"GET\","
		      "url_scheme=\"http\",error_type=\"unanswered\",le=\"2.5\"} 0");
	assert_sample(text, "traces_service_graph_request_failed_total" GRAPH "\"} 4");
	free(text);
}

static void test_rpc(void **state)
{
	struct story story = tell(&fake_http, 14, 1, 1);
	char *text;

	(void)state;
	story.calls->key.rpc = true;
	story.calls->key.failed = true;
	strcpy(story.calls->key.route, "shop.Cart/Add");
	text = end(&story);
	assert_sample(text, "rpc_server_call_duration_seconds_count" ENDS ",rpc_system_name=\"grpc\","
		      "rpc_method=\"shop.Cart/Add\",rpc_response_status_code=\"UNAVAILABLE\","
		      "error_type=\"UNAVAILABLE\"} 1");
	assert_none(text, "http_server");
	free(text);
}

/* Bounds of its own, and no series twice where both ends have counted. */
static void test_db(void **state)
{
	struct story story = tell(&fake_db, -1, 5, 30);
	struct hs_calls *other = fake_calls(story.edge, &fake_db, -1, 2, 0.5);
	struct hs_calls *wrong = fake_calls(story.edge, &fake_db, -1, 1, 1);
	char *text;

	(void)state;
	strcpy(story.calls->key.operation, "SELECT");
	strcpy(story.calls->key.route, "orders");
	other->key = story.calls->key;
	other->key.seen_at = HS_CLIENT;
	wrong->key = story.calls->key;
	wrong->key.failed = true;
	strcpy(wrong->key.error, "42P01");
	text = end(&story);
#define DB ENDS ",db_system_name=\"postgresql\",db_operation_name=\"SELECT\",db_collection_name=\"orders\""
	assert_sample(text, "db_client_operation_duration_seconds_bucket" DB ",le=\"0.001\"} 2");
	assert_sample(text, "db_client_operation_duration_seconds_bucket" DB ",le=\"0.05\"} 7");
	assert_sample(text, "db_client_operation_duration_seconds_count" DB "} 7");
	assert_sample(text, "db_client_operation_duration_seconds_count" DB
		      ",db_response_status_code=\"42P01\",error_type=\"42P01\"} 1");
	assert_sample(text, "traces_service_graph_request_total" GRAPH "database\"} 8");
	assert_sample(text, "traces_service_graph_request_failed_total" GRAPH "database\"} 1");
	assert_sample(text, "traces_service_graph_request_server_seconds_bucket" GRAPH "database\",le=\"0.05\"} 6");
	assert_sample(text, "traces_service_graph_request_client_seconds_count" GRAPH "database\"} 2");
	free(text);
}

static void test_dns(void **state)
{
	struct story story = tell(&fake_dns, 0, 3, 1);
	struct hs_calls *none = fake_calls(story.edge, &fake_dns, 3, 2, 1);
	char *text;

	(void)state;
	strcpy(story.calls->key.route, "db.example.");
	strcpy(none->key.route, "nowhere.example.");
	text = end(&story);
	assert_sample(text, "dns_lookup_duration_seconds_count" ENDS ",dns_question_name=\"db.example.\"} 3");
	assert_sample(text, "dns_lookup_duration_seconds_count" ENDS
		      ",dns_question_name=\"nowhere.example.\",error_type=\"nxdomain\"} 2");
	free(text);
}

static void test_tls(void **state)
{
	struct story story = tell(&fake_tls, -1, 3, 20);
	struct hs_calls *refused = fake_calls(story.edge, &fake_tls, -1, 2, 1);
	char *text;

	(void)state;
	strcpy(story.calls->key.version, "1.3");
	refused->key = story.calls->key;
	refused->key.failed = true;
	strcpy(refused->key.error, "unknown_ca");
	text = end(&story);
	assert_sample(text, "hopscope_tls_handshake_duration_seconds_count" ENDS ",tls_protocol_version=\"1.3\"} 3");
	assert_sample(text, "hopscope_tls_handshake_failures_total" ENDS
		      ",tls_protocol_version=\"1.3\",error_type=\"unknown_ca\"} 2");
	assert_none(text, "traces_service_graph_request"); /* a handshake is no request */
	free(text);
}

/* Two ports of one server are one edge of the service graph. */
static void test_graph_sums(void **state)
{
	struct story story = tell(&fake_http, 200, 3, 1);
	char *text;

	(void)state;
	fake_calls(fake_edge(story.model, "app", "shop", 81), &fake_http, 500, 2, 100);
	text = end(&story);
	assert_sample(text, "traces_service_graph_request_total" GRAPH "\"} 5");
	assert_sample(text, "traces_service_graph_request_failed_total" GRAPH "\"} 2");
	assert_sample(text, "traces_service_graph_request_server_seconds_bucket" GRAPH "\",le=\"0.005\"} 3");
	free(text);
}

static void test_undecoded(void **state)
{
	struct hs_model *model = fake_new();
	char *text;

	(void)state;
	model->counters.undecoded[0][HS_L7_LOSS_BYTES] = 700;
	model->counters.undecoded[1][HS_L7_LOSS_MESSAGES] = 2;
	model->counters.undecoded[1][HS_L7_LOSS_CALLS] = 3;
	model->counters.undecoded[1][HS_L7_LOSS_SEGMENTS] = 4;
	model->counters.calls[1] = 99;
	text = scrape(model);
	assert_sample(text, "hopscope_l7_undecoded_bytes_total{protocol=\"unknown\"} 700");
	assert_sample(text, "hopscope_l7_undecoded_bytes_total{protocol=\"http\"} 0");
	assert_sample(text, "hopscope_l7_undecoded_messages_total{protocol=\"http\"} 2");
	assert_sample(text, "hopscope_l7_lost_calls_total{protocol=\"http\"} 3");
	assert_sample(text, "hopscope_l7_lost_segments_total{protocol=\"http\"} 4");
	assert_sample(text, "hopscope_l7_calls_total{protocol=\"http\"} 99");
	free(text);
	fake_free(model);
}

static void test_results(void **state)
{
	static const struct {
		struct hs_call_result result;
		const char *status, *error_type;
	} cases[] = {
		{ { &fake_http, "", 200, HS_CALL_ANSWERED, HS_SERVER, false, false }, "200", "" },
		{ { &fake_http, "", 404, HS_CALL_ANSWERED, HS_SERVER, false, false }, "404", "" },
		{ { &fake_http, "", 502, HS_CALL_ANSWERED, HS_SERVER, false, true }, "502", "502" },
		{ { &fake_http, "", 200, HS_CALL_UNANSWERED, HS_SERVER, false, false }, "200", "unanswered" },
		{ { &fake_http, "", -1, HS_CALL_CANCELLED, HS_SERVER, false, false }, "", "cancelled" },
		{ { &fake_http, "", 0, HS_CALL_ANSWERED, HS_CLIENT, true, false }, "OK", "" },
		{ { &fake_http, "", 5, HS_CALL_ANSWERED, HS_SERVER, true, false }, "NOT_FOUND", "" },
		{ { &fake_http, "", 5, HS_CALL_ANSWERED, HS_CLIENT, true, false }, "NOT_FOUND", "NOT_FOUND" },
		{ { &fake_http, "", 4711, HS_CALL_ANSWERED, HS_CLIENT, true, true }, "4711", "4711" },
		{ { &fake_http, "", -1, HS_CALL_ANSWERED, HS_SERVER, true, true }, "", "_OTHER" },
		{ { &fake_db, "WRONGTYPE", -1, HS_CALL_ANSWERED, HS_SERVER, false, true }, "WRONGTYPE", "WRONGTYPE" },
		{ { &fake_db, "", 1146, HS_CALL_ANSWERED, HS_SERVER, false, true }, "1146", "1146" },
		{ { &fake_db, "", 0, HS_CALL_ANSWERED, HS_SERVER, false, false }, "", "" },
		{ { &fake_dns, "", 0, HS_CALL_ANSWERED, HS_CLIENT, false, false }, "NOERROR", "" },
		{ { &fake_dns, "", 2, HS_CALL_ANSWERED, HS_SERVER, false, false }, "SERVFAIL", "servfail" },
		{ { &fake_dns, "", 99, HS_CALL_ANSWERED, HS_SERVER, false, false }, "99", "99" },
		{ { &fake_tls, "", -1, HS_CALL_ANSWERED, HS_SERVER, false, true }, "", "_OTHER" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char status[HS_RESULT_LEN], error_type[HS_RESULT_LEN];

		hs_result_status(&cases[i].result, status);
		hs_result_error_type(&cases[i].result, error_type);
		assert_string_equal(status, cases[i].status);
		assert_string_equal(error_type, cases[i].error_type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_server), cmocka_unit_test(test_http_client),
		cmocka_unit_test(test_unanswered), cmocka_unit_test(test_rpc),
		cmocka_unit_test(test_db),	    cmocka_unit_test(test_dns),
		cmocka_unit_test(test_tls),	    cmocka_unit_test(test_graph_sums),
		cmocka_unit_test(test_undecoded),   cmocka_unit_test(test_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
