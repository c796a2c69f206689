// SPDX-License-Identifier: GPL-2.0-or-later
/* What people see, from documents in tests/data/api, against the files in its folder expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/check.h"
#include "cmd/connections.h"
#include "cmd/fixture.h"
#include "cmd/graph.h"
#include "cmd/listeners.h"
#include "cmd/observe.h"
#include "cmd/requests.h"
#include "cmd/routes.h"

static const struct view {
	const struct hs_listing *listing;
	const struct hs_command *command;
	const char *document;
	const char *line;
	int width;
	bool color;
	const char *expected;
} views[] = {
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "", 80, false, "graph-80.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "", 120, false, "graph-120.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "", 40, false, "graph-40.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "", 80, true, "graph-color.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "", 0, false, "graph-piped.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "-o wide", 80, false,
	  "graph-wide.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "-o dot", 80, true, "graph.dot" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "-o mermaid", 80, true, "graph.mmd" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "-o json --server postgres", 80, true,
	  "graph-postgres.json" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "--sort-by client --no-headers", 0,
	  false, "graph-by-client.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "--name app* --not --port 6379", 0,
	  false, "graph-filtered.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph.json", "-n pay*", 0, false,
	  "graph-namespace.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph-empty.json", "", 0, false, "empty.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph-empty.json", "-o dot", 0, false,
	  "graph-empty.dot" },
	{ &hs_graph_listing, &hs_graph_command, "graph-hostile.json", "", 80, true,
	  "graph-hostile.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph-hostile.json", "-o dot", 0, false,
	  "graph-hostile.dot" },
	{ &hs_graph_listing, &hs_graph_command, "graph-hostile.json", "-o mermaid", 0, false,
	  "graph-hostile.mmd" },
	{ &hs_graph_listing, &hs_graph_command, "graph-calls.json", "", 80, false, "graph-calls-80.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph-calls.json", "", 40, false, "graph-calls-40.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph-calls.json", "--sort-by errors", 120, true,
	  "graph-calls-120.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph-calls.json", "-o wide", 0, false, "graph-calls-wide.txt" },
	{ &hs_graph_listing, &hs_graph_command, "graph-calls.json", "-o dot", 0, false, "graph-calls.dot" },
	{ &hs_routes_listing, &hs_routes_command, "routes.json", "", 80, false, "routes-80.txt" },
	{ &hs_routes_listing, &hs_routes_command, "routes.json", "", 120, true, "routes-120.txt" },
	{ &hs_routes_listing, &hs_routes_command, "routes.json", "-o wide --sort-by latency", 0, false,
	  "routes-wide.txt" },
	{ &hs_routes_listing, &hs_routes_command, "routes.json",
	  "--protocol HTTP --method get --route /users/* -n shop", 0, false, "routes-filtered.txt" },
	{ &hs_routes_listing, &hs_routes_command, "routes.json",
	  "--not --protocol http --not --server postgres --no-headers", 0, false, "routes-not.txt" },
	{ &hs_connections_listing, &hs_connections_command, "connections.json", "", 80, false,
	  "connections-80.txt" },
	{ &hs_connections_listing, &hs_connections_command, "connections.json", "", 120, true,
	  "connections-120.txt" },
	{ &hs_connections_listing, &hs_connections_command, "connections.json", "-o wide", 0, false,
	  "connections-wide.txt" },
	{ &hs_connections_listing, &hs_connections_command, "connections.json",
	  "--state close_wait --state syn-sent", 0, false, "connections-states.txt" },
	{ &hs_connections_listing, &hs_connections_command, "connections.json",
	  "--older-than 1h --not --state close-wait", 0, false, "connections-old.txt" },
	{ &hs_connections_listing, &hs_connections_command, "connections.json",
	  "--pid 812 --port 40312 --sort-by name", 0, false, "connections-pid.txt" },
	{ &hs_listeners_listing, &hs_listeners_command, "listeners.json", "", 80, false,
	  "listeners-80.txt" },
	{ &hs_listeners_listing, &hs_listeners_command, "listeners.json", "", 120, true,
	  "listeners-120.txt" },
	{ &hs_listeners_listing, &hs_listeners_command, "listeners.json", "-o wide --sort-by port",
	  0, false, "listeners-wide.txt" },
};

static void render(const struct view *view)
{
	struct hs_screen screen = { .width = view->width, .color = view->color };
	json_t *document = fixture_load(view->document);
	struct hs_args args;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fixture_args(&args, view->command, view->line);
	hs_listing_write(view->listing, &args, out, document, &screen);
	fclose(out);
	fixture_expect(view->expected, text);
	free(text);
	hs_args_free(&args);
	json_decref(document);
}

static void listings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		render(&views[i]);
}

static void status(void **state)
{
	static const struct {
		const char *document, *expected;
		bool color, attached;
	} checks[] = {
		{ "status.json", "check.txt", false, true },
		{ "status-refused.json", "check-refused.txt", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		json_t *document = fixture_load(checks[i].document);
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		hs_check_write(out, document, checks[i].color);
		fclose(out);
		assert_int_equal(hs_check_all_attached(document), checks[i].attached);
		fixture_expect(checks[i].expected, text);
		free(text);
		json_decref(document);
	}
}

static char *draw_events(const char *line, bool color)
{
	struct hs_args args;
	const char *event_text;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fixture_args(&args, &hs_observe_command, line);
	for (size_t i = 0; (event_text = fixture_line("events.jsonl", i)); i++) {
		json_t *event = json_loads(event_text, 0, NULL);

		assert_non_null(event);
		if (hs_filters_keep(hs_observe_filters, &args, event))
			hs_observe_write(out, event, color);
		json_decref(event);
	}
	fclose(out);
	hs_args_free(&args);
	return text;
}

static void events(void **state)
{
	static const struct {
		const char *line, *expected;
		bool color;
	} streams[] = {
		{ "", "events.txt", false },
		{ "", "events-color.txt", true },
		{ "--type failure --type reset --not --reason refused", "events-failures.txt",
		  false },
		{ "--to-port 5432 --from-name app* --type close", "events-close.txt", false },
		{ "--ip 2001:db8::/32 --pid 77 -n web", "events-ip.txt", false },
		{ "--from-ip 10.0.0.0/31", "empty.txt", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		char *text = draw_events(streams[i].line, streams[i].color);

		fixture_expect(streams[i].expected, text);
		free(text);
	}
}

static char *draw_requests(const char *line, int width, bool color, bool wide)
{
	struct hs_screen screen = { .width = width, .color = color };
	json_t *document = fixture_load("requests.json"), *request;
	struct hs_args args;
	char *text = NULL;
	size_t len, i;
	FILE *out = open_memstream(&text, &len);

	fixture_args(&args, &hs_requests_command, line);
	hs_requests_titles(out, &screen, wide);
	json_array_foreach(json_object_get(document, "items"), i, request) {
		if (hs_filters_keep(hs_requests_filters, &args, request))
			hs_requests_write(out, request, &screen, wide);
	}
	fclose(out);
	hs_args_free(&args);
	json_decref(document);
	return text;
}

static void requests(void **state)
{
	static const struct {
		const char *line, *expected;
		int width;
		bool color, wide;
	} looks[] = {
		{ "", "requests-80.txt", 80, false, false },
		{ "", "requests-120.txt", 120, true, false },
		{ "", "requests-wide.txt", 0, false, true },
		{ "", "requests-piped.txt", 0, false, false },
		{ "", "requests-20.txt", 20, false, false },
		{ "--status 5xx --status 23505 --status resource_*", "requests-status.txt", 0, false, false },
		{ "--status failed --not --status unanswered", "requests-failed.txt", 0, false, false },
		{ "--slower-than 1s --not --status cancelled", "requests-slow.txt", 0, false, false },
		{ "--route /users/{id} --route *Watch --client nginx", "requests-route.txt", 0, false, false },
		{ "--protocol postgresql --method insert --port 5432 --ip 10.0.0.0/30", "requests-none.txt", 0,
		  false, false },
		{ "--protocol postgresql --method insert --port 5432 --ip 10.0.0.0/24 --pid 4711 --server post*",
		  "requests-insert.txt", 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		char *text = draw_requests(looks[i].line, looks[i].width, looks[i].color, looks[i].wide);

		fixture_expect(looks[i].expected, text);
		free(text);
	}
}

/* No line is wider than the terminal, however narrow. */
static void requests_fit(void **state)
{
	(void)state;
	for (int width = 40; width <= 160; width += 3) {
		char *text = draw_requests("", width, false, false), *rest = text, *line;

		while ((line = strsep(&rest, "\n")))
			if (hs_display_width(line) > width)
				fail_msg("%d: %s", width, line);
		free(text);
	}
}

