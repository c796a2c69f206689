/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an edge gets from its connections: each byte, segment and handshake once. */
#include <math.h>

#include "model/record.h"

static struct flow established(void)
{
	struct flow flow = flow_make();

	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	client_open(&flow);
	now_ns += MS;
	server_accept(&flow);
	return flow;
}

static void sample_both(struct flow *flow, uint64_t sent, uint64_t received)
{
	flow->sent = sent;
	flow->received = received;
	pass_begin();
	client_sample(flow);
	server_sample(flow);
	pass_end();
}

static void bytes_are(uint64_t sent, uint64_t received)
{
	assert_int_equal(totals().sent, sent);
	assert_int_equal(totals().received, received);
}

static void bytes_are_counted_once(void **state)
{
	struct flow flow = established();

	(void)state;
	sample_both(&flow, 10, 1000);
	wait_ns(2 * SEC);
	bytes_are(10, 1000);
	sample_both(&flow, 10, 1000);
	bytes_are(10, 1000);
	sample_both(&flow, 30, 4000);
	bytes_are(30, 4000);
	flow.sent = 50;
	flow.received = 9000;
	client_close(&flow);
	server_close(&flow);
	wait_ns(2 * SEC);
	bytes_are(50, 9000);
	assert_int_equal(totals().closes, 1);
}

/* What the sender has acknowledged lags behind what the receiver has: never back again. */
static void bytes_never_fall(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record;

	(void)state;
	flow.client = "10.0.0.1";
	flow.server = "10.0.0.2";
	flow.server_ns = 2;
	flow.sent = 500;
	flow.received = 0;
	server_accept(&flow);
	wait_ns(2 * SEC);
	pass_begin();
	server_sample(&flow); /* 500 have arrived; how much of its own was acknowledged: nothing */
	pass_end();
	bytes_are(500, 0);
	record = client_record(&flow, HS_PHASE_SAMPLE);
	record.tcp.bytes_acked = 300;
	record.tcp.bytes_received = 200;
	assert_int_equal(feed(&record), 0);
	wait_ns(2 * SEC);
	bytes_are(500, 0); /* received counts by what the server had acknowledged */
	record.tcp.bytes_acked = 600;
	assert_int_equal(feed(&record), 0);
	bytes_are(600, 0);
}

/* Of a connection with one end here, both directions come from that end. */
static void one_end_tells_both_directions(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	flow.sent = 11;
	flow.received = 22;
	client_open(&flow);
	client_close(&flow);
	wait_ns(2 * SEC);
	bytes_are(11, 22);
}

static void retransmit(struct flow *flow, enum hs_side side, const uint32_t retrans[HS_RETRANSMIT_MAX])
{
	struct hs_ev_connection record = side == HS_CLIENT ? client_record(flow, HS_PHASE_SAMPLE) :
							      server_record(flow, HS_PHASE_SAMPLE);

	memcpy(record.tcp.retrans, retrans, sizeof(record.tcp.retrans));
	assert_int_equal(feed(&record), 0);
}

static void retransmits_by_sender_and_kind(void **state)
{
	static const uint32_t first[HS_RETRANSMIT_MAX] = { 1, 0, 2, 3, 4, 0 };
	static const uint32_t second[HS_RETRANSMIT_MAX] = { 1, 0, 2, 5, 7, 0 };
	static const uint32_t servers[HS_RETRANSMIT_MAX] = { [HS_RETRANSMIT_FAST] = 9 };
	struct flow flow = established();

	(void)state;
	wait_ns(2 * SEC);
	retransmit(&flow, HS_CLIENT, first);
	retransmit(&flow, HS_CLIENT, second);
	retransmit(&flow, HS_SERVER, servers);
	for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++) {
		assert_int_equal(totals().retransmits[HS_CLIENT][kind], second[kind]);
		assert_int_equal(totals().retransmits[HS_SERVER][kind], servers[kind]);
	}
}

/* What no hook saw may later turn out to be of a kind: the sum stays what the kernel says. */
static void untraced_may_fall_back(void **state)
{
	static const uint32_t before[HS_RETRANSMIT_MAX] = { [HS_RETRANSMIT_UNTRACED] = 3 };
	static const uint32_t after[HS_RETRANSMIT_MAX] = { [HS_RETRANSMIT_RTO] = 2, [HS_RETRANSMIT_UNTRACED] = 1 };
	static const uint32_t later[HS_RETRANSMIT_MAX] = { [HS_RETRANSMIT_RTO] = 2, [HS_RETRANSMIT_UNTRACED] = 4 };
	struct flow flow = established();

	(void)state;
	wait_ns(2 * SEC);
	retransmit(&flow, HS_CLIENT, before);
	retransmit(&flow, HS_CLIENT, after);
	assert_int_equal(totals().retransmits[HS_CLIENT][HS_RETRANSMIT_UNTRACED], 3); /* a counter */
	assert_int_equal(totals().retransmits[HS_CLIENT][HS_RETRANSMIT_RTO], 2);
	retransmit(&flow, HS_CLIENT, later);
	assert_int_equal(totals().retransmits[HS_CLIENT][HS_RETRANSMIT_UNTRACED], 6);
}

