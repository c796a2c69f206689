/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_agent.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

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
		int error = agent_start(NULL, path, &http, message);

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

	assert_int_equal(agent_start(listen, path, &http, message), error);
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

		if (agent_start(cases[i].listen, NULL, &http, message))
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
	char path[96], expected[256], longest[150];
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
	snprintf(expected, sizeof(expected), "cannot listen on %s: the path is too long for a unix "
		 "socket (107 bytes at most)", longest);
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
	assert_int_equal(agent_start(NULL, path, &http, message), 0);
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
	assert_int_equal(agent_start(NULL, path, &http, message), 0);
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
	assert_int_equal(agent_start("127.0.0.1:0", NULL, &http, message), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_AGENT(test_unix_socket),
		WITH_AGENT(test_umask),
		WITH_AGENT(test_address_in_use),
		WITH_AGENT(test_bad_addresses),
		WITH_AGENT(test_good_addresses),
		WITH_AGENT(test_bad_socket_paths),
		WITH_AGENT(test_stale_socket),
		WITH_AGENT(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
