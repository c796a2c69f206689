/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "meta/text.h"

static void assert_text(struct hs_text text, const char *want)
{
	if (!hs_text_is(text, want))
		fail_msg("\"%.*s\", not \"%s\"", (int)text.len, text.data, want);
}

static void takes_pieces(void **state)
{
	struct hs_text text = hs_text_of("abc");

	(void)state;
	assert_text(hs_text_first(text, 2), "ab");
	assert_text(hs_text_first(text, 9), "abc");
	assert_text(hs_text_last(text, 2), "bc");
	assert_text(hs_text_last(text, 9), "abc");
	assert_text(hs_text_from(text, 1), "bc");
	assert_text(hs_text_from(text, 9), "");
	assert_text(hs_text_of(NULL), "");
	assert_text(hs_text_bytes(NULL, 7), "");
}

static void compares_ends(void **state)
{
	struct hs_text text = hs_text_of("a-b-c.scope");

	(void)state;
	assert_true(hs_text_starts(text, "a-") && hs_text_starts(text, ""));
	assert_false(hs_text_starts(hs_text_of("a"), "ab"));
	assert_true(hs_text_ends(text, ".scope"));
	assert_false(hs_text_ends(hs_text_of("e"), ".scope"));
	assert_text(hs_text_skip(text, "a-"), "b-c.scope");
	assert_text(hs_text_skip(text, "b-"), "a-b-c.scope");
	assert_text(hs_text_without(text, ".scope"), "a-b-c");
	assert_text(hs_text_without(text, ".slice"), "a-b-c.scope");
	assert_text(hs_text_after_last(text, '-'), "c.scope");
	assert_text(hs_text_after_last(text, '/'), "a-b-c.scope");
	assert_int_equal(hs_text_find(text, '-'), 1);
	assert_int_equal(hs_text_find(text, '/'), text.len);
}

static void looks_up(void **state)
{
	(void)state;
	assert_true(hs_text_only(hs_text_of("bab"), "ab"));
	assert_false(hs_text_only(hs_text_of("abc"), "ab"));
	assert_false(hs_text_only(hs_text_of(""), "ab"));
	assert_false(hs_text_only(hs_text_bytes("a\0b", 3), "ab"));
	assert_true(hs_text_in(hs_text_of("bc"), "a bc d"));
	assert_true(hs_text_in(hs_text_of("d"), "a bc d"));
	assert_false(hs_text_in(hs_text_of("b"), "a bc d"));
	assert_false(hs_text_in(hs_text_of(""), "a bc d"));
	assert_false(hs_text_in(hs_text_of("a"), NULL));
	assert_false(hs_text_in(hs_text_of("a bc"), "a bc d"));
}

static void last_part_of_a_path(void **state)
{
	(void)state;
	assert_text(hs_text_base(hs_text_of("/usr/bin/x")), "x");
	assert_text(hs_text_base(hs_text_of("x//")), "x");
	assert_text(hs_text_base(hs_text_of("//")), "");
	assert_text(hs_text_base(hs_text_of("")), "");
}

static void walks_items(void **state)
{
	struct hs_text rest = hs_text_bytes("a\0\0bc", 5), item;

	(void)state;
	assert_true(hs_text_next(&rest, &item));
	assert_text(item, "a");
	assert_true(hs_text_next(&rest, &item));
	assert_text(item, "");
	assert_true(hs_text_next(&rest, &item));
	assert_text(item, "bc");
	assert_false(hs_text_next(&rest, &item));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_pieces),
		cmocka_unit_test(compares_ends),
		cmocka_unit_test(looks_up),
		cmocka_unit_test(last_part_of_a_path),
		cmocka_unit_test(walks_items),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
