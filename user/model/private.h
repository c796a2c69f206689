/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the model share among themselves. */
#ifndef HS_MODEL_PRIVATE_H
#define HS_MODEL_PRIVATE_H

#include <stdio.h>
#include <string.h>

#include "model/finding.h"
#include "model/model.h"

#define SECOND 1000000000ull

/* A local address that some socket has used, and where: tells who is on this node. */
struct hs_address {
	uint8_t address[16];
	uint32_t netns;
	uint64_t seen_ns;
	UT_hash_handle hh;
};

/* A reset sent without a socket: whether its receiver is on this node shows a moment later. */
struct hs_stray_reset {
	struct hs_tuple tuple;
	uint64_t time_ns;
	int reason;
};
#define HS_STRAYS 256

#define HS_EARLY 64
#define HS_STATUSES 16

#define HS_SIGNAL_MOMENTS 16

/* What one end of a tuple sent, and how that went. */
struct hs_sender {
	uint32_t drops[2];           /* of its packets, by this node: on the way out, when they came in */
	struct hs_ev_drop drop;      /* the latest */
	uint32_t syns_again, rtos;
	uint32_t syn_acks_again, syn_acks_acked, backlog, backlog_limit;
	uint32_t resets_sent, resets_received;
	int reset_reason;            /* enum sk_rst_reason of the last one sent, -1 not told */
	int send_error;              /* errno of the last retransmission that could not be sent */
	int icmp_error;              /* errno of the last ICMP by which this node answered it */
	char icmp[HS_DROP_REASON_LEN]; /* … by name */
};

struct hs_signals {
	uint8_t address[HS_SIDES][16]; /* in the order of the key: not client and server */
	uint16_t port[HS_SIDES];
	struct hs_sender from[HS_SIDES];
	uint64_t seen_ns;
	struct hs_moment moments[HS_SIGNAL_MOMENTS]; /* side: in the order of the key */
	size_t moment_count;
	UT_hash_handle hh;
};
#define HS_SIGNAL_KEY_LENGTH (offsetof(struct hs_signals, from) - offsetof(struct hs_signals, address))

#define HS_LOOKUP_BUCKETS 1024

#define HS_COUNTER_SAMPLES 8

struct hs_namespace {
	uint32_t netns;
	size_t next; /* samples so far */
	struct hs_ev_counters sample[HS_COUNTER_SAMPLES];
	UT_hash_handle hh;
};

struct hs_model {
	struct hs_model_config config;
	struct hs_model_counters counters;
	uint64_t now_ns;

	struct hs_workload *workloads; /* by name */
	struct hs_workload *other;     /* "~other", always there */
	struct hs_process *processes;  /* by pid, oldest use first */
	struct hs_address *addresses;
	struct hs_edge *edges;
	struct hs_edge *other_edge;    /* once it was needed */

	struct hs_connection *connections;    /* by tuple, oldest first; the rest chained behind */
	struct hs_end *cookies[HS_SIDES];     /* ends by cookie */
	struct hs_connection *unsettled;      /* not attributed to an edge yet */
	struct hs_connection *lingering;      /* one end closed, the other may still tell */
	struct hs_connection *done;           /* closed; only its last events are under way */
	size_t connection_count;

	struct hs_listener *listeners; /* by cookie */
	struct hs_listener *ports;     /* by port; the rest chained behind */

	uint32_t pass;                 /* number of the pass under way or done last */
	uint64_t pass_begin_ns;
	uint64_t loss_pass_ns;         /* when the pass before the last count of losses began */
	uint64_t rates_ns, expiry_ns;

	struct hs_stray_reset strays[HS_STRAYS];
	size_t stray_count;
	struct hs_ev_retransmit early[HS_EARLY]; /* SYN-ACKs to a client that is not known yet */
	size_t early_count;

	struct hs_signals *signals;    /* by tuple, oldest first */
	struct hs_namespace *namespaces;
	struct hs_ev_status statuses[HS_STATUSES]; /* the last ones asked for */
	size_t status_next;
	struct hs_finding *findings;   /* by key, not seen for longest first */

