/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

/* src is copied to memory of just its length, so that a read beyond it is seen. */
static void check(const char *src, size_t len, size_t size, const char *want)
{
	char *exact = malloc(len ? len : 1), *dst = malloc(size);

	memcpy(exact, src, len);
	memset(dst, 'X', size);
	assert_int_equal(hs_utf8_copy(dst, size, exact, len), strlen(want));
	assert_string_equal(dst, want);
	free(exact);
	free(dst);
}

static const struct {
	const char *src;
	size_t len;
	const char *want;
} copies[] = {
	{ BYTES(""), "" },
	{ BYTES("nginx"), "nginx" },
	{ BYTES("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f" },
	{ BYTES("\xe4\xbd\xa0\xf0\x9f\x98\x80"), "\xe4\xbd\xa0\xf0\x9f\x98\x80" },
	{ BYTES("a\tb\nc\x1b[31m\x7f"), "a?b?c?[31m?" },
	{ BYTES("a\0b"), "a?b" },
	{ BYTES("\xc2\x80\xc2\x9f\xc2\xa0"), "??\xc2\xa0" },            /* C1; no-break space */
	{ BYTES("\x80\xbf\xfe\xff"), "????" },                          /* begin no character */
	{ BYTES("\xc0\xaf\xc1\xbf"), "????" },                          /* overlong, 2 bytes */
	{ BYTES("\xe0\x80\xaf"), "???" },                               /* overlong, 3 bytes */
	{ BYTES("\xf0\x80\x80\xaf"), "????" },                          /* overlong, 4 bytes */
	{ BYTES("\xed\xa0\x80\xed\x9f\xbf"), "???\xed\x9f\xbf" },       /* surrogate; U+D7FF */
	{ BYTES("\xf4\x8f\xbf\xbf\xf4\x90\x80\x80"), "\xf4\x8f\xbf\xbf????" }, /* U+10FFFF; more */
	{ BYTES("\xf5\x80\x80\x80"), "????" },
	{ BYTES("\xc3"), "?" },
	{ BYTES("\xe4\xbd"), "??" },
	{ BYTES("\xf0\x9f\x98"), "???" },
	{ BYTES("\xc3(\xe4(\xbd)\xf0\x9f"), "?(?(?)" "??" },
};

static void copies_what_is_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(copies); i++)
		check(copies[i].src, copies[i].len, 64, copies[i].want);
}

static void cuts_between_characters(void **state)
{
	static const char src[] = "a\xc3\xbc\xe4\xbd\xa0\xf0\x9f\x98\x80z";
	static const char *const want[] = {
		"",				     /* 1 */
		"a",				     /* 2 */
		"a",				     /* 3 */
		"a\xc3\xbc",			     /* 4 */
		"a\xc3\xbc",			     /* 5 */
		"a\xc3\xbc",			     /* 6 */
		"a\xc3\xbc\xe4\xbd\xa0",	     /* 7 */
		"a\xc3\xbc\xe4\xbd\xa0",	     /* 8 */
		"a\xc3\xbc\xe4\xbd\xa0",	     /* 9 */
		"a\xc3\xbc\xe4\xbd\xa0",	     /* 10 */
		"a\xc3\xbc\xe4\xbd\xa0\xf0\x9f\x98\x80", /* 11 */
		src,				     /* 12 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		check(BYTES(src), i + 1, want[i]);
}

static void writes_nothing_without_room(void **state)
{
	char dst = 'X';

	(void)state;
	assert_int_equal(hs_utf8_copy(&dst, 0, "abc", 3), 0);
	assert_int_equal(dst, 'X');
}

/* Every sequence of two bytes, and its output again: nothing is left to replace. */
static void output_is_stable(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		const char src[] = { (char)(i >> 8), (char)i };
		char once[8], twice[8];
		size_t len = hs_utf8_copy(once, sizeof(once), src, sizeof(src));

		assert_int_equal(hs_utf8_copy(twice, sizeof(twice), once, len), len);
		assert_string_equal(once, twice);
		assert_null(strpbrk(once, "\n\t\x1b\x7f"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_what_is_valid),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(writes_nothing_without_room),
		cmocka_unit_test(output_is_stable),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
