/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model: processes, connections, listeners, the call graph and recent events, made from
 * event records alone. It does no I/O and knows no kernel, so a recording replayed through it
 * gives the same graph. Exporters and commands read it; only hs_model_feed() and
 * hs_model_tick() change it. Not thread-safe: the owner holds a lock around every use.
 */
#ifndef HS_MODEL_MODEL_H
#define HS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "base/side.h"
#include "hopscope/event.h"
#include "l7/conversation.h"
#include "meta/identity.h"
#include "model/histogram.h"
#include "model/latency.h"
#include "model/route.h"

struct hs_model;

/* What the kernel may count by itself: see include/hopscope/event.h. Each may be NULL. */
struct hs_counting {
	/* How long calls of that edge took is counted, or no more: from before its routes until after them. */
	void (*edge)(void *arg, uint32_t number, bool counts);
	/* Requests of that key have this number, or no more. */
	void (*route)(void *arg, const struct hs_route_key *key, uint32_t number, bool counts);
	/* Answers of that status to requests of that number are counted, as long as the route is. */
	void (*answer)(void *arg, const struct hs_count_key *key);
	/* Somebody follows calls as they happen: none is only counted. */
	void (*follow)(void *arg, bool follows);
};

struct hs_model_config {
	uint32_t max_connections; /* live and lingering */
	uint32_t max_edges;
	uint32_t max_workloads;
	uint32_t max_processes;
	uint32_t max_listeners;
	uint32_t max_events;      /* recent events kept for readers */
	uint32_t max_findings;
	uint32_t max_routes;      /* kinds of calls, of all edges together */
	uint32_t max_requests;    /* recent calls kept for readers */
	uint32_t max_conversations; /* connections whose payload is read at one time */
	uint64_t close_wait_ns;   /* in CLOSE_WAIT for so long: the socket leaks */
	uint64_t edge_ttl_ns;     /* an edge idle for so long is forgotten */
	bool dns_names;           /* remote servers are called as DNS answers call them */
	uint32_t self_pid;        /* sockets of this process are not accounted; 0: none */
	const struct hs_rules *rules; /* name overrides, or NULL; borrowed */
	const struct hs_route_patterns *routes; /* come before folding, or NULL; borrowed */
	const char *node;             /* this node's hostname, or NULL; borrowed */
	/*
	 * Asked once for a process that no record introduced. It answers by feeding an
	 * HS_EV_PROCESS record. NULL in a replay.
	 */
	void (*introduce)(void *arg, uint32_t pid);
	/* The same for the counters of a network namespace, by a process in it, and for what a process does. */
	void (*ask_counters)(void *arg, uint32_t netns, uint32_t pid);
	void (*ask_status)(void *arg, uint32_t pid);
	/* How much of the payload of the socket with that cookie is wanted from now on. */
	void (*watch)(void *arg, uint64_t cookie, const struct hs_wanted *wanted);
	const struct hs_counting *counting; /* or NULL; borrowed */
	/* Both ends of a connection to that server are on this node: its clients need not tell what they say. */
	void (*server_is_here)(void *arg, const struct hs_server *server);
	void *introduce_arg; /* of all of them */
};

extern const struct hs_model_config hs_model_defaults;

/* A node of the graph. Its name is its identity: what shares a name is one node. */
enum hs_workload_kind {
	HS_WORKLOAD_PROCESS,   /* named by executable or script */
	HS_WORKLOAD_UNIT,      /* systemd unit */
	HS_WORKLOAD_CONTAINER,
	HS_WORKLOAD_POD,
	HS_WORKLOAD_RULE,      /* named by the user */
	HS_WORKLOAD_ADDRESS,   /* not on this node: an address */
	HS_WORKLOAD_DNS,       /* not on this node: the name under which its clients asked for its address */
	HS_WORKLOAD_OTHER,     /* "~other": what did not fit into a bounded table */
};

struct hs_workload {
	struct hs_identity identity; /* name and where it came from, see meta/identity.h */
	enum hs_workload_kind kind;
	uint32_t references;
	UT_hash_handle hh;
};

