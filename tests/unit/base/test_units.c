// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/units.h"

struct example {
	double number;
	const char *text;
};

static void assert_all(enum hs_unit unit, const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[HS_UNIT_LEN];

		hs_unit_format(unit, examples[i].number, text);
		assert_string_equal(text, examples[i].text);
	}
}

#define ASSERT_ALL(unit, ...)                                                       \
	do {                                                                        \
		static const struct example examples[] = { __VA_ARGS__ };           \
		assert_all(unit, examples, sizeof(examples) / sizeof(examples[0])); \
	} while (0)

static void counts(void **state)
{
	(void)state;
	ASSERT_ALL(HS_UNIT_COUNT, { 0, "0" }, { 12, "12" }, { 999, "999" }, { 999.4, "999" },
		   { 999.6, "1.0k" }, { 1234, "1.2k" }, { 9949, "9.9k" }, { 9951, "10k" },
		   { 999499, "999k" }, { 999500, "1.0M" }, { 3.4e6, "3.4M" }, { 1e18, "1000P" },
		   { -5, "0" }, { NAN, "0" });
}

static void rates(void **state)
{
	(void)state;
	ASSERT_ALL(HS_UNIT_RATE, { 0, "0" }, { 0.004, "0" }, { 0.03, "0.03" }, { 0.0949, "0.09" }, { 0.0951, "0.1" },
		   { 1.5, "1.5" }, { 9.96, "10" }, { 152.4, "152" }, { 1200, "1.2k" });
}

static void bytes(void **state)
{
	(void)state;
	ASSERT_ALL(HS_UNIT_BYTES, { 0, "0B" }, { 512, "512B" }, { 1022, "1022B" },
		   { 1023, "1.0KiB" }, { 1024, "1.0KiB" }, { 3.4 * 1024 * 1024, "3.4MiB" },
		   { 1024.0 * 1024 * 1024 * 20, "20GiB" });
}

static void seconds(void **state)
{
	(void)state;
	ASSERT_ALL(HS_UNIT_SECONDS, { 0, "0" }, { 1e-9, "0" }, { 0.00012, "120us" },
		   { 0.0009994, "999us" }, { 0.0009996, "1.0ms" }, { 0.0015, "1.5ms" },
		   { 0.0995, "100ms" }, { 0.9996, "1.0s" }, { 2, "2.0s" }, { 60, "60s" },
		   { 99.6, "1m39s" }, { 131.2, "2m11s" });
}

static void ages(void **state)
{
	(void)state;
	ASSERT_ALL(HS_UNIT_AGE, { 0, "0s" }, { 0.9, "0s" }, { 59.9, "59s" }, { 192.4, "3m12s" },
		   { 3600, "1h00m" }, { 7530, "2h05m" }, { 400000, "4d15h" },
		   { 1e300, "11574074074d1h" });
}

static void plain_numbers(void **state)
{
	(void)state;
	ASSERT_ALL(HS_UNIT_PLAIN, { 0, "0" }, { 4026531840, "4026531840" }, { 14480, "14480" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),  cmocka_unit_test(rates), cmocka_unit_test(bytes),
		cmocka_unit_test(seconds), cmocka_unit_test(ages),  cmocka_unit_test(plain_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
