/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records at random, from fixed seeds. A simulated node, whose kernel sends its records in any
 * order that the real one could, must be counted exactly. Records without any sense must do
 * nothing worse than to be counted wrongly: no crash, no leak, no broken invariant.
 */
#include <stdio.h>

#include "model/record.h"

static uint64_t seed;

/* xorshift64*: the same numbers everywhere. */
static uint32_t below(uint32_t bound)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * 2685821657736338717ull >> 33) % bound;
}

/* ---- a node ---- */

#define FLOWS 64
#define SERVERS 4
#define CLIENTS 6

struct life {
	struct flow flow;
	bool used, client_here, server_here, accepted, client_closed, server_closed, failed;
	uint64_t opened_ns;
};

static struct life lives[FLOWS];
static struct totals truth;
static uint16_t next_port;

static void node_begin(uint64_t with)
{
	seed = with;
	memset(lives, 0, sizeof(lives));
	memset(&truth, 0, sizeof(truth));
	next_port = 10000;
	begin(NULL);
	for (uint32_t i = 0; i < SERVERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "server%u", i);
		process(500 + i, name);
		listen_on(i % 2 ? "0.0.0.0" : "10.0.0.1", 8000 + i, 1, 500 + i, 900 + i);
	}
	for (uint32_t i = 0; i < CLIENTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "client%u", i);
		process(600 + i, name);
	}
}

/* Of every four flows one comes from outside, one goes outside, and two stay on the node. */
static void live_begin(struct life *life)
{
	unsigned kind = below(4), server = below(SERVERS);

	memset(life, 0, sizeof(*life));
	life->used = true;
	life->flow = flow_make();
	life->flow.client = kind == 0 ? "192.0.2.1" : "10.0.0.1";
	life->flow.server = kind == 1 ? "192.0.2.2" : "10.0.0.1";
	life->flow.client_pid = 600 + below(CLIENTS);
	life->flow.server_pid = 500 + server;
	life->flow.client_port = next_port++;
	life->flow.server_port = 8000 + server;
	if (next_port > 60000)
		next_port = 10000;
	life->flow.sent = life->flow.received = 0;
	life->client_here = kind != 0;
	life->server_here = kind != 1;
	life->failed = below(10) == 0;
	life->opened_ns = now_ns;
}

static void refuse(struct life *life)
{
	static const struct {
		int error;
		enum hs_reason reason;
	} ends[] = {
		{ 111, HS_REASON_REFUSED }, { 110, HS_REASON_TIMED_OUT }, { 0, HS_REASON_GAVE_UP },
	};
	unsigned how = below(ARRAY_LEN(ends));

	client_fails(&life->flow, ends[how].error, how);
	truth.failures[ends[how].reason]++;
	truth.failed++;
	truth.retransmits[HS_CLIENT][HS_RETRANSMIT_SYN] += how;
	life->used = false;
}

static void begin_life(struct life *life)
{
	live_begin(life);
	if (life->failed && life->client_here) {
		refuse(life);
		return;
	}
	truth.connects++;
	if (life->client_here && life->server_here && below(2)) { /* its two records in either order */
		server_accept(&life->flow);
		life->accepted = true;
	}
	if (life->client_here)
		client_open(&life->flow);
	if (life->server_here && !life->accepted) {
		server_accept(&life->flow);
		life->accepted = true;
	}
}

static void talk(struct life *life)
{
	life->flow.sent += below(1000);
	life->flow.received += below(100000);
}

static void shut(struct life *life)
{
	bool first = below(2);

	for (int i = 0; i < 2; i++) {
		bool client = (i == 0) == first;

		if (client && life->client_here && !life->client_closed) {
			client_close(&life->flow);
			life->client_closed = true;
		} else if (!client && life->server_here && !life->server_closed) {
			server_close(&life->flow);
			life->server_closed = true;
		}
		if (below(3) == 0)
			break; /* the other end closes later */
	}
	if ((life->client_here && !life->client_closed) || (life->server_here && !life->server_closed))
		return;
	life->used = false;
	truth.closes++;
	truth.sent += life->flow.sent;
	truth.received += life->flow.received;
}

