/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/config.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static char path[64];
static char message[512];
static struct hs_config config;

static int make_file(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/hopscope-test-config-XXXXXX");
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_file(const char *text, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static int read_text(const char *text)
{
	write_file(text, strlen(text));
	memset(message, 'x', sizeof(message) - 1);
	return hs_config_read(path, &config, message, sizeof(message));
}

static void defaults_without_a_file(void **state)
{
	struct hs_engine_config defaults;

	(void)state;
	hs_engine_defaults(&defaults);
	assert_int_equal(hs_config_read(NULL, &config, message, sizeof(message)), 0);
	assert_null(config.listen);
	assert_null(config.socket);
	assert_null(config.log_level);
	assert_null(config.disable);
	assert_null(config.engine.probe.disabled);
	assert_int_equal(config.engine.model.self_pid, getpid());
	assert_int_equal(config.engine.model.max_connections, defaults.model.max_connections);
	assert_int_equal(config.engine.model.max_edges, defaults.model.max_edges);
	assert_int_equal(config.engine.model.max_workloads, defaults.model.max_workloads);
	assert_int_equal(config.engine.model.max_processes, defaults.model.max_processes);
	assert_int_equal(config.engine.model.max_listeners, defaults.model.max_listeners);
	assert_int_equal(config.engine.model.max_events, defaults.model.max_events);
	assert_true(config.engine.model.edge_ttl_ns == defaults.model.edge_ttl_ns);
	assert_true(config.engine.model.dns_names);
	assert_true(config.engine.snapshot_seconds == defaults.snapshot_seconds);
	hs_config_free(&config);
}

static void every_key(void **state)
{
	char route[HS_ROUTE_LEN];

	(void)state;
	assert_int_equal(read_text("# a comment\n"
				   "listen = \"127.0.0.1:9000\"\n"
				   "socket = \"/run/x.sock\"\n"
				   "log_level = debug\n"
				   "disable = \"connect:fexit,snapshot\"\n"
				   "ring_kbytes = 4096\n"
				   "snapshot_milliseconds = 2500\n"
				   "max_connections = 2000\n"
				   "max_edges = 17\n"
				   "max_workloads = 18\n"
				   "max_processes = 65\n"
				   "max_listeners = 19\n"
				   "max_events = 20\n"
				   "max_routes = 21\n"
				   "max_requests = 22\n"
				   "max_conversations = 23\n"
				   "routes = { \"/a/{b}\",\n  \"/c/*/d\" }\n"
				   "edge_ttl_seconds = 60\n"
				   "dns_names = false\n"
				   "rule \"orders\" { executable = \"java\"  arguments = \"*orders*\"\n"
				   "  cgroup = \"/a/*\" container = \"1*\" unit = \"u*\" namespace = \"shop\" }\n"
				   "rule \"other\" { }\n"), 0);
	assert_string_equal(config.listen, "127.0.0.1:9000");
	assert_string_equal(config.socket, "/run/x.sock");
	assert_string_equal(config.log_level, "debug");
	assert_string_equal(config.disable, "connect:fexit,snapshot");
	assert_string_equal(config.engine.probe.disabled, "connect:fexit,snapshot");
	assert_int_equal(config.engine.probe.ring_bytes, 4096 * 1024);
	assert_true(config.engine.snapshot_seconds == 2.5);
	assert_int_equal(config.engine.model.max_connections, 2000);
	assert_int_equal(config.engine.model.max_edges, 17);
	assert_int_equal(config.engine.model.max_workloads, 18);
	assert_int_equal(config.engine.model.max_processes, 65);
	assert_int_equal(config.engine.model.max_listeners, 19);
	assert_int_equal(config.engine.model.max_events, 20);
	assert_int_equal(config.engine.model.max_routes, 21);
	assert_int_equal(config.engine.model.max_requests, 22);
	assert_int_equal(config.engine.model.max_conversations, 23);
	assert_ptr_equal(config.engine.model.routes, config.routes);
	assert_true(hs_route_patterns_match(config.routes, "/c/7/d", route));
	assert_string_equal(route, "/c/*/d");
	assert_true(hs_route_patterns_match(config.routes, "/a/7", route));
	assert_false(hs_route_patterns_match(config.routes, "/a", route));
	assert_true(config.engine.model.edge_ttl_ns == 60 * HS_NS_PER_SEC);
	assert_false(config.engine.model.dns_names);
	assert_ptr_equal(config.engine.model.rules, config.rules);
	hs_config_free(&config);
}

static void rules_name_processes(void **state)
{
	static const char args[] = "java\0-jar\0/srv/orders.jar";
	const struct hs_process_facts facts = {
		.comm = "java", .hostname = "h", .exe = "/usr/bin/java", .args = args, .args_len = sizeof(args),
		.cgroup = "", .cgroup_len = 0,
	};
	struct hs_identity identity;

	(void)state;
	assert_int_equal(read_text("rule \"billing\" { executable = \"billing*\" }\n"
				   "rule \"orders\" { executable = \"orders*\" namespace = \"shop\" }\n"), 0);
	hs_identify(&facts, config.rules, &identity);
	assert_string_equal(identity.name, "orders");
	assert_string_equal(identity.namespace_, "shop");
	hs_config_free(&config);
}

static const struct {
	const char *key;
	long from, to;
} ranges[] = {
	{ "ring_kbytes", 64, 1048576 },
	{ "max_connections", 1024, 16777216 },
	{ "max_edges", 16, 1048576 },
	{ "max_workloads", 16, 1048576 },
	{ "max_processes", 64, 1048576 },
	{ "max_listeners", 16, 1048576 },
	{ "max_events", 16, 1048576 },
	{ "max_findings", 16, 65536 },
	{ "max_routes", 16, 1048576 },
	{ "max_requests", 16, 1048576 },
	{ "max_conversations", 16, 1048576 },
	{ "close_wait_seconds", 1, 86400 },
	{ "edge_ttl_seconds", 10, 31536000 },
	{ "snapshot_milliseconds", 100, 3600000 },
};

static int read_number(const char *key, long value)
{
	char text[128];
	int error;

	snprintf(text, sizeof(text), "\n%s = %ld\n", key, value);
	error = read_text(text);
	hs_config_free(&config);
	return error;
}

static void numbers_have_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		char want[128];

		assert_int_equal(read_number(ranges[i].key, ranges[i].from), 0);
		assert_int_equal(read_number(ranges[i].key, ranges[i].to), 0);
		assert_int_equal(read_number(ranges[i].key, ranges[i].to + 1), -EINVAL);
		assert_int_equal(read_number(ranges[i].key, 0), -EINVAL);
		assert_int_equal(read_number(ranges[i].key, -1), -EINVAL);
		assert_int_equal(read_number(ranges[i].key, ranges[i].from - 1), -EINVAL);
		snprintf(want, sizeof(want), "%s:2: %s is %ld, expected a number from %ld to %ld", path,
			 ranges[i].key, ranges[i].from - 1, ranges[i].from, ranges[i].to);
		assert_string_equal(message, want);
	}
}

