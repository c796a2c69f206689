// SPDX-License-Identifier: GPL-2.0-or-later
/* The client side of the API against a server that says what each test wants, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/curl.h"
#include "cmd/document.h"
#include "cmd/source.h"

static struct server {
	int listener;
	pthread_t thread;
	const char *const *pieces; /* of the answer, each written on its own; NULL ends them */
	char request[1024];
	char path[64];
} server;

/* A connection that asks nothing is the probe of hs_source_agent(). */
static void answer(int client)
{
	size_t len = 0;
	ssize_t got;

	while (len < sizeof(server.request) - 1 && !memmem(server.request, len, "\r\n\r\n", 4) &&
	       (got = read(client, server.request + len, sizeof(server.request) - 1 - len)) > 0)
		len += (size_t)got;
	server.request[len] = '\0';
	for (size_t i = 0; len && server.pieces[i]; i++) {
		usleep(2000); /* so that they arrive apart */
		if (send(client, server.pieces[i], strlen(server.pieces[i]), MSG_NOSIGNAL) < 0)
			break;
	}
	close(client);
}

static void *serve(void *arg)
{
	int client;

	while ((client = accept(server.listener, NULL, NULL)) >= 0)
		answer(client);
	return arg;
}

static void start(const char *const *pieces)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	server.pieces = pieces;
	snprintf(server.path, sizeof(server.path), "/tmp/hopscope-test-%d.sock", (int)getpid());
	unlink(server.path);
	strcpy(address.sun_path, server.path);
	server.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server.listener, 8), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static int stop(void **state)
{
	(void)state;
	if (!*server.path)
		return 0;
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	unlink(server.path);
	*server.path = '\0';
	return 0;
}

static struct hs_source *open_source(void)
{
	char message[256] = "";
	int status = 0;
	struct hs_source *source = hs_source_agent(server.path, message, sizeof(message), &status);

	if (!source)
		fail_msg("%d: %s", status, message);
	return source;
}