static void meet_all(void)
{
	pass_begin();
	for (int i = 0; i < FLOWS; i++) {
		struct life *life = &lives[i];

		if (!life->used)
			continue;
		if (life->client_here && !life->client_closed)
			client_sample(&life->flow);
		if (life->server_here && !life->server_closed)
			server_sample(&life->flow);
	}
	pass_end();
}

static void step(void)
{
	struct life *life = &lives[below(FLOWS)];
	bool shutting = life->client_closed || life->server_closed;

	now_ns += below(20) * MS;
	if (!life->used)
		begin_life(life);
	else if (below(3) == 0 || shutting)
		shut(life);
	else
		talk(life);
	if (below(50) == 0)
		meet_all();
	if (below(20) == 0)
		hs_model_tick(model, now_ns);
}

static void same(const char *what, uint64_t have, uint64_t want)
{
	if (have != want)
		fail_msg("%s: %lu, expected %lu", what, have, want);
}

static void finish_all(void)
{
	for (int i = 0; i < FLOWS; i++)
		while (lives[i].used)
			shut(&lives[i]);
	wait_ns(70 * SEC);
}

static void a_node_is_counted_exactly(void **state)
{
	(void)state;
	for (uint64_t run = 1; run <= 10; run++) {
		struct totals have;

		node_begin(run * 7919);
		for (int i = 0; i < 5000; i++) {
			step();
			if (i % 500 == 0)
				check_invariants();
		}
		finish_all();
		have = totals();
		same("connects", have.connects, truth.connects);
		same("closes", have.closes, truth.closes);
		same("connects and closes", have.closes, have.connects);
		same("active", have.active, 0);
		same("failed", have.failed, truth.failed);
		for (int i = 0; i < HS_REASON_MAX; i++)
			same(hs_reason_name(i), have.failures[i], truth.failures[i]);
		same("sent", have.sent, truth.sent);
		same("received", have.received, truth.received);
		same("SYN retransmits", have.retransmits[HS_CLIENT][HS_RETRANSMIT_SYN],
		     truth.retransmits[HS_CLIENT][HS_RETRANSMIT_SYN]);
		same("connect durations", have.connect_durations,
		     truth.connects - (have.connects - have.connect_durations));
		same("left", hs_model_connection_count(model), 0);
		same("dropped", dropped_in_all(), 0);
		assert_true(have.edges <= CLIENTS * (SERVERS + 1) * SERVERS + SERVERS);
		end();
	}
}

/* ---- nonsense ---- */

#define VALUES 5 /* few values, so that records meet */

static uint64_t some_time(void)
{
	return below(4) ? now_ns - below(1000) * MS : below(2) ? 0 : below(1u << 31);
}

static void some_address(uint8_t address[16])
{
	static const char *const texts[VALUES] = { "127.0.0.1", "10.0.0.1", "10.0.0.2", "::1", "fd00::1" };

	address_of(texts[below(VALUES)], address);
}

static struct hs_ev_socket some_socket(enum hs_event_kind kind, size_t size)
{
	struct hs_ev_socket record = {
		.event = { .kind = kind, .size = size, .time_ns = some_time() },
		.cookie = below(40),
		.tuple = {
			.local_port = below(VALUES),
			.remote_port = below(VALUES),
			.netns = below(3),
		},
		.pid = below(12),
		.tid = below(12),
		.role = below(3),
		.state = below(13),
		.old_state = below(13),
		.phase = below(5),
	};

	some_address(record.tuple.local);
	some_address(record.tuple.remote);
	return record;
}

static void some_connection(void)
{
	struct hs_ev_connection record = {
		.socket = some_socket(HS_EV_CONNECTION, sizeof(record)),
		.start_ns = some_time(),
		.established_ns = some_time(),
		.closer_pid = below(12),
		.tcp = {
			.bytes_acked = below(1000),
			.bytes_received = below(1000),
			.srtt_us = below(1000),
			.retransmits = below(3),
			.total_retrans = below(3),
			.error = below(3) ? 0 : below(140),
			.resets_received = below(3),
			.resets_sent = below(3),
		},
		.accept_ns = below(2) ? 0 : now_ns - below(SEC),
	};

	for (int i = 0; i < HS_RETRANSMIT_MAX; i++)
		record.tcp.retrans[i] = below(10);
	feed(&record);
}

