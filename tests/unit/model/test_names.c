/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "model/private.h"
#include "model/record.h"

/* What connect() may give, and the reason that the user sees. Every other errno is "other". */
static const struct {
	int error;
	enum hs_reason reason;
} reasons[] = {
	{ ECONNREFUSED, HS_REASON_REFUSED },
	{ ETIMEDOUT, HS_REASON_TIMED_OUT },
	{ ENETUNREACH, HS_REASON_UNREACHABLE },
	{ EHOSTUNREACH, HS_REASON_UNREACHABLE },
	{ ENETDOWN, HS_REASON_UNREACHABLE },
	{ EHOSTDOWN, HS_REASON_UNREACHABLE },
	{ ENONET, HS_REASON_UNREACHABLE },
	{ EADDRNOTAVAIL, HS_REASON_NO_PORTS },
	{ EADDRINUSE, HS_REASON_IN_USE },
	{ EACCES, HS_REASON_DENIED },
	{ EPERM, HS_REASON_DENIED },
	{ ECONNRESET, HS_REASON_RESET },
};

static enum hs_reason reason_of(int error)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].error == error)
			return reasons[i].reason;
	return HS_REASON_OTHER;
}

static void every_errno_has_its_reason(void **state)
{
	(void)state;
	for (int error = 1; error < 4096; error++) {
		if (hs_reason_of_error(error) != reason_of(error))
			fail_msg("errno %d is %s", error, hs_reason_name(hs_reason_of_error(error)));
		assert_int_equal(hs_reason_of_close(error, false), reason_of(error));
		assert_int_equal(hs_reason_of_close(error, true), reason_of(error));
	}
}

static void without_an_error_the_retries_tell(void **state)
{
	(void)state;
	assert_int_equal(hs_reason_of_close(0, true), HS_REASON_GAVE_UP);
	assert_int_equal(hs_reason_of_close(0, false), HS_REASON_CANCELLED);
}

/* They are label values: part of the interface. */
static void names_are_as_documented(void **state)
{
	static const char *const want[HS_REASON_MAX] = {
		"none", "refused", "timed_out", "gave_up", "unreachable", "no_ports", "in_use", "denied",
		"reset", "other", "cancelled", "stuck", "aborted",
	};
	static const char *const kinds[HS_RETRANSMIT_MAX] = {
		"syn", "syn_ack", "tlp", "fast", "rto", "untraced",
	};
	static const char *const types[HS_LOG_MAX] = {
		"connect", "accept", "close", "failure", "retransmit", "reset", "error",
	};

	(void)state;
	for (int i = 0; i < HS_REASON_MAX; i++)
		assert_string_equal(hs_reason_name(i), want[i]);
	for (int i = 0; i < HS_RETRANSMIT_MAX; i++)
		assert_string_equal(hs_retransmit_name(i), kinds[i]);
	for (int i = 0; i < HS_LOG_MAX; i++)
		assert_string_equal(hs_log_type_name(i), types[i]);
}

static void what_is_out_of_range_has_a_name_too(void **state)
{
	(void)state;
	assert_string_equal(hs_reason_name(HS_REASON_MAX), "other");
	assert_string_equal(hs_retransmit_name(HS_RETRANSMIT_MAX), "untraced");
	assert_string_equal(hs_log_type_name(HS_LOG_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_errno_has_its_reason),
		cmocka_unit_test(without_an_error_the_retries_tell),
		cmocka_unit_test(names_are_as_documented),
		cmocka_unit_test(what_is_out_of_range_has_a_name_too),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
