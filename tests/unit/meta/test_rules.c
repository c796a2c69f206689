/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
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

static const char container_args[] = "python3\0/srv/app.py\0--port\0" "80";
static const char container_cgroup[] = "docker-" ID ".scope\0system.slice";
static const struct hs_process_facts in_container = {
	.comm = "python3",
	.exe = "/usr/bin/python3",
	.args = container_args,
	.args_len = sizeof(container_args),
	.cgroup = container_cgroup,
	.cgroup_len = sizeof(container_cgroup),
};

static const char unit_cgroup[] = "nginx.service\0system.slice";
static const struct hs_process_facts in_unit = {
	.comm = "nginx",
	.exe = "/usr/sbin/nginx",
	.args = "nginx: worker process\0\0\0\0",
	.args_len = 25,
	.cgroup = unit_cgroup,
	.cgroup_len = sizeof(unit_cgroup),
};

static void identify(const struct hs_process_facts *facts, const struct hs_rule *rule,
		     struct hs_identity *identity)
{
	struct hs_rules *rules = hs_rules_new();

	assert_non_null(rules);
	assert_int_equal(hs_rules_add(rules, rule), 0);
	hs_identify(facts, rules, identity);
	hs_rules_free(rules);
}

static const struct {
	struct hs_rule rule;
	bool container, unit; /* which of the two it fits */
} cases[] = {
	{ { .executable = "app.py" }, true, false },
	{ { .executable = "APP.py" }, false, false },
	{ { .executable = "[a-o]*" }, true, true },
	{ { .executable = "app" }, false, false },
	{ { .executable = "" }, true, true },
	{ { 0 }, true, true },
	{ { .arguments = "python3 /srv/app.py --port 80" }, true, false },
	{ { .arguments = "*--port 8?" }, true, false },
	{ { .arguments = "nginx: worker process" }, false, true },
	{ { .cgroup = "/system.slice/nginx.service" }, false, true },
	{ { .cgroup = "/system.slice/*" }, true, true },
	{ { .cgroup = "system.slice/*" }, false, false },
	{ { .container = "11111111*" }, true, false },
	{ { .container = "?*" }, true, false },
	{ { .unit = "nginx.service" }, false, true },
	{ { .unit = "nginx" }, false, false },
	{ { .executable = "nginx", .unit = "nginx.*", .cgroup = "*nginx*" }, false, true },
	{ { .executable = "nginx", .unit = "apache.*" }, false, false },
};

static void matches_wildcards(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hs_rule rule = cases[i].rule;
		struct hs_identity container, unit;

		rule.name = "renamed";
		identify(&in_container, &rule, &container);
		identify(&in_unit, &rule, &unit);
		if ((container.source == HS_IDENTITY_RULE) != cases[i].container ||
		    (unit.source == HS_IDENTITY_RULE) != cases[i].unit)
			fail_msg("case %zu: %s %s", i, container.name, unit.name);
	}
}

static void changes_the_name_alone(void **state)
{
	const struct hs_rule rule = { .name = "shop", .namespace_ = "prod" };
	struct hs_identity identity;

	(void)state;
	identify(&in_container, &rule, &identity);
	assert_string_equal(identity.name, "shop");
	assert_string_equal(identity.namespace_, "prod");
	assert_string_equal(identity.executable, "app.py");
	assert_string_equal(identity.container_id, ID);
	assert_string_equal(identity.runtime, "docker");
}

static void first_match_wins(void **state)
{
	struct hs_rules *rules = hs_rules_new();
	struct hs_identity identity;

	(void)state;
	for (int i = 0; i < 100; i++)
		hs_rules_add(rules, &(struct hs_rule){ .executable = "no", .name = "none" });
	hs_rules_add(rules, &(struct hs_rule){ .executable = "app*", .name = "one" });
	hs_rules_add(rules, &(struct hs_rule){ .executable = "app.py", .name = "two" });
	hs_identify(&in_container, rules, &identity);
	assert_string_equal(identity.name, "one");
	assert_string_equal(identity.namespace_, "");
	hs_rules_free(rules);
}

static void copies_the_rule(void **state)
{
	char executable[] = "app.py", name[] = "shop";
	struct hs_rule rule = { .executable = executable, .name = name };
	struct hs_rules *rules = hs_rules_new();
	struct hs_identity identity;

	(void)state;
	assert_int_equal(hs_rules_add(rules, &rule), 0);
	executable[0] = name[0] = 'X';
	hs_identify(&in_container, rules, &identity);
	assert_string_equal(identity.name, "shop");
	hs_rules_free(rules);
}

static void wants_a_name(void **state)
{
	struct hs_rules *rules = hs_rules_new();
	struct hs_identity identity;

	(void)state;
	assert_int_equal(hs_rules_add(rules, &(struct hs_rule){ .executable = "x" }), -EINVAL);
	assert_int_equal(hs_rules_add(rules, &(struct hs_rule){ .name = "" }), -EINVAL);
	hs_identify(&in_unit, rules, &identity);
	assert_string_equal(identity.name, "nginx");
	hs_rules_free(rules);
	hs_rules_free(NULL);
}

static void cleans_what_it_gives(void **state)
{
	char longest[200];
	struct hs_rule rule = { .name = "a\nb\xff", .namespace_ = longest };
	struct hs_identity identity;

	(void)state;
	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	identify(&in_unit, &rule, &identity);
	assert_string_equal(identity.name, "a?b?");
	assert_int_equal(strlen(identity.namespace_), 63);
}

/* Facts may be longer than a record's: the leaf's side of the path counts. */
static void long_texts_are_cut(void **state)
{
	static char args[9000], cgroup[9000];
	const struct hs_rule rule = { .arguments = "aaaa*", .cgroup = "*/leaf", .name = "x" };
	struct hs_process_facts facts = in_unit;
	struct hs_identity identity;

	(void)state;
	memset(args, 'a', sizeof(args));
	memset(cgroup, 'c', sizeof(cgroup));
	for (size_t i = 4; i < sizeof(cgroup); i += 100)
		cgroup[i] = '\0';
	memcpy(cgroup, "leaf", 4);
	facts.args = args;
	facts.args_len = sizeof(args);
	facts.cgroup = cgroup;
	facts.cgroup_len = sizeof(cgroup);
	identify(&facts, &rule, &identity);
	assert_string_equal(identity.name, "x");
}

static void cgroup_is_a_path(void **state)
{
	const struct hs_rule root = { .cgroup = "/", .name = "x" };
	const struct hs_rule path = { .cgroup = "/a/b", .name = "x" };
	struct hs_process_facts facts = { .comm = "", .exe = "/bin/a" };
	struct hs_identity identity;

	(void)state;
	identify(&facts, &root, &identity);
	assert_string_equal(identity.name, "x");
	facts.cgroup = "\0b\0\0a";
	facts.cgroup_len = 6;
	identify(&facts, &path, &identity);
	assert_string_equal(identity.name, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_wildcards),
		cmocka_unit_test(changes_the_name_alone),
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(copies_the_rule),
		cmocka_unit_test(wants_a_name),
		cmocka_unit_test(cleans_what_it_gives),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(cgroup_is_a_path),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
