/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "http_agent.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LARGE_TEXT 65536

static void test_paths(void **state)
{
	static const struct {
		const char *path, *type, *part;
	} cases[] = {
		{ "/", "text/plain; charset=utf-8", "/api/v1/graph" },
		{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", "hopscope_ready 1\n" },
		{ "/api/v1/graph", "application/json", "\"CallGraph\"" },
		{ "/api/v1/connections", "application/json", "\"ConnectionList\"" },
		{ "/api/v1/listeners", "application/json", "\"ListenerList\"" },
		{ "/api/v1/findings", "application/json", "\"FindingList\"" },
		{ "/api/v1/status", "application/json", "\"Status\"" },
		{ "/api/v1/events", "application/x-ndjson", "" },
		{ "/livez", "text/plain; charset=utf-8", "ok\n" },
		{ "/readyz", "text/plain; charset=utf-8", "ok\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reply reply = client_get(agent.port, cases[i].path, "");

		assert_int_equal(reply.status, 200);
		assert_string_equal(reply_header(&reply, "Content-Type"), cases[i].type);
		assert_non_null(strstr(reply.body, cases[i].part));
		reply_free(&reply);
	}
}

static void test_negotiation(void **state)
{
	struct reply reply = client_get(agent.port, "/metrics",
					"Accept: application/openmetrics-text;version=1.0.0\r\n");

	(void)state;
	assert_string_equal(reply_header(&reply, "Content-Type"),
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
	assert_string_equal(reply.body + reply.size - 6, "# EOF\n");
	assert_string_equal(reply_header(&reply, "Vary"), "Accept, Accept-Encoding");
	assert_string_equal(reply_header(&reply, "Content-Encoding"), "");
	reply_free(&reply);
}

static char *inflate_all(const struct reply *reply)
{
	char *text = calloc(1, LARGE_TEXT);
	z_stream stream = {
		.next_in = (unsigned char *)reply->body, .avail_in = (unsigned)reply->size,
		.next_out = (unsigned char *)text, .avail_out = LARGE_TEXT - 1,
	};

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	return text;
}

static void test_gzip(void **state)
{
	struct reply plain, packed;
	char *text;

	(void)state;
	fake_edge(agent.model, "a", "b", 1);
	plain = client_get(agent.port, "/api/v1/graph", "Accept-Encoding: gzip;q=0, identity\r\n");
	packed = client_get(agent.port, "/api/v1/graph", "Accept-Encoding: br, gzip\r\n");
	assert_string_equal(reply_header(&plain, "Content-Encoding"), "");
	assert_string_equal(reply_header(&packed, "Content-Encoding"), "gzip");
	assert_true(packed.size < plain.size);
	text = inflate_all(&packed);
	/* Two renderings differ by their times, which are of one length. */
	assert_int_equal(strlen(text), plain.size);
	assert_memory_equal(text, plain.body, 60);
	free(text);
	reply_free(&plain);
	reply_free(&packed);
}

static struct reply request(const char *text)
{
	int fd = client_connect("127.0.0.1", agent.port);

	client_send(fd, text);
	return client_reply(fd);
}

static void test_head(void **state)
{
	struct reply get = client_get(agent.port, "/api/v1/graph", "");
	struct reply head = request("HEAD /api/v1/graph HTTP/1.0\r\n\r\n");

	(void)state;
	assert_int_equal(head.status, 200);
	assert_int_equal(head.size, 0);
	assert_int_equal(atoi(reply_header(&head, "Content-Length")), get.size);
	reply_free(&head);
	head = request("HEAD /api/v1/events?follow=1 HTTP/1.0\r\n\r\n");
	assert_int_equal(head.status, 200);
	EVENTUALLY(hs_http_followers(agent.http) == 0);
	reply_free(&head);
	reply_free(&get);
}

static void test_methods(void **state)
{
	struct reply reply = request("POST /metrics HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");

	(void)state;
	assert_string_equal(reply_header(&reply, "Allow"), "GET, HEAD");
	agent_assert_error(reply, 405, "expected GET or HEAD");
	agent_assert_error(request("DELETE / HTTP/1.0\r\n\r\n"), 405, "DELETE");
	/* a body that nobody asked for is read and dropped */
	reply = request("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			"Content-Length: 3\r\n\r\nabc");
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
}

static void test_not_found(void **state)
{
	(void)state;
	agent_assert_error(client_get(agent.port, "/metric", ""), 404, "no such path: /metric");
	agent_assert_error(client_get(agent.port, "/a%22%0a%ff%00b\\c", ""), 404, "/a\"\n?");
	agent_assert_error(client_get(agent.port, "/api/v1/", ""), 404, "/api/v1/");
}

static void test_garbage(void **state)
{
	static const char *const texts[] = {
		"GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\n\n",
		"GET /%%%zz%1 HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET /api/v1/events?last=%00&since=&&=&follow HTTP/1.0\r\n\r\n",
	};
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int fd = client_connect("127.0.0.1", agent.port);

		client_send(fd, texts[i]);
		shutdown(fd, SHUT_WR);
		reply = client_reply(fd);
		reply_free(&reply);
	}
	reply = client_get(agent.port, "/livez", "");
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
}

static void test_long_header(void **state)
{
	char text[40000] = "GET / HTTP/1.0\r\nX: ";
	struct reply reply;

	(void)state;
	memset(text + strlen(text), 'x', sizeof(text) - 100);
	reply = request(text);
	assert_int_not_equal(reply.status, 200);
	reply_free(&reply);
}

static void test_probes(void **state)
{
	struct reply reply;

	(void)state;
	agent.unready = true;
	reply = client_get(agent.port, "/readyz", "");
	assert_int_equal(reply.status, 503);
	assert_string_equal(reply.body, "the first snapshot is not done\n");
	reply_free(&reply);
	assert_int_equal(agent.renderings, 0);
	agent.model->now_ns -= 40 * HS_NS_PER_SEC;
	reply = client_get(agent.port, "/livez", "");
	assert_int_equal(reply.status, 503);
	reply_free(&reply);
}

static void test_keep_alive(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);
	char text[4096];

	(void)state;
	for (int i = 0; i < 3; i++) {
		client_send(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_true(client_wait_for(fd, text, sizeof(text), "\r\n\r\nok\n"));
	}
	close(fd);
}

static void test_cache(void **state)
{
	uint64_t start = hs_monotonic_ns(), spans;

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct reply reply = client_get(agent.port, "/api/v1/graph",
						i % 2 ? "Accept-Encoding: gzip\r\n" : "");

		assert_int_equal(reply.status, 200);
		reply_free(&reply);
	}
	spans = (hs_monotonic_ns() - start) / (HS_HTTP_CACHE_MS * HS_NS_PER_MS);
	assert_in_range(agent.renderings, 1, spans + 1);
}

static void *get_graph(void *arg)
{
	struct reply reply = client_get(agent.port, "/api/v1/graph", "");

	(void)arg;
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
	return NULL;
}

static void test_many_clients(void **state)
{
	pthread_t threads[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, get_graph, NULL);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_true(agent.renderings < 20);
}

static void test_slow_clients(void **state)
{
	int fds[32], size = 4096;
	uint64_t start;

	(void)state;
	for (int i = 0; i < 3000; i++)
		fake_connection(agent.model);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect("127.0.0.1", agent.port);
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		client_send(fds[i], i % 2 ? "GET /api/v1/connections HTTP/1.1\r\nHost: x\r\n\r\n"
					  : "GET /metr");
	}
	start = hs_monotonic_ns();
	for (int i = 0; i < 10; i++)
		get_graph(NULL);
	assert_true(hs_monotonic_ns() - start < 3 * HS_NS_PER_SEC);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_AGENT(test_paths),
		WITH_AGENT(test_negotiation),
		WITH_AGENT(test_gzip),
		WITH_AGENT(test_head),
		WITH_AGENT(test_methods),
		WITH_AGENT(test_not_found),
		WITH_AGENT(test_garbage),
		WITH_AGENT(test_long_header),
		WITH_AGENT(test_probes),
		WITH_AGENT(test_keep_alive),
		WITH_AGENT(test_cache),
		WITH_AGENT(test_many_clients),
		WITH_AGENT(test_slow_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
