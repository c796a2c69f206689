// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/table.h"

static const struct hs_column name = { "NAME", false, 6, HS_CUT_MIDDLE, 0 };
static const struct hs_column count = { "COUNT", true, 0, HS_CUT_END, 1 };
static const struct hs_column more = { "MORE", true, 0, HS_CUT_END, 2 };
static const struct hs_column text = { "TEXT", false, 0, HS_CUT_END, 0 };
static const struct hs_column *const columns[] = { &name, &count, &more, &text };

static struct hs_table *two_rows(void)
{
	static const char *const cells[] = { "app.py", "12",   "3", "", "a-long-service-name",
					     "1",      "1000", "x" };
	struct hs_table *table = hs_table_new(columns, 4);

	for (size_t i = 0; i < 8; i++)
		hs_table_add(table, i == 5 ? HS_BAD : HS_PLAIN, cells[i]);
	assert_int_equal(hs_table_rows(table), 2);
	return table;
}

static void assert_printed(int width, bool color, bool headers, const char *want)
{
	struct hs_screen screen = { .width = width, .color = color };
	struct hs_table *table = two_rows();
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	hs_table_print(table, out, &screen, headers);
	fclose(out);
	assert_string_equal(printed, want);
	free(printed);
	hs_table_free(table);
}

static void is_as_wide_as_its_cells(void **state)
{
	(void)state;
	assert_printed(0, false, true,
		       "NAME                 COUNT  MORE  TEXT\n"
		       "app.py                  12     3\n"
		       "a-long-service-name      1  1000  x\n");
}

static void leaves_out_titles(void **state)
{
	(void)state;
	assert_printed(0, false, false,
		       "app.py               12     3\n"
		       "a-long-service-name   1  1000  x\n");
}

static void shortens_names_first(void **state)
{
	(void)state;
	assert_printed(30, false, true,
		       "NAME         COUNT  MORE  TEXT\n"
		       "app.py          12     3\n"
		       "a-lon…-name      1  1000  x\n");
}

static void then_drops_columns(void **state)
{
	(void)state;
	assert_printed(20, false, true,
		       "NAME     COUNT  TEXT\n"
		       "app.py      12\n"
		       "a-l…ame      1  x\n");
	assert_printed(14, false, true,
		       "NAME      TEXT\n"
		       "app.py\n"
		       "a-lo…ame  x\n");
}

static void gets_as_narrow_as_it_can(void **state)
{
	(void)state;
	assert_printed(3, false, true,
		       "N…E  TE…\n"
		       "a…y\n"
		       "a…e  x\n");
}

static void colours_only_the_text(void **state)
{
	(void)state;
	assert_printed(20, true, false,
		       "app.py   12     3\n"
		       "a-l…ame   \033[1;31m1\033[0m  1000  x\n");
}

static void no_cell_reaches_the_terminal_raw(void **state)
{
	struct hs_screen screen = { 0 };
	struct hs_table *table = hs_table_new(columns, 1);
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	(void)state;
	hs_table_add(table, HS_PLAIN, "\033[2J\r\nname");
	hs_table_print(table, out, &screen, false);
	fclose(out);
	assert_string_equal(printed, "?[2J??name\n");
	free(printed);
	hs_table_free(table);
}

static void lines_stay_within_every_width(void **state)
{
	(void)state;
	for (int width = 9; width < 60; width++) {
		struct hs_screen screen = { .width = width };
		struct hs_table *table = two_rows();
		char *printed = NULL, *rest, *line;
		size_t len;
		FILE *out = open_memstream(&printed, &len);

		hs_table_print(table, out, &screen, true);
		fclose(out);
		for (rest = printed; (line = strsep(&rest, "\n"));)
			assert_true(hs_display_width(line) <= width);
		free(printed);
		hs_table_free(table);
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
		cmocka_unit_test(is_as_wide_as_its_cells),
		cmocka_unit_test(leaves_out_titles),
		cmocka_unit_test(shortens_names_first),
		cmocka_unit_test(then_drops_columns),
		cmocka_unit_test(gets_as_narrow_as_it_can),
		cmocka_unit_test(colours_only_the_text),
		cmocka_unit_test(no_cell_reaches_the_terminal_raw),
		cmocka_unit_test(lines_stay_within_every_width),
	};

	return cmocka_run_group_tests(tests, set_locale, NULL);
}
