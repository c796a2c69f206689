/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts: from the records of a failure to reason, ended_by, cause and confidence. */
#include <errno.h>

#include "model/finding.h"
#include "model/record.h"

#define SERVER_NS 2

static struct hs_ev_counters counters[2]; /* of the client's namespace and the server's */
static struct hs_ev_status status;

/* As the agent answers: with a record, amid the one that made the model ask. */
static void answer_counters(void *arg, uint32_t netns, uint32_t pid)
{
	struct hs_ev_counters record = counters[netns == SERVER_NS];

	(void)arg, (void)pid;
	record.event = (struct hs_event){ .kind = HS_EV_COUNTERS, .size = sizeof(record), .time_ns = now_ns };
	record.netns = netns;
	hs_model_feed(model, &record.event);
}

static void answer_status(void *arg, uint32_t pid)
{
	(void)arg;
	status.event = (struct hs_event){ .kind = HS_EV_STATUS, .size = sizeof(status), .time_ns = now_ns };
	status.pid = pid;
	hs_model_feed(model, &status.event);
}

static int prepare(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	memset(counters, 0, sizeof(counters));
	memset(&status, 0, sizeof(status));
	config.ask_counters = answer_counters;
	config.ask_status = answer_status;
	begin(&config);
	return 0;
}

static struct flow between(void)
{
	struct flow flow = flow_make();

	flow.client = "10.9.0.1";
	flow.server = "10.9.0.2";
	flow.server_ns = SERVER_NS;
	return flow;
}

static const struct hs_finding *only_finding(void)
{
	const struct hs_finding *finding = hs_model_findings(model);

	assert_non_null(finding);
	assert_null(finding->hh.next);
	return finding;
}

static void is_verdict(const char *reason, const char *ended_by, const char *cause, const char *confidence)
{
	const struct hs_finding *finding = only_finding();

	assert_string_equal(hs_reason_name(finding->key.reason), reason);
	assert_string_equal(hs_cause_name(finding->key.cause), cause);
	assert_string_equal(hs_ended_by_name(finding->key.ended_by), ended_by);
	assert_string_equal(hs_confidence_name(finding->confidence), confidence);
	assert_int_equal(finding->count, 1);
}

static const struct hs_evidence *evidence(const char *signal)
{
	const struct hs_finding *finding = only_finding();

	for (size_t i = 0; i < finding->evidence_count; i++)
		if (!strcmp(finding->evidence[i].signal, signal))
			return &finding->evidence[i];
	return NULL;
}

static const struct hs_moment *moment(enum hs_moment_type type)
{
	const struct hs_finding *finding = only_finding();

	for (size_t i = 0; i < finding->timeline_count; i++)
		if (finding->timeline[i].type == type)
			return &finding->timeline[i];
	return NULL;
}

static void check_timeline(void)
{
	const struct hs_finding *finding = only_finding();

	for (size_t i = 1; i < finding->timeline_count; i++)
		assert_true(finding->timeline[i - 1].time_ns <= finding->timeline[i].time_ns);
}

static void drop(const struct flow *flow, enum hs_side sender, enum hs_direction direction, const char *reason)
{
	bool client = sender == HS_CLIENT;
	struct hs_ev_drop record = {
		.event = { .kind = HS_EV_DROP, .size = sizeof(record), .time_ns = now_ns },
		.tuple = {
			.local_port = client ? flow->client_port : flow->server_port,
			.remote_port = client ? flow->server_port : flow->client_port,
			.netns = client == (direction == HS_DIRECTION_EGRESS) ? flow->client_ns : flow->server_ns,
		},
		.direction = direction,
		.flags = 2,
	};

	address_of(client ? flow->client : flow->server, record.tuple.local);
	address_of(client ? flow->server : flow->client, record.tuple.remote);
	strcpy(record.reason, reason);
	assert_int_equal(feed(&record), 0);
}

static void syn_again(const struct flow *flow, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct hs_ev_retransmit record = retransmit_record(flow, HS_CLIENT, HS_RETRANSMIT_SYN, 1);

		now_ns += SEC;
		record.attempt = i;
		record.socket.state = SYN_SENT;
		assert_int_equal(feed(&record), 0);
	}
}

static void syn_ack_again(const struct flow *flow, bool acked)
{
	struct hs_ev_retransmit record = retransmit_record(flow, HS_SERVER, HS_RETRANSMIT_SYN_ACK, 1);

	record.acked = acked;
	assert_int_equal(feed(&record), 0);
}

static void reset(const struct flow *flow, enum hs_side side, bool sent)
{
	struct hs_ev_reset record = reset_record(flow, side, sent);

	if (sent)
		record.socket.cookie = 0;
	assert_int_equal(feed(&record), 0);
}

