/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connects that fail: by reason, at the right edge, once. */
#include <errno.h>

#include "model/record.h"

static const struct {
	int error;
	unsigned retransmits;
	enum hs_reason reason;
} closes[] = {
	{ ECONNREFUSED, 0, HS_REASON_REFUSED },
	{ ECONNREFUSED, 2, HS_REASON_REFUSED },
	{ ETIMEDOUT, 6, HS_REASON_TIMED_OUT },
	{ 0, 1, HS_REASON_GAVE_UP },
	{ EHOSTUNREACH, 0, HS_REASON_UNREACHABLE },
	{ ENETUNREACH, 3, HS_REASON_UNREACHABLE },
	{ ECONNRESET, 0, HS_REASON_RESET },
	{ EACCES, 0, HS_REASON_DENIED },
	{ EIO, 0, HS_REASON_OTHER },
};

static void try_close(size_t i)
{
	const struct hs_log_entry *entry;
	struct flow flow;

	begin(NULL);
	flow = flow_make();
	flow.server = "192.0.2.1";
	now_ns += 5 * MS;
	client_fails(&flow, closes[i].error, closes[i].retransmits);
	wait_ns(SEC);
	assert_int_equal(hs_failures_of(&edge("curl", "192.0.2.1", 80)->failures, closes[i].reason), 1);
	assert_int_equal(totals().failed, 1);
	assert_int_equal(totals().connects + totals().closes + totals().active + totals().cancelled, 0);
	assert_int_equal(totals().retransmits[HS_CLIENT][HS_RETRANSMIT_SYN], closes[i].retransmits);
	assert_int_equal(hs_model_connection_count(model), 0);
	entry = log_last(HS_LOG_FAILURE);
	assert_int_equal(entry->reason, closes[i].reason);
	assert_int_equal(entry->error, closes[i].error);
	assert_int_equal(entry->duration_ns, 5 * MS);
	assert_int_equal(entry->retransmits, closes[i].retransmits);
	assert_int_equal(log_count(HS_LOG_FAILURE), 1);
	assert_int_equal(log_count(HS_LOG_CLOSE), 0);
	end();
}

static void reasons_of_closes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(closes); i++)
		try_close(i);
}

/* Happy eyeballs closes the slower of two sockets before its SYN was sent again. */
static void cancelled_is_no_failure(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	client_fails(&flow, 0, 0);
	wait_ns(2 * SEC);
	assert_int_equal(totals().cancelled, 1);
	assert_int_equal(totals().failed, 0);
	assert_int_equal(totals().closes, 0);
	assert_int_equal(log_count(HS_LOG_FAILURE) + log_count(HS_LOG_CLOSE), 0);
	assert_int_equal(hs_model_connection_count(model), 0);
}

/* The name of who should have answered: a listener of this node, or the address. */
static void names_the_server(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	client_fails(&flow, ETIMEDOUT, 6);
	flow = flow_make();
	flow.server_port = 81;
	client_fails(&flow, ECONNREFUSED, 0);
	wait_ns(SEC);
	assert_int_equal(hs_failures_of(&edge("curl", "nginx", 80)->failures, HS_REASON_TIMED_OUT), 1);
	assert_int_equal(hs_failures_of(&edge("curl", "127.0.0.1", 81)->failures, HS_REASON_REFUSED), 1);
	assert_string_equal(log_last(HS_LOG_FAILURE)->end[HS_CLIENT].workload->identity.name, "curl");
}

/* The same listener seen from another namespace, and one that is bound to another address. */
static void names_the_server_across_namespaces(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.client = "10.0.0.1";
	flow.server = "10.0.0.2";
	listen_on("10.0.0.2", 80, 2, SERVER_PID, 7);
	client_fails(&flow, ETIMEDOUT, 6);
	flow = flow_make();
	flow.server = "10.0.0.3";
	client_fails(&flow, ETIMEDOUT, 6);
	wait_ns(SEC);
	assert_int_equal(hs_failures_of(&edge("curl", "nginx", 80)->failures, HS_REASON_TIMED_OUT), 1);
	assert_int_equal(hs_failures_of(&edge("curl", "10.0.0.3", 80)->failures, HS_REASON_TIMED_OUT), 1);
}