/* What is wrong, in which line, and what would have been right. */
static const struct {
	const char *text, *line, *words[3];
} mistakes[] = {
	{ "listen = \"a:1\"\nlisten_on = \"b:1\"\n", ":2: ", { "listen_on" } },
	{ "colour = 1\n", ":1: ", { "colour" } },
	{ "listen = \"127.0.0.1:9000\nsocket = \"/x\"\n", ":", { "/x" } },
	{ "listen = \"127.0.0.1:9000\n", ":", { "premature end of file: a value or a closing quote is missing" } },
	{ "max_edges = many\n", ":1: ", { "many", "max_edges" } },
	{ "max_edges = 99999999999999999999999\n", ":1: ", { "max_edges" } },
	{ "max_edges 17\n", ":1: ", { "missing equal sign after option 'max_edges'" } },
	{ "max_edges =\n", ":", { "a value or a closing quote is missing" } },
	{ "\n\nlog_level = loud\n", ":3: ", { "loud", "error, warn, info or debug" } },
	{ "# 1\n/* 2\n3 */ // 3\nlog_level = loud # 4\n", ":4: ", { "loud", "error, warn, info or debug" } },
	{ "socket = \"/a//b # c\" # 1 \"\nlog_level = loud\n", ":2: ", { "loud", "error, warn, info or debug" } },
	{ "rule { executable = \"java\" }\n", ":1: ", { "rule" } },
	{ "rule \"\" { executable = \"java\" }\n", ":1: ", { "a rule needs a name", "rule \"orders\"" } },
	{ "rule \"x\" {\n  program = \"java\"\n}\n", ":2: ", { "program" } },
	{ "}\n", ":1: ", { "closing brace" } },
	{ "\nroutes = { \"/a\", \"users/{id}\" }\n", ":2: ", { "'users/{id}' is no route, expected segments" } },
	{ "routes = { \"/a/**\" }\n", ":1: ", { "'/a/**' is no route" } },
	{ "max_edges = { 1, 2 }\n", ":1: ", { "" } },
};

