/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records as the kernel side makes them, for tests of what reads them: a test tells a story
 * (who listens, who connects, what comes in which order) and then looks at the model.
 */
#ifndef HS_TEST_RECORD_H
#define HS_TEST_RECORD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MS 1000000ull
#define SEC 1000000000ull

enum { /* include/net/tcp_states.h */
	ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, FIN_WAIT2 = 5, CLOSE = 7, CLOSE_WAIT = 8,
	LAST_ACK = 9, LISTEN = 10,
};

/* One connection, as the kernels of both its ends see it. What a record needs is read from here. */
struct flow {
	const char *client, *server; /* addresses */
	uint16_t client_port, server_port;
	uint32_t client_ns, server_ns; /* network namespaces */
	uint32_t client_pid, server_pid;
	uint64_t client_cookie, server_cookie;
	uint64_t start_ns, established_ns;
	uint64_t sent, received; /* payload: client to server, server to client */
	uint32_t srtt_us;
};

/* From CLIENT_PID to SERVER_PID over loopback, SYN sent now, established 100 us later. */
struct flow flow_make(void);

/* The model under test and the time it has; every record is made at this time. */
extern struct hs_model *model;
extern uint64_t now_ns;
extern uint32_t pass_number;

#define CLIENT_PID 100
#define SERVER_PID 200
#define BEGIN_NS (1000 * SEC)

/* config NULL: small bounds for tests, no self. Both processes are introduced: "curl", "nginx". */
void begin(const struct hs_model_config *config);
struct hs_model_config test_config(void);
void end(void);

int feed(const void *record);
void wait_ns(uint64_t ns);   /* time goes by, with a tick every quarter of a second */
void pass_begin(void);
void pass_end(void);

/* Teardown and setup for cmocka. */
int set_up(void **state);
int tear_down(void **state);

void address_of(const char *text, uint8_t address[16]);

/* The builders: nothing is fed. */
struct hs_ev_connection client_record(const struct flow *flow, enum hs_phase phase);
struct hs_ev_connection server_record(const struct flow *flow, enum hs_phase phase);
struct hs_ev_socket accept_record(const struct flow *flow);
struct hs_ev_listener listener_record(const char *address, uint16_t port, uint32_t netns, uint32_t pid,
				      uint64_t cookie, enum hs_phase phase);
struct hs_ev_retransmit retransmit_record(const struct flow *flow, enum hs_side side,
					  enum hs_retransmit_kind kind, uint32_t segments);
struct hs_ev_reset reset_record(const struct flow *flow, enum hs_side side, bool sent);
struct hs_ev_error error_record(const struct flow *flow, enum hs_event_kind kind, int error);
/* A process record; cgroup is its components, leaf first, between slashes. The storage is static. */
const struct hs_ev_process *process_record(uint32_t pid, const char *exe, const char *cgroup);

/* The same, fed. */
void client_open(const struct flow *flow);
void client_sample(const struct flow *flow);
void client_close(const struct flow *flow);
void client_fails(const struct flow *flow, int error, unsigned retransmits); /* closed in SYN_SENT */
void server_open(const struct flow *flow);
void server_accept(const struct flow *flow);
void server_sample(const struct flow *flow);
void server_close(const struct flow *flow);
void listen_on(const char *address, uint16_t port, uint32_t netns, uint32_t pid, uint64_t cookie);
void process(uint32_t pid, const char *exe);

/* What the model says. */
const struct hs_edge *edge(const char *client, const char *server, uint16_t port); /* NULL: none */
struct totals {
	uint64_t edges, connects, closes, cancelled, active, sent, received, failed;
	uint64_t failures[HS_REASON_MAX];
	uint64_t retransmits[HS_SIDES][HS_RETRANSMIT_MAX];
	uint64_t resets[HS_SIDES];
	uint64_t connect_durations, accept_delays, connection_durations, rtts;
};
struct totals totals(void); /* over all edges */
size_t live(void);          /* connections that readers see */
const struct hs_connection *only_connection(void); /* NULL unless there is exactly one live */
size_t log_count(enum hs_log_type type);
const struct hs_log_entry *log_last(enum hs_log_type type);
const struct hs_listener *listener_at(uint16_t port);
uint64_t dropped(enum hs_model_loss loss);
uint64_t dropped_in_all(void);

/*
 * What holds whenever the model is at rest: an edge's active connections are those that readers
 * see established on it. Fails the test when it does not.
 */
void check_invariants(void);

#endif
