// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope explain: what people read, what scripts get, and what a wrong question is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/display.h"
#include "base/duration.h"
#include "cmd/explain.h"
#include "cmd/fixture.h"
#include "model/finding.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* What a command line prints of findings.json; its status is that of the selection. */
static char *explain(const char *line, int width, bool color, int *status, char message[256])
{
	struct hs_screen screen = { .width = width, .color = color };
	json_t *document = fixture_load("findings.json");
	struct hs_args args;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fixture_args(&args, &hs_explain_command, line);
	strcpy(message, "");
	*status = hs_explain_select(&args, document, message, 256);
	if (!*status)
		hs_explain_write(&args, out, document, &screen);
	fclose(out);
	hs_args_free(&args);
	json_decref(document);
	return text;
}

static void assert_prints(const char *line, int width, bool color, const char *expected)
{
	char message[256];
	int status;
	char *text = explain(line, width, color, &status, message);

	if (status)
		fail_msg("%s: %s", line, message);
	fixture_expect(expected, text);
	free(text);
}

static void prints(void **state)
{
	(void)state;
	assert_prints("", 0, false, "explain.txt");
	assert_prints("", 80, false, "explain-80.txt");
	assert_prints("", 44, false, "explain-44.txt");
	assert_prints("", 80, true, "explain-color.txt");
	assert_prints("-o table", 0, false, "explain-table.txt");
	assert_prints("-o table", 80, false, "explain-table-80.txt");
	assert_prints("-o json --stuck", 80, false, "explain-stuck.json");
	assert_prints("7c01a2f4", 0, false, "explain-stuck.txt");
	assert_prints("7c01a2f4", 120, true, "explain-stuck-120.txt");
	assert_prints("1F3A", 80, false, "explain-died.txt");
	assert_prints("--cause path-loss", 80, false, "explain-loss.txt");
	assert_prints("0000beef", 80, false, "explain-little.txt");
	assert_prints("e5e5", 80, true, "explain-hostile.txt");
	assert_prints("--cause rp_filter", 80, false, "empty.txt");
}

/* How many of them a command line leaves. */
static size_t count_of(const char *line)
{
	json_t *document = fixture_load("findings.json");
	struct hs_args args;
	char message[256];
	size_t count;

	fixture_args(&args, &hs_explain_command, line);
	assert_int_equal(hs_explain_select(&args, document, message, sizeof(message)), 0);
	count = json_array_size(json_object_get(document, "items"));
	hs_args_free(&args);
	json_decref(document);
	return count;
}

