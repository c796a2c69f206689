// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static const char *const words[] = { "graph", "connections", "listeners", "observe", "top",
				     "check", "record",	     "agent",	  "help" };

static const char *nearest(const char *word)
{
	return hs_nearest(word, words, sizeof(words) / sizeof(words[0]));
}

static void finds_slips_of_typing(void **state)
{
	(void)state;
	assert_string_equal(nearest("grpah"), "graph");
	assert_string_equal(nearest("grap"), "graph");
	assert_string_equal(nearest("graphs"), "graph");
	assert_string_equal(nearest("obsrve"), "observe");
	assert_string_equal(nearest("listner"), "listeners");
	assert_string_equal(nearest("tpo"), "top");
	assert_string_equal(nearest("agnet"), "agent");
}

static void finds_beginnings(void **state)
{
	(void)state;
	assert_string_equal(nearest("conn"), "connections");
	assert_string_equal(nearest("listen"), "listeners");
}

static void finds_nothing_far_away(void **state)
{
	static const char huge[] = "connectionsconnectionsconnectionsconnections";

	(void)state;
	assert_null(nearest("xyzzy"));
	assert_null(nearest("watch"));
	assert_null(nearest(""));
	assert_null(nearest("a"));
	assert_null(nearest(huge));
	assert_null(hs_nearest("graph", NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_slips_of_typing),
		cmocka_unit_test(finds_beginnings),
		cmocka_unit_test(finds_nothing_far_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