	struct hs_counted *counted;    /* routes that the kernel counts, by key */
	struct hs_counted *counted_by_number;
	uint32_t counted_number;       /* of the last one */
	struct hs_edge *edges_by_number; /* those with counted routes */
	uint32_t edge_number;          /* of the last one */

	size_t route_count, talk_count; /* kinds of calls of all edges; conversations */
	size_t name_count;             /* kinds of calls of DNS, which are not in route_count */
	struct hs_lookup *lookups;     /* by socket and id; oldest first */
	struct hs_lookup *lookup_clients; /* of clients on this node, as their server sees them */
	struct hs_lookup *lookup_names[HS_LOOKUP_BUCKETS]; /* by name and type, latest first */
	struct hs_dns_name *dns_names; /* by address and process; not used for longest first */
	struct hs_dns_search *dns_searches; /* by process and first label; oldest first */
	struct hs_request *requests;   /* ring of config.max_requests */
	uint64_t request_next;         /* number of the next one */
	uint64_t sample_ns;            /* since when … */
	unsigned sampled;              /* … so many ordinary calls were kept */
	bool requests_followed;

	struct hs_log_entry *log;      /* ring of config.max_events */
	uint64_t log_next;             /* number of the next entry */
};

/* names.c */
enum hs_reason hs_reason_of_error(int error);
/* Of a connection that closed in SYN_SENT. */
enum hs_reason hs_reason_of_close(int error, bool syn_sent_again);

/* workload.c. Each returns a new reference, never NULL. */
struct hs_workload *hs_workload_get(struct hs_model *model, const struct hs_identity *identity,
				    enum hs_workload_kind kind);
struct hs_workload *hs_workload_of_address(struct hs_model *model, const uint8_t address[16]);
struct hs_workload *hs_workload_of_pid(struct hs_model *model, uint32_t pid); /* NULL when not known */
struct hs_workload *hs_workload_ref(struct hs_workload *workload);
void hs_workload_unref(struct hs_model *model, struct hs_workload *workload); /* NULL is fine */
int hs_process_feed(struct hs_model *model, const struct hs_ev_process *event);
void hs_process_free_all(struct hs_model *model);

/* edge.c. Borrowed, never NULL; takes over neither reference. */
struct hs_edge *hs_edge_get(struct hs_model *model, struct hs_workload *client, struct hs_workload *server,
			    uint16_t port);
struct hs_edge *hs_edge_find(struct hs_model *model, struct hs_workload *client, struct hs_workload *server,
			     uint16_t port); /* NULL when there is none */
void hs_edge_tick(struct hs_model *model);
void hs_edge_free_all(struct hs_model *model);

/* failures.c */
struct hs_verdict;
void hs_failures_add(struct hs_model *model, struct hs_failures *failures, const struct hs_verdict *verdict);

/* listener.c */
int hs_listener_feed(struct hs_model *model, const struct hs_ev_listener *event);
/* Who listens where a connection to address and port ends, as far as this node knows; or NULL. */
struct hs_listener *hs_listener_find(struct hs_model *model, uint32_t netns, const uint8_t address[16],
				     uint16_t port);
/* The same seen from a client in netns: the server may be in another namespace of this node. */
struct hs_listener *hs_listener_reached(struct hs_model *model, uint32_t netns, const uint8_t address[16],
					uint16_t port);
void hs_listener_pass_end(struct hs_model *model);
void hs_listener_free_all(struct hs_model *model);

/* address.c */
void hs_address_learn(struct hs_model *model, const uint8_t address[16], uint32_t netns);
const struct hs_address *hs_address_find(struct hs_model *model, const uint8_t address[16]);
bool hs_address_is_loopback(const uint8_t address[16]);
bool hs_address_is_any(const uint8_t address[16]);
void hs_address_tick(struct hs_model *model);
void hs_address_free_all(struct hs_model *model);

