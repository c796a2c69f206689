// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope requests as scripts run it: what it asks of an agent, and what it prints of the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cmd/fixture.h"

/* Lines of a stream that begins with what is known already. */
#define LINE(number, target)                                                                       \
	"{\"apiVersion\":\"hopscope/v1\",\"kind\":\"Request\",\"number\":" #number                  \
	",\"time\":\"2026-01-31T12:00:00Z\",\"client\":{\"name\":\"curl\"},\"server\":{\"name\":\"shop\",\"port\":80}," \
	"\"protocol\":\"http\",\"operation\":\"GET\",\"target\":\"" target "\",\"status\":\"200\",\"duration_seconds\":0.001}\n"
#define LOST "{\"apiVersion\":\"hopscope/v1\",\"kind\":\"Lost\",\"requests\":7}\n"
#define STREAM LINE(9, "/known") LINE(11, "/new") LOST LINE(19, "/later")

static struct agent {
	int listener;
	pthread_t thread;
	char *document;
	char asked[1024]; /* the last request */
	char path[64];
} agent;

static void answer(int client)
{
	char head[128];
	ssize_t got = read(client, agent.asked, sizeof(agent.asked) - 1);
	const char *body = agent.document;
	int len;

	if (got > 0) { /* a connection that asks nothing is the probe of hs_source_agent() */
		agent.asked[got] = '\0';
		body = strstr(agent.asked, "follow=1") ? STREAM : body;
		len = snprintf(head, sizeof(head),
			       "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", strlen(body));
		send(client, head, (size_t)len, MSG_NOSIGNAL);
		send(client, body, strlen(body), MSG_NOSIGNAL);
	}
	close(client);
}

static void *serve(void *arg)
{
	int client;

	while ((client = accept(agent.listener, NULL, NULL)) >= 0)
		answer(client);
	return arg;
}

static int start(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	json_t *document = fixture_load("requests.json");

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	agent.document = json_dumps(document, 0);
	json_decref(document);
	snprintf(agent.path, sizeof(agent.path), "/tmp/hopscope-requests-%d.sock", (int)getpid());
	unlink(agent.path);
	strcpy(address.sun_path, agent.path);
	agent.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(agent.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(agent.listener, 8), 0);
	return pthread_create(&agent.thread, NULL, serve, NULL);
}

static int stop(void **state)
{
	(void)state;
	shutdown(agent.listener, SHUT_RDWR);
	pthread_join(agent.thread, NULL);
	close(agent.listener);
	free(agent.document);
	return unlink(agent.path);
}

static char *read_back(FILE *file)
{
	char *text = calloc(1, 1 << 20);

	rewind(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) < (1 << 20) - 1);
	fclose(file);
	return text;
}

struct outcome {
	int status;
	char *out, *err;
	unsigned lines;
};

static struct outcome run(const char *line)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	FILE *to[2] = { tmpfile(), tmpfile() };
	char whole[512];
	struct outcome outcome = { 0 };
	struct hs_args args;

	snprintf(whole, sizeof(whole), "--socket %s%s%s", agent.path, *line ? " " : "", line);
	fixture_args(&args, &hs_requests_command, whole);
	fflush(stdout);
	dup2(fileno(to[0]), STDOUT_FILENO);
	dup2(fileno(to[1]), STDERR_FILENO);
	outcome.status = hs_requests_command.run(&args);
	fflush(stdout);
	fflush(stderr);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	hs_args_free(&args);
	outcome.out = read_back(to[0]);
	outcome.err = read_back(to[1]);
	for (const char *at = outcome.out; (at = strchr(at, '\n')); at++)
		outcome.lines++;
	return outcome;
}

static void outcome_free(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
}

/* So many lines, of which the last has that in it. */
static void assert_run(const char *line, unsigned lines, const char *last)
{
	struct outcome outcome = run(line);
	const char *at = strstr(outcome.out, last);

	if (outcome.status || *outcome.err || outcome.lines != lines || !at || strchr(at, '\n')[1])
		fail_msg("%s: %d, %s%s", line, outcome.status, outcome.out, outcome.err);
	outcome_free(&outcome);
}

static void the_past(void **state)
{
	(void)state;
	assert_run("", 11, "GET /a?[31m?b");
	assert_run("--no-headers", 10, "GET /a?[31m?b");
	assert_run("--last 3", 4, "GET /a?[31m?b");
	assert_run("--last 1 --no-headers --protocol postgresql", 1, "INSERT orders");
	assert_run("--since 2026-01-31T11:59:08Z", 6, "GET /a?[31m?b"); /* what ended since then, and began before */
	assert_run("--since 56s", 9, "GET /a?[31m?b");
	assert_run("--since 56s --last 2", 3, "GET /a?[31m?b");
	assert_null(strstr(agent.asked, "follow"));
}

static void json(void **state)
{
	struct outcome outcome = run("-o json --status failed --last 2");
	json_t *document = json_loads(outcome.out, 0, NULL), *items = json_object_get(document, "items");

	(void)state;
	assert_int_equal(outcome.status, HS_EXIT_OK);
	assert_string_equal(json_string_value(json_object_get(document, "kind")), "RequestList");
	assert_int_equal(json_array_size(items), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(items, 1), "number")), 8);
	json_decref(document);
	outcome_free(&outcome);
}

static void nothing(void **state)
{
	struct outcome outcome = run("--slower-than 1h");

	(void)state;
	assert_int_equal(outcome.status, HS_EXIT_OK);
	assert_string_equal(outcome.out, "");
	assert_string_equal(outcome.err, "hopscope: none of 10 recent calls matches\n");
	outcome_free(&outcome);
	free(agent.document);
	agent.document = strdup("{\"apiVersion\":\"hopscope/v1\",\"kind\":\"RequestList\",\"items\":[]}");
	outcome = run("");
	assert_string_equal(outcome.err, "hopscope: no calls yet; -f waits for them\n");
	outcome_free(&outcome);
	outcome = run("-o json");
	assert_non_null(strstr(outcome.out, "\"items\": []"));
	assert_string_equal(outcome.err, "");
	outcome_free(&outcome);
}

/* From where the past ended: nothing twice, and what was missed is said. The stream of this agent ends. */
static void followed(void **state)
{
	struct outcome outcome = run("-f --last 1 -o json");

	(void)state;
	assert_int_equal(outcome.status, HS_EXIT_UNAVAILABLE);
	assert_non_null(strstr(agent.asked, "/api/v1/requests?follow=1&last=999999999&since=2026-01-31T12:00:00.000000000Z"));
	assert_int_equal(outcome.lines, 3);
	assert_null(strstr(outcome.out, "/known"));
	assert_non_null(strstr(outcome.out, "\"kind\":\"Request\""));
	assert_non_null(strstr(outcome.out, "/new"));
	assert_non_null(strstr(outcome.out, "/later"));
	assert_non_null(strstr(outcome.err, "7 calls were missed"));
	outcome_free(&outcome);
	outcome = run("-f --last 0 --route /later");
	assert_int_equal(outcome.lines, 2);
	assert_non_null(strstr(outcome.out, "TIME"));
	assert_null(strstr(outcome.out, "/new"));
	outcome_free(&outcome);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(the_past), TEST(json), TEST(nothing), TEST(followed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
