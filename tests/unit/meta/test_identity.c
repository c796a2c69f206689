/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meta/identity.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ID "1111111111111111aaaaaaaaaaaaaaaa2222222222222222bbbbbbbbbbbbbbbb"
#define UID "0f3c5d6e-1b2a-4c3d-9e8f-a0b1c2d3e4f5"
#define BYTES(s) s, sizeof(s)
#define POD BYTES(ID "\0pod" UID "\0burstable\0kubepods")

static const struct {
	const char *what;
	const char *hostname, *node, *exe;
	const char *cgroup;
	size_t cgroup_len;
	const char *name;
	enum hs_identity_source source;
	const char *pod, *unit;
} cases[] = {
	{ "pod of a Deployment", "web-6f9bcd7f84-2xkzq", "node1", "/bin/app", POD, "web",
	  HS_IDENTITY_POD, "web-6f9bcd7f84-2xkzq", "" },
	{ "the node is not known", "redis-0", NULL, "/bin/app", POD, "redis", HS_IDENTITY_POD,
	  "redis-0", "" },
	{ "hostNetwork", "node1", "node1", "/usr/bin/kube-proxy", POD, "kube-proxy@pod-0f3c5d6e",
	  HS_IDENTITY_POD, "", "" },
	{ "no hostname", "", "node1", "/bin/app", POD, "app@pod-0f3c5d6e", HS_IDENTITY_POD, "",
	  "" },
	{ "hostname of no pod", "Not A Pod", "node1", "/bin/app", POD, "app@pod-0f3c5d6e",
	  HS_IDENTITY_POD, "", "" },
	{ "docker in a pod", "111111111111", "node1", "/bin/app", POD, "app@pod-0f3c5d6e",
	  HS_IDENTITY_POD, "", "" },
	{ "short hostname that begins an id", "1111", "node1", "/bin/app", POD, "1111",
	  HS_IDENTITY_POD, "1111", "" },
	{ "static pod", "node1", "node1", "/usr/bin/etcd",
	  BYTES(ID "\0podf1e2d3c4b5a6978801234567890abcde"), "etcd@pod-f1e2d3c4", HS_IDENTITY_POD,
	  "", "" },
	{ "container", "111111111111", "node1", "/usr/sbin/nginx", BYTES(ID "\0docker"),
	  "nginx@111111111111", HS_IDENTITY_CONTAINER, "", "" },
	{ "unit in a container", "web", "node1", "/usr/sbin/nginx",
	  BYTES("nginx.service\0docker-" ID ".scope"), "nginx@111111111111",
	  HS_IDENTITY_CONTAINER, "", "nginx.service" },
	{ "container with a name", "web", "node1", "/sbin/init", BYTES("web\0lxc"), "init@web",
	  HS_IDENTITY_CONTAINER, "", "" },
	{ "unit", "node1", "node1", "/usr/lib/postgresql/15/bin/postgres",
	  BYTES("postgresql@15-main.service\0system-postgresql.slice"), "postgresql@15-main",
	  HS_IDENTITY_UNIT, "", "postgresql@15-main.service" },
	{ "session", "node1", "node1", "/usr/bin/curl",
	  BYTES("session-2.scope\0user-1000.slice\0user.slice"), "curl", HS_IDENTITY_EXECUTABLE, "",
	  "" },
	{ "root group", "node1", "node1", "/usr/bin/curl", "", 0, "curl", HS_IDENTITY_EXECUTABLE,
	  "", "" },
	{ "nothing at all", "", NULL, "", "", 0, "unknown", HS_IDENTITY_EXECUTABLE, "", "" },
};

static void names_by_the_most_specific(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hs_process_facts facts = {
			.comm = "",
			.hostname = cases[i].hostname,
			.node = cases[i].node,
			.exe = cases[i].exe,
			.cgroup = cases[i].cgroup,
			.cgroup_len = cases[i].cgroup_len,
		};
		struct hs_identity identity;

		memset(&identity, 0xa5, sizeof(identity));
		hs_identify(&facts, NULL, &identity);
		if (strcmp(identity.name, cases[i].name) || identity.source != cases[i].source ||
		    strcmp(identity.pod, cases[i].pod) || strcmp(identity.unit, cases[i].unit))
			fail_msg("%s: %s (%d) pod %s unit %s", cases[i].what, identity.name,
				 identity.source, identity.pod, identity.unit);
		assert_string_equal(identity.namespace_, "");
	}
}

static void fills_all_fields(void **state)
{
	static const char cgroup[] = ID "\0pod" UID "\0burstable\0kubepods";
	static const char args[] = "python3\0/srv/app.py";
	const struct hs_process_facts facts = {
		.comm = "python3", .hostname = "web-0", .exe = "/usr/bin/python3", .args = args,
		.args_len = sizeof(args), .cgroup = cgroup, .cgroup_len = sizeof(cgroup),
	};
	struct hs_identity identity;

	(void)state;
	hs_identify(&facts, NULL, &identity);
	assert_string_equal(identity.executable, "app.py");
	assert_string_equal(identity.container_id, ID);
	assert_string_equal(identity.pod_uid, UID);
	assert_string_equal(identity.runtime, "containerd");
}