static void server_listens(uint32_t backlog)
{
	struct hs_ev_listener record =
		listener_record("10.9.0.2", 80, SERVER_NS, SERVER_PID, 7, HS_PHASE_SAMPLE);

	record.backlog = backlog;
	record.backlog_limit = 1;
	record.oldest_wait_ns = backlog ? 10 * SEC : 0;
	assert_int_equal(feed(&record), 0);
}

static void samples_of_counters(void)
{
	answer_counters(NULL, 1, 0);
	answer_counters(NULL, SERVER_NS, 0);
	now_ns += MS;
}

/* ---- connects ---- */

static void no_answer(void **state)
{
	struct flow flow = between();

	(void)state;
	syn_again(&flow, 3);
	client_fails(&flow, ETIMEDOUT, 3);
	is_verdict("timed_out", "syn_retries", "no_answer", "inferred");
	assert_int_equal(evidence("syn_retransmits")->number, 3);
	assert_int_equal(moment(HS_MOMENT_SYN_SENT)->time_ns, flow.start_ns);
	assert_int_equal(moment(HS_MOMENT_ENDED)->number, ETIMEDOUT);
	assert_int_equal(only_finding()->timeline_count, 5);
	check_timeline();
}

static void given_up(void **state)
{
	struct flow flow = between();

	(void)state;
	syn_again(&flow, 1);
	client_fails(&flow, 0, 1);
	is_verdict("gave_up", "application", "no_answer", "inferred");
}

static const struct {
	enum hs_side sender;
	enum hs_direction direction;
	const char *reason, *cause;
} drops[] = {
	{ HS_CLIENT, HS_DIRECTION_EGRESS, "NETFILTER_DROP", "dropped_egress" },
	{ HS_CLIENT, HS_DIRECTION_EGRESS, "TC_EGRESS", "dropped_egress" },
	{ HS_CLIENT, HS_DIRECTION_INGRESS, "NETFILTER_DROP", "dropped_ingress" },
	{ HS_CLIENT, HS_DIRECTION_INGRESS, "XDP", "dropped_ingress" },
	{ HS_SERVER, HS_DIRECTION_INGRESS, "NETFILTER_DROP", "dropped_ingress" },
	{ HS_SERVER, HS_DIRECTION_EGRESS, "BPF_CGROUP_EGRESS", "dropped_egress" },
	{ HS_CLIENT, HS_DIRECTION_EGRESS, "NEIGH_FAILED", "neighbor_failed" },
	{ HS_CLIENT, HS_DIRECTION_INGRESS, "IP_RPFILTER", "rp_filter" },
	{ HS_CLIENT, HS_DIRECTION_INGRESS, "CPU_BACKLOG", "backlog_dropped" },
	{ HS_CLIENT, HS_DIRECTION_INGRESS, "TCP_RFC7323_PAWS", "timestamp_rejected" },
	{ HS_CLIENT, HS_DIRECTION_INGRESS, "PROTO_MEM", "memory_pressure" },
};

static void dropped_here(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(drops); i++) {
		struct flow flow;

		if (i)
			prepare(state);
		flow = between();
		server_listens(0);
		drop(&flow, drops[i].sender, drops[i].direction, drops[i].reason);
		syn_again(&flow, 1);
		client_fails(&flow, 0, 1);
		is_verdict("gave_up", "application", drops[i].cause, "proved");
		assert_string_equal(evidence("drop_reason")->text, drops[i].reason);
		assert_string_equal(moment(HS_MOMENT_DROPPED)->text, drops[i].reason);
		if (i + 1 < ARRAY_LEN(drops))
			end();
	}
}

static void conntrack_is_full(void **state)
{
	struct flow flow;

	(void)state;
	samples_of_counters();
	flow = between();
	server_listens(0);
	counters[1].count[HS_COUNTER_CONNTRACK_DROPS] = 5;
	counters[1].count[HS_COUNTER_CONNTRACK_ENTRIES] = 100;
	counters[1].count[HS_COUNTER_CONNTRACK_MAX] = 100;
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "NETFILTER_DROP");
	client_fails(&flow, 0, 1);
	is_verdict("gave_up", "application", "conntrack_full", "proved");
	assert_int_equal(evidence("conntrack_drops")->number, 5);
}

static void accept_queue_full_at_the_syn(void **state)
{
	struct flow flow;

	(void)state;
	samples_of_counters();
	flow = between();
	server_listens(2);
	counters[1].count[HS_COUNTER_LISTEN_OVERFLOWS] = 3;
	client_fails(&flow, ETIMEDOUT, 3);
	is_verdict("timed_out", "syn_retries", "accept_queue_full", "proved");
	assert_int_equal(evidence("listen_overflows")->number, 3);
	assert_int_equal(evidence("backlog")->number, 2);
	assert_int_equal(evidence("backlog_limit")->number, 1);
	assert_string_equal(only_finding()->key.server->identity.name, "nginx");
}

