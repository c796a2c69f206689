/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "export/http.h"
#include "export/http_cache.h"
#include "export/http_query.h"
#include "fake_model.h"
#include "http_client.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define FOLLOW "GET /api/v1/events?follow=1&last=0 HTTP/1.0\r\n\r\n"
#define LARGE_TEXT 65536

/* Plays the agent: owns the model and its lock. */
static struct agent {
	pthread_mutex_t lock;
	struct hs_model *model;
	struct hs_http *http;
	uint16_t port;
	char directory[32], socket[64];
	_Atomic unsigned locks, renderings;
	bool unready;
} agent = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct hs_view *agent_lock(void *arg, bool fresh)
{
	struct agent *self = arg;
	struct hs_view *view;

	pthread_mutex_lock(&self->lock);
	self->locks++;
	self->renderings += fresh;
	view = fake_view(self->model);
	view->clock = hs_clock_now();
	view->ready = !self->unready;
	view->pass_count = !self->unready;
	return view;
}

static void agent_unlock(void *arg)
{
	pthread_mutex_unlock(&((struct agent *)arg)->lock);
}

static int start_at(const char *listen, const char *path, struct hs_http **http, char message[256])
{
	const struct hs_http_config config = {
		.listen = listen,
		.socket = path,
		.lock = agent_lock,
		.unlock = agent_unlock,
		.arg = &agent,
	};

	strcpy(message, "");
	return hs_http_start(&config, http, message, 256);
}

static int setup(void **state)
{
	char message[256];

	(void)state;
	agent.model = fake_new();
	agent.model->now_ns = hs_monotonic_ns();
	agent.locks = agent.renderings = 0;
	agent.unready = false;
	strcpy(agent.directory, "/tmp/hopscope.XXXXXX");
	assert_non_null(mkdtemp(agent.directory));
	snprintf(agent.socket, sizeof(agent.socket), "%s/socket", agent.directory);
	if (start_at("127.0.0.1:0", agent.socket, &agent.http, message))
		fail_msg("%s", message);
	agent.port = hs_http_port(agent.http);
	assert_int_not_equal(agent.port, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hs_http_stop(agent.http);
	agent.http = NULL;
	assert_int_not_equal(access(agent.socket, F_OK), 0);
	assert_int_equal(rmdir(agent.directory), 0);
	fake_free(agent.model);
	return 0;
}

static void add_events(unsigned count)
{
	pthread_mutex_lock(&agent.lock);
	while (count--)
		fake_event(agent.model, HS_LOG_CONNECT);
	pthread_mutex_unlock(&agent.lock);
}

/* Until a condition holds that the server's threads bring about; 10 s at most. */
#define EVENTUALLY(condition)                                                      \
	do {                                                                       \
		for (int tries_ = 0; !(condition) && tries_ < 2000; tries_++)      \
			usleep(5000);                                              \
		assert_true(condition);                                            \
	} while (0)

static json_t *json_body(const struct reply *reply)
{
	json_error_t error;
	json_t *json = json_loads(reply->body, 0, &error);

	if (!json)
		fail_msg("%s in %s", error.text, reply->body);
	return json;
}

static void assert_error(struct reply reply, int status, const char *part)
{
	json_t *json = json_body(&reply);
	const char *message = json_string_value(json_object_get(json, "message"));

	assert_int_equal(reply.status, status);
	assert_string_equal(json_string_value(json_object_get(json, "kind")), "Error");
	if (!strstr(message, part))
		fail_msg("%s is not in %s", part, message);
	json_decref(json);
	reply_free(&reply);
}

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
	assert_error(reply, 405, "expected GET or HEAD");
	assert_error(request("DELETE / HTTP/1.0\r\n\r\n"), 405, "DELETE");
	/* a body that nobody asked for is read and dropped */
	reply = request("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			"Content-Length: 3\r\n\r\nabc");
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
}

static void test_not_found(void **state)
{
	(void)state;
	assert_error(client_get(agent.port, "/metric", ""), 404, "no such path: /metric");
	assert_error(client_get(agent.port, "/a%22%0a%ff%00b\\c", ""), 404, "/a\"\n?");
	assert_error(client_get(agent.port, "/api/v1/", ""), 404, "/api/v1/");
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

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		text++;
		n++;
	}
	return n;
}