/* connection.c, connection_table.c */
int hs_connection_feed(struct hs_model *model, const struct hs_ev_connection *event);
int hs_accept_feed(struct hs_model *model, const struct hs_ev_socket *event);
/* The connection of a socket record, or NULL; *side is the end that the record is about. */
struct hs_connection *hs_connection_of(struct hs_model *model, const struct hs_ev_socket *socket,
				       enum hs_side *side);
/* Forget what was closed some milliseconds ago. Cheap: call it with every record. */
void hs_connection_reap(struct hs_model *model);
void hs_connection_pass_end(struct hs_model *model);
/* Records of connections were lost: any that is open may have closed. */
void hs_connection_doubt(struct hs_model *model);
void hs_connection_tick(struct hs_model *model);
void hs_connection_settle(struct hs_model *model);
void hs_connection_free_all(struct hs_model *model);

/* account.c: from connections to edges */
void hs_settle(struct hs_model *model, struct hs_connection *connection);
void hs_account(struct hs_model *model, struct hs_connection *connection);
/* References to who is at each end now, as well as it is known. */
void hs_ends(struct hs_model *model, const struct hs_connection *connection, struct hs_workload *workload[HS_SIDES]);
bool hs_is_own(struct hs_model *model, const struct hs_connection *connection);

/* event.c: records that are about one moment */
int hs_connect_error_feed(struct hs_model *model, const struct hs_ev_error *event);
int hs_socket_error_feed(struct hs_model *model, const struct hs_ev_error *event);
int hs_retransmit_feed(struct hs_model *model, const struct hs_ev_retransmit *event);
int hs_reset_feed(struct hs_model *model, const struct hs_ev_reset *event);
void hs_stray_tick(struct hs_model *model);
/* Take the SYN-ACKs whose client has shown, or that were sent before then. */
void hs_early_tick(struct hs_model *model, uint64_t before_ns);

/* signal.c */
void hs_signal_drop(struct hs_model *model, const struct hs_ev_drop *event);
void hs_signal_retransmit(struct hs_model *model, const struct hs_ev_retransmit *event);
void hs_signal_reset(struct hs_model *model, const struct hs_ev_reset *event);
/* Or NULL; *of_client is the index of what the client sent. */
struct hs_signals *hs_signals_find(struct hs_model *model, const uint8_t client[16], uint16_t client_port,
				   const uint8_t server[16], uint16_t server_port, enum hs_side *of_client);
void hs_signals_forget(struct hs_model *model, const struct hs_connection *connection);
void hs_signals_tick(struct hs_model *model);
void hs_signals_free_all(struct hs_model *model);
void hs_counters_feed(struct hs_model *model, const struct hs_ev_counters *event);
/* By how much it has grown from just before since_ns to its latest sample. */
uint64_t hs_counter_moved(struct hs_model *model, uint32_t netns, enum hs_counter counter, uint64_t since_ns);
uint64_t hs_counter_now(struct hs_model *model, uint32_t netns, enum hs_counter counter);
void hs_counters_free_all(struct hs_model *model);

/* A verdict, and what it is made from. */
struct hs_verdict {
	enum hs_reason reason; /* NONE: no failure */
	enum hs_ended_by ended_by;
	enum hs_cause cause;
	enum hs_confidence confidence;
	enum hs_finding_stage stage;
};

/* All that is known of a connection that may have failed or hang. */
struct hs_case {
	struct hs_model *model;
	const struct hs_connection *connection; /* NULL: connect() failed before a SYN was made */
	const struct hs_sender *from[HS_SIDES]; /* never NULL */
	const struct hs_signals *signals;       /* or NULL */
	enum hs_side of_client;                 /* index of the client in signals */
	struct hs_listener *listener;           /* of the server's end, or NULL */
	const struct hs_ev_status *status;      /* of the process that matters, or NULL */
	enum hs_side status_side;
	uint32_t netns[HS_SIDES];               /* 0: not on this node */
	bool server_is_here;                    /* its address is one of this node */
};