/* The server ends before its clients give up: its listener cannot be looked at any more. */
static void accept_queue_full_of_a_listener_that_has_gone(void **state)
{
	struct hs_ev_listener record =
		listener_record("10.9.0.2", 80, SERVER_NS, SERVER_PID, 7, HS_PHASE_CLOSE);
	struct flow flow;

	(void)state;
	samples_of_counters();
	flow = between();
	flow.client_ns = SERVER_NS; /* where a process is left that can be asked */
	server_listens(2);
	counters[1].count[HS_COUNTER_LISTEN_OVERFLOWS] = 3;
	syn_again(&flow, 3);
	assert_int_equal(feed(&record), 0);
	client_fails(&flow, 0, 3);
	is_verdict("gave_up", "application", "accept_queue_full", "inferred");
	assert_int_equal(evidence("listen_overflows")->number, 3);
}

static void accept_queue_full_at_the_third_ack(void **state)
{
	struct flow flow = between();

	(void)state;
	server_listens(2);
	syn_ack_again(&flow, true);
	client_fails(&flow, ETIMEDOUT, 3);
	is_verdict("timed_out", "syn_retries", "accept_queue_full", "proved");
	assert_int_equal(evidence("third_ack_dropped")->number, 1);
	assert_int_equal(only_finding()->stage, HS_STAGE_ACCEPT);
}

/* As nginx: the master holds the listener and accepts nothing. */
static void answer_status_of_a_worker(void *arg, uint32_t pid)
{
	(void)arg;
	status.event = (struct hs_event){ .kind = HS_EV_STATUS, .size = sizeof(status), .time_ns = now_ns };
	status.pid = pid;
	status.fds = pid == SERVER_PID ? 10 : 1024;
	hs_model_feed(model, &status.event);
}

static void fds_of_a_worker_are_exhausted(void **state)
{
	struct hs_ev_listener record = listener_record("10.9.0.2", 80, SERVER_NS, SERVER_PID + 1, 7, HS_PHASE_SAMPLE);
	struct hs_model_config config = test_config();
	struct flow flow;

	end();
	memset(&status, 0, sizeof(status));
	config.ask_status = answer_status_of_a_worker;
	begin(&config);
	(void)state;
	status.fd_limit = 1024;
	flow = between();
	server_listens(2);
	record.backlog = 2;
	record.backlog_limit = 1;
	assert_int_equal(feed(&record), 0);
	syn_ack_again(&flow, true);
	client_fails(&flow, ETIMEDOUT, 3);
	is_verdict("timed_out", "syn_retries", "fd_exhausted", "proved");
	assert_int_equal(evidence("open_files")->number, 1024);
}

static void fds_are_exhausted(void **state)
{
	struct flow flow = between();

	(void)state;
	status.fds = status.fd_limit = 1024;
	status.state = 'S';
	server_listens(2);
	syn_ack_again(&flow, true);
	client_fails(&flow, ETIMEDOUT, 3);
	is_verdict("timed_out", "syn_retries", "fd_exhausted", "proved");
	assert_int_equal(evidence("open_files")->number, 1024);
}

static void syn_queue_full(void **state)
{
	struct flow flow;

	(void)state;
	samples_of_counters();
	flow = between();
	server_listens(0);
	counters[1].count[HS_COUNTER_SYN_QUEUE_DROPS] = 1;
	client_fails(&flow, 0, 1);
	is_verdict("gave_up", "application", "syn_queue_full", "proved");
}

static void synack_lost(void **state)
{
	struct flow flow = between();

	(void)state;
	server_listens(0);
	syn_ack_again(&flow, false);
	client_fails(&flow, 0, 1);
	is_verdict("gave_up", "application", "synack_lost", "proved");
}

static void refused(void **state)
{
	struct flow flow = between();

	(void)state;
	reset(&flow, HS_SERVER, true);
	reset(&flow, HS_CLIENT, false);
	client_fails(&flow, ECONNREFUSED, 0);
	is_verdict("refused", "peer", "no_listener", "proved");
}

static void refused_from_afar(void **state)
{
	struct flow flow = between();

	(void)state;
	reset(&flow, HS_CLIENT, false);
	client_fails(&flow, ECONNREFUSED, 0);
	is_verdict("refused", "peer", "no_listener", "inferred");
}

static void rejected_by_icmp(void **state)
{
	struct flow flow = between();

	(void)state;
	client_fails(&flow, ECONNREFUSED, 0);
	is_verdict("refused", "peer", "rejected", "proved");
}