/* Nothing of a document is trusted: wrong types, missing keys, no document at all. */
static void strange_documents(void **state)
{
	static const char *const documents[] = {
		"{}",
		"{\"items\": 7}",
		"{\"items\": [7, null, \"x\", [], {}]}",
		"{\"items\": [{\"client\": [], \"server\": {\"name\": 5, \"port\": \"x\"}, \"rates\": 1,"
		" \"failures\": [1], \"ends\": {\"client\": 3, \"server\": {\"retransmits\": 5}}}]}",
		"{\"items\": [{\"server\": {\"name\": \"\", \"address\": \"::1\", \"port\": 1e300},"
		" \"calls\": 3, \"protocols\": [1, null], \"statuses\": [1, {}, {\"calls\": 1}], \"route\": 5,"
		" \"age_seconds\": -1, \"failures\": {\"\": -3, \"x\": 1e300}}]}",
	};
	const struct view all[] = {
		{ &hs_graph_listing, &hs_graph_command, "", "-o wide", 0, false, "" },
		{ &hs_graph_listing, &hs_graph_command, "", "-o dot", 0, false, "" },
		{ &hs_graph_listing, &hs_graph_command, "", "-o mermaid --not --name x", 0, false,
		  "" },
		{ &hs_connections_listing, &hs_connections_command, "", "-o wide", 0, false, "" },
		{ &hs_listeners_listing, &hs_listeners_command, "", "-o wide --port 5", 0, false,
		  "" },
		{ &hs_routes_listing, &hs_routes_command, "", "-o wide --route /x --not --method y", 0, false, "" },
	};
	struct hs_screen screen = { .width = 80 };

	(void)state;
	for (size_t i = 0; i < 6 * sizeof(documents) / sizeof(documents[0]); i++) {
		json_t *document = json_loads(documents[i / 6], 0, NULL);
		FILE *out = fopen("/dev/null", "w");
		struct hs_args args;

		assert_non_null(document);
		fixture_args(&args, all[i % 6].command, all[i % 6].line);
		hs_listing_write(all[i % 6].listing, &args, out, document, &screen);
		hs_observe_write(out, document, true);
		hs_requests_write(out, document, &screen, true);
		hs_requests_write(out, document, &screen, false);
		hs_check_write(out, document, true);
		fclose(out);
		hs_args_free(&args);
		json_decref(document);
	}
}

/* Graphviz, where it is installed, is the judge of what is valid. */
static void graphviz_reads_dot(void **state)
{
	static const char *const names[] = { "graph.dot", "graph-calls.dot", "graph-hostile.dot", "graph-empty.dot" };

	(void)state;
	if (system("command -v dot >/dev/null 2>&1"))
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *root = getenv("HS_TEST_DATA");
		char command[512];

		snprintf(command, sizeof(command), "dot -Tcanon %s/expected/%s >/dev/null",
			 root ? root : "tests/data/api", names[i]);
		assert_int_equal(system(command), 0);
	}
}

static int set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return !setlocale(LC_CTYPE, "C.UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listings),
		cmocka_unit_test(status),
		cmocka_unit_test(events),
		cmocka_unit_test(requests),
		cmocka_unit_test(requests_fit),
		cmocka_unit_test(strange_documents),
		cmocka_unit_test(graphviz_reads_dot),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
