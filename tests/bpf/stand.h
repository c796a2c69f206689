/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stand for BPF programs: one hook loaded alone, real sockets in a network namespace of the
 * test's own, and the records that came of it. Every record that arrives is checked for what
 * must hold of all of them (check_record() in stand.c).
 */
#ifndef HS_TEST_STAND_H
#define HS_TEST_STAND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hopscope/event.h"

#define MS 1000000ull
#define SEC 1000000000ull

enum { /* include/net/tcp_states.h */
	ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, FIN_WAIT2 = 5, TIME_WAIT = 6, CLOSE = 7,
	CLOSE_WAIT = 8, LAST_ACK = 9, LISTEN = 10,
};

/* Group setup: a network namespace with lo up, and nothing else in it. Fails when not root. */
int own_network(void **state);
extern uint32_t netns; /* its inode */
uint64_t now(void);    /* CLOCK_MONOTONIC, ns */

/*
 * Loads these hooks and rungs, "connection,connect:syscalls"; nothing else. Skips the test, and
 * says why, where this kernel refuses one of them. Ends what was watched before.
 */
void watch(const char *hooks);
void watch_with_ring(const char *hooks, size_t ring_bytes);
void watch_with_table(const char *hooks, uint32_t sockets); /* so many entries, swept above half of them */
void watch_with_budget(const char *hooks, uint32_t drops); /* so many are told, by CPU and 100 ms */
void follow(void); /* from now on accept() is a record of its own */
void want(uint64_t cookie, enum hs_watch wanted); /* so much of a socket's payload */
void want_counted(uint64_t cookie, uint32_t group); /* its calls may be followed, from the next request on */
/* The same for Redis; confirmed: nothing was under way when the client came to position. */
void want_pipeline(uint64_t cookie, uint32_t group, uint32_t position, bool confirmed);
struct hs_counts *counters(void); /* of calls; see user/probe/counts.h */
void follow_calls(void); /* from now on each is a record of its own */
size_t known_sockets(void); /* entries in the table of sockets, of the whole machine */
int unwatch(void **state); /* teardown */

uint64_t lost(enum hs_loss stage); /* of the whole machine */

/* Records of our namespace (and of processes) since watch(), oldest first. */
size_t record_count(enum hs_event_kind kind);

/*
 * The first record of a kind for which matches() says yes: waits up to 20 s for it, and fails
 * the test when it does not come. matches NULL: any.
 */
typedef bool (*match_fn)(const void *record, const void *arg);
const void *await_record(enum hs_event_kind kind, match_fn matches, const void *arg);
const void *find_record(enum hs_event_kind kind, match_fn matches, const void *arg); /* NULL: none */

/*
 * Everything that was under way has been told: makes a connection to a port of its own and waits
 * for its records, so hooks must include one that shows it. What did not come before, does not come.
 */
void settle(void);

/* One snapshot pass into the records. */
void pass(void);

/* Matches. arg is a cookie. */
bool is_open(const void *record, const void *cookie);
bool is_close(const void *record, const void *cookie);
bool is_sample(const void *record, const void *cookie);
bool has_cookie(const void *record, const void *cookie);

/* ---- sockets; failures end the test ---- */

struct address {
	int family;
	const char *text;
};
extern const struct address v4, v6, v4_mapped; /* loopback in three ways, as the client says it */

int listen_on(const struct address *address, uint16_t *port, int backlog);
int make_socket(const struct address *address);
int try_connect(int fd, const struct address *address, uint16_t port); /* 0 or errno */
int connect_to(const struct address *address, uint16_t port);
int accept_from(int listener);
uint64_t cookie_of(int fd);
uint64_t inode_of(int fd);
uint16_t local_port(int fd);
void send_all(int fd, const void *data, size_t size);
void receive_all(int fd, size_t size);
void run(const char *format, ...) __attribute__((format(printf, 1, 2))); /* sh -c; must succeed */
bool can_run(const char *command);
uint64_t snmp(const char *protocol, const char *counter); /* of our namespace */
void wait_until(bool (*holds)(const void *arg), const void *arg); /* polls; 20 s at most */

/* The tuple of a record is this; addresses as text, IPv4 without ::ffff:. */
void check_tuple(const struct hs_tuple *tuple, const char *local, uint16_t local_port, const char *remote,
		 uint16_t remote_port);

/* The value of an enumerator in the running kernel's types, -1 none. */
int kernel_enum(const char *type, const char *name);

#endif