/* case.c */
void hs_case_make(struct hs_model *model, const struct hs_connection *connection, struct hs_case *c);
/* How far a counter of that end's namespace has moved during the connection. */
uint64_t hs_case_moved(const struct hs_case *c, enum hs_side side, enum hs_counter counter);
void hs_case_ask_status(struct hs_case *c, enum hs_side side);
bool hs_case_fds_exhausted(struct hs_case *c, enum hs_side side);
/* Why packets of that side were dropped here; UNKNOWN: none were, or it hinders nobody. */
enum hs_cause hs_case_cause_of_drops(const struct hs_case *c, enum hs_side side);

/* verdict.c */
struct hs_verdict hs_verdict_of_connect(struct hs_case *c);                       /* connection->reason is set */
struct hs_verdict hs_verdict_of_close(struct hs_case *c, enum hs_side victim, uint8_t old_state);
struct hs_verdict hs_verdict_of_stuck(struct hs_case *c);
struct hs_verdict hs_verdict_of_abandoned(struct hs_case *c, enum hs_side side);
struct hs_verdict hs_verdict_of_wait(struct hs_case *c);
/* Before a SYN was made. local_port: that it was bound to, or 0. */
struct hs_verdict hs_verdict_of_error(int error, uint16_t local_port);
uint32_t hs_unread_bytes(const struct hs_end *end); /* without the FIN */

/* evidence.c: of the latest connection of a finding */
void hs_evidence_collect(struct hs_finding *finding, const struct hs_case *c);
void hs_timeline_make(struct hs_finding *finding, const struct hs_case *c);
void hs_evidence_of_error(struct hs_finding *finding, const struct hs_ev_error *event);

/* finding.c */
struct hs_verdict hs_finding_connect(struct hs_model *model, struct hs_connection *connection);
void hs_finding_close(struct hs_model *model, struct hs_connection *connection, enum hs_side side,
		      uint8_t old_state);
/* Its application has closed that end while it hung. */
void hs_finding_abandoned(struct hs_model *model, struct hs_connection *connection, enum hs_side side);
/* A moment after the client closed without an answer. */
void hs_finding_waited(struct hs_model *model, struct hs_connection *connection);
/* Of a connect that closed at once without an error: the errno that only the application got to see, or 0. */
int hs_error_unseen(struct hs_model *model, const struct hs_connection *connection);
struct hs_verdict hs_finding_error(struct hs_model *model, const struct hs_ev_error *event,
				   struct hs_workload *workload[HS_SIDES]);
/* Look at all live connections: which hang? After every pass. */
void hs_finding_pass_end(struct hs_model *model);
void hs_status_feed(struct hs_model *model, const struct hs_ev_status *event);
void hs_finding_free_all(struct hs_model *model);

/* pool.c: after a pass, mark the connections of pools that are used up. */
void hs_pools_look(struct hs_model *model);
static inline bool hs_is_pooled_out(const struct hs_model *model, const struct hs_connection *connection)
{
	return connection->pool_pass && connection->pool_pass == model->pass;
}

/* log.c */
/* A new entry with number and time; fill it at once. */
struct hs_log_entry *hs_log_add(struct hs_model *model, enum hs_log_type type, uint64_t time_ns);
/* Both ends of an entry from a connection. */
void hs_log_ends(struct hs_model *model, struct hs_log_entry *entry, struct hs_connection *connection);
/* The entries that it has, with its ends as they are known now; who followed has read them as they were. */
void hs_log_amend(struct hs_model *model, const struct hs_connection *connection);
/* One end of an entry; the reference moves into it. */
void hs_log_end(struct hs_model *model, struct hs_log_end *end, const uint8_t address[16], uint16_t port,
		uint32_t pid, uint32_t netns, struct hs_workload *workload);
void hs_log_free(struct hs_model *model);

