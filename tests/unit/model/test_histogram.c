/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>

#include "model/record.h"

static const struct hs_buckets three = { .count = 3, .bound = { 1, 2, 4 } };

static void fill(struct hs_histogram *histogram, const double *values, size_t count)
{
	memset(histogram, 0, sizeof(*histogram));
	for (size_t i = 0; i < count; i++)
		hs_histogram_add(histogram, &three, values[i]);
}

static void bounds_belong_to_their_bucket(void **state)
{
	static const double values[] = { 0, 1, 1.0000001, 2, 3, 4, 4.0000001, 1e9 };
	struct hs_histogram histogram;

	(void)state;
	fill(&histogram, values, ARRAY_LEN(values));
	assert_int_equal(histogram.count[0], 2); /* le="1" */
	assert_int_equal(histogram.count[1], 2);
	assert_int_equal(histogram.count[2], 2);
	assert_int_equal(histogram.count[HS_HISTOGRAM_BUCKETS], 2); /* +Inf */
	for (int i = 3; i < HS_HISTOGRAM_BUCKETS; i++)
		assert_int_equal(histogram.count[i], 0);
	assert_int_equal(hs_histogram_total(&histogram), 8);
	assert_true(fabs(histogram.sum - (0 + 1 + 1.0000001 + 2 + 3 + 4 + 4.0000001 + 1e9)) < 1e-3);
}

static void same(double have, double want)
{
	if (isnan(have) != isnan(want) || fabs(have - want) > 1e-9)
		fail_msg("%.12g, expected %.12g", have, want);
}

/* What PromQL's histogram_quantile() gives for these buckets. */
static void quantiles_are_those_of_promql(void **state)
{
	static const double values[] = { 0.5, 0.5, 1.5, 1.5, 1.5, 1.5, 3, 3, 3, 9 };
	struct hs_histogram histogram;

	(void)state;
	fill(&histogram, values, ARRAY_LEN(values));
	same(hs_histogram_quantile(&histogram, &three, 0), 0);
	same(hs_histogram_quantile(&histogram, &three, 0.1), 0.5);
	same(hs_histogram_quantile(&histogram, &three, 0.2), 1);    /* exactly the first bound */
	same(hs_histogram_quantile(&histogram, &three, 0.5), 1.75); /* 3 of 4 into (1, 2] */
	same(hs_histogram_quantile(&histogram, &three, 0.6), 2);
	same(hs_histogram_quantile(&histogram, &three, 0.75), 3);   /* half of (2, 4] */
	same(hs_histogram_quantile(&histogram, &three, 0.9), 4);
	same(hs_histogram_quantile(&histogram, &three, 0.95), 4);   /* in +Inf: the highest bound */
	same(hs_histogram_quantile(&histogram, &three, 1), 4);
}

static void empty_buckets_are_passed_over(void **state)
{
	static const double values[] = { 3, 3 };
	struct hs_histogram histogram;

	(void)state;
	fill(&histogram, values, ARRAY_LEN(values));
	same(hs_histogram_quantile(&histogram, &three, 0.5), 3);
	same(hs_histogram_quantile(&histogram, &three, 1), 4);
}

static void nothing_has_no_quantile(void **state)
{
	static const double beyond[] = { 100 };
	struct hs_histogram histogram;

	(void)state;
	fill(&histogram, NULL, 0);
	same(hs_histogram_quantile(&histogram, &three, 0), NAN);
	same(hs_histogram_quantile(&histogram, &three, 0.5), NAN);
	same(hs_histogram_quantile(&histogram, &three, 1), NAN);
	assert_int_equal(hs_histogram_total(&histogram), 0);
	fill(&histogram, beyond, 1);
	same(hs_histogram_quantile(&histogram, &three, 0.5), 4);
}

static void bounds_ascend(void **state)
{
	static const struct hs_buckets *const all[] = {
		&hs_buckets_handshake, &hs_buckets_connection, &hs_buckets_rtt,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_in_range(all[i]->count, 1, HS_HISTOGRAM_BUCKETS);
		assert_true(all[i]->bound[0] > 0);
		for (unsigned j = 1; j < all[i]->count; j++)
			assert_true(all[i]->bound[j] > all[i]->bound[j - 1]);
	}
}

/* All sixteen bounds in use: the last finite bucket is not +Inf. */
static void a_full_set_of_bounds(void **state)
{
	struct hs_histogram histogram = {};

	(void)state;
	assert_int_equal(hs_buckets_handshake.count, HS_HISTOGRAM_BUCKETS);
	hs_histogram_add(&histogram, &hs_buckets_handshake, 15.5);
	hs_histogram_add(&histogram, &hs_buckets_handshake, 15.6);
	assert_int_equal(histogram.count[HS_HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(histogram.count[HS_HISTOGRAM_BUCKETS], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_belong_to_their_bucket),
		cmocka_unit_test(quantiles_are_those_of_promql),
		cmocka_unit_test(empty_buckets_are_passed_over),
		cmocka_unit_test(nothing_has_no_quantile),
		cmocka_unit_test(bounds_ascend),
		cmocka_unit_test(a_full_set_of_bounds),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