/* A retransmit event is a line in the log; the socket counts. */
static void retransmit_events_count_nothing(void **state)
{
	struct flow flow = established();
	struct hs_ev_retransmit event = retransmit_record(&flow, HS_SERVER, HS_RETRANSMIT_RTO, 3);
	const struct hs_log_entry *entry;

	(void)state;
	assert_int_equal(feed(&event), 0);
	wait_ns(2 * SEC);
	assert_int_equal(totals().retransmits[HS_SERVER][HS_RETRANSMIT_RTO], 0);
	entry = log_last(HS_LOG_RETRANSMIT);
	assert_non_null(entry);
	assert_int_equal(entry->kind, HS_RETRANSMIT_RTO);
	assert_int_equal(entry->segments, 3);
	assert_int_equal(entry->attempt, 1);
	assert_int_equal(entry->rto_us, 200000);
	assert_int_equal(entry->sender, HS_SERVER);
	assert_string_equal(entry->end[HS_CLIENT].workload->identity.name, "curl");
	assert_string_equal(entry->end[HS_SERVER].workload->identity.name, "nginx");
}

static void any_error_of_a_retransmit(void **state)
{
	static const int32_t errors[] = { 0, -1, -16, 1, INT32_MIN, INT32_MAX };
	struct flow flow = established();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct hs_ev_retransmit event = retransmit_record(&flow, HS_CLIENT, HS_RETRANSMIT_RTO, 1);

		event.error = errors[i];
		assert_int_equal(feed(&event), 0);
		assert_int_equal((uint32_t)log_last(HS_LOG_RETRANSMIT)->error, 0u - (uint32_t)errors[i]);
	}
}

/* SYN-ACKs are sent for a request, before there is a connection: they wait until the client shows. */
static void syn_acks_wait_for_the_client(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_retransmit event = retransmit_record(&flow, HS_SERVER, HS_RETRANSMIT_SYN_ACK, 1);

	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	event.socket.cookie = 7; /* the listener's */
	assert_int_equal(feed(&event), 0);
	assert_int_equal(feed(&event), 0);
	assert_null(log_last(HS_LOG_RETRANSMIT));
	client_open(&flow);
	assert_int_equal(feed(&event), 0);
	wait_ns(SEC);
	assert_int_equal(edge("curl", "nginx", 80)->retransmits[HS_SERVER][HS_RETRANSMIT_SYN_ACK], 3);
	assert_int_equal(log_last(HS_LOG_RETRANSMIT)->sender, HS_SERVER);
	assert_null(edge("127.0.0.1", "nginx", 80));
}

/* It is not on this node, or it gave up: its address is all there is to say. */
static void syn_acks_to_nobody(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_retransmit event;

	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	for (int i = 0; i < 100; i++) { /* more than may wait */
		flow.client_port++;
		event = retransmit_record(&flow, HS_SERVER, HS_RETRANSMIT_SYN_ACK, 1);
		event.socket.cookie = 7;
		assert_int_equal(feed(&event), 0);
	}
	wait_ns(4 * SEC);
	assert_int_equal(edge("127.0.0.1", "nginx", 80)->retransmits[HS_SERVER][HS_RETRANSMIT_SYN_ACK], 100);
}

static void near(double have, double want)
{
	if (fabs(have - want) > 1e-9)
		fail_msg("%g, expected %g", have, want);
}

static void times_are_of_the_client(void **state)
{
	struct flow flow = flow_make(), server;
	const struct hs_edge *e;

	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	flow.established_ns = flow.start_ns + 3 * MS;
	server = flow;
	server.start_ns += MS; /* the child socket is made later than the SYN was sent */
	server.established_ns += MS;
	client_open(&flow);
	server_open(&server);
	now_ns = flow.start_ns + 10 * MS;
	server_accept(&server);
	now_ns = flow.start_ns + SEC;
	client_close(&flow);
	now_ns += SEC;
	server_close(&server);
	wait_ns(SEC);
	e = edge("curl", "nginx", 80);
	near(e->connect_duration.sum, 0.003);
	near(e->accept_delay.sum, 0.006);
	near(e->connection_duration.sum, 1);
	near(listener_at(80)->accept_delay.sum, 0.006);
	assert_int_equal(listener_at(80)->accepts, 1);
	assert_int_equal(log_last(HS_LOG_CONNECT)->duration_ns, 3 * MS);
	assert_int_equal(log_last(HS_LOG_ACCEPT)->duration_ns, 7 * MS);
	assert_int_equal(log_last(HS_LOG_CLOSE)->duration_ns, SEC);
}

/*
 * When nobody follows events, accept() has no record of its own: the next one of its socket tells,
 * and those after it tell the same again.
 */