static void rejected_by_a_rule_with_reset(void **state)
{
	struct flow flow = between();

	(void)state;
	server_listens(0);
	reset(&flow, HS_CLIENT, false);
	client_fails(&flow, ECONNREFUSED, 0);
	is_verdict("refused", "peer", "rejected", "proved");
}

static void unreachable(void **state)
{
	struct flow flow = between();

	(void)state;
	client_fails(&flow, EHOSTUNREACH, 0);
	is_verdict("unreachable", "peer", "host_unreachable", "inferred");
}

static void rejected_as_unreachable(void **state)
{
	struct flow flow = between();

	(void)state;
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "ICMP_HOST_UNREACH");
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "NETFILTER_DROP");
	client_fails(&flow, EHOSTUNREACH, 0);
	is_verdict("unreachable", "peer", "rejected", "proved");
	assert_string_equal(evidence("icmp_sent")->text, "ICMP_HOST_UNREACH");
	assert_int_equal(evidence("dropped_ingress")->number, 1);
	assert_string_equal(moment(HS_MOMENT_ICMP_SENT)->text, "ICMP_HOST_UNREACH");
}

static void unreachable_from_here(void **state)
{
	struct flow flow = between();

	(void)state;
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "ICMP_HOST_UNREACH");
	client_fails(&flow, EHOSTUNREACH, 0);
	is_verdict("unreachable", "peer", "host_unreachable", "proved");
}

/* The client took the error inside connect(). */
static const struct {
	const char *icmp, *reason, *cause;
} unseen[] = {
	{ "ICMP_PORT_UNREACH", "refused", "rejected" },
	{ "ICMP_HOST_UNREACH", "unreachable", "host_unreachable" },
	{ "ICMP_PKT_FILTERED", "unreachable", "host_unreachable" },
	{ "ICMP_NET_UNREACH", "unreachable", "host_unreachable" },
};

static void answered_inside_connect(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(unseen); i++) {
		struct flow flow;

		if (i)
			prepare(state);
		flow = between();
		drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, unseen[i].icmp);
		client_fails(&flow, 0, 0);
		is_verdict(unseen[i].reason, "peer", unseen[i].cause, "proved");
		if (i + 1 < ARRAY_LEN(unseen))
			end();
	}
}

/* IPv6 has no tracepoint for it. */
static void rejected_inside_connect(void **state)
{
	struct flow flow;

	(void)state;
	samples_of_counters();
	flow = between();
	counters[0].count[HS_COUNTER_LOCKED_ICMPS] = 1;
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "NETFILTER_DROP");
	client_fails(&flow, 0, 0);
	is_verdict("refused", "peer", "rejected", "proved");
	assert_int_equal(evidence("icmp_in_call")->number, 1);
}

/* Of a recording from before there were as many counters. */
static void fewer_counters(void **state)
{
	struct hs_ev_counters record = {
		.event = { .kind = HS_EV_COUNTERS, .size = HS_EV_COUNTERS_SIZE, .time_ns = now_ns }, .netns = 1,
	};
	struct flow flow;

	(void)state;
	memset(&record.count[HS_COUNTER_LOCKED_ICMPS], 0xff, sizeof(record) - HS_EV_COUNTERS_SIZE);
	samples_of_counters();
	assert_int_equal(feed(&record), 0);
	flow = between();
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "NETFILTER_DROP");
	client_fails(&flow, 0, 0);
	assert_null(hs_model_findings(model));
}

/* It was still in a queue here when it was to be sent again: 6.18 says so, older kernels do not send. */
static void neighbor_without_a_reason(void **state)
{
	struct flow flow = between();
	struct hs_ev_retransmit record = retransmit_record(&flow, HS_CLIENT, HS_RETRANSMIT_SYN, 1);

	record.error = -EBUSY;
	record.socket.state = SYN_SENT;
	assert_int_equal(feed(&record), 0);
	client_fails(&flow, EHOSTUNREACH, 1);
	is_verdict("unreachable", "local", "neighbor_failed", "proved");
	assert_string_equal(evidence("send_error")->text, "EBUSY");
	end();
	prepare(state);
	flow = between();
	client_fails(&flow, EHOSTUNREACH, 1);
	is_verdict("unreachable", "local", "neighbor_failed", "proved");
}

static void neighbor_failed(void **state)
{
	struct flow flow = between();

	(void)state;
	drop(&flow, HS_CLIENT, HS_DIRECTION_EGRESS, "NEIGH_FAILED");
	client_fails(&flow, EHOSTUNREACH, 2);
	is_verdict("unreachable", "local", "neighbor_failed", "proved");
}

