/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "meta/workload.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *pod, *workload;
} names[] = {
	{ "coredns-5d78c9869d-x7k2p", "coredns" },
	{ "my-web-app-6f9bcd7f84-2xkzq", "my-web-app" },
	{ "web-84dfdb-2xkzq", "web" },              /* a hash of 6 */
	{ "web-84dfd-2xkzq", "web-84dfd" },         /* one of 5 is part of a name */
	{ "kube-proxy-x7k2p", "kube-proxy" },       /* DaemonSet, Job */
	{ "backup-28391040-x7k2p", "backup" },      /* CronJob, minutes */
	{ "backup-1703462400-x7k2p", "backup" },    /* CronJob, seconds */
	{ "redis-0", "redis" },
	{ "redis-master-12", "redis-master" },
	{ "redis-012", "redis-012" },
	{ "redis-20240101", "redis-20240101" },
	{ "redis-master", "redis-master" },
	{ "redis-cache", "redis-cache" },           /* vowels: not generated */
	{ "etcd-control-plane", "etcd-control-plane" },
	{ "web-1a2b3", "web-1a2b3" },
	{ "redis", "redis" },
	{ "x7k2p", "x7k2p" },
	{ "-x7k2p", "-x7k2p" },
	{ "-0", "-0" },
	{ "a-0", "a" },
	{ "-6f9bcd7f84-2xkzq", "-6f9bcd7f84" },
	{ "a-", "a-" },
	{ "", "" },
};

static void takes_suffixes_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct hs_text name = hs_workload_name(hs_text_of(names[i].pod));

		if (!hs_text_is(name, names[i].workload))
			fail_msg("%s: %.*s", names[i].pod, (int)name.len, name.data);
	}
}

static const struct {
	const char *name;
	bool good;
} hostnames[] = {
	{ "web-0", true },
	{ "kube-proxy-ip-10-0-0-1.ec2.internal", true },
	{ "0", true },
	{ "", false },
	{ "(none)", false },
	{ "localhost", false },
	{ "localhost.localdomain", false },
	{ "localhost-web", true },
	{ "Web", false },
	{ "web_0", false },
	{ "-web", false },
	{ "web-", false },
	{ "web.", false },
	{ "w\xc3\xbc", false },
	{ "a b", false },
};

static void knows_pod_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostnames); i++) {
		if (hs_is_pod_name(hs_text_of(hostnames[i].name)) != hostnames[i].good)
			fail_msg("%s", hostnames[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_suffixes_off),
		cmocka_unit_test(knows_pod_names),
	};

	return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
