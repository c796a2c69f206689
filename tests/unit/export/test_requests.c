/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/requests: a document, and followed a stream of lines. */
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
#include <jansson.h>

#include "export/events.h"
#include "http_agent.h"

static void add_requests(unsigned count)
{
	pthread_mutex_lock(&agent.lock);
	while (count--)
		fake_request(agent.model, "app", "shop", 80);
	pthread_mutex_unlock(&agent.lock);
}

static void assert_document(const char *query, size_t count, int first)
{
	char path[128];
	struct reply reply;
	json_t *json, *items;

	snprintf(path, sizeof(path), "/api/v1/requests%s", query);
	reply = client_get(agent.port, path, "");
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply_header(&reply, "Content-Type"), "application/json");
	json = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "kind")), "RequestList");
	items = json_object_get(json, "items");
	assert_int_equal(json_array_size(items), count);
	if (count)
		assert_int_equal(json_integer_value(json_object_get(json_array_get(items, 0), "number")), first);
	json_decref(json);
	reply_free(&reply);
}

static void test_document(void **state)
{
	uint64_t now = hs_monotonic_ns();

	(void)state;
	assert_document("", 0, 0);
	agent.model->now_ns = now - 3600 * HS_NS_PER_SEC;
	add_requests(1);
	assert_document("", 1, 1);
	add_requests(31); /* one batch and no more */
	assert_document("", 32, 1);
	agent.model->now_ns = now - 60 * HS_NS_PER_SEC;
	add_requests(10);
	agent.model->now_ns = now;
	assert_document("", 42, 1);
	assert_document("?last=0", 0, 0);
	assert_document("?last=7", 7, 36);
	assert_document("?since=2m", 10, 33);
	assert_document("?since=2m&last=3", 3, 40);
	assert_document("?since=1s", 0, 0);
	add_requests(3 * FAKE_REQUESTS);
	assert_document("", FAKE_REQUESTS, 42 + 2 * FAKE_REQUESTS + 1);
	assert_int_equal(hs_http_missed(agent.http), 0);
}

static void test_bad(void **state)
{
	(void)state;
	agent_assert_error(client_get(agent.port, "/api/v1/requests?last=x", ""), 400, "for last");
	agent_assert_error(client_get(agent.port, "/api/v1/requests?status=5xx", ""), 400, "unknown parameter");
}

static void test_follow(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);
	char text[16384];

	(void)state;
	add_requests(30);
	client_send(fd, "GET /api/v1/requests?follow=true&last=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(client_wait_for(fd, text, sizeof(text), "\"kind\":\"Request\",\"number\":30,"));
	assert_non_null(strstr(text, "application/x-ndjson"));
	assert_null(strstr(text, "\"number\":29,"));
	assert_int_equal(hs_http_followers(agent.http), 1);
	assert_int_equal(hs_http_request_followers(agent.http), 1);
	for (unsigned i = 31; i < 300; i++) {
		char needle[32];

		add_requests(1);
		hs_http_wake(agent.http);
		snprintf(needle, sizeof(needle), "\"number\":%u,", i);
		assert_true(client_wait_for(fd, text, sizeof(text), needle));
	}
	close(fd);
	hs_http_wake(agent.http);
	EVENTUALLY(hs_http_request_followers(agent.http) == 0 && hs_http_followers(agent.http) == 0);
}

/* Events have followers of their own. */
static void test_apart(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);

	(void)state;
	client_send(fd, FOLLOW);
	EVENTUALLY(hs_http_followers(agent.http) == 1);
	assert_int_equal(hs_http_request_followers(agent.http), 0);
	close(fd);
}

static void test_lost(void **state)
{
	int fd = client_connect("127.0.0.1", agent.port);
	char text[65536];

	(void)state;
	client_send(fd, "GET /api/v1/requests?follow=1&last=0 HTTP/1.0\r\n\r\n");
	assert_true(client_wait_for(fd, text, sizeof(text), "\r\n\r\n"));
	EVENTUALLY(hs_http_request_followers(agent.http) == 1 && agent.locks >= 2);
	add_requests(200);
	hs_http_wake(agent.http);
	assert_true(client_wait_for(fd, text, sizeof(text), "\"number\":200,")); /* with all that came before */
	assert_non_null(strstr(text, "\"kind\":\"Lost\",\"requests\":136}"));
	assert_int_equal(hs_http_missed(agent.http), 136);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_AGENT(test_document), WITH_AGENT(test_bad),  WITH_AGENT(test_follow),
		WITH_AGENT(test_apart),	   WITH_AGENT(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