static const struct {
	int error;
	const char *reason, *cause, *confidence;
} errors[] = {
	{ ENETUNREACH, "unreachable", "no_route", "proved" },
	{ EADDRNOTAVAIL, "no_ports", "ports_exhausted", "proved" },
	{ EADDRINUSE, "in_use", "address_in_use", "proved" },
	{ EACCES, "denied", "denied_by_policy", "proved" },
	{ EPERM, "denied", "denied_by_policy", "proved" },
	{ ENOBUFS, "other", "memory_pressure", "proved" },
	{ EINVAL, "other", "unknown", "unknown" },
};

static void errors_of_connect(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct hs_ev_error record;
		struct flow flow;

		if (i)
			prepare(state);
		flow = between();
		record = error_record(&flow, HS_EV_CONNECT_ERROR, errors[i].error);
		assert_int_equal(feed(&record), 0);
		is_verdict(errors[i].reason, "local", errors[i].cause, errors[i].confidence);
		assert_int_equal(evidence("connect_returned")->unit, HS_EVIDENCE_TEXT);
		if (i + 1 < ARRAY_LEN(errors))
			end();
	}
}

static void cancelled_is_no_finding(void **state)
{
	struct flow flow = between();

	(void)state;
	client_fails(&flow, 0, 0);
	assert_null(hs_model_findings(model));
}

/* The same tuple used again: what hindered the first is not said of the second. */
static void signals_of_the_past(void **state)
{
	struct flow flow = between();

	(void)state;
	drop(&flow, HS_CLIENT, HS_DIRECTION_EGRESS, "NETFILTER_DROP");
	now_ns += SEC;
	flow = between();
	flow.start_ns = now_ns;
	now_ns += SEC;
	client_fails(&flow, 0, 1);
	is_verdict("gave_up", "application", "no_answer", "inferred");
	assert_null(evidence("drop_reason"));
}

/* ---- established ---- */

static struct flow established(bool server_too)
{
	struct flow flow = between();

	server_listens(0);
	client_open(&flow);
	if (server_too)
		server_accept(&flow);
	now_ns += 20 * SEC;
	return flow;
}

static struct hs_ev_connection fails(const struct flow *flow, int error)
{
	struct hs_ev_connection record = client_record(flow, HS_PHASE_CLOSE);

	record.socket.old_state = ESTABLISHED;
	record.tcp.error = error;
	record.tcp.snd_wnd = 65535;
	record.tcp.mss = 1448;
	return record;
}

static void server_lets_go(const struct flow *flow, uint32_t closer_exit, uint8_t close)
{
	struct hs_ev_connection record = server_record(flow, HS_PHASE_CLOSE);

	record.socket.old_state = ESTABLISHED;
	record.closer_exit = closer_exit;
	record.close = close;
	assert_int_equal(feed(&record), 0);
}

static void reset_after(uint32_t closer_exit, uint8_t close, const char *cause)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, ECONNRESET);

	server_lets_go(&flow, closer_exit, close);
	reset(&flow, HS_CLIENT, false);
	assert_int_equal(feed(&record), 0);
	is_verdict("reset", "peer", cause, "proved");
	assert_int_equal(hs_failures_of(&edge("curl", "nginx", 80)->connection_failures, HS_REASON_RESET), 1);
	check_timeline();
}

static void peer_was_killed(void **state)
{
	(void)state;
	reset_after(HS_CLOSER_EXITING | HS_CLOSER_OOM | 9, HS_CLOSE_UNREAD, "peer_process_died");
	assert_int_equal(evidence("exit_signal")->number, 9);
	assert_int_equal(evidence("oom_killed")->number, 1);
	assert_int_equal(moment(HS_MOMENT_CLOSED)->number, 9);
}

static void peer_did_not_read(void **state)
{
	(void)state;
	reset_after(0, HS_CLOSE_UNREAD, "reset_unread_data");
}

static void peer_reset_on_purpose(void **state)
{
	(void)state;
	reset_after(0, HS_CLOSE_LINGER | HS_CLOSE_UNREAD, "reset_by_linger");
}

static void reset_on_overflow(void **state)
{
	struct hs_ev_connection record;
	struct flow flow;

	(void)state;
	samples_of_counters();
	flow = between();
	server_listens(2);
	client_open(&flow);
	counters[1].count[HS_COUNTER_LISTEN_OVERFLOWS] = 1;
	record = fails(&flow, ECONNRESET);
	assert_int_equal(feed(&record), 0);
	is_verdict("reset", "peer", "reset_on_overflow", "proved");
}

