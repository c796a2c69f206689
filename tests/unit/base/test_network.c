// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/network.h"

static bool within(const char *text, const char *address)
{
	struct hs_network network;

	assert_true(hs_network_parse(text, &network));
	return hs_network_has(&network, address);
}

static void matches_by_prefix(void **state)
{
	(void)state;
	assert_true(within("10.0.0.0/8", "10.255.1.2"));
	assert_false(within("10.0.0.0/8", "11.0.0.0"));
	assert_true(within("10.0.0.8/31", "10.0.0.9"));
	assert_false(within("10.0.0.8/31", "10.0.0.10"));
	assert_true(within("10.0.0.9", "10.0.0.9"));
	assert_false(within("10.0.0.9", "10.0.0.8"));
	assert_true(within("0.0.0.0/0", "203.0.113.1"));
	assert_true(within("fd00::/8", "fd12::1"));
	assert_false(within("fd00::/8", "fe80::1"));
	assert_true(within("::1", "::1"));
	assert_true(within("::/0", "::1"));
}

static void families_are_apart_but_for_mapped_addresses(void **state)
{
	(void)state;
	assert_false(within("0.0.0.0/0", "::1"));
	assert_false(within("0.0.0.0/0", "2001:db8::1"));
	assert_true(within("10.0.0.0/8", "::ffff:10.1.1.1"));
	assert_true(within("::ffff:10.0.0.0/104", "10.1.1.1"));
}

static void names_match_nothing(void **state)
{
	(void)state;
	assert_false(within("0.0.0.0/0", ""));
	assert_false(within("::/0", "postgres"));
}

static void refuses_what_is_no_network(void **state)
{
	static const char *const texts[] = {
		"",
		"/8",
		"10/8",
		"10.0.0.0/33",
		"10.0.0.0/",
		"10.0.0.0/-1",
		"10.0.0.0/8x",
		"::/129",
		"::/0000",
		"name",
		"1.2.3.4.5",
		"10.0.0.0/99999999999999999999",
		"11111111111111111111111111111111111111111111111111111111"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct hs_network network = { .bits = 77 };

		if (hs_network_parse(texts[i], &network))
			fail_msg("took \"%s\"", texts[i]);
		assert_int_equal(network.bits, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_by_prefix),
		cmocka_unit_test(families_are_apart_but_for_mapped_addresses),
		cmocka_unit_test(names_match_nothing),
		cmocka_unit_test(refuses_what_is_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
