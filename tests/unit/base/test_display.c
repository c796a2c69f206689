// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <string.h>

#include "base/display.h"

static void assert_clean(const char *text, const char *want)
{
	char out[128];

	hs_display_clean(text, out, sizeof(out));
	assert_string_equal(out, want);
}

static void cleans_what_a_terminal_would_obey(void **state)
{
	(void)state;
	assert_clean("app.py", "app.py");
	assert_clean("\033[31mred\033]0;t\007", "?[31mred?]0;t?");
	assert_clean("a\nb\tc\r", "a?b?c?");
	assert_clean("\xc2\x9b"
		     "31m",
		     "?31m"); /* C1: CSI in one character */
	assert_clean("\xff\xfe", "??");
	assert_clean("\xe2\x82", "??"); /* cut in the middle */
	assert_clean("数据库 étude", "数据库 étude");
}

static void cleans_what_deceives(void **state)
{
	(void)state;
	assert_clean("\u202eevil\u200b", "?evil?"); /* right-to-left override, zero width space */
	assert_clean("\ufeffa\u00adb", "?a?b");
	assert_clean("\U000e0041", "?");
	assert_clean("e\u0301", "e\u0301"); /* an accent that combines is honest */
}

static void cleans_within_its_buffer(void **state)
{
	char out[4] = "xyz";

	(void)state;
	hs_display_clean("é数", out, sizeof(out));
	assert_string_equal(out, "é");
	hs_display_clean("abc", out, 1);
	assert_string_equal(out, "");
	hs_display_clean("abc", out, 0);
	assert_string_equal(out, "");
}

static void measures_columns(void **state)
{
	(void)state;
	assert_int_equal(hs_display_width(""), 0);
	assert_int_equal(hs_display_width("abc"), 3);
	assert_int_equal(hs_display_width("étude"), 5);
	assert_int_equal(hs_display_width("e\u0301tude"), 5);
	assert_int_equal(hs_display_width("数据库"), 6);
	assert_int_equal(hs_display_width("…"), 1);
}

static void assert_short(const char *text, int width, enum hs_cut cut, const char *want)
{
	char out[128];

	hs_display_shorten(text, width, cut, out, sizeof(out));
	assert_string_equal(out, want);
	if (hs_display_width(out) > width)
		fail_msg("\"%s\" is wider than %d", out, width);
}

static void shortens(void **state)
{
	(void)state;
	assert_short("app.py", 6, HS_CUT_MIDDLE, "app.py");
	assert_short("checkout-service:8080", 12, HS_CUT_MIDDLE, "checko…:8080");
	assert_short("refused 12, timed_out 3", 10, HS_CUT_END, "refused 1…");
	assert_short("abc", 1, HS_CUT_MIDDLE, "…");
	assert_short("abc", 2, HS_CUT_MIDDLE, "a…");
	assert_short("abc", 1, HS_CUT_END, "…");
}

/* A character of two columns cannot be halved: the text comes out narrower. */
static void shortens_wide_characters(void **state)
{
	(void)state;
	assert_short("数据库主节点", 7, HS_CUT_END, "数据库…");
	assert_short("数据库主节点", 6, HS_CUT_END, "数据…");
	assert_short("数据库主节点", 8, HS_CUT_MIDDLE, "数据…点");
	for (int width = 1; width < 12; width++) {
		char out[128];

		hs_display_shorten("数e\u0301据库", width, HS_CUT_MIDDLE, out, sizeof(out));
		assert_true(hs_display_width(out) <= width);
	}
}

static int set_locale(void **state)
{
	(void)state;
	return !setlocale(LC_CTYPE, "C.UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleans_what_a_terminal_would_obey),
		cmocka_unit_test(cleans_what_deceives),
		cmocka_unit_test(cleans_within_its_buffer),
		cmocka_unit_test(measures_columns),
		cmocka_unit_test(shortens),
		cmocka_unit_test(shortens_wide_characters),
	};

	return cmocka_run_group_tests(tests, set_locale, NULL);
}