static unsigned events_of(const char *query)
{
	char path[128];
	struct reply reply;
	unsigned n;

	snprintf(path, sizeof(path), "/api/v1/events%s", query);
	reply = client_get(agent.port, path, "");
	assert_int_equal(reply.status, 200);
	n = count(reply.body, "\"kind\":\"Event\"");
	assert_int_equal(count(reply.body, "\n"), n);
	reply_free(&reply);
	return n;
}

static void test_events_range(void **state)
{
	char path[128], time_text[HS_TIME_LEN];
	struct hs_clock clock = hs_clock_now();
	uint64_t now = hs_monotonic_ns();

	(void)state;
	assert_int_equal(events_of(""), 0);
	agent.model->now_ns = now - 3600 * HS_NS_PER_SEC;
	add_events(30);
	agent.model->now_ns = now - 60 * HS_NS_PER_SEC;
	hs_clock_format(&clock, agent.model->now_ns, time_text);
	add_events(10);
	agent.model->now_ns = now;
	assert_int_equal(events_of(""), 20);
	assert_int_equal(events_of("?last=0"), 0);
	assert_int_equal(events_of("?last=7"), 7);
	assert_int_equal(events_of("?last=1000"), 40);
	assert_int_equal(events_of("?since=2h"), 40);
	assert_int_equal(events_of("?since=2m"), 10);
	assert_int_equal(events_of("?since=2m&last=3"), 3);
	assert_int_equal(events_of("?since=1s&follow=0"), 0);
	assert_int_equal(events_of("?since=2000-01-01T00:00:00Z"), 40);
	assert_int_equal(events_of("?since=2200-01-01T00:00:00%2B02:00"), 0);
	time_text[19] = '\0'; /* to the second: at or before the later ones */
	snprintf(path, sizeof(path), "?since=%sZ", time_text);
	assert_int_equal(events_of(path), 10);
	snprintf(path, sizeof(path), "?since=%s+00:00", time_text);
	assert_int_equal(events_of(path), 10);
}

/* The oldest events are forgotten: that is no loss to a reader who has just come. */
static void test_events_wrapped(void **state)
{
	(void)state;
	add_events(3 * FAKE_LOG);
	assert_int_equal(events_of("?last=1000"), FAKE_LOG);
	assert_int_equal(hs_http_missed(agent.http), 0);
}

static void test_events_bad(void **state)
{
	(void)state;
	assert_error(client_get(agent.port, "/api/v1/events?last=x", ""), 400,
		     "bad value \"x\" for last: expected a number");
	assert_error(client_get(agent.port, "/api/v1/events?last=-1", ""), 400, "for last");
	assert_error(client_get(agent.port, "/api/v1/events?last=99999999999", ""), 400,
		     "for last");
	assert_error(client_get(agent.port, "/api/v1/events?since=yesterday", ""), 400,
		     "expected a time such as 2026-01-31T12:00:00Z or a duration");
	assert_error(client_get(agent.port, "/api/v1/events?since=", ""), 400, "for since");
	assert_error(client_get(agent.port, "/api/v1/events?follow=yes", ""), 400,
		     "expected 1, true");
	assert_error(client_get(agent.port, "/api/v1/events?folow=1", ""), 400,
		     "unknown parameter \"folow\": expected last, since or follow");
}