static const struct {
	int error;
	enum hs_reason reason;
} errors[] = {
	{ ENETUNREACH, HS_REASON_UNREACHABLE },
	{ EADDRNOTAVAIL, HS_REASON_NO_PORTS },
	{ EADDRINUSE, HS_REASON_IN_USE },
	{ EACCES, HS_REASON_DENIED },
	{ EPERM, HS_REASON_DENIED },
	{ ENOMEM, HS_REASON_OTHER },
};

static void errors_of_connect(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct flow flow = flow_make();
		struct hs_ev_error record;
		const struct hs_log_entry *entry;
		uint64_t before = totals().failures[errors[i].reason];

		flow.server = "192.0.2.1";
		record = error_record(&flow, HS_EV_CONNECT_ERROR, errors[i].error);
		assert_int_equal(feed(&record), 0);
		assert_int_equal(totals().failures[errors[i].reason], before + 1);
		entry = log_last(HS_LOG_FAILURE);
		assert_int_equal(entry->error, errors[i].error);
		assert_int_equal(entry->reason, errors[i].reason);
		assert_int_equal(entry->duration_ns, 5000);
		assert_int_equal(entry->end[HS_CLIENT].pid, CLIENT_PID);
		assert_string_equal(entry->end[HS_CLIENT].comm, "curl");
	}
	assert_non_null(edge("curl", "192.0.2.1", 80));
	assert_int_equal(totals().edges, 1);
	assert_int_equal(totals().failed, ARRAY_LEN(errors));
	assert_int_equal(hs_model_connection_count(model), 0);
}

static void asynchronous_errors_are_events(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_error record = error_record(&flow, HS_EV_SOCKET_ERROR, ECONNRESET);

	(void)state;
	client_open(&flow);
	assert_int_equal(feed(&record), 0);
	assert_int_equal(log_last(HS_LOG_ERROR)->error, ECONNRESET);
	assert_string_equal(log_last(HS_LOG_ERROR)->end[HS_CLIENT].workload->identity.name, "curl");
	wait_ns(2 * SEC);
	assert_int_equal(totals().failed, 0);
	assert_int_equal(totals().active, 1);
}

/* ECONNRESET after the handshake is no failed connect. */
static void an_error_later_is_a_close(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record;

	(void)state;
	flow.server = "192.0.2.1";
	client_open(&flow);
	record = client_record(&flow, HS_PHASE_CLOSE);
	record.tcp.error = ECONNRESET;
	assert_int_equal(feed(&record), 0);
	wait_ns(2 * SEC);
	assert_int_equal(totals().failed, 0);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(log_last(HS_LOG_CLOSE)->error, ECONNRESET);
}

/* A failed connect that a pass met in SYN_SENT was never established. */
static void sampled_while_connecting(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record;

	(void)state;
	flow.server = "192.0.2.1";
	flow.established_ns = 0;
	record = client_record(&flow, HS_PHASE_SAMPLE);
	record.socket.state = record.socket.old_state = SYN_SENT;
	pass_begin();
	assert_int_equal(feed(&record), 0);
	pass_end();
	wait_ns(10 * SEC);
	assert_int_equal(totals().active + totals().connects, 0);
	client_fails(&flow, ETIMEDOUT, 6);
	wait_ns(SEC);
	assert_int_equal(totals().failures[HS_REASON_TIMED_OUT], 1);
	assert_int_equal(totals().connects + totals().closes + totals().active, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(reasons_of_closes, tear_down),
		cmocka_unit_test_setup_teardown(cancelled_is_no_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_the_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_the_server_across_namespaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_of_connect, set_up, tear_down),
		cmocka_unit_test_setup_teardown(asynchronous_errors_are_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_error_later_is_a_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sampled_while_connecting, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
