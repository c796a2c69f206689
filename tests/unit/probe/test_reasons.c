/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/reasons.h"

static struct hs_reasons reasons;

static int clear(void **state)
{
	(void)state;
	memset(&reasons, 0, sizeof(reasons));
	return 0;
}

static size_t count(void)
{
	size_t told = 0;

	for (size_t i = 0; i < HS_DROP_REASONS; i++)
		told += reasons.names[i][0] != '\0';
	return told;
}

static void by_the_kernels_number(void **state)
{
	(void)state;
	hs_reasons_add(&reasons, "SKB_DROP_REASON_NETFILTER_DROP", 8);
	hs_reasons_add(&reasons, "SKB_DROP_REASON_CPU_BACKLOG", 71);
	assert_string_equal(reasons.names[8], "NETFILTER_DROP");
	assert_string_equal(reasons.names[71], "CPU_BACKLOG");
	assert_int_equal(reasons.backlog, 71);
	assert_int_equal(count(), 2);
}

static void families_by_their_beginning(void **state)
{
	(void)state;
	hs_reasons_add(&reasons, "SKB_DROP_REASON_NEIGH_FAILED", 1);
	hs_reasons_add(&reasons, "SKB_DROP_REASON_QDISC_OVERLIMIT", 2);
	hs_reasons_add(&reasons, "SKB_DROP_REASON_TCP_AOKEYNOTFOUND", 3);
	hs_reasons_add(&reasons, "SKB_DROP_REASON_NEIGH", 4);
	assert_string_equal(reasons.names[1], "NEIGH_FAILED");
	assert_string_equal(reasons.names[2], "QDISC_OVERLIMIT");
	assert_string_equal(reasons.names[3], "TCP_AOKEYNOTFOUND");
	assert_int_equal(count(), 3);
}

/* The everyday end of a packet, other names that begin alike, and names of other types. */
static void the_rest_is_not_told(void **state)
{
	static const char *const names[] = {
		"SKB_DROP_REASON_NOT_SPECIFIED", "SKB_DROP_REASON_TCP_OLD_DATA", "SKB_DROP_REASON_TCP_RESET",
		"SKB_DROP_REASON_QUEUE_PURGE", "SKB_DROP_REASON_XDP_NOT", "SKB_DROP_REASON_", "SKB_DROP_REASON",
		"SKB_CONSUMED", "NETFILTER_DROP", "", "SKB_DROP_REASON_MAX",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		hs_reasons_add(&reasons, names[i], (uint32_t)i);
	assert_int_equal(count(), 0);
	assert_int_equal(reasons.backlog, 0);
}

static void numbers_beyond_the_table(void **state)
{
	(void)state;
	hs_reasons_add(&reasons, "SKB_DROP_REASON_XDP", HS_DROP_REASONS);
	hs_reasons_add(&reasons, "SKB_DROP_REASON_XDP", 0x10001);
	hs_reasons_add(&reasons, "SKB_DROP_REASON_XDP", UINT32_MAX);
	assert_int_equal(count(), 0);
	hs_reasons_add(&reasons, "SKB_DROP_REASON_XDP", HS_DROP_REASONS - 1);
	assert_string_equal(reasons.names[HS_DROP_REASONS - 1], "XDP");
}

static void long_names_are_cut(void **state)
{
	(void)state;
	hs_reasons_add(&reasons, "SKB_DROP_REASON_NEIGH_A_NAME_THAT_IS_LONGER_THAN_THE_ROOM_THERE_IS", 5);
	assert_int_equal(strlen(reasons.names[5]), HS_DROP_REASON_LEN - 1);
	assert_string_equal(reasons.names[6], "");
}

static void of_this_kernel(void **state)
{
	(void)state;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		skip();
	hs_reasons_add(&reasons, "SKB_DROP_REASON_XDP", 255);
	hs_reasons_read(&reasons);
	assert_string_equal(reasons.names[255], ""); /* what was there before is gone */
	if (!count())
		skip(); /* before 5.17 */
	assert_true(count() > 10);
	assert_string_equal(reasons.names[reasons.backlog], "CPU_BACKLOG");
	assert_string_equal(reasons.names[0], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(by_the_kernels_number, clear),
		cmocka_unit_test_setup(families_by_their_beginning, clear),
		cmocka_unit_test_setup(the_rest_is_not_told, clear),
		cmocka_unit_test_setup(numbers_beyond_the_table, clear),
		cmocka_unit_test_setup(long_names_are_cut, clear),
		cmocka_unit_test_setup(of_this_kernel, clear),
	};

	return cmocka_run_group_tests_name("reasons", tests, NULL, NULL);
}
