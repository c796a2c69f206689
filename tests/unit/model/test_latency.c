// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/latency.h"

static struct hs_latency latency, other;

static void clear(void)
{
	memset(&latency, 0, sizeof(latency));
	memset(&other, 0, sizeof(other));
}

/* From a microsecond to an hour a single value comes back to 1.6 %. */
static void test_error(void **state)
{
	(void)state;
	for (double ns = 1000; ns < 3600e9; ns *= 1.037) {
		double back;

		clear();
		hs_latency_add(&latency, ns);
		back = hs_latency_quantile(&latency, 0.5) * 1e9;
		assert_true(fabs(back - ns) <= ns * 0.016 + 16);
	}
}

static void test_quantiles(void **state)
{
	(void)state;
	clear();
	assert_true(isnan(hs_latency_quantile(&latency, 0.5)));
	for (int i = 1; i <= 1000; i++)
		hs_latency_add(&latency, i * 1000000ull);
	assert_float_equal(hs_latency_quantile(&latency, 0.5), 0.5, 0.009);
	assert_float_equal(hs_latency_quantile(&latency, 0.99), 0.99, 0.017);
	assert_float_equal(hs_latency_quantile(&latency, 1), 1.0, 0.017);
	assert_float_equal(hs_latency_quantile(&latency, 0), 0.001, 0.0001);
}

static void test_merge(void **state)
{
	(void)state;
	clear();
	for (int i = 0; i < 10; i++)
		hs_latency_add(&latency, 1000000);
	for (int i = 0; i < 30; i++)
		hs_latency_add(&other, 5000000);
	hs_latency_merge(&latency, &other);
	assert_int_equal(latency.total, 40);
	assert_float_equal(hs_latency_quantile(&latency, 0.2), 0.001, 0.00002);
	assert_float_equal(hs_latency_quantile(&latency, 0.9), 0.005, 0.0001);
}

/* However long: it lands in the last step. */
static void test_bounds(void **state)
{
	(void)state;
	clear();
	hs_latency_add(&latency, 0);
	hs_latency_add(&latency, UINT64_MAX);
	assert_int_equal(latency.count[0], 1);
	assert_int_equal(latency.count[HS_LATENCY_BINS - 1], 1);
}

/* The coarser one: to 8 %, in the same places. */
static void test_rough(void **state)
{
	struct hs_rough_latency rough;

	(void)state;
	for (double ns = 1000; ns < 3600e9; ns *= 1.037) {
		double back;

		clear();
		memset(&rough, 0, sizeof(rough));
		hs_rough_latency_add(&rough, ns);
		hs_latency_merge_rough(&latency, &rough);
		assert_int_equal(latency.total, 1);
		back = hs_latency_quantile(&latency, 0.5) * 1e9;
		assert_true(fabs(back - ns) <= ns * 0.08 + 64);
	}
	hs_rough_latency_add(&rough, 0);
	hs_rough_latency_add(&rough, UINT64_MAX);
	assert_int_equal(rough.count[0], 1);
	assert_int_equal(rough.count[HS_ROUGH_BINS - 1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error), cmocka_unit_test(test_quantiles), cmocka_unit_test(test_merge),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_rough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
