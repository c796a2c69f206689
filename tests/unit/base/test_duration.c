// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/duration.h"

#define SECOND 1000000000ull

static void takes_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} examples[] = {
		{ "2", 2 * SECOND },
		{ "2s", 2 * SECOND },
		{ "2.5s", 5 * SECOND / 2 },
		{ "250ms", SECOND / 4 },
		{ "10us", 10000 },
		{ "7ns", 7 },
		{ "5m", 300 * SECOND },
		{ "1h30m", 5400 * SECOND },
		{ "2d", 172800 * SECOND },
		{ "1m500ms", 60 * SECOND + SECOND / 2 },
		{ "0", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		uint64_t ns = 1;

		assert_true(hs_duration_parse(examples[i].text, &ns));
		assert_int_equal(ns, examples[i].ns);
	}
}

static void refuses_what_is_no_duration(void **state)
{
	static const char *const texts[] = { "",     "s",    "-1s",    "5x",  "5m ",
					     " 5m",  "1h30", "1.2.3s", "inf", "nan",
					     "0x5s", "1e3s", "5 m",    ".5s", "99999999999999d" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t ns = 77;

		if (hs_duration_parse(texts[i], &ns))
			fail_msg("took \"%s\"", texts[i]);
		assert_int_equal(ns, 77);
	}
}

static void takes_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} examples[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-01-31T12:00:00Z", 1769860800 * (int64_t)SECOND },
		{ "2026-01-31t12:00:00.5z", 1769860800 * (int64_t)SECOND + 500000000 },
		{ "2026-01-31 12:00:00.123456789Z", 1769860800 * (int64_t)SECOND + 123456789 },
		{ "2026-01-31T12:00:00.1234567899Z", 1769860800 * (int64_t)SECOND + 123456789 },
		{ "2026-01-31T13:30:00+01:30", 1769860800 * (int64_t)SECOND },
		{ "2026-01-31T07:00:00-05:00", 1769860800 * (int64_t)SECOND },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		int64_t ns = 1;

		assert_true(hs_time_parse(examples[i].text, &ns));
		assert_int_equal(ns, examples[i].ns);
	}
}

static void refuses_what_is_no_time(void **state)
{
	static const char *const texts[] = {
		"",
		"yesterday",
		"2026-01-31",
		"2026-01-31T12:00",
		"2026-01-31T12:00:00",
		"2026-13-31T12:00:00Z",
		"2026-01-31T12:00:00.Z",
		"2026-01-31T12:00:00+1",
		"2026-01-31T12:00:00Zx",
		"2026-01-31T12:00:00+01:3x",
		"1969-01-31T12:00:00Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int64_t ns = 77;

		if (hs_time_parse(texts[i], &ns))
			fail_msg("took \"%s\"", texts[i]);
		assert_int_equal(ns, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_durations),
		cmocka_unit_test(refuses_what_is_no_duration),
		cmocka_unit_test(takes_times),
		cmocka_unit_test(refuses_what_is_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
