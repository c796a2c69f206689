/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/events.h"
#include "export/http_query.h"
#include "http_agent.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

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
	agent_add_events(30);
	agent.model->now_ns = now - 60 * HS_NS_PER_SEC;
	hs_clock_format(&clock, agent.model->now_ns, time_text);
	agent_add_events(10);
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

/* The numbers in a reply, in its order. */
static void assert_numbers(const char *query, const char *wanted)
{
	char path[128], have[256] = "";
	struct reply reply;

	snprintf(path, sizeof(path), "/api/v1/events%s", query);
	reply = client_get(agent.port, path, "");
	for (const char *at = reply.body; (at = strstr(at, "\"number\":")); at++)
		snprintf(have + strlen(have), sizeof(have) - strlen(have), "%d ", atoi(at + 9));
	assert_string_equal(have, wanted);
	reply_free(&reply);
}

/* What came to be known late is shown in its place; what happened at once, in the order of its coming. */
static void test_events_by_time(void **state)
{
	static const unsigned seconds_ago[] = { 50, 40, 40, 45, 10, 48, 60, 5 };
	uint64_t now = hs_monotonic_ns();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(seconds_ago); i++) {
		agent.model->now_ns = now - seconds_ago[i] * HS_NS_PER_SEC;
		agent_add_events(1);
	}
	agent.model->now_ns = now;
	assert_numbers("", "7 1 6 4 2 3 5 8 ");
	assert_numbers("?last=3", "3 5 8 ");
	assert_numbers("?since=47s", "4 2 3 5 8 ");
	assert_numbers("?since=47s&last=4", "2 3 5 8 ");
	assert_numbers("?since=1s", "");
}

/* The part below the HTTP server. */
static void test_events_collected(void **state)
{
	struct hs_events events;

	(void)state;
	agent_add_events(5);
	assert_int_equal(hs_events_collect(&events, agent.model, 1, INT64_MIN, 3), 0);
	assert_int_equal(events.count, 3);
	assert_int_equal(events.place[0].number, 3);
	hs_events_free(&events);
	assert_int_equal(hs_events_collect(&events, agent.model, 6, INT64_MIN, 3), 0);
	assert_int_equal(events.count, 0);
	hs_events_free(&events);
	assert_int_equal(hs_events_first(agent.model, INT64_MIN), 1);
	assert_int_equal(hs_events_first(agent.model, INT64_MAX), 6);
}

/* The oldest events are forgotten: that is no loss to a reader who has just come. */
static void test_events_wrapped(void **state)
{
	(void)state;
	agent_add_events(3 * FAKE_LOG);
	assert_int_equal(events_of("?last=1000"), FAKE_LOG);
	assert_int_equal(hs_http_missed(agent.http), 0);
}

static void test_events_bad(void **state)
{
	(void)state;
	agent_assert_error(client_get(agent.port, "/api/v1/events?last=x", ""), 400,
		     "bad value \"x\" for last: expected a number");
	agent_assert_error(client_get(agent.port, "/api/v1/events?last=-1", ""), 400, "for last");
	agent_assert_error(client_get(agent.port, "/api/v1/events?last=99999999999", ""), 400,
		     "for last");
	agent_assert_error(client_get(agent.port, "/api/v1/events?since=yesterday", ""), 400,
		     "expected a time such as 2026-01-31T12:00:00Z or a duration");
	agent_assert_error(client_get(agent.port, "/api/v1/events?since=", ""), 400, "for since");
	agent_assert_error(client_get(agent.port, "/api/v1/events?follow=yes", ""), 400,
		     "expected 1, true");
	agent_assert_error(client_get(agent.port, "/api/v1/events?folow=1", ""), 400,
		     "unknown parameter \"folow\": expected last, since or follow");
}

static void test_follow(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);
	char text[8192];

	(void)state;
	agent_add_events(3);
	client_send(fd, "GET /api/v1/events?follow=1&last=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(client_wait_for(fd, text, sizeof(text), "\"number\":3,"));
	assert_null(strstr(text, "\"number\":2,"));
	assert_int_equal(hs_http_followers(agent.http), 1);
	for (unsigned i = 4; i < 1000; i++) {
		char needle[32];

		agent_add_events(1);
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
	agent_add_events(200);
	hs_http_wake(agent.http);
	assert_true(client_wait_for(fd, text, sizeof(text), "\"number\":200,"));
	assert_non_null(strstr(
		text, "{\"apiVersion\":\"hopscope/v1\",\"kind\":\"Lost\",\"events\":136}\n"));
	assert_int_equal(count(text, "\"kind\":\"Event\""), FAKE_LOG);
	assert_int_equal(hs_http_missed(agent.http), 136);
	close(fd);
}

/* By line: a search through all of it, again and again, takes the sanitizer seconds. */
static void tally(char *text, uint64_t *shown, uint64_t *lost)
{
	static const char key[] = "\"kind\":\"Lost\",\"events\":";
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const char *at = strstr(line, key);

		*shown += strstr(line, "\"kind\":\"Event\"") != NULL;
		*lost += at ? strtoull(at + strlen(key), NULL, 10) : 0;
	}
}

/* A client that does not read: the agent goes on, and every event is told of or counted. */
static void test_slow_follower(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);
	static char text[64 << 20];
	uint64_t shown = 0, lost = 0;

	(void)state;
	client_send(fd, FOLLOW);
	EVENTUALLY(hs_http_followers(agent.http) == 1);
	for (int i = 0; i < 4000; i++) {
		agent_add_events(10);
		hs_http_wake(agent.http);
		if (i % 16 == 0)
			usleep(100);
	}
	assert_true(client_wait_for(fd, text, sizeof(text), "\"number\":40000,"));
	tally(text, &shown, &lost);
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
	agent_assert_error(client_get(agent.port, "/api/v1/events?follow=1", ""), 503,
			   "32 clients");
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
		agent_add_events(1);
		hs_http_wake(agent.http);
		if (i % 8 == 0)
			usleep(50);
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_AGENT(test_events_range),
		WITH_AGENT(test_events_by_time),
		WITH_AGENT(test_events_collected),
		WITH_AGENT(test_events_wrapped),
		WITH_AGENT(test_events_bad),
		WITH_AGENT(test_follow),
		WITH_AGENT(test_follow_quiet),
		WITH_AGENT(test_lost),
		WITH_AGENT(test_slow_follower),
		WITH_AGENT(test_follower_limit),
		WITH_AGENT(test_tick),
		WITH_AGENT(test_commotion),
		cmocka_unit_test(test_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
