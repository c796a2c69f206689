/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/record.h"

#include <arpa/inet.h>

struct hs_model *model;
uint64_t now_ns;
uint32_t pass_number;

/* ---- the model ---- */

struct hs_model_config test_config(void)
{
	struct hs_model_config config = hs_model_defaults;

	config.max_events = 256;
	return config;
}

void begin(const struct hs_model_config *config)
{
	struct hs_model_config defaults = test_config();

	now_ns = BEGIN_NS;
	pass_number = 0;
	hs_model_free(model); /* of a test that failed */
	model = hs_model_new(config ? config : &defaults);
	assert_non_null(model);
	process(CLIENT_PID, "curl");
	process(SERVER_PID, "nginx");
}

void end(void)
{
	hs_model_free(model);
	model = NULL;
}

int set_up(void **state)
{
	(void)state;
	begin(NULL);
	return 0;
}

int tear_down(void **state)
{
	(void)state;
	end();
	return 0;
}

int feed(const void *record)
{
	return hs_model_feed(model, record);
}

void wait_ns(uint64_t ns)
{
	for (uint64_t until = now_ns + ns; now_ns < until;) {
		now_ns = until - now_ns < SEC / 4 ? until : now_ns + SEC / 4;
		hs_model_tick(model, now_ns);
	}
}

static struct hs_event header(enum hs_event_kind kind, size_t size)
{
	return (struct hs_event){ .kind = kind, .size = size, .time_ns = now_ns };
}

static void pass(uint32_t end_of_pass)
{
	struct hs_ev_pass record = {
		.event = header(HS_EV_PASS, sizeof(record)),
		.number = pass_number,
		.end = end_of_pass,
	};

	assert_int_equal(feed(&record), 0);
}

void pass_begin(void)
{
	pass_number++;
	pass(0);
}

void pass_end(void)
{
	pass(1);
}

/* ---- builders ---- */

void address_of(const char *text, uint8_t address[16])
{
	memset(address, 0, 16);
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, address), 1);
		return;
	}
	address[10] = address[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, address + 12), 1);
}

struct flow flow_make(void)
{
	static uint64_t cookie = 1000;

	cookie += 2;
	return (struct flow){
		.client = "127.0.0.1",
		.server = "127.0.0.1",
		.client_port = 40000,
		.server_port = 80,
		.client_ns = 1,
		.server_ns = 1,
		.client_pid = CLIENT_PID,
		.server_pid = SERVER_PID,
		.client_cookie = cookie,
		.server_cookie = cookie + 1,
		.start_ns = now_ns,
		.established_ns = now_ns + MS / 10,
		.sent = 100,
		.received = 2000,
	};
}

static struct hs_ev_socket socket_record(const struct flow *flow, enum hs_side side, enum hs_event_kind kind,
					 size_t size)
{
	struct hs_ev_socket record = { .event = header(kind, size) };
	bool client = side == HS_CLIENT;

	address_of(client ? flow->client : flow->server, record.tuple.local);
	address_of(client ? flow->server : flow->client, record.tuple.remote);
	record.tuple.local_port = client ? flow->client_port : flow->server_port;
	record.tuple.remote_port = client ? flow->server_port : flow->client_port;
	record.tuple.netns = client ? flow->client_ns : flow->server_ns;
	record.cookie = client ? flow->client_cookie : flow->server_cookie;
	record.pid = record.tid = client ? flow->client_pid : flow->server_pid;
	record.role = client ? HS_ROLE_CLIENT : HS_ROLE_SERVER;
	record.state = record.old_state = ESTABLISHED;
	return record;
}

static struct hs_ev_connection connection_record(const struct flow *flow, enum hs_side side, enum hs_phase phase)
{
	struct hs_ev_connection record = {
		.socket = socket_record(flow, side, HS_EV_CONNECTION, sizeof(record)),
		.start_ns = flow->start_ns,
		.established_ns = flow->established_ns,
	};
	bool payload = phase != HS_PHASE_OPEN;

	record.socket.phase = phase;
	if (phase == HS_PHASE_CLOSE)
		record.socket.state = CLOSE;
	if (phase == HS_PHASE_OPEN)
		record.socket.event.size = HS_EV_CONNECTION_OPEN_SIZE;
	if (payload) {
		record.tcp.bytes_acked = side == HS_CLIENT ? flow->sent : flow->received;
		record.tcp.bytes_received = side == HS_CLIENT ? flow->received : flow->sent;
	}
	record.tcp.srtt_us = flow->srtt_us;
	record.inode = record.socket.cookie + 100000;
	return record;
}

struct hs_ev_connection client_record(const struct flow *flow, enum hs_phase phase)
{
	struct hs_ev_connection record = connection_record(flow, HS_CLIENT, phase);

