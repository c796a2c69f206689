// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope explain as scripts run it: against an agent that has findings, or none, or ends. */
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
#include <unistd.h>

#include "cmd/fixture.h"

#define EMPTY "{\"apiVersion\":\"hopscope/v1\",\"kind\":\"FindingList\",\"items\":[]}"

static struct agent {
	int listener;
	pthread_t thread;
	const char *body;
	int answers; /* so many; then it goes away */
	char path[64];
} agent;

/* A connection that asks nothing is the probe of hs_source_agent(). */
static void answer(int client)
{
	char request[1024], head[128];
	ssize_t got = read(client, request, sizeof(request));
	int len = snprintf(head, sizeof(head),
			   "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
			   strlen(agent.body));

	if (got > 0 && agent.answers-- > 0) {
		assert_non_null(strstr(request, "/api/v1/findings"));
		send(client, head, (size_t)len, MSG_NOSIGNAL);
		send(client, agent.body, strlen(agent.body), MSG_NOSIGNAL);
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

static void start(const char *body, int answers)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	agent.body = body;
	agent.answers = answers;
	snprintf(agent.path, sizeof(agent.path), "/tmp/hopscope-explain-%d.sock", (int)getpid());
	unlink(agent.path);
	strcpy(address.sun_path, agent.path);
	agent.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(agent.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(agent.listener, 8), 0);
	assert_int_equal(pthread_create(&agent.thread, NULL, serve, NULL), 0);
}

static void stop(void)
{
	shutdown(agent.listener, SHUT_RDWR);
	pthread_join(agent.thread, NULL);
	close(agent.listener);
	unlink(agent.path);
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
};

static struct outcome run(const char *line)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	FILE *to[2] = { tmpfile(), tmpfile() };
	char whole[512];
	struct outcome outcome;
	struct hs_args args;

	snprintf(whole, sizeof(whole), "--socket %s%s%s", agent.path, *line ? " " : "", line);
	fixture_args(&args, &hs_explain_command, whole);
	fflush(stdout);
	dup2(fileno(to[0]), STDOUT_FILENO);
	dup2(fileno(to[1]), STDERR_FILENO);
	outcome.status = hs_explain_command.run(&args);
	fflush(stdout);
	fflush(stderr);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	hs_args_free(&args);
	outcome.out = read_back(to[0]);
	outcome.err = read_back(to[1]);
	return outcome;
}

static void outcome_free(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
}

static void assert_outcome(const char *line, int status, const char *out, const char *err)
{
	struct outcome outcome = run(line);

	if (outcome.status != status || !strstr(outcome.out, out) || !strstr(outcome.err, err) ||
	    !*outcome.err != !*err || !*outcome.out != !*out)
		fail_msg("\"%s\" ends with %d\n%s\n%s", line, outcome.status, outcome.out, outcome.err);
	outcome_free(&outcome);
}

static char *findings(void)
{
	json_t *document = fixture_load("findings.json");
	char *text = json_dumps(document, JSON_COMPACT);

	json_decref(document);
	return text;
}

static void exits_by_what_there_is(void **state)
{
	char *body = findings();

	(void)state;
	start(body, 1000);
	assert_outcome("", 79, "7c01a2f4", "");
	assert_outcome("--stuck", 79, "What to do", "");
	assert_outcome("-o json", 79, "\"FindingList\"", "");
	assert_outcome("-o table --cause no_listener", 79, "no_listener", "");
	assert_outcome("7c01a2f4", 79, "STUCK NOW 3", "");
	assert_outcome("7c01a2f5", 1, "", "no finding 7c01a2f5; the nearest is 7c01a2f4");
	assert_outcome("1f3", 64, "", "2 findings begin with 1f3");
	assert_outcome("--cause rp_filter", 0, "", "No findings match these filters (5 without them).");
	assert_outcome("--cause rp_filter -o json", 0, "\"items\": []", "");
	assert_outcome("payments.py", 64, "", "an ID is eight figures such as 7c01a2f4");
	assert_outcome("-f -o table", 64, "", "-f goes with -o text or json");
	stop();
	free(body);
}

static void exits_0_when_all_is_well(void **state)
{
	(void)state;
	start(EMPTY, 1000);
	assert_outcome("", 0, "", "Nothing has failed and nothing hangs.");
	assert_outcome("-o json", 0, "\"FindingList\"", "");
	assert_outcome("7c01a2f4", 1, "", "no finding 7c01a2f4: there are no findings");
	stop();
	assert_outcome("", 69, "", "no agent at");
}

/* Each once, though it is asked three times; then the agent is gone. */
static void follows(void **state)
{
	char *body = findings();
	struct outcome outcome;
	size_t lines = 0;

	(void)state;
	start(body, 3);
	outcome = run("-f -o json");
	for (const char *at = outcome.out; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 5);
	assert_int_equal(outcome.status, 69);
	assert_non_null(strstr(outcome.err, "went away"));
	outcome_free(&outcome);
	stop();
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_by_what_there_is),
		cmocka_unit_test(exits_0_when_all_is_well),
		cmocka_unit_test(follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