static void some_listener(void)
{
	struct hs_ev_listener record = {
		.socket = some_socket(HS_EV_LISTENER, sizeof(record)),
		.backlog = below(10),
		.drops = below(UINT32_MAX),
		.synack_retrans = below(UINT32_MAX),
	};

	if (below(2))
		memset(record.socket.tuple.local, 0, 16);
	feed(&record);
}

static void some_error(void)
{
	struct hs_ev_error record = {
		.socket = some_socket(below(2) ? HS_EV_SOCKET_ERROR : HS_EV_CONNECT_ERROR, sizeof(record)),
		.error = (int)below(300) - 150,
		.duration_ns = below(1000),
	};

	feed(&record);
}

static void some_retransmit(void)
{
	struct hs_ev_retransmit record = {
		.socket = some_socket(HS_EV_RETRANSMIT, sizeof(record)),
		.kind = below(HS_RETRANSMIT_MAX + 1),
		.segments = below(5),
	};

	feed(&record);
}

static void some_reset(void)
{
	struct hs_ev_reset record = {
		.socket = some_socket(HS_EV_RESET, sizeof(record)),
		.sent = below(2),
		.reason = (int)below(40) - 1,
	};

	feed(&record);
}

static void some_process(void)
{
	static const char *const names[VALUES] = { "nginx", "curl", "python3", "a", "\xff\n" };

	feed(process_record(below(12), names[below(VALUES)], below(2) ? "" : "x.service/system.slice"));
}

static void some_pass(void)
{
	struct hs_ev_pass record = {
		.event = { .kind = HS_EV_PASS, .size = sizeof(record), .time_ns = now_ns },
		.number = below(10) ? pass_number : pass_number + below(20),
		.end = below(3) == 0,
	};

	pass_number = record.number + record.end;
	feed(&record);
}

static void some_accept(void)
{
	struct hs_ev_socket record = some_socket(HS_EV_ACCEPT, sizeof(record));

	feed(&record);
}

static void some_loss(void)
{
	struct hs_ev_loss record = {
		.event = { .kind = HS_EV_LOSS, .size = sizeof(record), .time_ns = now_ns },
		.count = { below(2), below(2), below(2) },
	};

	feed(&record);
}

static void (*const makers[])(void) = {
	some_connection, some_connection, some_connection, some_connection, some_connection, some_accept,
	some_listener, some_error, some_retransmit, some_reset, some_process, some_pass, some_loss,
};

static void introduce(void *arg, uint32_t pid)
{
	(void)arg;
	if (pid % 2)
		process(pid, "introduced");
}

static void nonsense(uint64_t with, const struct hs_model_config *config, int records)
{
	begin(config);
	seed = with;
	for (int i = 0; i < records; i++) {
		now_ns += below(30) * MS;
		makers[below(ARRAY_LEN(makers))]();
		if (below(8) == 0)
			hs_model_tick(model, now_ns);
		if (below(2000) == 0)
			wait_ns(below(120) * SEC);
		if (i % 100 == 0)
			check_invariants();
	}
	check_invariants();
	end();
}

static void nonsense_breaks_nothing(void **state)
{
	(void)state;
	nonsense(1, NULL, 100000);
}

static void nonsense_in_small_tables(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.max_connections = 6;
	config.max_edges = 4;
	config.max_workloads = 5;
	config.max_processes = 3;
	config.max_listeners = 4;
	config.max_events = 16;
	config.edge_ttl_ns = SEC;
	config.self_pid = 3;
	config.introduce = introduce;
	for (uint64_t run = 0; run < 10; run++)
		nonsense(2 + run, &config, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_node_is_counted_exactly, tear_down),
		cmocka_unit_test_teardown(nonsense_breaks_nothing, tear_down),
		cmocka_unit_test_teardown(nonsense_in_small_tables, tear_down),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