struct hs_process {
	uint32_t pid;
	uint32_t parent_pid;
	uint64_t start_ns;
	uint64_t seen_ns;
	char comm[HS_COMM_LEN];
	struct hs_workload *workload;
	UT_hash_handle hh; /* by pid; oldest first */
};

/* What the application got: why connect() failed, or how an established connection did. */
enum hs_reason {
	HS_REASON_NONE,
	HS_REASON_REFUSED,     /* ECONNREFUSED */
	HS_REASON_TIMED_OUT,   /* ETIMEDOUT: the kernel gave up */
	HS_REASON_GAVE_UP,     /* the application closed it after SYN retries */
	HS_REASON_UNREACHABLE, /* ENETUNREACH, EHOSTUNREACH and kin */
	HS_REASON_NO_PORTS,    /* EADDRNOTAVAIL */
	HS_REASON_IN_USE,      /* EADDRINUSE */
	HS_REASON_DENIED,      /* EACCES, EPERM */
	HS_REASON_RESET,       /* ECONNRESET while connecting */
	HS_REASON_OTHER,
	HS_REASON_CANCELLED,   /* not a failure: closed before the first SYN retry */
	HS_REASON_STUCK,       /* established or connecting, and nothing moves */
	HS_REASON_ABORTED,     /* established, and given up by an application that waited */
	HS_REASON_MAX,
};

/* Why a connection failed or hangs: model/finding.h, docs/FAILURES.md. */
enum hs_cause {
	HS_CAUSE_UNKNOWN,
	HS_CAUSE_NO_ANSWER,
	HS_CAUSE_DROPPED_EGRESS,
	HS_CAUSE_DROPPED_INGRESS,
	HS_CAUSE_ACCEPT_QUEUE_FULL,
	HS_CAUSE_SYN_QUEUE_FULL,
	HS_CAUSE_SYNACK_LOST,
	HS_CAUSE_NO_LISTENER,
	HS_CAUSE_REJECTED,
	HS_CAUSE_NEIGHBOR_FAILED,
	HS_CAUSE_NO_ROUTE,
	HS_CAUSE_HOST_UNREACHABLE,
	HS_CAUSE_PORTS_EXHAUSTED,
	HS_CAUSE_ADDRESS_IN_USE,
	HS_CAUSE_DENIED_BY_POLICY,
	HS_CAUSE_PEER_NOT_READING,
	HS_CAUSE_LOCAL_NOT_READING,
	HS_CAUSE_PATH_LOSS,
	HS_CAUSE_MTU_BLACKHOLE,
	HS_CAUSE_PEER_SILENT,
	HS_CAUSE_STALE_CONNECTION,
	HS_CAUSE_PEER_PROCESS_DIED,
	HS_CAUSE_RESET_UNREAD_DATA,
	HS_CAUSE_RESET_BY_LINGER,
	HS_CAUSE_RESET_ON_OVERFLOW,
	HS_CAUSE_CONNTRACK_FULL,
	HS_CAUSE_FD_EXHAUSTED,
	HS_CAUSE_CLOSE_WAIT_LEAK,
	HS_CAUSE_POOL_EXHAUSTED,
	HS_CAUSE_SERVER_THINKING,
	HS_CAUSE_MEMORY_PRESSURE,
	HS_CAUSE_BACKLOG_DROPPED,
	HS_CAUSE_RP_FILTER,
	HS_CAUSE_TIMESTAMP_REJECTED,
	HS_CAUSE_MAX,
};

/* How far a connection had come when it failed. */
enum hs_finding_stage {
	HS_STAGE_CONNECT,  /* SYN to SYN-ACK */
	HS_STAGE_ACCEPT,   /* established to accept() */
	HS_STAGE_TRANSFER, /* accepted, or its server is not on this node */
	HS_STAGE_MAX,
};

/* Failures of one kind on an edge. */
struct hs_failure_count {
	enum hs_reason reason;
	enum hs_cause cause;
	uint64_t count;
	uint64_t at[HS_STAGE_MAX]; /* of these, by stage */
};