static void accepted_by(enum hs_phase first)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record;

	begin(NULL);
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	client_open(&flow);
	for (int i = 0; i < 3; i++) {
		now_ns += SEC;
		if (first == HS_PHASE_CLOSE && i < 2)
			continue;
		record = server_record(&flow, i < 2 ? HS_PHASE_SAMPLE : HS_PHASE_CLOSE);
		record.accept_ns = flow.established_ns + 6 * MS;
		record.socket.pid = record.socket.tid = flow.server_pid;
		pass_begin();
		assert_int_equal(feed(&record), 0);
		client_sample(&flow);
		pass_end();
		assert_int_equal(listener_at(80)->accepts, 1);
		assert_int_equal(log_count(HS_LOG_ACCEPT), 1);
	}
	client_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(log_last(HS_LOG_ACCEPT)->time_ns, flow.established_ns + 6 * MS);
	assert_int_equal(log_last(HS_LOG_ACCEPT)->duration_ns, 6 * MS);
	assert_int_equal(log_last(HS_LOG_ACCEPT)->end[HS_SERVER].pid, SERVER_PID);
	assert_int_equal(totals().accept_delays, 1);
	near(edge("curl", "nginx", 80)->accept_delay.sum, 0.006);
	near(listener_at(80)->accept_delay.sum, 0.006);
	assert_int_equal(listener_at(80)->accepts, 1);
	assert_int_equal(hs_model_counters(model)->accepts_unobserved, 0);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(totals().closes, 1);
}

static void accept_is_told_by_a_sample(void **state)
{
	(void)state;
	accepted_by(HS_PHASE_SAMPLE);
}

static void accept_is_told_by_the_close(void **state)
{
	(void)state;
	accepted_by(HS_PHASE_CLOSE);
}

/* Its own record, and the same in all that come after it. */
static void accept_is_told_twice(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record;
	uint64_t told_ns;

	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	client_open(&flow);
	now_ns = told_ns = flow.established_ns + 6 * MS;
	server_accept(&flow);
	now_ns += SEC;
	record = server_record(&flow, HS_PHASE_CLOSE);
	record.accept_ns = told_ns - MS / 100;
	record.socket.pid = record.socket.tid = flow.server_pid;
	assert_int_equal(feed(&record), 0);
	client_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(log_count(HS_LOG_ACCEPT), 1);
	assert_int_equal(log_last(HS_LOG_ACCEPT)->time_ns, told_ns);
	assert_int_equal(listener_at(80)->accepts, 1);
	assert_int_equal(totals().accept_delays, 1);
}

static void rtt_once_per_pass(void **state)
{
	struct flow flow = established();

	(void)state;
	flow.srtt_us = 2000;
	wait_ns(2 * SEC);
	for (int i = 1; i <= 3; i++) {
		sample_both(&flow, 1, 1);
		assert_int_equal(totals().rtts, i);
		wait_ns(SEC);
	}
	near(edge("curl", "nginx", 80)->rtt.sum, 0.006);
	client_close(&flow);
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().rtts, 4);
}

static void rtt_of_a_short_connection(void **state)
{
	struct flow flow = established();

	(void)state;
	flow.srtt_us = 500;
	client_close(&flow);
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().rtts, 1);
}

/* The model's own rates: a steady stream of connections shows as so many per second. */
static void rates_follow(void **state)
{
	const struct hs_edge *e;

	(void)state;
	for (int i = 0; i < 200 * 4; i++) {
		struct flow flow = flow_make();

		flow.client_port = 1024 + i;
		flow.server = "192.0.2.9";
		client_open(&flow);
		client_close(&flow);
		wait_ns(SEC / 4);
	}
	e = edge("curl", "192.0.2.9", 80);
	assert_int_equal(e->connects + hs_model_connection_count(model), 800);
	assert_true(e->rates.connects > 3.8 && e->rates.connects < 4.2);
	assert_true(e->rates.sent_bytes > 380 && e->rates.sent_bytes < 420);
	assert_true(e->rates.received_bytes > 7600 && e->rates.received_bytes < 8400);
	assert_true(e->rates.failures == 0);
	wait_ns(30 * SEC); /* falls to 1/e in about half a minute */
	assert_true(e->rates.connects > 1 && e->rates.connects < 2);
	wait_ns(600 * SEC);
	assert_true(e->rates.connects == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_are_counted_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bytes_never_fall, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_end_tells_both_directions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(retransmits_by_sender_and_kind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(untraced_may_fall_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(any_error_of_a_retransmit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(retransmit_events_count_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(syn_acks_wait_for_the_client, set_up, tear_down),
		cmocka_unit_test_setup_teardown(syn_acks_to_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(times_are_of_the_client, set_up, tear_down),
		cmocka_unit_test_setup_teardown(accept_is_told_by_a_sample, set_up, tear_down),
		cmocka_unit_test_setup_teardown(accept_is_told_by_the_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(accept_is_told_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rtt_once_per_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rtt_of_a_short_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rates_follow, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