static void test_follow(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);
	char text[8192];

	(void)state;
	add_events(3);
	client_send(fd, "GET /api/v1/events?follow=1&last=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(client_wait_for(fd, text, sizeof(text), "\"number\":3,"));
	assert_null(strstr(text, "\"number\":2,"));
	assert_int_equal(hs_http_followers(agent.http), 1);
	for (unsigned i = 4; i < 50; i++) {
		char needle[32];

		add_events(1);
		hs_http_wake(agent.http);
		snprintf(needle, sizeof(needle), "\"number\":%u,", i);
		assert_true(client_wait_for(fd, text, sizeof(text), needle));
	}
	close(fd);
	hs_http_wake(agent.http);
	EVENTUALLY(hs_http_followers(agent.http) == 0);
}

/* The headers come at once, not with the first event. */
static void test_follow_quiet(void **state)
{
	int fd = client_connect_unix(agent.socket);
	char text[8192];

	(void)state;
	client_send(fd, FOLLOW);
	assert_true(client_wait_for(fd, text, sizeof(text), "\r\n\r\n"));
	close(fd);
}

/* 200 events while nobody woke the stream, and the model kept 64. */
static void test_lost(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);
	char text[65536];

	(void)state;
	client_send(fd, FOLLOW);
	assert_true(client_wait_for(fd, text, sizeof(text), "\r\n\r\n"));
	EVENTUALLY(hs_http_followers(agent.http) == 1 && agent.locks >= 2);
	add_events(200);
	hs_http_wake(agent.http);
	assert_true(client_wait_for(fd, text, sizeof(text), "\"number\":200,"));
	assert_non_null(strstr(
		text, "{\"apiVersion\":\"hopscope/v1\",\"kind\":\"Lost\",\"events\":136}\n"));
	assert_int_equal(count(text, "\"kind\":\"Event\""), FAKE_LOG);
	assert_int_equal(hs_http_missed(agent.http), 136);
	close(fd);
}

/* A client that does not read: the agent goes on, and every event is told of or counted. */
static void test_slow_follower(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port), size = 65536;
	static char text[64 << 20];
	uint64_t shown, lost = 0;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	client_send(fd, FOLLOW);
	EVENTUALLY(hs_http_followers(agent.http) == 1);
	for (int i = 0; i < 4000; i++) {
		add_events(10);
		hs_http_wake(agent.http);
		if (i % 16 == 0)
			usleep(100);
	}
	assert_true(client_wait_for(fd, text, sizeof(text), "\"number\":40000,"));
	shown = count(text, "\"kind\":\"Event\"");
	for (const char *at = text; (at = strstr(at, "\"Lost\",\"events\":")); at++)
		lost += strtoull(at + strlen("\"Lost\",\"events\":"), NULL, 10);
	assert_true(lost > 0);
	assert_int_equal(shown + lost, 40000);
	assert_int_equal(hs_http_missed(agent.http), lost);
	close(fd);
}

/* On a node where nothing happens nobody would notice that followers have gone. */
static void test_follower_limit(void **state)
{
	int fds[32];
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect("127.0.0.1", agent.port);
		client_send(fds[i], FOLLOW);
	}
	EVENTUALLY(hs_http_followers(agent.http) == ARRAY_LEN(fds));
	assert_error(client_get(agent.port, "/api/v1/events?follow=1", ""), 503, "32 clients");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	for (int i = 0; i < 1000 && hs_http_followers(agent.http); i++) {
		reply = client_get(agent.port, "/livez", "");
		reply_free(&reply);
		usleep(1000);
	}
	assert_int_equal(hs_http_followers(agent.http), 0);
}