/* A short list without duplicates, made as kinds show: most edges have none. */
struct hs_failures {
	struct hs_failure_count *kinds;
	size_t count;
};
uint64_t hs_failures_total(const struct hs_failures *failures);
uint64_t hs_failures_of(const struct hs_failures *failures, enum hs_reason reason); /* of all causes */

/* The word for metrics and JSON: "refused" … */
const char *hs_reason_name(enum hs_reason reason);
const char *hs_retransmit_name(enum hs_retransmit_kind kind);

/* Calls of one kind on an edge: the same protocol, operation, route and result. */
struct hs_calls {
	struct hs_calls_key {
		const struct hs_protocol *protocol;
		char operation[HS_OPERATION_LEN];
		char route[HS_ROUTE_LEN]; /* or table, RPC method, DNS name; "~other" when there are too many */
		char error[HS_CALL_ERROR_LEN];
		char version[HS_VERSION_LEN];
		int32_t status; /* -1: none */
		uint8_t end;    /* enum hs_call_end */
		uint8_t seen_at; /* enum hs_side: at whose end they were watched; the server's where that is here */
		uint8_t rpc;
		uint8_t failed;
	} key;
	uint64_t count;
	uint64_t request_bytes, response_bytes;
	struct hs_histogram duration; /* first byte of the request to last of the answer: hs_calls_buckets() */
	struct hs_body_sizes {
		struct hs_histogram request, response; /* hs_buckets_body; of messages that had one */
	} *bodies;                         /* of HTTP; NULL: there was none */
	struct hs_rough_latency *latency;  /* of answered calls; NULL before the first */
	double rate;                       /* per second, as the rates of an edge */
	uint64_t last_count;               /* when the rate was made: private */
	bool learned;                      /* the kernel may know such calls: private */
	UT_hash_handle hh;
};

/* measure.c: the bounds of duration follow from the kind of the protocol. */
const struct hs_buckets *hs_calls_buckets(const struct hs_calls *calls);
/* Count one of that kind. */
void hs_calls_measure(struct hs_calls *calls, const struct hs_call *call, uint64_t duration_ns);
/* … many, as the kernel has counted them. */
void hs_calls_measure_many(struct hs_calls *calls, const struct hs_count *grown);
void hs_calls_free_measures(struct hs_calls *calls);

/* Totals of one edge (client, server, server port), each connection counted once. */
#define HS_RECENT_CALLS 4 /* comparing with so many costs less than hashing a key */

struct hs_edge {
	struct {
		struct hs_workload *client;
		struct hs_workload *server;
		uint64_t server_port;
	} key;
	uint64_t first_seen_ns, last_seen_ns;
	uint64_t connects;      /* established */
	uint64_t closes;
	uint64_t cancelled;     /* closed before the first SYN retry: no failure */
	struct hs_failures failures;            /* connect() failed */
	struct hs_failures connection_failures; /* established ones that ended in failure */
	uint32_t stuck[HS_CAUSE_MAX];           /* connections that hang now, by cause */
	uint64_t stuck_seen;                    /* bit (1 << cause): stuck has been other than 0 */
	uint64_t active;
	uint64_t sent_bytes;     /* client to server, payload, acknowledged */
	uint64_t received_bytes; /* server to client */
	uint64_t retransmits[HS_SIDES][HS_RETRANSMIT_MAX]; /* segments, by sender */
	uint64_t resets[HS_SIDES];                         /* by sender */
	struct hs_histogram connect_duration;
	struct hs_histogram accept_delay;
	struct hs_histogram connection_duration;
	struct hs_histogram rtt;
	struct hs_calls *calls;           /* by key; list by hh.next */
	struct hs_calls *recent_calls[HS_RECENT_CALLS]; /* of those, the last that were looked for: private */
	unsigned recent_next;
	/* All but TLS handshakes, which are none of the application's. */
	struct hs_latency *call_latency;  /* of answered calls; NULL before the first */
	struct hs_histogram parts[HS_PART_MAX]; /* of their time: hs_buckets_part */
	uint64_t call_count, call_failures;
	struct hs_edge_lookups {  /* DNS over UDP; 0 on other edges */
		uint64_t count;
		uint64_t retries;       /* queries that were sent again */
		uint64_t search_misses; /* … that were guesses from a search list, and no such name */
	} lookups;
	/* Moving rates per second over about half a minute, for people; metrics use the totals. */
	struct hs_edge_rates {
		double connects, failures, sent_bytes, received_bytes, retransmits, calls, call_failures;
	} rates;
	struct hs_edge_last { /* totals when the rates were made: private */
		uint64_t connects, failures, sent_bytes, received_bytes, retransmits, calls, call_failures;
	} last;
	/* private to the model */
	uint64_t references; /* connections that are attributed to it */
	uint32_t number;     /* for as long as it is known, and never again */
	struct hs_counted *counted; /* routes of it that the kernel counts */
	UT_hash_handle hh;
	UT_hash_handle hh_number; /* of those with counted routes */
};