static void assert_begins(const char *text, const char *want)
{
	if (strncmp(text, want, strlen(want)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", text, want);
}

static void gets_a_document(void **state)
{
	static const char *const pieces[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n",
		"{\"apiVersion\":\"hopscope/v1\",",
		"\"kind\":\"X\",\"n\":1}",
		NULL,
	};
	struct hs_source *source;
	json_t *document;

	(void)state;
	start(pieces);
	source = open_source();
	for (int i = 0; i < 2; i++) { /* a source may be asked again */
		document = source->get(source, "graph");
		if (!document)
			fail_msg("%s", source->message);
		assert_string_equal(hs_doc_text(document, "kind"), "X");
		json_decref(document);
	}
	assert_begins(server.request, "GET /api/v1/graph HTTP/1.1\r\n");
	source->close(source);
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *const pieces[3];
		const char *want;
	} cases[] = {
		{ { "HTTP/1.1 503 No\r\nContent-Length: 58\r\n\r\n",
		    "{\"apiVersion\":\"hopscope/v1\",\"kind\":\"Error\",\"message\":\"no\"}" },
		  ": no" },
		{ { "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nno\n" },
		  "is no agent known to this hopscope (HTTP 404)" },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" },
		  "is no agent known to this hopscope (HTTP 200)" },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{" }, "went away" },
		{ { "" }, "went away" },
		{ { "SSH-2.0-OpenSSH_9.2\r\n" }, "asking the agent at" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hs_source *source;

		start(cases[i].pieces);
		source = open_source();
		assert_null(source->get(source, "graph"));
		if (!strstr(source->message, cases[i].want))
			fail_msg("\"%s\" lacks \"%s\"", source->message, cases[i].want);
		source->close(source);
		stop(NULL);
	}
}

struct lines {
	char text[256];
	int count, stop_after;
};

static int take_line(void *arg, const char *text, size_t length)
{
	struct lines *lines = arg;
	size_t len = strlen(lines->text);

	snprintf(lines->text + len, sizeof(lines->text) - len, "[%.*s]", (int)length, text);
	return ++lines->count == lines->stop_after ? 7 : 0;
}

static int stop_at_once(void *arg)
{
	(void)arg;
	return 9;
}

/* Lines and chunks are cut in different places. */
static const char *const stream[] = {
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"3\r\n{\"a\r\n",
	"7\r\n\":1}\n{}\r\n",
	"2\r\n\n\n\r\n",
	"3\r\n{3}\r\n",
	"1\r\n\n\r\n0\r\n\r\n",
	NULL,
};

static void hands_on_whole_lines(void **state)
{
	struct lines lines = { .stop_after = -1 };
	struct hs_source *source;

	(void)state;
	start(stream);
	source = open_source();
	assert_int_equal(source->stream(source, "events", "last=3&since=x", take_line, NULL, &lines), 0);
	assert_string_equal(lines.text, "[{\"a\":1}][{}][{3}]");
	assert_begins(server.request, "GET /api/v1/events?last=3&since=x HTTP/1.1\r\n");
	source->close(source);
}

static void stops_when_the_reader_has_enough(void **state)
{
	struct lines lines = { .stop_after = 2 };
	struct hs_source *source;

	(void)state;
	start(stream);
	source = open_source();
	assert_int_equal(source->stream(source, "events", "follow=1", take_line, NULL, &lines), 7);
	assert_string_equal(lines.text, "[{\"a\":1}][{}]");
	assert_int_equal(source->stream(source, "events", "follow=1", take_line, stop_at_once, &lines), 9);
	source->close(source);
}

static void a_stream_that_breaks_is_an_error(void **state)
{
	static const char *const pieces[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"3\r\n{}\n\r\n",
		NULL,
	};
	struct lines lines = { .stop_after = -1 };
	struct hs_source *source;

	(void)state;
	start(pieces);
	source = open_source();
	assert_int_equal(source->stream(source, "events", "", take_line, NULL, &lines), -EIO);
	assert_string_equal(lines.text, "[{}]");
	assert_non_null(strstr(source->message, "went away"));
	source->close(source);
}

static void refusals_have_no_lines(void **state)
{
	static const char *const pieces[] = {
		"HTTP/1.1 400 No\r\nContent-Length: 59\r\n\r\n",
		"{\"apiVersion\":\"hopscope/v1\",\"kind\":\"Error\",\"message\":\"bad\"}\n", NULL
	};
	struct lines lines = { .stop_after = -1 };
	struct hs_source *source;

	(void)state;
	start(pieces);
	source = open_source();
	assert_int_equal(source->stream(source, "events", "", take_line, NULL, &lines), -EIO);
	assert_int_equal(lines.count, 0);
	assert_non_null(strstr(source->message, ": bad"));
	source->close(source);
}

static void no_agent_is_unavailable(void **state)
{
	char message[256], long_path[200];
	int status = 0;

	(void)state;
	assert_null(hs_source_agent("/nonexistent/x.sock", message, sizeof(message), &status));
	assert_int_equal(status, HS_EXIT_UNAVAILABLE);
	assert_string_equal(message, "no agent at /nonexistent/x.sock (No such file or directory)");
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_null(hs_source_agent(long_path, message, sizeof(message), &status));
	assert_int_equal(status, HS_EXIT_UNAVAILABLE);
}

static void a_socket_left_behind_is_told_apart(void **state)
{
	static const char *const pieces[] = { NULL };
	char message[256], path[64];
	int status = 0;

	(void)state;
	start(pieces);
	strcpy(path, server.path);
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	*server.path = '\0';
	assert_null(hs_source_agent(path, message, sizeof(message), &status));
	unlink(path);
	assert_int_equal(status, HS_EXIT_UNAVAILABLE);
	assert_begins(message, "no agent answers at ");
}

/* Without libcurl there is nothing to test: it is loaded when it is needed. */
static int set_up(void **state)
{
	char message[256];

	(void)state;
	if (hs_curl_load(message, sizeof(message)))
		return 0;
	fprintf(stderr, "%s\n", message);
	return 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(gets_a_document, stop),
		cmocka_unit_test_teardown(says_what_is_wrong, stop),
		cmocka_unit_test_teardown(hands_on_whole_lines, stop),
		cmocka_unit_test_teardown(stops_when_the_reader_has_enough, stop),
		cmocka_unit_test_teardown(a_stream_that_breaks_is_an_error, stop),
		cmocka_unit_test_teardown(refusals_have_no_lines, stop),
		cmocka_unit_test(no_agent_is_unavailable),
		cmocka_unit_test(a_socket_left_behind_is_told_apart),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