static void test_tick(void **state)
{
	int fd = client_connect_unix(agent.socket);

	(void)state;
	client_send(fd, FOLLOW);
	EVENTUALLY(hs_http_followers(agent.http) == 1 && agent.locks >= 2);
	hs_http_tick(agent.http);
	assert_int_equal(hs_http_followers(agent.http), 1);
	close(fd);
	EVENTUALLY((hs_http_tick(agent.http), hs_http_followers(agent.http) == 0));
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

static void test_unix_socket(void **state)
{
	int fd = client_connect_unix(agent.socket);
	struct stat file;
	struct reply reply;

	(void)state;
	assert_int_equal(stat(agent.socket, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0660);
	client_send(fd, "GET /livez HTTP/1.0\r\n\r\n");
	reply = client_reply(fd);
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
}

static void test_umask(void **state)
{
	static const mode_t masks[] = { 0, 0777 };
	char path[96], message[256];
	struct stat file;

	(void)state;
	snprintf(path, sizeof(path), "%s/other", agent.directory);
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		mode_t before = umask(masks[i]);
		struct hs_http *http;
		int error = start_at(NULL, path, &http, message);

		umask(before);
		assert_int_equal(error, 0);
		assert_int_equal(stat(path, &file), 0);
		assert_int_equal(file.st_mode & 07777, 0660);
		hs_http_stop(http);
		assert_int_not_equal(access(path, F_OK), 0);
	}
}

static void assert_refused(const char *listen, const char *path, int error, const char *expected)
{
	struct hs_http *http = NULL;
	char message[256];

	assert_int_equal(start_at(listen, path, &http, message), error);
	assert_null(http);
	if (strcmp(message, expected))
		fail_msg("%s\nis not\n%s", message, expected);
}

static void test_address_in_use(void **state)
{
	char listen[32], expected[256];

	(void)state;
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", agent.port);
	snprintf(expected, sizeof(expected),
		 "cannot listen on %s: Address already in use; another agent? "
		 "use --listen ADDR:PORT",
		 listen);
	assert_refused(listen, NULL, -EADDRINUSE, expected);
	snprintf(expected, sizeof(expected), "cannot listen on %s: another agent answers there; "
		 "use --socket PATH", agent.socket);
	assert_refused(NULL, agent.socket, -EADDRINUSE, expected);
	assert_int_equal(access(agent.socket, F_OK), 0);
	/* nothing stays of the half that worked */
	assert_refused("127.0.0.1:0", agent.socket, -EADDRINUSE, expected);
}

static void test_bad_addresses(void **state)
{
	static const char *const cases[] = {
		"",
		"9464",
		"localhost",
		"127.0.0.1:",
		"127.0.0.1:x",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:123456",
		"::1:9464",
		"[::1]",
		"[::1",
		"[::1]9464",
		":",
		"[]:1",
		"127.0.0.1: 80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expected[256];

		snprintf(expected, sizeof(expected),
			 "bad address \"%s\" for --listen: expected ADDR:PORT "
			 "such as 127.0.0.1:9464, [::1]:9464 or :9464",
			 cases[i]);
		assert_refused(cases[i], NULL, -EINVAL, expected);
	}
	assert_refused("192.0.2.1:9464", NULL, -EADDRNOTAVAIL, "cannot listen on 192.0.2.1:9464: "
		       "Cannot assign requested address; no such address on this machine");
}

static void test_good_addresses(void **state)
{
	static const struct {
		const char *listen, *clients[2];
	} cases[] = {
		{ "127.0.0.1:0", { "127.0.0.1" } },   { "[::1]:0", { "::1" } },
		{ "localhost:0", { NULL } },	      { ":0", { "127.0.0.1", "::1" } },
		{ "[::]:0", { "127.0.0.1", "::1" } }, { "0.0.0.0:0", { "127.0.0.1" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hs_http *http;
		char message[256];

		if (start_at(cases[i].listen, NULL, &http, message))
			fail_msg("%s", message);
		for (int c = 0; c < 2 && cases[i].clients[c]; c++) {
			int fd = client_connect(cases[i].clients[c], hs_http_port(http));

			assert_true(fd >= 0);
			close(fd);
		}
		hs_http_stop(http);
	}
}

static void test_bad_socket_paths(void **state)
{
	char path[96], expected[400], longest[200];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/missing/socket", agent.directory);
	snprintf(expected, sizeof(expected),
		 "cannot listen on %s: the directory is missing; make it or "
		 "use --socket PATH",
		 path);
	assert_refused(NULL, path, -ENOENT, expected);
	snprintf(path, sizeof(path), "%s/file", agent.directory);
	file = fopen(path, "w");
	fclose(file);
	snprintf(expected, sizeof(expected),
		 "cannot listen on %s: there is a file, and it is not a socket; "
		 "use --socket PATH",
		 path);
	assert_refused(NULL, path, -EEXIST, expected);
	assert_int_equal(unlink(path), 0);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	snprintf(expected, sizeof(expected), "cannot listen on %.180s", longest);
	snprintf(expected, sizeof(expected), "%.17s%s: the path is too long for a unix socket "
		 "(107 bytes at most)", "cannot listen on ", longest);
	expected[255] = '\0';
	assert_refused(NULL, longest, -ENAMETOOLONG, expected);
	assert_refused(NULL, "", -EINVAL, "empty path for --socket");
}

/* What an agent that was killed leaves behind. */
static void test_stale_socket(void **state)
{
	char path[96], message[256];
	struct hs_http *http;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/stale", agent.directory);
	assert_int_equal(start_at(NULL, path, &http, message), 0);
	/* it is replaced by another: then it is not ours to remove */
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	{
		struct { sa_family_t family; char path[108]; } address = { AF_UNIX, "" };

		strcpy(address.path, path);
		assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	}
	hs_http_stop(http);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	assert_int_equal(start_at(NULL, path, &http, message), 0);
	fd = client_connect_unix(path);
	assert_true(fd >= 0);
	close(fd);
	hs_http_stop(http);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void test_stop(void **state)
{
	struct hs_http *http;
	char message[256], text[4096];
	int fds[24];
	uint64_t start;

	(void)state;
	assert_int_equal(start_at("127.0.0.1:0", NULL, &http, message), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		static const char *const texts[] = { FOLLOW, "GET /metr", "" };

		fds[i] = client_connect("127.0.0.1", hs_http_port(http));
		client_send(fds[i], texts[i % ARRAY_LEN(texts)]);
	}
	EVENTUALLY(hs_http_followers(http) == ARRAY_LEN(fds) / 3);
	assert_true(client_wait_for(fds[0], text, sizeof(text), "\r\n\r\n"));
	start = hs_monotonic_ns();
	hs_http_stop(http);
	assert_true(hs_monotonic_ns() - start < HS_NS_PER_SEC);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	hs_http_wake(NULL);
	hs_http_tick(NULL);
	hs_http_stop(NULL);
}

static void *come_and_go(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 60; i++) {
		int fd = rand_r(&seed) % 2 ? client_connect("127.0.0.1", agent.port) :
					     client_connect_unix(agent.socket);
		char text[2048];

		client_send(fd, rand_r(&seed) % 3 ? FOLLOW : "GET /metrics HTTP/1.0\r\n\r\n");
		if (rand_r(&seed) % 2)
			client_wait_for(fd, text, sizeof(text), "\r\n\r\n");
		close(fd);
	}
	return NULL;
}

/* Followers that come, go and are woken all at once, and a stop in the middle of it. */
static void test_commotion(void **state)
{
	pthread_t threads[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, come_and_go, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < 2000; i++) {
		add_events(1);
		hs_http_wake(agent.http);
		if (i % 8 == 0)
			usleep(50);
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
}

static int render_large(void *arg, unsigned slot, FILE *out)
{
	static char block[1 << 20];
	unsigned *renderings = arg;

	(*renderings)++;
	for (int i = 0; i < 20 && slot != 7; i++)
		fwrite(block, 1, sizeof(block), out);
	return slot == 7 ? -EIO : 0;
}

/* Bodies that slow clients hold on to must not fill the memory, nor keep others from the rest. */
static void test_cache_bound(void **state)
{
	unsigned renderings = 0;
	struct hs_cache cache;
	struct hs_body *bodies[4];

	(void)state;
	hs_cache_init(&cache, render_large, &renderings);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(hs_cache_get(&cache, 0, false, &bodies[i]), 0);
		bodies[i]->made_ns -= 10 * HS_NS_PER_SEC;
	}
	assert_int_equal(bodies[0]->raw.size, 20 << 20);
	assert_ptr_not_equal(bodies[1], bodies[0]);
	assert_ptr_equal(bodies[2], bodies[1]); /* the newest again, though it is old */
	assert_ptr_equal(bodies[3], bodies[1]);
	assert_int_equal(renderings, 2);
	hs_body_put(bodies[0]);
	assert_int_equal(hs_cache_get(&cache, 0, false, &bodies[0]), 0);
	assert_ptr_not_equal(bodies[0], bodies[1]);
	for (int i = 0; i < 4; i++)
		hs_body_put(bodies[i]);
	assert_int_equal(renderings, 3);
	hs_cache_free(&cache);
	assert_int_equal(cache.slots[0].bytes, 0);
}

static void test_cache_expiry(void **state)
{
	unsigned renderings = 0;
	struct hs_cache cache;
	struct hs_body *read, *old, *young;

	(void)state;
	hs_cache_init(&cache, render_large, &renderings);
	assert_int_equal(hs_cache_get(&cache, 0, false, &read), 0);
	assert_int_equal(hs_cache_get(&cache, 1, true, &old), 0);
	assert_int_equal(hs_cache_get(&cache, 2, false, &young), 0);
	assert_in_range(old->gzip.size, 1, 1 << 20);
	read->made_ns -= 10 * HS_NS_PER_SEC;
	old->made_ns -= 10 * HS_NS_PER_SEC;
	hs_body_put(old);
	hs_body_put(young);
	hs_cache_expire(&cache);
	assert_non_null(cache.slots[0].newest); /* somebody reads it */
	assert_null(cache.slots[1].newest);
	assert_non_null(cache.slots[2].newest);
	assert_int_equal(cache.held, 2);
	hs_body_put(read);
	assert_int_equal(hs_cache_get(&cache, 7, false, &read), -EIO);
	hs_cache_free(&cache);
}

static void test_query(void **state)
{
	static const struct {
		const char *name, *value;
		bool good;
	} cases[] = {
		{ "last", "0", true },
		{ "last", "999999999", true },
		{ "last", "1e3", false },
		{ "last", NULL, false },
		{ "since", "30s", true },
		{ "since", "1h30m", true },
		{ "since", "2026-01-31T12:00:00.5Z", true },
		{ "since", "2026-01-31T12:00:00 02:00", true },
		{ "since", "2026-01-31T12:00:00-02:00", true },
		{ "since", "-5m", false },
		{ "since", "99999999999999999999d", false },
		{ "follow", NULL, true },
		{ "follow", "true", true },
		{ "follow", "2", false },
		{ "", "", false },
	};
	char message[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hs_events_query query = { 0 };

		if (hs_events_query_set(&query, cases[i].name, cases[i].value, message,
					sizeof(message)) != cases[i].good)
			fail_msg("%s=%s", cases[i].name, cases[i].value);
	}
}

#define WITH_AGENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
		WITH_AGENT(test_events_range),
		WITH_AGENT(test_events_wrapped),
		WITH_AGENT(test_events_bad),
		WITH_AGENT(test_follow),
		WITH_AGENT(test_follow_quiet),
		WITH_AGENT(test_lost),
		WITH_AGENT(test_slow_follower),
		WITH_AGENT(test_follower_limit),
		WITH_AGENT(test_tick),
		WITH_AGENT(test_slow_clients),
		WITH_AGENT(test_unix_socket),
		WITH_AGENT(test_umask),
		WITH_AGENT(test_address_in_use),
		WITH_AGENT(test_bad_addresses),
		WITH_AGENT(test_good_addresses),
		WITH_AGENT(test_bad_socket_paths),
		WITH_AGENT(test_stale_socket),
		WITH_AGENT(test_stop),
		WITH_AGENT(test_commotion),
		cmocka_unit_test(test_cache_bound),
		cmocka_unit_test(test_cache_expiry),
		cmocka_unit_test(test_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
