/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "meta/local_address.h"

static char root[] = "/tmp/test_local_address.XXXXXX";
static char told[1024];

static void tell(void *arg, const uint8_t address[16])
{
	char text[INET6_ADDRSTRLEN];

	assert_ptr_equal(arg, told);
	inet_ntop(AF_INET6, address, text, sizeof(text));
	strcat(strcat(told, text), " ");
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/7/net/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int set_up(void **state)
{
	char path[128];

	(void)state;
	told[0] = '\0';
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/7", root);
	mkdir(path, 0700);
	strcat(path, "/net");
	return mkdir(path, 0700);
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	if (system(command))
		return -1;
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	return 0;
}

static void both_families(void **state)
{
	(void)state;
	put("fib_trie", "Main:\n"
	    "  +-- 0.0.0.0/0 3 0 5\n"
	    "     |-- 0.0.0.0\n        /0 universe UNICAST\n"
	    "           |-- 127.0.0.1\n              /32 host LOCAL\n"
	    "     +-- 10.1.2.0/24 2 0 2\n"
	    "           |-- 10.1.2.0\n              /24 link UNICAST\n"
	    "           |-- 10.1.2.3\n              /32 host LOCAL\n"
	    "        |-- 10.1.2.255\n           /32 link BROADCAST\n"
	    "           |-- 169.254.9.9\n              /32 host LOCAL\n"
	    "Local:\n"
	    "           |-- 10.1.2.3\n              /32 host LOCAL\n");
	put("if_inet6", "fe800000000000000000000000000001 02 40 20 80     eth0\n"
	    "00000000000000000000000000000001 01 80 10 80       lo\n"
	    "20010db8000000000000000000000007 02 40 00 80     eth0\n");
	assert_int_equal(hs_local_addresses(root, 7, tell, told), 0);
	assert_string_equal(told, "::ffff:10.1.2.3 ::ffff:10.1.2.3 2001:db8::7 ");
}

static void without_ipv6(void **state)
{
	(void)state;
	put("fib_trie", "           |-- 10.1.2.3\n              /32 host LOCAL\n");
	assert_int_equal(hs_local_addresses(root, 7, tell, told), 0);
	assert_string_equal(told, "::ffff:10.1.2.3 ");
}

static void nonsense(void **state)
{
	(void)state;
	put("fib_trie", "/32 host LOCAL\n |-- not.an.address\n /32 host LOCAL\n |--\n\n |-- 10.1.2.3");
	put("if_inet6", "20010db8\n\nzz\n20010db8000000000000000000000007 02\n");
	assert_int_equal(hs_local_addresses(root, 7, tell, told), 0);
	assert_string_equal(told, "");
}

static void no_such_process(void **state)
{
	(void)state;
	assert_int_equal(hs_local_addresses(root, 8, tell, told), -ENOENT);
	assert_string_equal(told, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_families, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_ipv6, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_such_process, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
