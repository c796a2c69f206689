/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resets are counted once, by who sent them: where they arrive if that is here, else when sent. */
#include "model/record.h"

static struct flow between_two_hosts(void)
{
	struct flow flow = flow_make();

	flow.client = "10.0.0.1";
	flow.server = "10.0.0.2";
	flow.server_ns = 2;
	return flow;
}

static void close_with(const struct flow *flow, enum hs_side side, unsigned received, unsigned sent)
{
	struct hs_ev_connection record = side == HS_CLIENT ? client_record(flow, HS_PHASE_CLOSE) :
							      server_record(flow, HS_PHASE_CLOSE);

	record.tcp.resets_received = received;
	record.tcp.resets_sent = sent;
	assert_int_equal(feed(&record), 0);
}

static void send_reset(const struct flow *flow, enum hs_side side)
{
	struct hs_ev_reset record = reset_record(flow, side, true);

	assert_int_equal(feed(&record), 0);
}

static void receive_reset(const struct flow *flow, enum hs_side side)
{
	struct hs_ev_reset record = reset_record(flow, side, false);

	assert_int_equal(feed(&record), 0);
}

static void resets_are(unsigned by_client, unsigned by_server)
{
	wait_ns(2 * SEC);
	assert_int_equal(totals().resets[HS_CLIENT], by_client);
	assert_int_equal(totals().resets[HS_SERVER], by_server);
	assert_int_equal(hs_model_connection_count(model), 0);
}

/*
 * The client resets a connection whose ends are both here. Four records come: it was sent, the
 * client's end closed, it arrived, the server's end closed. Any order will do.
 */
static void both_ends_here(void **state)
{
	(void)state;
	for (int order = 0; order < 24; order++) {
		int left[4] = { 0, 1, 2, 3 }, at[4], code = order;
		struct flow flow;

		for (int i = 0, n = 4; i < 4; i++, n--) {
			int pick = code % n;

			code /= n;
			at[i] = left[pick];
			memmove(left + pick, left + pick + 1, (n - pick - 1) * sizeof(*left));
		}
		begin(NULL);
		flow = between_two_hosts();
		client_open(&flow);
		server_accept(&flow);
		for (int i = 0; i < 4; i++) {
			bool sent = false;

			for (int j = 0; j < i; j++)
				sent |= at[j] == 0;
			if (at[i] == 0)
				send_reset(&flow, HS_CLIENT);
			else if (at[i] == 1) /* tcp_close() sends it behind the state change */
				close_with(&flow, HS_CLIENT, 0, sent);
			else if (at[i] == 2)
				receive_reset(&flow, HS_SERVER);
			else
				close_with(&flow, HS_SERVER, 1, 0);
		}
		resets_are(1, 0);
		assert_in_range(log_count(HS_LOG_RESET), 0, 1);
		end();
	}
}

static void one_line_in_the_log(void **state)
{
	struct flow flow = between_two_hosts();

	(void)state;
	client_open(&flow);
	server_accept(&flow);
	send_reset(&flow, HS_CLIENT);
	receive_reset(&flow, HS_SERVER);
	assert_int_equal(log_count(HS_LOG_RESET), 1);
	assert_int_equal(log_last(HS_LOG_RESET)->sender, HS_CLIENT);
	close_with(&flow, HS_CLIENT, 0, 1);
	close_with(&flow, HS_SERVER, 1, 0);
	resets_are(1, 0);
}

static void only_the_sender_is_here(void **state)
{
	struct flow flow = between_two_hosts();

	(void)state;
	client_open(&flow);
	send_reset(&flow, HS_CLIENT);
	close_with(&flow, HS_CLIENT, 0, 1);
	resets_are(1, 0);
	assert_int_equal(log_count(HS_LOG_RESET), 1);
}

/* close() of unread data: the record of the reset comes behind the one of the close. */
static void sent_behind_the_close(void **state)
{
	struct flow flow = between_two_hosts();

	(void)state;
	client_open(&flow);
	close_with(&flow, HS_CLIENT, 0, 0);
	send_reset(&flow, HS_CLIENT);
	resets_are(1, 0);
	assert_int_equal(log_last(HS_LOG_RESET)->sender, HS_CLIENT);
	assert_string_equal(log_last(HS_LOG_RESET)->end[HS_CLIENT].workload->identity.name, "curl");
}

static void only_the_receiver_is_here(void **state)
{
	struct flow flow = between_two_hosts();

	(void)state;
	client_open(&flow);
	receive_reset(&flow, HS_CLIENT);
	close_with(&flow, HS_CLIENT, 1, 0);
	resets_are(0, 1);
	assert_int_equal(log_last(HS_LOG_RESET)->sender, HS_SERVER);
}

