// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "l7/call_table.h"

#define MANY 1000

static void test_many(void **state)
{
	static struct hs_call calls[MANY];
	struct hs_call_table table = {};

	(void)state;
	assert_null(hs_call_table_find(&table, 1));
	for (uint32_t i = 0; i < MANY; i++) {
		calls[i].id = i * 2654435769u; /* also such as lie badly */
		assert_true(hs_call_table_add(&table, &calls[i]));
	}
	for (uint32_t i = 0; i < MANY; i += 2)
		hs_call_table_remove(&table, &calls[i]);
	for (uint32_t i = 0; i < MANY; i++)
		assert_ptr_equal(hs_call_table_find(&table, calls[i].id), i & 1 ? &calls[i] : NULL);
	assert_int_equal(table.count, MANY / 2);
	hs_call_table_free(&table);
	assert_null(hs_call_table_find(&table, calls[1].id));
}

/* Of calls with the same id, the oldest; also when the table has grown meanwhile. */
static void test_same_id(void **state)
{
	struct hs_call calls[40] = {};
	struct hs_call_table table = {};

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		calls[i].id = i < 38 ? 7 : 8;
		assert_true(hs_call_table_add(&table, &calls[i]));
	}
	hs_call_table_remove(&table, &calls[1]);
	assert_ptr_equal(hs_call_table_find(&table, 7), &calls[0]);
	hs_call_table_remove(&table, &calls[0]);
	assert_ptr_equal(hs_call_table_find(&table, 7), &calls[2]);
	assert_ptr_equal(hs_call_table_find(&table, 8), &calls[38]);
	hs_call_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_many), cmocka_unit_test(test_same_id) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