/* One end of a connection, as its own kernel sees it. */
struct hs_end {
	bool here;            /* a socket on this node has been seen; else the rest is 0 */
	bool closed;          /* its close record came */
	uint8_t state;
	uint64_t cookie;
	uint32_t netns;
	uint32_t pid, tid;    /* who uses it; 0: not known */
	uint64_t inode;
	uint32_t closer_exit; /* enum hs_closer bits: of its process, when that closed it */
	uint8_t close;        /* enum hs_close bits */
	bool closer;          /* its application closed it */
	uint64_t closed_ns;   /* 0: not yet */
	uint64_t established_ns; /* 0: never, not known, or older than the agent */
	uint64_t accept_ns;   /* server end: accept() returned; 0: not seen */
	struct hs_workload *workload; /* referenced; NULL until known */
	struct hs_tcp tcp;    /* latest */
	/* private to the model */
	uint64_t met_ns;        /* a snapshot pass met it */
	uint32_t pass, owner_pass; /* … which one; the last in which pid held it */
	uint32_t doubted_pass;  /* records were lost since, its close may be among them; 0: none */
	uint32_t holder_pid, holder_tid; /* somebody else who held it in that pass */
	uint8_t resets_sent;    /* by events: some are sent after the close record */
	struct hs_talk *talk;   /* what its payload says; NULL: nothing yet, or not for us */
	UT_hash_handle hh;      /* by cookie */
};

struct hs_connection {
	uint8_t address[HS_SIDES][16];
	uint16_t port[HS_SIDES];
	struct hs_end end[HS_SIDES];
	uint64_t start_ns, established_ns, closed_ns; /* of the client's end where it is here; 0: not known */
	bool own;              /* one end is the agent itself: shown nowhere */
	bool established;      /* it was, at some time */
	bool older;            /* established before the agent came: not in connects */
	enum hs_reason reason; /* of a failed connect, else NONE */
	int error;             /* errno of the close, 0 none */
	enum hs_cause stuck;   /* of one that hangs now, else UNKNOWN */
	struct hs_edge *edge;  /* NULL until attributed */
	/* private to the model */
	struct hs_accounted {  /* what the edge has got already */
		bool connect, connect_duration, accept_delay, active, end;
		bool connect_logged, close_logged;
		uint32_t rtt_pass;
		uint64_t bytes[HS_SIDES];
		uint32_t retrans[HS_SIDES][HS_RETRANSMIT_MAX];
		uint8_t resets[HS_SIDES];
	} accounted;
	uint64_t created_ns;
	uint64_t log_number; /* of its last entry in the log; 0: none */
	uint64_t stuck_ns;  /* since when it seems to hang; 0: it does not */
	uint32_t stuck_id;  /* of the finding that counts it while it hangs; 0: none */
	uint32_t pool_pass; /* the last pass that found its client's pool used up, with … */
	uint32_t pool_connections, pool_waiting; /* requests that wait for one of these connections */
	bool failed;        /* told as a failure */
	bool waited;        /* its client closed without an answer: what its server does then will tell */
	enum { HS_LIST_NONE, HS_LIST_UNSETTLED, HS_LIST_LINGERING, HS_LIST_DONE } list;
	struct hs_connection *prev, *next; /* in that list */
	struct hs_connection *same_tuple;
	UT_hash_handle hh; /* by address and port */
};