static void stale(void **state)
{
	struct flow flow = between();
	struct hs_ev_connection record;

	(void)state;
	client_open(&flow);
	now_ns += 20 * SEC;
	record = fails(&flow, ECONNRESET);
	record.tcp.last_received_ms = 19000;
	record.tcp.last_sent_ms = 2;
	assert_int_equal(feed(&record), 0);
	is_verdict("reset", "peer", "stale_connection", "inferred");
}

static void reset_after_its_own_close_is_none(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, ECONNRESET);

	(void)state;
	record.socket.old_state = FIN_WAIT2;
	record.closer_pid = CLIENT_PID;
	assert_int_equal(feed(&record), 0);
	assert_null(hs_model_findings(model));
}

static void user_timeout_and_a_drop(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, ETIMEDOUT);

	(void)state;
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "NETFILTER_DROP");
	record.tcp.user_timeout_ms = 3000;
	record.tcp.retransmits = 4;
	record.tcp.unacked_bytes = 100;
	assert_int_equal(feed(&record), 0);
	is_verdict("timed_out", "user_timeout", "dropped_ingress", "proved");
}

static void retransmission_limit(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, ETIMEDOUT);

	(void)state;
	record.tcp.retransmits = 15;
	record.tcp.unacked_bytes = 100;
	assert_int_equal(feed(&record), 0);
	is_verdict("timed_out", "retransmission_limit", "path_loss", "inferred");
}

static void mtu_blackhole(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, ETIMEDOUT);

	(void)state;
	record.tcp.retransmits = 15;
	record.tcp.unacked_bytes = 14480;
	record.tcp.bytes_acked = 80;
	assert_int_equal(feed(&record), 0);
	is_verdict("timed_out", "retransmission_limit", "mtu_blackhole", "inferred");
}

/* Many small segments had passed, and then the first large ones do not; or large ones had, too. */
static void mtu_blackhole_later(void **state)
{
	for (int large = 0; large < 2; large++) {
		struct flow flow = established(true);
		struct hs_ev_connection record = fails(&flow, ETIMEDOUT);

		record.tcp.retransmits = 15;
		record.tcp.unacked_bytes = 14480;
		record.tcp.bytes_acked = 50000;
		record.tcp.delivered = large ? 40 : 101;
		assert_int_equal(feed(&record), 0);
		is_verdict("timed_out", "retransmission_limit", large ? "path_loss" : "mtu_blackhole", "inferred");
		end();
		prepare(state);
	}
}

static void keepalive(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, ETIMEDOUT);

	(void)state;
	record.tcp.probes_out = 3;
	assert_int_equal(feed(&record), 0);
	is_verdict("timed_out", "keepalive", "peer_silent", "inferred");
	assert_int_equal(evidence("keepalive_probes")->number, 3);
}

static void zero_window_limit(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, ETIMEDOUT);

	(void)state;
	record.tcp.snd_wnd = 0;
	record.tcp.unacked_bytes = 70000;
	assert_int_equal(feed(&record), 0);
	is_verdict("timed_out", "zero_window_limit", "peer_not_reading", "proved");
}

static struct flow closes_without_an_answer(void)
{
	struct flow flow = established(true);
	struct hs_ev_connection record;

	flow.received = 0;
	record = fails(&flow, 0);
	record.socket.old_state = FIN_WAIT2;
	record.closer_pid = CLIENT_PID;
	record.tcp.last_sent_ms = 5000;
	record.tcp.last_received_ms = 20000;
	record.tcp.unread_bytes = 1; /* the server's FIN */
	record.tcp.fin |= HS_FIN_RECEIVED;
	assert_int_equal(feed(&record), 0);
	assert_null(hs_model_findings(model)); /* the server may have nothing to say */
	return flow;
}

static void gave_up_waiting(void **state)
{
	(void)state;
	closes_without_an_answer();
	wait_ns(2 * SEC);
	is_verdict("aborted", "application", "server_thinking", "proved");
	assert_null(evidence("unread")); /* a FIN is nothing to read */
}

/* As log shippers do: the server reads to the end and closes. */
static void one_that_only_sends(void **state)
{
	struct flow flow = closes_without_an_answer();

	(void)state;
	now_ns += MS;
	server_close(&flow);
	wait_ns(3 * SEC);
	assert_null(hs_model_findings(model));
}

static void killed_with_a_request(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record;

	(void)state;
	flow.received = 0;
	record = server_record(&flow, HS_PHASE_CLOSE);
	record.closer_exit = HS_CLOSER_EXITING | 9;
	record.tcp.last_received_ms = 100;
	record.tcp.last_sent_ms = 20000;
	assert_int_equal(feed(&record), 0);
	is_verdict("aborted", "peer", "peer_process_died", "proved");
}