	if (phase == HS_PHASE_OPEN)
		record.socket.old_state = SYN_SENT;
	return record;
}

/* Until accept() nobody owns it, and the hooks see no process that does: pid is 0 but in samples. */
struct hs_ev_connection server_record(const struct flow *flow, enum hs_phase phase)
{
	struct hs_ev_connection record = connection_record(flow, HS_SERVER, phase);

	if (phase != HS_PHASE_SAMPLE)
		record.socket.pid = record.socket.tid = 0;
	if (phase == HS_PHASE_CLOSE) {
		record.closer_pid = record.closer_tid = flow->server_pid;
		record.socket.old_state = LAST_ACK;
	}
	return record;
}

struct hs_ev_socket accept_record(const struct flow *flow)
{
	return socket_record(flow, HS_SERVER, HS_EV_ACCEPT, sizeof(struct hs_ev_socket));
}

struct hs_ev_listener listener_record(const char *address, uint16_t port, uint32_t netns, uint32_t pid,
				      uint64_t cookie, enum hs_phase phase)
{
	struct hs_ev_listener record = {
		.socket = {
			.event = header(HS_EV_LISTENER, sizeof(record)),
			.cookie = cookie,
			.tuple = { .local_port = port, .netns = netns },
			.pid = pid,
			.tid = pid,
			.state = phase == HS_PHASE_CLOSE ? CLOSE : LISTEN,
			.phase = phase,
		},
		.backlog_limit = 128,
	};

	address_of(address, record.socket.tuple.local);
	return record;
}

struct hs_ev_retransmit retransmit_record(const struct flow *flow, enum hs_side side,
					  enum hs_retransmit_kind kind, uint32_t segments)
{
	return (struct hs_ev_retransmit){
		.socket = socket_record(flow, side, HS_EV_RETRANSMIT, sizeof(struct hs_ev_retransmit)),
		.kind = kind,
		.segments = segments,
		.attempt = 1,
		.rto_us = 200000,
	};
}

struct hs_ev_reset reset_record(const struct flow *flow, enum hs_side side, bool sent)
{
	return (struct hs_ev_reset){
		.socket = socket_record(flow, side, HS_EV_RESET, sizeof(struct hs_ev_reset)),
		.sent = sent,
		.reason = -1,
	};
}

struct hs_ev_error error_record(const struct flow *flow, enum hs_event_kind kind, int error)
{
	struct hs_ev_error record = {
		.socket = socket_record(flow, HS_CLIENT, kind, sizeof(record)),
		.error = error,
	};

	if (kind != HS_EV_CONNECT_ERROR)
		return record;
	record.socket.cookie = 0;
	record.socket.tuple.local_port = 0;
	memset(record.socket.tuple.local, 0, sizeof(record.socket.tuple.local));
	record.duration_ns = 5000;
	return record;
}

const struct hs_ev_process *process_record(uint32_t pid, const char *exe, const char *cgroup)
{
	static union {
		struct hs_ev_process process;
		char bytes[HS_EV_PROCESS_MAX];
	} record;
	struct hs_ev_process *process = &record.process;
	size_t exe_len = strlen(exe) + 1, cgroup_len = strlen(cgroup) ? strlen(cgroup) + 1 : 0;

	memset(&record, 0, sizeof(record));
	process->event = header(HS_EV_PROCESS, (sizeof(*process) + exe_len + cgroup_len + 7) & ~7u);
	process->pid = pid;
	process->parent_pid = 1;
	process->start_ns = 5 * SEC;
	strncpy(process->comm, exe, sizeof(process->comm) - 1);
	process->exe_len = exe_len;
	process->cgroup_len = cgroup_len;
	memcpy(record.bytes + sizeof(*process), exe, exe_len);
	for (size_t i = 0; i < cgroup_len; i++)
		record.bytes[sizeof(*process) + exe_len + i] = cgroup[i] == '/' ? '\0' : cgroup[i];
	return process;
}

/* ---- fed ---- */

static void feed_connection(struct hs_ev_connection record)
{
	assert_int_equal(feed(&record), 0);
}

void client_open(const struct flow *flow)
{
	feed_connection(client_record(flow, HS_PHASE_OPEN));
}

void client_sample(const struct flow *flow)
{
	feed_connection(client_record(flow, HS_PHASE_SAMPLE));
}

void client_close(const struct flow *flow)
{
	feed_connection(client_record(flow, HS_PHASE_CLOSE));
}