struct hs_listener {
	uint64_t cookie;
	uint8_t address[16];
	uint16_t port;
	uint32_t netns;
	uint32_t pid, tid;
	uint64_t inode;
	uint64_t first_seen_ns;
	uint32_t backlog, backlog_limit, syn_queue;
	uint64_t drops;  /* since the agent came */
	uint64_t overflows; /* as drops, but only where the accept queue was full */
	uint64_t synack_retrans;
	uint64_t oldest_wait_ns;
	uint64_t accepts;
	struct hs_histogram accept_delay;
	struct hs_workload *workload; /* referenced; NULL until known */
	bool own;              /* the agent's: shown nowhere */
	/* private to the model */
	uint64_t met_ns;
	uint32_t drops_raw, owner_pass, pass;
	uint32_t worker_pid;    /* another process that holds it, met last */
	uint32_t synack_raw;
	struct hs_listener *same_port;
	UT_hash_handle hh;      /* by cookie */
	UT_hash_handle hh_port; /* by port */
};

/* What `observe` shows. */
enum hs_log_type {
	HS_LOG_CONNECT,    /* established, seen from the client end */
	HS_LOG_ACCEPT,     /* accept() returned */
	HS_LOG_CLOSE,
	HS_LOG_FAILURE,    /* a connect that failed */
	HS_LOG_RETRANSMIT,
	HS_LOG_RESET,
	HS_LOG_ERROR,      /* asynchronous socket error */
	HS_LOG_MAX,
};
const char *hs_log_type_name(enum hs_log_type type);

struct hs_log_end {
	struct hs_workload *workload; /* referenced; may be NULL */
	uint8_t address[16];
	uint16_t port;
	uint32_t pid;
	uint32_t netns;
	char comm[HS_COMM_LEN]; /* "" when the process is not known */
};

struct hs_log_entry {
	uint64_t number; /* 1, 2, 3 …: gaps tell a reader what it missed */
	uint64_t previous; /* number of the last one of the same connection; 0: none */
	uint64_t time_ns;
	enum hs_log_type type;
	struct hs_log_end end[HS_SIDES];
	/* by type; 0 where it does not apply */
	uint64_t duration_ns;   /* connect: handshake; accept: delay; close: life; failure: time spent */
	uint64_t sent_bytes, received_bytes;
	enum hs_reason reason;
	int error;              /* errno */
	enum hs_retransmit_kind kind;
	uint32_t segments, attempt, rto_us;
	enum hs_side sender;    /* retransmit, reset */
	int reset_reason;       /* enum sk_rst_reason, -1 not told */
	uint32_t retransmits;   /* failure, close: segments sent again over its life */
};

/* A call that was seen lately. */
struct hs_request {
	uint64_t number; /* 1, 2, 3 …: gaps tell a reader what it missed */
	struct hs_log_end end[HS_SIDES];
	const struct hs_protocol *protocol;
	struct hs_call call; /* its links mean nothing */
	uint64_t duration_ns; /* to the last byte of the answer; without one, to the end of the connection */
	char route[HS_ROUTE_LEN];
	enum hs_side seen_at;
};