static bool is_in(const char *word, const char *text)
{
	return strstr(text, word);
}

static void mistakes_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		bool said = false;

		if (!read_text(mistakes[i].text))
			fail_msg("taken: %s", mistakes[i].text);
		hs_config_free(&config);
		if (strncmp(message, path, strlen(path)) ||
		    strncmp(message + strlen(path), mistakes[i].line, strlen(mistakes[i].line)))
			fail_msg("no file and line: %s", message);
		for (size_t j = 0; j < ARRAY_LEN(mistakes[i].words) && mistakes[i].words[j]; j++)
			said |= is_in(mistakes[i].words[j], message);
		if (!said || strchr(message, '\n'))
			fail_msg("mistake %zu: %s", i, message);
	}
}

static void a_file_that_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(hs_config_read("/nowhere/hopscope.conf", &config, message, sizeof(message)), -ENOENT);
	assert_string_equal(message, "/nowhere/hopscope.conf: No such file or directory");
	hs_config_free(&config);
}

static void a_directory(void **state)
{
	(void)state;
	assert_int_equal(hs_config_read("/tmp", &config, message, sizeof(message)), -EISDIR);
	assert_string_equal(message, "/tmp: Is a directory");
	hs_config_free(&config);
}

/* In a child without privileges, since root may read everything. */
static void a_file_that_may_not_be_read(void **state)
{
	char want[128];
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(read_text(""), 0);
	hs_config_free(&config);
	assert_int_equal(chmod(path, 0), 0);
	snprintf(want, sizeof(want), "%s: Permission denied", path);
	pid = fork();
	if (!pid) {
		if (!geteuid() && setuid(65534))
			_exit(2);
		_exit(hs_config_read(path, &config, message, sizeof(message)) == -EACCES &&
		      !strcmp(message, want) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(status, 0);
}

static void an_empty_file_is_the_defaults(void **state)
{
	(void)state;
	assert_int_equal(read_text(""), 0);
	assert_int_equal(config.engine.model.max_edges, hs_model_defaults.max_edges);
	hs_config_free(&config);
}

/* The last of two says it; strings that were replaced do not leak. */
static void a_key_twice(void **state)
{
	(void)state;
	assert_int_equal(read_text("listen = \"a:1\"\nlisten = \"b:2\"\nmax_edges = 20\nmax_edges = 30\n"), 0);
	assert_string_equal(config.listen, "b:2");
	assert_int_equal(config.engine.model.max_edges, 30);
	hs_config_free(&config);
}

static void any_bytes_are_survived(void **state)
{
	static const char alphabet[] = "rule \"{}=\n,#'\\/*$max_edges17listn\xff";
	uint64_t seed = 1;
	char text[200];

	(void)state;
	for (int run = 0; run < 1000; run++) {
		size_t length = 1 + run % (sizeof(text) - 1);

		for (size_t i = 0; i < length; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			text[i] = alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
		}
		write_file(text, length);
		message[0] = '\0';
		if (hs_config_read(path, &config, message, sizeof(message)))
			assert_true(*message);
		hs_config_free(&config);
	}
}

/* The line is cut, not written past its end. */
static void a_short_message(void **state)
{
	char small[16];

	(void)state;
	write_file("log_level = loud\n", 17);
	memset(small, 'x', sizeof(small));
	assert_int_equal(hs_config_read(path, &config, small, 8), -EINVAL);
	assert_int_equal(strlen(small), 7);
	assert_int_equal(small[8], 'x');
	hs_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_without_a_file),
		cmocka_unit_test(every_key),
		cmocka_unit_test(rules_name_processes),
		cmocka_unit_test(numbers_have_ranges),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(a_file_that_is_not_there),
		cmocka_unit_test(a_directory),
		cmocka_unit_test(a_file_that_may_not_be_read),
		cmocka_unit_test(an_empty_file_is_the_defaults),
		cmocka_unit_test(a_key_twice),
		cmocka_unit_test(any_bytes_are_survived),
		cmocka_unit_test(a_short_message),
	};

	return cmocka_run_group_tests_name("config", tests, make_file, remove_file);
}