void client_fails(const struct flow *flow, int error, unsigned retransmits)
{
	struct hs_ev_connection record = client_record(flow, HS_PHASE_CLOSE);

	record.socket.old_state = SYN_SENT;
	record.established_ns = 0;
	record.tcp.bytes_acked = record.tcp.bytes_received = 0;
	record.tcp.error = error;
	record.tcp.retransmits = record.tcp.total_retrans = retransmits;
	record.tcp.retrans[HS_RETRANSMIT_SYN] = retransmits;
	feed_connection(record);
}

void server_open(const struct flow *flow)
{
	feed_connection(server_record(flow, HS_PHASE_OPEN));
}

void server_accept(const struct flow *flow)
{
	struct hs_ev_socket record = accept_record(flow);

	assert_int_equal(feed(&record), 0);
}

void server_sample(const struct flow *flow)
{
	feed_connection(server_record(flow, HS_PHASE_SAMPLE));
}

void server_close(const struct flow *flow)
{
	feed_connection(server_record(flow, HS_PHASE_CLOSE));
}

void listen_on(const char *address, uint16_t port, uint32_t netns, uint32_t pid, uint64_t cookie)
{
	struct hs_ev_listener record = listener_record(address, port, netns, pid, cookie, HS_PHASE_OPEN);

	assert_int_equal(feed(&record), 0);
}

void process(uint32_t pid, const char *exe)
{
	assert_int_equal(feed(process_record(pid, exe, "")), 0);
}

/* ---- reading ---- */

const struct hs_edge *edge(const char *client, const char *server, uint16_t port)
{
	for (const struct hs_edge *e = hs_model_edges(model); e; e = e->hh.next)
		if (!strcmp(e->key.client->identity.name, client) &&
		    !strcmp(e->key.server->identity.name, server) && e->key.server_port == port)
			return e;
	return NULL;
}

static void add_edge(struct totals *sum, const struct hs_edge *e)
{
	sum->edges++;
	sum->connects += e->connects;
	sum->closes += e->closes;
	sum->cancelled += e->cancelled;
	sum->active += e->active;
	sum->sent += e->sent_bytes;
	sum->received += e->received_bytes;
	for (int i = HS_REASON_NONE + 1; i < HS_REASON_MAX; i++)
		sum->failures[i] += hs_failures_of(&e->failures, i);
	sum->failed += hs_failures_total(&e->failures);
	for (int side = 0; side < HS_SIDES; side++) {
		sum->resets[side] += e->resets[side];
		for (int i = 0; i < HS_RETRANSMIT_MAX; i++)
			sum->retransmits[side][i] += e->retransmits[side][i];
	}
	sum->connect_durations += hs_histogram_total(&e->connect_duration);
	sum->accept_delays += hs_histogram_total(&e->accept_delay);
	sum->connection_durations += hs_histogram_total(&e->connection_duration);
	sum->rtts += hs_histogram_total(&e->rtt);
}

struct totals totals(void)
{
	struct totals sum = {};

	for (const struct hs_edge *e = hs_model_edges(model); e; e = e->hh.next)
		add_edge(&sum, e);
	return sum;
}

size_t live(void)
{
	const struct hs_connection *connection = NULL;
	size_t count = 0;

	while ((connection = hs_model_next_connection(model, connection)))
		count++;
	return count;
}

const struct hs_connection *only_connection(void)
{
	return live() == 1 ? hs_model_next_connection(model, NULL) : NULL;
}

size_t log_count(enum hs_log_type type)
{
	const struct hs_log_entry *entry;
	size_t count = 0;

	for (uint64_t from = 1; (entry = hs_model_log(model, from)); from = entry->number + 1)
		count += entry->type == type;
	return count;
}

const struct hs_log_entry *log_last(enum hs_log_type type)
{
	const struct hs_log_entry *entry, *last = NULL;

	for (uint64_t from = 1; (entry = hs_model_log(model, from)); from = entry->number + 1)
		if (entry->type == type)
			last = entry;
	return last;
}

const struct hs_listener *listener_at(uint16_t port)
{
	for (const struct hs_listener *l = hs_model_listeners(model); l; l = l->hh.next)
		if (l->port == port)
			return l;
	return NULL;
}

uint64_t dropped(enum hs_model_loss loss)
{
	return hs_model_counters(model)->dropped[loss];
}

uint64_t dropped_in_all(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < HS_MODEL_LOSS_MAX; i++)
		sum += dropped(i);
	return sum;
}

static uint64_t live_on(const struct hs_edge *e)
{
	const struct hs_connection *connection = NULL;
	uint64_t count = 0;

	while ((connection = hs_model_next_connection(model, connection)))
		count += connection->edge == e && connection->accounted.active;
	return count;
}

void check_invariants(void)
{
	for (const struct hs_edge *e = hs_model_edges(model); e; e = e->hh.next)
		assert_int_equal(e->active, live_on(e));
}