/* The id must not be lost to a long executable, nor a character be cut in two. */
static void long_executables_make_room(void **state)
{
	static const char cgroup[] = ID "\0docker";
	char exe[301] = "";
	struct hs_process_facts facts = {
		.comm = "", .exe = exe, .cgroup = cgroup, .cgroup_len = sizeof(cgroup)
	};
	struct hs_identity identity;

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(exe, "\xe4\xbd\xa0");
	hs_identify(&facts, NULL, &identity);
	assert_string_equal(strchr(identity.name, '@'), "@111111111111");
	assert_int_equal((strchr(identity.name, '@') - identity.name) % 3, 0);
	assert_true(strlen(identity.name) < HS_NAME_LEN);
}

/* A record as the kernel side sends it. */
struct record {
	struct hs_ev_process event;
	char text[32];
};

static void record_fill(struct record *record)
{
	memset(record, 0, sizeof(*record));
	record->event.event.kind = HS_EV_PROCESS;
	record->event.event.size = sizeof(*record);
	record->event.pid = 7;
	strcpy(record->event.comm, "x");
	strcpy(record->event.hostname, "h");
	memcpy(record->text, "ls\0ls\0-l\0leaf\0root", 19);
	record->event.exe_len = 3;
	record->event.args_len = 6;
	record->event.cgroup_len = 10;
}

static void facts_of_a_record(void **state)
{
	struct record record;
	struct hs_process_facts facts;

	(void)state;
	record_fill(&record);
	assert_true(hs_process_facts(&record.event, &facts));
	assert_int_equal(facts.pid, 7);
	assert_string_equal(facts.comm, "x");
	assert_string_equal(facts.hostname, "h");
	assert_string_equal(facts.exe, "ls");
	assert_int_equal(facts.args_len, 6);
	assert_memory_equal(facts.args, "ls\0-l", 6);
	assert_int_equal(facts.cgroup_len, 10);
	assert_memory_equal(facts.cgroup, "leaf\0root", 10);
	assert_null(facts.node);
	record.event.exe_len = record.event.args_len = record.event.cgroup_len = 0;
	record.event.event.size = sizeof(record.event);
	assert_true(hs_process_facts(&record.event, &facts));
	assert_string_equal(facts.exe, "");
}

#define REJECTS(change)                                                                            \
	do {                                                                                       \
		record_fill(&record);                                                              \
		change;                                                                            \
		assert_false(hs_process_facts(&record.event, &facts));                             \
		assert_null(facts.comm);                                                           \
	} while (0)

static void rejects_false_records(void **state)
{
	struct hs_process_facts facts = { 0 };
	struct record record;

	(void)state;
	REJECTS(record.event.event.size = sizeof(struct hs_event));
	REJECTS(record.event.event.size = sizeof(record.event) - 1);
	REJECTS(record.event.event.size = sizeof(record.event) + 18);
	REJECTS(record.event.event.size = 0);
	REJECTS(record.event.cgroup_len = 24);
	REJECTS(record.event.exe_len = 65535);
	REJECTS(record.event.exe_len = record.event.args_len = record.event.cgroup_len = 65535);
	REJECTS(record.event.exe_len = 2); /* no NUL at its end */
	REJECTS(memset(record.event.comm, 'x', sizeof(record.event.comm)));
	REJECTS(memset(record.event.hostname, 'x', sizeof(record.event.hostname)));
}

static void assert_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	assert_true(len < size);
	for (size_t i = 0; i < len; i++)
		assert_true((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

/* Pieces that mean something, NULs and random bytes, in memory of just their length. */
static char *noise(size_t *len, bool nul_ended)
{
	static const char *const pieces[] = {
		"/", "-", ":", "pod", UID, ID, "docker-", ".scope", ".service", "\\x2", "\n",
		"python3", "java", "-cp", "-m", "--", "@", "=", "busybox", "env", "\xf0\x9f", "lxc",
		"user@", "run-", "beam.smp", "-s", " (deleted)", "memfd:", "web-6f9bcd7f84-2xkzq",
		"_", "\xc3",
	};
	char *text = malloc(1024);

	*len = 0;
	for (long n = random() % 7; n; n--) {
		const char *piece = pieces[(size_t)random() % ARRAY_LEN(pieces)];

		memcpy(text + *len, piece, strlen(piece));
		*len += strlen(piece);
		if (random() % 3 == 0)
			text[(*len)++] = '\0';
		if (random() % 8 == 0)
			text[(*len)++] = (char)random();
	}
	if (nul_ended)
		text[(*len)++] = '\0';
	return realloc(text, *len ? *len : 1);
}

static void survives_noise(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 30000; round++) {
		struct hs_process_facts facts = { 0 };
		struct hs_identity identity;
		size_t unused;
		char *comm = noise(&unused, true), *hostname = noise(&unused, true);
		char *exe = noise(&unused, true), *args = noise(&facts.args_len, false);
		char *cgroup = noise(&facts.cgroup_len, false);

		facts.comm = comm;
		facts.hostname = hostname;
		facts.exe = exe;
		facts.args = args;
		facts.cgroup = cgroup;
		hs_identify(&facts, NULL, &identity);
		assert_true(identity.name[0] && identity.executable[0]);
		assert_text(identity.name, sizeof(identity.name));
		assert_text(identity.executable, sizeof(identity.executable));
		assert_text(identity.pod, sizeof(identity.pod));
		assert_text(identity.unit, sizeof(identity.unit));
		assert_text(identity.container_id, sizeof(identity.container_id));
		free(comm);
		free(hostname);
		free(exe);
		free(args);
		free(cgroup);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_by_the_most_specific),
		cmocka_unit_test(fills_all_fields),
		cmocka_unit_test(long_executables_make_room),
		cmocka_unit_test(facts_of_a_record),
		cmocka_unit_test(rejects_false_records),
		cmocka_unit_test(survives_noise),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