/* talk.c: from payload to calls */
int hs_data_feed(struct hs_model *model, const struct hs_ev_data *event);
/* The oldest request of that connection that waits for its answer; NULL: none is known. */
const struct hs_call *hs_talk_pending(const struct hs_connection *connection);
/* A call that the kernel has followed. */
int hs_call_feed(struct hs_model *model, const struct hs_ev_call *event);
size_t hs_protocol_index(const struct hs_protocol *protocol); /* into the counters; NULL: 0 */
/* That end has closed, or is forgotten: what is under way is reported. */
void hs_talk_end(struct hs_model *model, struct hs_connection *connection, enum hs_side side);

/* dns.c: from datagrams to calls */
int hs_datagram_feed(struct hs_model *model, const struct hs_ev_datagram *event);
void hs_lookup_tick(struct hs_model *model);
void hs_lookup_free_all(struct hs_model *model);

/* dns_names.c: how those who ask call the addresses that they are told */
struct hs_dns_message;
void hs_dns_names_learn(struct hs_model *model, const struct hs_ev_datagram *event,
			const struct hs_dns_message *message, uint32_t pid);
/* Who is at a remote address, for a process that went there at begin_ns: a new reference, never NULL. */
struct hs_workload *hs_workload_of_server(struct hs_model *model, const uint8_t address[16], uint32_t pid,
					  uint64_t begin_ns);
void hs_dns_names_tick(struct hs_model *model);
void hs_dns_names_free_all(struct hs_model *model);

/* dns_search.c: names that were tried in vain */
/* An answer came: how many queries it shows to have been guesses from a search list, itself or earlier ones. */
unsigned hs_dns_search_take(struct hs_model *model, uint32_t pid, uint32_t netns,
			    const struct hs_dns_message *answer, uint64_t time_ns);
void hs_dns_search_free_all(struct hs_model *model);

/* calls.c: from calls to edges */
/*
 * A call on an edge, counted. rtt_us: of its connection; 0: not known. When it is kept: the request, whose ends
 * the caller fills in, else NULL.
 */
struct hs_request *hs_call_count(struct hs_model *model, struct hs_edge *edge, enum hs_side seen_at,
				 const struct hs_protocol *protocol, const struct hs_call *call, uint32_t rtt_us);
void hs_call_take(struct hs_model *model, struct hs_connection *connection, enum hs_side seen_at,
		  const struct hs_protocol *protocol, const struct hs_call *call);
/* The route, table, RPC method or DNS name that it counts for; behind it zeroes. */
void hs_route_of_call(const struct hs_model *model, const struct hs_call *call, char route[HS_ROUTE_LEN]);
/* The kernel has counted some. */
void hs_calls_grow(struct hs_model *model, struct hs_edge *edge, struct hs_calls_key *key, const struct hs_count *grown);
void hs_calls_free(struct hs_model *model, struct hs_edge *edge);
void hs_requests_free(struct hs_model *model);

/* counted.c: calls that the kernel counts */
uint32_t hs_counted_group(const struct hs_edge *edge, const char *version);
/* A call was told: may the kernel count the next of its kind? Of target and operation its hash is made. */
void hs_counted_learn(struct hs_model *model, struct hs_edge *edge, const struct hs_call *call,
		      const struct hs_calls_key *calls);
/* The same for one that the kernel told. */
void hs_counted_told(struct hs_model *model, const struct hs_ev_call *event);
/* What a record tells of a call; false: its route is not known. */
bool hs_counted_call(struct hs_model *model, const struct hs_ev_call *event, struct hs_call *call);
int hs_counted_feed(struct hs_model *model, const struct hs_ev_counted *event);
int hs_latencies_feed(struct hs_model *model, const struct hs_ev_latencies *event);
void hs_counted_forget(struct hs_model *model, struct hs_edge *edge);

/* Met by this pass: what nobody holds any more is not seen, and says nothing new. */
static inline bool hs_is_met(const struct hs_model *model, const struct hs_end *end)
{
	return end->here && !end->closed && !end->closer && end->pass == model->pass;
}

static inline bool hs_has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static inline double hs_seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / 1e9 : 0;
}

#endif
