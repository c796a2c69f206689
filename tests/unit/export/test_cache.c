/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "export/http_cache.h"

static int render_large(void *arg, unsigned slot, FILE *out)
{
	static char block[1 << 20];
	unsigned *renderings = arg;

	(*renderings)++;
	for (int i = 0; i < 20 && slot != 7; i++)
		fwrite(block, 1, sizeof(block), out);
	return slot == 7 ? -EIO : 0;
}

/* Bodies that slow clients hold on to must not fill the memory, nor keep others from the rest. */
static void test_cache_bound(void **state)
{
	unsigned renderings = 0;
	struct hs_cache cache;
	struct hs_body *bodies[4];

	(void)state;
	hs_cache_init(&cache, render_large, &renderings);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(hs_cache_get(&cache, 0, false, &bodies[i]), 0);
		bodies[i]->made_ns -= 10 * HS_NS_PER_SEC;
	}
	assert_int_equal(bodies[0]->raw.size, 20 << 20);
	assert_ptr_not_equal(bodies[1], bodies[0]);
	assert_ptr_equal(bodies[2], bodies[1]); /* the newest again, though it is old */
	assert_ptr_equal(bodies[3], bodies[1]);
	assert_int_equal(renderings, 2);
	hs_body_put(bodies[0]);
	assert_int_equal(hs_cache_get(&cache, 0, false, &bodies[0]), 0);
	assert_ptr_not_equal(bodies[0], bodies[1]);
	for (int i = 0; i < 4; i++)
		hs_body_put(bodies[i]);
	assert_int_equal(renderings, 3);
	hs_cache_free(&cache);
	assert_int_equal(cache.slots[0].bytes, 0);
}

static void test_cache_expiry(void **state)
{
	unsigned renderings = 0;
	struct hs_cache cache;
	struct hs_body *read, *old, *young;

	(void)state;
	hs_cache_init(&cache, render_large, &renderings);
	assert_int_equal(hs_cache_get(&cache, 0, false, &read), 0);
	assert_int_equal(hs_cache_get(&cache, 1, true, &old), 0);
	assert_int_equal(hs_cache_get(&cache, 2, false, &young), 0);
	assert_in_range(old->gzip.size, 1, 1 << 20);
	read->made_ns -= 10 * HS_NS_PER_SEC;
	old->made_ns -= 10 * HS_NS_PER_SEC;
	hs_body_put(old);
	hs_body_put(young);
	hs_cache_expire(&cache);
	assert_non_null(cache.slots[0].newest); /* somebody reads it */
	assert_null(cache.slots[1].newest);
	assert_non_null(cache.slots[2].newest);
	assert_int_equal(cache.held, 2);
	hs_body_put(read);
	assert_int_equal(hs_cache_get(&cache, 7, false, &read), -EIO);
	hs_cache_free(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache_bound),
		cmocka_unit_test(test_cache_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