/* It gives up while the window is closed; the kernel goes on for a while. */
static void abandoned(void **state)
{
	struct hs_ev_connection record;
	struct flow flow;

	(void)state;
	flow = established(true);
	record = client_record(&flow, HS_PHASE_ABANDONED);
	record.tcp.snd_wnd = 65535;
	record.closer_pid = CLIENT_PID;
	record.tcp.retransmits = 4;
	record.tcp.unacked_bytes = 100;
	assert_int_equal(feed(&record), 0);
	is_verdict("aborted", "application", "path_loss", "inferred");
	now_ns += 90 * SEC;
	record = fails(&flow, ENETUNREACH);
	record.socket.old_state = FIN_WAIT1;
	record.closer_pid = CLIENT_PID;
	record.tcp.unacked_bytes = 101;
	assert_int_equal(feed(&record), 0);
	is_verdict("aborted", "application", "path_loss", "inferred");
}

/* The router's answer came inside connect(), and the client took the error itself. */
static void unreachable_unseen(void **state)
{
	struct flow flow = between();

	(void)state;
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "IP_INNOROUTES");
	now_ns += MS;
	client_fails(&flow, 0, 0);
	is_verdict("unreachable", "local", "no_route", "proved");
}

/* Happy eyeballs, with a rule that drops one family: the slower one is cancelled. */
static void cancelled_before_a_silent_drop_shows(void **state)
{
	struct flow flow = between();

	(void)state;
	drop(&flow, HS_CLIENT, HS_DIRECTION_INGRESS, "NETFILTER_DROP");
	now_ns += MS;
	client_fails(&flow, 0, 0);
	assert_null(hs_model_findings(model));
}

static void an_answered_one_closes_in_peace(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = fails(&flow, 0);

	(void)state;
	record.socket.old_state = FIN_WAIT2;
	record.closer_pid = CLIENT_PID;
	record.tcp.last_sent_ms = 5000;
	record.tcp.last_received_ms = 4000;
	assert_int_equal(feed(&record), 0);
	assert_null(hs_model_findings(model));
}

/* ---- what hangs ---- */

static void sampled(struct hs_ev_connection *record, unsigned passes)
{
	for (unsigned i = 0; i < passes; i++) {
		pass_begin();
		record->socket.event.time_ns = now_ns;
		assert_int_equal(feed(record), 0);
		pass_end();
		wait_ns(SEC);
	}
}

static void window_closed(struct flow *flow, struct hs_ev_connection *record)
{
	*flow = established(true);
	*record = client_record(flow, HS_PHASE_SAMPLE);
	record->tcp.unacked_bytes = 70000;
	record->tcp.pending_timer = 3;
	sampled(record, 4);
}

static void peer_does_not_read(void **state)
{
	struct hs_ev_connection record;
	struct flow flow;

	(void)state;
	window_closed(&flow, &record);
	is_verdict("stuck", "pending", "peer_not_reading", "proved");
	assert_int_equal(only_finding()->stuck, 1);
	assert_int_equal(edge("curl", "nginx", 80)->stuck[HS_CAUSE_PEER_NOT_READING], 1);
	assert_non_null(moment(HS_MOMENT_NOW));
	record.tcp.unacked_bytes = record.tcp.pending_timer = 0;
	sampled(&record, 1);
	assert_int_equal(only_finding()->stuck, 0);
	assert_int_equal(only_finding()->count, 1);
	assert_int_equal(edge("curl", "nginx", 80)->stuck[HS_CAUSE_PEER_NOT_READING], 0);
}

/* Told while it hung, then failed: one incident. */
static void stuck_then_failed_is_one(void **state)
{
	struct hs_ev_connection record;
	struct flow flow;

	(void)state;
	window_closed(&flow, &record);
	record = fails(&flow, ETIMEDOUT);
	record.tcp.snd_wnd = 0;
	record.tcp.unacked_bytes = 70000;
	assert_int_equal(feed(&record), 0);
	is_verdict("timed_out", "zero_window_limit", "peer_not_reading", "proved");
}

static void syn_in_flight(void **state)
{
	struct flow flow = between();
	struct hs_ev_connection record = client_record(&flow, HS_PHASE_SAMPLE);

	(void)state;
	record.established_ns = 0;
	record.socket.state = record.socket.old_state = SYN_SENT;
	record.tcp.retransmits = record.tcp.total_retrans = record.tcp.retrans[HS_RETRANSMIT_SYN] = 2;
	sampled(&record, 4);
	is_verdict("stuck", "pending", "no_answer", "inferred");
	assert_int_equal(only_finding()->stuck, 1);
	assert_int_equal(only_finding()->stage, HS_STAGE_CONNECT);
}