static void filters(void **state)
{
	static const struct {
		const char *line;
		size_t count;
	} cases[] = {
		{ "", 5 },
		{ "--stuck", 1 },
		{ "--not --stuck", 4 },
		{ "--since 5m", 2 },
		{ "--since 2026-01-31T11:40:00Z", 3 },
		{ "--since 2d", 4 },
		{ "--reason refused --reason reset", 2 },
		{ "--cause no_listener", 1 },
		{ "--not --cause no_listener --not --cause unknown", 3 },
		{ "--name orders.py --client o* --server pay*", 1 },
		{ "--port 9000", 1 },
		{ "--port 9000 --stuck", 0 },
		{ "--pid 4711", 2 },
		{ "--ip 127.0.0.0/8 --port 8099", 1 },
		{ "-n shop", 2 },
		{ "7c01a2f4", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (count_of(cases[i].line) != cases[i].count)
			fail_msg("%s leaves %zu", cases[i].line, count_of(cases[i].line));
	}
}

static void assert_refused(const char *line, int expected, const char *words)
{
	char message[256];
	int status;

	free(explain(line, 0, false, &status, message));
	assert_int_equal(status, expected);
	assert_string_equal(message, words);
}

static void wrong_ids(void **state)
{
	json_t *empty = json_pack("{s:s, s:[]}", "time", "x", "items");
	struct hs_args args;
	char message[256];

	(void)state;
	assert_refused("1f3a9c03", HS_EXIT_FAILURE,
		       "no finding 1f3a9c03; the nearest is 1f3a9c02, hopscope explain lists all");
	assert_refused("1f3", HS_EXIT_USAGE,
		       "2 findings begin with 1f3, such as 1f3a9c02 and 1f3b0000");
	assert_refused("7c01a2f4 --not --stuck", HS_EXIT_FAILURE,
		       "7c01a2f4 does not match these filters");
	fixture_args(&args, &hs_explain_command, "1");
	assert_int_equal(hs_explain_select(&args, empty, message, sizeof(message)), HS_EXIT_FAILURE);
	assert_string_equal(message, "no finding 1: there are no findings");
	hs_args_free(&args);
	json_decref(empty);
}

/* -f: each as it shows and as it grows, the oldest first. */
static void news(void **state)
{
	json_t *document = fixture_load("findings.json"), *seen = json_object(), *line, *item;
	struct hs_screen screen = { 0 };
	struct hs_args args;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	fixture_args(&args, &hs_explain_command, "-f -o json");
	assert_int_equal(hs_explain_write_news(&args, out, document, seen, &screen), 5);
	assert_int_equal(hs_explain_write_news(&args, out, document, seen, &screen), 0);
	item = json_array_get(json_object_get(document, "items"), 1);
	json_object_set_new(item, "count", json_integer(2));
	rewind(out);
	assert_int_equal(hs_explain_write_news(&args, out, document, seen, &screen), 1);
	fclose(out);
	line = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
	assert_string_equal(json_string_value(json_object_get(line, "kind")), "Finding");
	assert_string_equal(json_string_value(json_object_get(line, "apiVersion")), "hopscope/v1");
	assert_string_equal(json_string_value(json_object_get(line, "id")), "1f3a9c02");
	hs_args_free(&args);
	json_decref(line);
	json_decref(seen);
	json_decref(document);
	free(text);
}

static json_t *syn_at(const double *at, size_t count, unsigned stuck)
{
	json_t *timeline = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(timeline, json_pack("{s:s, s:f, s:i}", "event",
							  i ? "syn_sent_again" : "syn_sent",
							  "offset_seconds", at[i], "number", (int)i));
	return json_pack("{s:o, s:i}", "timeline", timeline, "stuck", (int)stuck);
}

static void timers(void **state)
{
	static const struct {
		double at[8];
		size_t count;
		unsigned stuck;
		const char *part;
	} cases[] = {
		{ { 0 }, 1, 0, "" },
		{ { 0, 1.02 }, 2, 0, "Linux before 6.5 doubles" },
		{ { 0, 1, 3 }, 3, 1, "after 1.0s and 3.0s. Each wait is twice the last. The next is "
				     "due 4.0s later, at 7.0s." },
		{ { 0, 1, 2, 3 }, 4, 0, "The next would have been 1.0s later, at 4.0s." },
		{ { 0, 1, 2, 3, 4, 5 }, 6, 1, "twice the last. The next is due 2.0s later, at 7.0s." },
		{ { 0, 1, 2, 3, 4, 5, 7 }, 7, 1, "due 4.0s later, at 11s." },
		{ { 5, 6, 8 }, 3, 1, "after 1.0s and 3.0s. Each wait is twice the last. The next is "
				     "due 4.0s later, at 7.0s." },
		{ { 0, 100, 300 }, 3, 1, "due 2m00s later, at 7m00s." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *finding = syn_at(cases[i].at, cases[i].count, cases[i].stuck);
		char text[HS_EXPLAIN_LEN];

		hs_explain_timer(finding, text);
		if (!strstr(text, cases[i].part) || !*text != !*cases[i].part)
			fail_msg("%zu: %s", i, text);
		json_decref(finding);
	}
}

/* One retry tells nothing, the socket does. */
static void timer_of_the_socket(void **state)
{
	json_t *finding = json_pack("{s:i, s:{s:{s:i, s:f, s:s}}}", "stuck", 1, "tcp", "server",
				    "backoff", 4, "rto_seconds", 3.3, "timer", "retransmit");
	char text[HS_EXPLAIN_LEN];

	(void)state;
	hs_explain_timer(finding, text);
	assert_string_equal(text, "The timer of the server has doubled 4 times and waits 3.3s now.");
	json_object_set_new(finding, "stuck", json_integer(0));
	hs_explain_timer(finding, text);
	assert_string_equal(text, "");
	json_decref(finding);
}

/* Nothing of a document is trusted. */
static void strange_documents(void **state)
{
	static const char *const documents[] = {
		"{}",
		"{\"items\": 7}",
		"{\"items\": [7, null, \"x\", [], {}]}",
		"{\"items\": [{\"id\": 5, \"client\": [], \"server\": 3, \"count\": -1, \"stuck\": \"x\","
		" \"timeline\": {}, \"tcp\": [], \"evidence\": 5, \"summary\": \"\"}]}",
		"{\"time\": 5, \"items\": [{\"id\": \"\", \"summary\": \":\", \"count\": 1e300,"
		" \"stuck\": 1e300, \"last_seen\": \"x\", \"timeline\": [5, {}, {\"event\": 5,"
		" \"offset_seconds\": 1e300}, {\"event\": \"syn_sent\", \"offset_seconds\": -1e300},"
		" {\"event\": \"closed\", \"end\": \"a.b.c\", \"number\": 1e300}],"
		" \"tcp\": {\"client\": 5, \"server\": {\"retransmits\": 5}}, \"evidence\": [5, {}]}]}",
	};
	static const char *const lines[] = { "", "-o table", "-o json", "-f", "--since 5m --port 5" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents) * ARRAY_LEN(lines); i++) {
		json_t *document = json_loads(documents[i % ARRAY_LEN(documents)], 0, NULL);
		json_t *seen = json_object();
		struct hs_screen screen = { .width = i % 3 ? 80 : 1 };
		FILE *out = fopen("/dev/null", "w");
		char message[256];
		struct hs_args args;
		size_t at;
		json_t *item;

		assert_non_null(document);
		fixture_args(&args, &hs_explain_command, lines[i / ARRAY_LEN(documents)]);
		hs_explain_select(&args, document, message, sizeof(message));
		hs_explain_write_news(&args, out, document, seen, &screen);
		hs_explain_write(&args, out, document, &screen);
		json_array_foreach(json_object_get(document, "items"), at, item) {
			hs_explain_detail(out, item, 0, &screen);
			hs_explain_entry(out, item, INT64_MAX, &screen);
		}
		fclose(out);
		hs_args_free(&args);
		json_decref(seen);
		json_decref(document);
	}
}

/* --cause and --reason take the model's words, all of them. */
static void words_are_the_models(void **state)
{
	size_t count = 0, found = 0;

	(void)state;
	for (; hs_explain_causes[count]; count++)
		assert_string_equal(hs_explain_causes[count], hs_cause_name((enum hs_cause)count));
	assert_int_equal(count, HS_CAUSE_MAX);
	for (count = 0; hs_explain_reasons[count]; count++) {
		for (enum hs_reason reason = 0; reason < HS_REASON_MAX; reason++)
			found += !strcmp(hs_explain_reasons[count], hs_reason_name(reason));
	}
	assert_int_equal(found, count);
	assert_int_equal(count, HS_REASON_MAX - 2); /* none, and cancelled: no failures */
}

/* Every moment that the model knows is told in words, not by its name. */
static void moments_have_words(void **state)
{
	(void)state;
	for (enum hs_moment_type type = 0; type < HS_MOMENT_MAX; type++) {
		json_t *moment = json_pack("{s:s, s:s, s:i}", "event", hs_moment_name(type), "end",
					   "client", "number", 9);
		char text[HS_EXPLAIN_LEN];

		hs_explain_moment(moment, moment, text);
		if (strchr(text, '_') || strlen(text) < 8)
			fail_msg("%s: %s", hs_moment_name(type), text);
		json_decref(moment);
	}
}

static char *read_failures(void)
{
	const char *root = getenv("HS_TEST_DOCS");
	char path[256], *text = NULL;
	size_t size = 0;
	FILE *in;

	snprintf(path, sizeof(path), "%s/FAILURES.md", root ? root : "docs");
	in = fopen(path, "r");
	if (!in)
		fail_msg("%s cannot be read", path);
	assert_true(getdelim(&text, &size, '\0', in) > 0);
	fclose(in);
	return text;
}

/* docs/FAILURES.md has a section for every cause, and none besides. */
static void causes_are_documented(void **state)
{
	char *text = read_failures(), heading[64], name[64];
	const char *at = text;
	int count = 0;

	(void)state;
	for (enum hs_cause cause = 0; cause < HS_CAUSE_MAX; cause++) {
		snprintf(heading, sizeof(heading), "\n### `%s`\n", hs_cause_name(cause));
		if (!strstr(text, heading))
			fail_msg("docs/FAILURES.md has no section of %s", hs_cause_name(cause));
	}
	while ((at = strstr(at, "\n### `"))) {
		at += strlen("\n### `");
		assert_int_equal(sscanf(at, "%63[^`]", name), 1);
		if (hs_cause_of_name(name) < 0)
			fail_msg("docs/FAILURES.md: there is no cause %s", name);
		count++;
	}
	assert_int_equal(count, HS_CAUSE_MAX);
	free(text);
}

/* Its tables have the words of reason, ended_by, confidence and stage. */
static void words_are_documented(void **state)
{
	char *text = read_failures(), row[64];

	(void)state;
	for (size_t i = 0; hs_explain_reasons[i]; i++) {
		snprintf(row, sizeof(row), "\n| `%s` |", hs_explain_reasons[i]);
		if (!strstr(text, row))
			fail_msg("docs/FAILURES.md lacks the reason %s", hs_explain_reasons[i]);
	}
	for (enum hs_ended_by by = 0; by < HS_ENDED_MAX; by++) {
		snprintf(row, sizeof(row), "\n| `%s` |", hs_ended_by_name(by));
		if (!strstr(text, row))
			fail_msg("docs/FAILURES.md lacks ended_by %s", hs_ended_by_name(by));
	}
	free(text);
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
		cmocka_unit_test(prints),
		cmocka_unit_test(filters),
		cmocka_unit_test(wrong_ids),
		cmocka_unit_test(news),
		cmocka_unit_test(timers),
		cmocka_unit_test(timer_of_the_socket),
		cmocka_unit_test(strange_documents),
		cmocka_unit_test(words_are_the_models),
		cmocka_unit_test(moments_have_words),
		cmocka_unit_test(causes_are_documented),
		cmocka_unit_test(words_are_documented),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