/* The socket's count is enough, where a reset's own record was lost. */
static void without_reset_records(void **state)
{
	struct flow flow = between_two_hosts();

	(void)state;
	client_open(&flow);
	server_accept(&flow);
	close_with(&flow, HS_CLIENT, 0, 1);
	close_with(&flow, HS_SERVER, 1, 0);
	resets_are(1, 0);
}

static void refused(void **state)
{
	struct flow flow = between_two_hosts();
	struct hs_ev_connection record = client_record(&flow, HS_PHASE_CLOSE);

	(void)state;
	receive_reset(&flow, HS_CLIENT);
	record.socket.old_state = SYN_SENT;
	record.established_ns = 0;
	record.tcp.error = 111;
	record.tcp.resets_received = 1;
	assert_int_equal(feed(&record), 0);
	resets_are(0, 1);
	assert_int_equal(totals().failures[HS_REASON_REFUSED], 1);
}

static struct hs_ev_reset stray_record(const char *local, uint16_t port, const char *remote)
{
	struct flow flow = flow_make();
	struct hs_ev_reset record;

	flow.server = local;
	flow.client = remote;
	flow.server_port = port;
	record = reset_record(&flow, HS_SERVER, true);
	record.socket.cookie = 0;
	record.socket.role = HS_ROLE_UNKNOWN;
	record.socket.pid = 0;
	record.reason = 3;
	return record;
}

/* A SYN from elsewhere to a port where nobody listens. */
static void a_stray_reset_to_elsewhere(void **state)
{
	struct hs_ev_reset record = stray_record("10.0.0.1", 81, "192.0.2.5");

	(void)state;
	assert_int_equal(feed(&record), 0);
	assert_int_equal(log_count(HS_LOG_RESET), 0); /* is the receiver here? it shows in a moment */
	wait_ns(2 * SEC);
	assert_int_equal(totals().resets[HS_SERVER], 1);
	assert_int_equal(log_count(HS_LOG_RESET), 1);
	assert_int_equal(log_last(HS_LOG_RESET)->reset_reason, 3);
	assert_int_equal(log_last(HS_LOG_RESET)->sender, HS_SERVER);
	assert_non_null(edge("~other", "~other", 0));
	assert_int_equal(dropped_in_all(), 0);
}

/* The same to a process on this node: it is counted with the connect that it refuses. */
static void a_stray_reset_to_this_node(void **state)
{
	struct hs_ev_reset record = stray_record("127.0.0.1", 81, "127.0.0.1");
	struct flow flow = flow_make();

	(void)state;
	assert_int_equal(feed(&record), 0);
	flow.server_port = 81;
	receive_reset(&flow, HS_CLIENT);
	client_fails(&flow, 111, 0);
	wait_ns(2 * SEC);
	assert_int_equal(log_count(HS_LOG_RESET), 1);
	assert_null(edge("~other", "~other", 0));
}

/* It names an edge that is there, but makes none: a port scan must not fill the table. */
static void a_scan_makes_no_edges(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct hs_ev_reset record = stray_record("10.0.0.1", 1 + i, "192.0.2.5");

		assert_int_equal(feed(&record), 0);
	}
	wait_ns(2 * SEC);
	assert_int_equal(totals().edges, 1);
	assert_int_equal(edge("~other", "~other", 0)->resets[HS_SERVER], 1000);
}

/* A segment that comes when the server's end is closed already, while the connection is remembered. */
static void sent_without_a_socket_for_a_known_connection(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_reset record;

	(void)state;
	flow.client = "192.0.2.5";
	flow.server = "10.0.0.1";
	server_accept(&flow);
	server_close(&flow);
	record = reset_record(&flow, HS_SERVER, true);
	record.socket.cookie = 0;
	record.socket.role = HS_ROLE_UNKNOWN;
	assert_int_equal(feed(&record), 0);
	resets_are(0, 1);
	assert_int_equal(edge("192.0.2.5", "nginx", 80)->resets[HS_SERVER], 1);
	assert_int_equal(log_count(HS_LOG_RESET), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(both_ends_here, tear_down),
		cmocka_unit_test_setup_teardown(one_line_in_the_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_sender_is_here, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sent_behind_the_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_receiver_is_here, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_reset_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stray_reset_to_elsewhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stray_reset_to_this_node, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_scan_makes_no_edges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sent_without_a_socket_for_a_known_connection, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
