/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "export/format.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static void test_clock(void **state)
{
	static const struct {
		uint64_t time_ns;
		int64_t offset_ns;
		const char *expected;
	} cases[] = {
		{ 0, 5, "" },
		{ 1, -1, "1970-01-01T00:00:00.000000000Z" },
		{ 1, 0, "1970-01-01T00:00:00.000000001Z" },
		{ 1, 1769860800000000000, "2026-01-31T12:00:00.000000001Z" },
		{ 999999999, 951782399000000000, "2000-02-28T23:59:59.999999999Z" },
		{ 1000000000, 951782399000000000, "2000-02-29T00:00:00.000000000Z" },
		{ 1, 4107542399999999999, "2100-03-01T00:00:00.000000000Z" },
		{ 1, INT64_MAX, "1970-01-01T00:00:00.000000000Z" },
		{ UINT64_MAX, INT64_MAX, "1970-01-01T00:00:00.000000000Z" },
		{ 5, -6, "1970-01-01T00:00:00.000000000Z" },
	};
	char text[HS_TIME_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct hs_clock clock = { cases[i].offset_ns };

		hs_clock_format(&clock, cases[i].time_ns, text);
		assert_string_equal(text, cases[i].expected);
	}
}

/* Against the C library, over leap years and centuries. */
static void test_clock_days(void **state)
{
	const struct hs_clock clock = { 0 };
	char text[HS_TIME_LEN], expected[HS_TIME_LEN];

	(void)state;
	for (time_t second = 1; second < 9000000000; second += 86400 * 3 + 3601) {
		struct tm tm;

		hs_clock_format(&clock, (uint64_t)second * HS_NS_PER_SEC, text);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000000Z",
			 gmtime_r(&second, &tm));
		assert_string_equal(text, expected);
	}
}

static void test_clock_now(void **state)
{
	struct hs_clock clock = hs_clock_now();
	int64_t now = (int64_t)hs_monotonic_ns() + clock.realtime_offset_ns;

	(void)state;
	assert_true(llabs(now / (int64_t)HS_NS_PER_SEC - time(NULL)) <= 1);
}

static void test_numbers(void **state)
{
	char text[HS_NUMBER_LEN];

	(void)state;
	hs_format_number(text, 0);
	assert_string_equal(text, "0");
	hs_format_number(text, UINT64_MAX);
	assert_string_equal(text, "18446744073709551615");
	hs_format_seconds(text, 1500, 1000);
	assert_string_equal(text, "1.5");
	hs_format_seconds(text, 3, 1000000000);
	assert_string_equal(text, "0.000000003");
	hs_format_seconds(text, 0, 1000);
	assert_string_equal(text, "0.0");
	hs_format_seconds(text, UINT64_MAX, 1000000000);
	assert_string_equal(text, "18446744073.709551615");
	hs_format_real(text, 3);
	assert_string_equal(text, "3.0");
	hs_format_real(text, -0.1);
	assert_string_equal(text, "-0.1");
	hs_format_real(text, 5e-7);
	assert_string_equal(text, "5e-07");
	hs_format_real(text, 1e300);
	assert_string_equal(text, "1e+300");
	hs_format_real(text, -2);
	assert_string_equal(text, "-2.0");
}

/* Longer than any text of the model: the error message echoes a path of the client's. */
static void test_long_text(void **state)
{
	char text[3 * 500 + 1], *json = NULL;
	size_t size;
	FILE *out = open_memstream(&json, &size);

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	hs_format_escaped(out, text, HS_ESCAPE_JSON);
	fclose(out);
	assert_string_equal(json, text);
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_clock_days),
		cmocka_unit_test(test_clock_now),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