/* Losses and bounds of the model itself, each exported as hopscope_dropped_total{stage}. */
enum hs_model_loss {
	HS_MODEL_LOSS_CONNECTION, /* connection table full: oldest forgotten */
	HS_MODEL_LOSS_EDGE,       /* edge table full: accounted to ~other */
	HS_MODEL_LOSS_WORKLOAD,   /* workload table full: named ~other */
	HS_MODEL_LOSS_PROCESS,    /* process table full: oldest forgotten */
	HS_MODEL_LOSS_LISTENER,   /* listener table full: not shown */
	HS_MODEL_LOSS_RECORD,     /* a record that the model could not read */
	HS_MODEL_LOSS_CLOSE,      /* a connection that vanished without a close record */
	HS_MODEL_LOSS_FINDING,    /* finding table full: the one not seen for longest is forgotten */
	HS_MODEL_LOSS_SIGNAL,     /* signal table full: evidence about the oldest tuple is forgotten */
	HS_MODEL_LOSS_ROUTE,      /* too many kinds of calls: counted under the route "~other" */
	HS_MODEL_LOSS_CONVERSATION, /* too many at one time: the payload of that connection is not read */
	HS_MODEL_LOSS_MAX,
};

#define HS_PROTOCOLS_MAX 16 /* hs_protocols[] has no more */

struct hs_model_counters {
	uint64_t events[HS_EV_MAX];           /* records fed, by kind */
	uint64_t dropped[HS_MODEL_LOSS_MAX];
	uint64_t kernel_dropped[HS_LOSS_MAX]; /* from HS_EV_LOSS */
	uint64_t accepts_unobserved; /* server ends whose accept() was not seen */
	uint64_t passes;
	/* What could not be read, by the protocol's place in hs_protocols[] + 1; 0: not known which. */
	uint64_t undecoded[HS_PROTOCOLS_MAX + 1][HS_L7_LOSS_MAX];
	uint64_t calls[HS_PROTOCOLS_MAX + 1];
};

/* Ownership: the caller frees it with hs_model_free(). NULL when memory is short. */
struct hs_model *hs_model_new(const struct hs_model_config *config);
void hs_model_free(struct hs_model *model);

/* Take one record. 0, or -EBADMSG (counted) when it is malformed. */
int hs_model_feed(struct hs_model *model, const struct hs_event *event);

/*
 * Let time pass: settle what waited for its other end, expire what is gone, move the rates.
 * Call it about once a second; now_ns is CLOCK_MONOTONIC.
 */
void hs_model_tick(struct hs_model *model, uint64_t now_ns);

/* No record is to come, as at the end of a recording: settle what still waits for one. */
void hs_model_settle(struct hs_model *model);

/* Readers. All pointers are borrowed and valid until the next feed or tick. */
const struct hs_model_counters *hs_model_counters(const struct hs_model *model);
uint64_t hs_model_now(const struct hs_model *model); /* time of the last record or tick */
const struct hs_edge *hs_model_edges(const struct hs_model *model);         /* list by hh.next */
const struct hs_listener *hs_model_listeners(const struct hs_model *model); /* list by hh.next */
/* Live connections, in no order: start with NULL. Own and closed ones are left out. */
const struct hs_connection *hs_model_next_connection(const struct hs_model *model,
						     const struct hs_connection *previous);
size_t hs_model_connection_count(const struct hs_model *model);
const struct hs_process *hs_model_process(const struct hs_model *model, uint32_t pid);

/* A network namespace with sockets on this node, and a process in it. */
struct hs_netns {
	uint32_t netns, pid;
	uint64_t sampled_ns; /* the last counters of it; 0: none yet */
};
/* At most max of them to out, each once, in no order; how many. */
size_t hs_model_netns(const struct hs_model *model, struct hs_netns *out, size_t max);
/* When the counters of a namespace were read last; 0: never. */
uint64_t hs_model_counters_ns(const struct hs_model *model, uint32_t netns);

/* The oldest kept entry with number >= from, or NULL. Go on with its number + 1. */
const struct hs_log_entry *hs_model_log(const struct hs_model *model, uint64_t from);
uint64_t hs_model_log_end(const struct hs_model *model); /* number of the next entry to come */

/*
 * Recent calls, in the same way. While somebody follows, all of them; else those that failed or were
 * slow, and some of the others.
 */
const struct hs_request *hs_model_request(const struct hs_model *model, uint64_t from);
uint64_t hs_model_request_end(const struct hs_model *model);
void hs_model_follow_requests(struct hs_model *model, bool follows);

#endif