static void does_not_read(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = server_record(&flow, HS_PHASE_SAMPLE);

	(void)state;
	record.tcp.unread_bytes = 500;
	record.tcp.last_received_ms = 8000;
	status.state = 'T';
	sampled(&record, 4);
	is_verdict("stuck", "pending", "local_not_reading", "proved");
	assert_string_equal(evidence("process_state")->text, "T");
}

static void leaks_in_close_wait(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = server_record(&flow, HS_PHASE_SAMPLE);

	(void)state;
	record.socket.state = CLOSE_WAIT;
	sampled(&record, 10);
	assert_null(hs_model_findings(model)); /* half closed: that may be meant */
	sampled(&record, 55);
	is_verdict("stuck", "pending", "close_wait_leak", "proved");
}

static void idle_is_not_stuck(void **state)
{
	struct flow flow = established(true);
	struct hs_ev_connection record = client_record(&flow, HS_PHASE_SAMPLE);

	(void)state;
	record.tcp.snd_wnd = 65535;
	record.tcp.last_sent_ms = record.tcp.last_received_ms = 100000;
	sampled(&record, 10);
	assert_null(hs_model_findings(model));
}

/* ---- groups ---- */

static void many_of_a_kind(void **state)
{
	struct flow flow;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		flow = between();
		flow.client_port = 10000 + i;
		client_fails(&flow, ECONNREFUSED, 0);
		now_ns += MS / 10;
	}
	assert_int_equal(only_finding()->count, 10000);
	assert_int_equal(only_finding()->end[HS_CLIENT].port, 19999);
}

static void the_table_is_bounded(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	end();
	config.max_findings = 4;
	begin(&config);
	for (int i = 0; i < 10; i++) {
		struct flow flow = between();

		flow.server_port = 100 + i;
		client_fails(&flow, ECONNREFUSED, 0);
		now_ns += MS;
	}
	assert_int_equal(dropped(HS_MODEL_LOSS_FINDING), 6);
	for (const struct hs_finding *f = hs_model_findings(model); f; f = f->hh.next)
		assert_true(f->key.server_port >= 106);
}

static void signals_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct flow flow = between();

		flow.client_port = 10000 + i;
		drop(&flow, HS_CLIENT, HS_DIRECTION_EGRESS, "NETFILTER_DROP");
	}
	assert_int_equal(dropped(HS_MODEL_LOSS_SIGNAL), 5000 - 4096);
}

static void names_of_causes(void **state)
{
	(void)state;
	for (int cause = 0; cause < HS_CAUSE_MAX; cause++) {
		assert_non_null(hs_cause_name(cause));
		assert_int_equal(hs_cause_of_name(hs_cause_name(cause)), cause);
		assert_non_null(hs_cause_summary(cause));
		assert_non_null(hs_cause_remedy(cause));
	}
	assert_int_equal(hs_cause_of_name("nothing"), -1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, prepare, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(no_answer), CASE(given_up), CASE(dropped_here), CASE(conntrack_is_full),
		CASE(accept_queue_full_at_the_syn), CASE(accept_queue_full_at_the_third_ack),
		CASE(accept_queue_full_of_a_listener_that_has_gone),
		CASE(fds_are_exhausted), CASE(syn_queue_full), CASE(synack_lost), CASE(refused),
		CASE(refused_from_afar), CASE(rejected_by_icmp), CASE(rejected_by_a_rule_with_reset),
		CASE(unreachable), CASE(unreachable_from_here), CASE(rejected_as_unreachable),
		CASE(answered_inside_connect), CASE(rejected_inside_connect), CASE(fewer_counters),
		CASE(neighbor_failed), CASE(neighbor_without_a_reason), CASE(fds_of_a_worker_are_exhausted),
		CASE(errors_of_connect), CASE(cancelled_is_no_finding),
		CASE(signals_of_the_past), CASE(peer_was_killed), CASE(peer_did_not_read),
		CASE(peer_reset_on_purpose), CASE(reset_on_overflow), CASE(stale),
		CASE(reset_after_its_own_close_is_none), CASE(user_timeout_and_a_drop),
		CASE(retransmission_limit), CASE(mtu_blackhole), CASE(mtu_blackhole_later), CASE(keepalive), CASE(zero_window_limit),
		CASE(gave_up_waiting), CASE(one_that_only_sends), CASE(killed_with_a_request),
		CASE(abandoned), CASE(unreachable_unseen), CASE(cancelled_before_a_silent_drop_shows), CASE(an_answered_one_closes_in_peace), CASE(peer_does_not_read),
		CASE(stuck_then_failed_is_one), CASE(syn_in_flight), CASE(does_not_read),
		CASE(leaks_in_close_wait), CASE(idle_is_not_stuck), CASE(many_of_a_kind),
		CASE(the_table_is_bounded), CASE(signals_are_bounded), CASE(names_of_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
