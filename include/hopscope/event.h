/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event contract: every record that travels from the kernel to userspace, and that a
 * recording file holds. Both sides compile this header; nothing else crosses the border.
 *
 * Rules
 *  - A record begins with struct hs_event. Its size is a multiple of eight, without implicit
 *    padding, and every byte of it is written: kernel memory must not leak through a hole.
 *  - Times are CLOCK_MONOTONIC nanoseconds; 0 is "not known".
 *  - Addresses are 16 bytes, IPv4 as v4-mapped IPv6 (RFC 4291, 2.5.5.2); ports are in host order.
 *  - A new field goes to the end of its record or into a pad. Readers accept a record that is
 *    longer than they know, and reject one that is shorter.
 */
#ifndef HOPSCOPE_EVENT_H
#define HOPSCOPE_EVENT_H

#if !defined(__bpf__) && !defined(__BPF__)
#include <linux/types.h>
#include <assert.h>
#else
#define static_assert _Static_assert
#endif

enum hs_event_kind {
	HS_EV_PROCESS = 1,    /* struct hs_ev_process: who a process is, before its first socket event */
	HS_EV_CONNECTION = 2, /* struct hs_ev_connection: a connection opened, closed, or as it stands now */
	HS_EV_ACCEPT = 3,     /* struct hs_ev_socket: accept() returned it; only while somebody follows, or it is not known */
	HS_EV_LISTENER = 4,   /* struct hs_ev_listener: a listener opened, closed, or as it stands now */
	HS_EV_RETRANSMIT = 5, /* struct hs_ev_retransmit */
	HS_EV_RESET = 6,      /* struct hs_ev_reset */
	HS_EV_SOCKET_ERROR = 7,  /* struct hs_ev_error: an asynchronous error reached the socket */
	HS_EV_CONNECT_ERROR = 8, /* struct hs_ev_error: connect() failed before a SYN was made */
	HS_EV_PASS = 9,       /* struct hs_ev_pass: a snapshot pass began or ended (made in userspace) */
	HS_EV_LOSS = 10,      /* struct hs_ev_loss: the loss counters as they stand (made in userspace) */
	HS_EV_DROP = 11,      /* struct hs_ev_drop: the kernel here dropped a TCP packet, or answered it by ICMP */
	HS_EV_COUNTERS = 12,  /* struct hs_ev_counters: of a network namespace (made in userspace) */
	HS_EV_STATUS = 13,    /* struct hs_ev_status: what a process is doing (made in userspace) */
	HS_EV_ADDRESS = 14,   /* struct hs_ev_address: an address of this node (made in userspace) */
	HS_EV_DATA = 15,      /* struct hs_ev_data: payload that a socket sent or got */
	HS_EV_CALL = 16,      /* struct hs_ev_call: a call that the kernel has followed by itself */
	HS_EV_COUNTED = 17,   /* struct hs_ev_counted: calls that the kernel has counted (made in userspace) */
	HS_EV_LATENCIES = 18, /* struct hs_ev_latencies: how long they took, by edge (made in userspace) */
	HS_EV_DATAGRAM = 19,  /* struct hs_ev_datagram: a UDP datagram from or to port 53 */
	HS_EV_MAX,
};

/* First bytes of every record. size counts the whole record, this header included. */
struct hs_event {
	__u16 kind;
	__u16 size;
	__u32 cpu;
	__u64 time_ns;
};
static_assert(sizeof(struct hs_event) == 16, "hs_event");

enum hs_role {
	HS_ROLE_UNKNOWN = 0, /* older than the agent, and not told by a listener */
	HS_ROLE_CLIENT = 1,  /* it sent the SYN */
	HS_ROLE_SERVER = 2,  /* it came out of a listener */
};

/* What made the kernel emit a connection or listener record. */
enum hs_phase {
	HS_PHASE_OPEN = 1,   /* connection: established; listener: listen() */
	HS_PHASE_CLOSE = 2,  /* it reached TCP_CLOSE: the last record with this cookie */
	HS_PHASE_SAMPLE = 3, /* a snapshot pass met it */
	HS_PHASE_ABANDONED = 4, /* its application closed it while it hung; the kernel may try on for long */
};

/* The local end of a socket. cookie is the kernel's socket cookie (0: the socket has none yet). */
struct hs_tuple {
	__u8 local[16];
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u32 netns; /* inode of the network namespace */
};
static_assert(sizeof(struct hs_tuple) == 40, "hs_tuple");

/* A socket and its owner: the common part of all socket records. */
struct hs_ev_socket {
	struct hs_event event;
	__u64 cookie;
	struct hs_tuple tuple;
	__u32 pid; /* thread group id in the initial pid namespace; 0: not known */
	__u32 tid;
	__u8 role;  /* enum hs_role */
	__u8 state; /* TCP_ESTABLISHED …, include/net/tcp_states.h */
	__u8 old_state;
	__u8 phase; /* enum hs_phase, where the kind has one */
	__u32 pad;
};
static_assert(sizeof(struct hs_ev_socket) == 80, "hs_ev_socket");

/* The kinds of retransmission, told apart without probes: see bpf/tcp.bpf.c. */
enum hs_retransmit_kind {
	HS_RETRANSMIT_SYN,      /* no answer to a SYN yet */
	HS_RETRANSMIT_SYN_ACK,  /* the third packet of the handshake is missing */
	HS_RETRANSMIT_TLP,      /* tail loss probe (RFC 8985) */
	HS_RETRANSMIT_FAST,     /* fast recovery */
	HS_RETRANSMIT_RTO,      /* the retransmission timer expired */
	HS_RETRANSMIT_UNTRACED, /* the socket counts it, no hook saw it (not sent, or before the agent) */
	HS_RETRANSMIT_MAX,
};

/* struct tcp_sock as it stands, in the words of ss(8). Ages are milliseconds since then. */
struct hs_tcp {
	__u64 bytes_acked;    /* payload only: SYN and FIN are taken off */
	__u64 bytes_received; /* payload only */
	__u32 segs_out, segs_in;
	__u32 srtt_us, rttvar_us, min_rtt_us; /* min_rtt_us is ~0 before the first sample */
	__u32 rto_us;
	__u32 total_retrans; /* segments, counted by the kernel */
	__u32 retrans[HS_RETRANSMIT_MAX]; /* segments by kind, counted by our hooks */
	__u32 snd_cwnd, snd_ssthresh;
	__u32 snd_wnd, rcv_wnd; /* bytes */
	__u32 mss;
	__u32 unacked_bytes; /* write_seq - snd_una: sent or queued, not acknowledged */
	__u32 unsent_bytes;  /* write_seq - snd_nxt */
	__u32 unread_bytes;  /* rcv_nxt - copied_seq: here, and the application has not read it */
	__u32 last_sent_ms, last_received_ms, last_ack_ms;
	__u32 busy_ms, rwnd_limited_ms, sndbuf_limited_ms; /* struct tcp_sock.chrono_stat */
	__u32 user_timeout_ms;
	__u32 packets_out, lost_out;
	__u16 error, soft_error; /* errno: sk_err, sk_err_soft */
	__u8 ca_state;           /* TCP_CA_Open … */
	__u8 retransmits, probes_out, backoff;
	__u8 resets_received, resets_sent; /* saturating */
	__u8 fin; /* enum hs_fin bits */
	__u8 pending_timer; /* icsk_pending: 1 retransmit, 3 zero-window probe, 5 TLP, 6 reordering */
	__u32 delivered;    /* segments that the other end acknowledged; 0: not known, in older recordings */
};

enum hs_fin {
	HS_FIN_SENT = 1,
	HS_FIN_ACKED = 2,
	HS_FIN_RECEIVED = 4,
};
static_assert(sizeof(struct hs_tcp) == 152, "hs_tcp");

struct hs_ev_connection {
	struct hs_ev_socket socket;
	__u64 start_ns;       /* SYN sent, or the child socket made; 0: older than the agent */
	__u64 established_ns; /* 0: never, or older than the agent */
	__u32 closer_pid, closer_tid; /* who closed it, where a process did */
	__u64 inode;          /* of the socket's file, as /proc/PID/fd shows it; 0: not met by a pass, or no file */
	__u64 accept_ns;      /* accept() returned it; 0: not yet, not seen, or a client's end */
	__u32 closer_exit;    /* enum hs_closer bits and wait(2) status, if closer_pid was exiting when it closed */
	__u8 close;           /* enum hs_close bits */
	__u8 pad[3];
	struct hs_tcp tcp;
};
static_assert(sizeof(struct hs_ev_connection) == 280, "hs_ev_connection");
/* A record of HS_PHASE_OPEN ends before tcp: there is nothing in it yet. */
#define HS_EV_CONNECTION_OPEN_SIZE 128
static_assert(HS_EV_CONNECTION_OPEN_SIZE == __builtin_offsetof(struct hs_ev_connection, tcp), "open");
/*
 * One of HS_PHASE_CLOSE may end before tcp.total_retrans: of a connection whose last segment went within
 * HS_BRIEF_NS, that lost nothing and left nothing unread or unacknowledged, there is no more to tell.
 */
#define HS_EV_CONNECTION_BRIEF_SIZE 168
#define HS_BRIEF_NS 100000000ull
static_assert(HS_EV_CONNECTION_BRIEF_SIZE == __builtin_offsetof(struct hs_ev_connection, tcp.total_retrans), "brief");

enum hs_closer {
	HS_CLOSER_STATUS = 0xffff,   /* as wait(2) gives it: the low seven bits are the signal */
	HS_CLOSER_EXITING = 1 << 16, /* the process was exiting */
	HS_CLOSER_OOM = 1 << 17,     /* it had been chosen by the OOM killer */
};

/* How the application let go of the socket. */
enum hs_close {
	HS_CLOSE_LINGER = 1, /* with SO_LINGER of 0: a reset on purpose */
	HS_CLOSE_UNREAD = 2, /* with data that it had not read: the kernel resets */
};

struct hs_ev_listener {
	struct hs_ev_socket socket;
	__u32 backlog;       /* accept queue: connections that wait for accept() */
	__u32 backlog_limit; /* the kernel drops when backlog > limit */
	__u32 syn_queue;     /* handshakes under way */
	__u32 drops;         /* sk_drops, wraps */
	__u32 synack_retrans;       /* segments */
	__u32 synack_retrans_acked; /* of these: the third packet had come and was dropped */
	__u64 inode;
	__u64 oldest_wait_ns; /* how long the head of the accept queue has waited; 0: not known */
};
static_assert(sizeof(struct hs_ev_listener) == 120, "hs_ev_listener");

struct hs_ev_retransmit {
	struct hs_ev_socket socket; /* SYN-ACK: the listener, with the peer in the tuple */
	__u32 kind;     /* enum hs_retransmit_kind */
	__u32 segments; /* 0: it failed before it was counted */
	__u32 attempt;  /* number of this retransmission since the last progress; 0: fast or TLP */
	__u32 rto_us;
	__s32 error;    /* -errno of the transmission (6.18 and later), 0 sent */
	__u32 acked;    /* SYN-ACK: 1 if the third packet had come */
	__u32 backlog, backlog_limit; /* SYN-ACK: of the listener */
};
static_assert(sizeof(struct hs_ev_retransmit) == 112, "hs_ev_retransmit");

struct hs_ev_reset {
	struct hs_ev_socket socket; /* cookie 0 and role unknown: sent without a socket */
	__u32 sent;   /* 1: we sent it; 0: it arrived */
	__s32 reason; /* enum sk_rst_reason of the running kernel; -1: the kernel does not say */
};
static_assert(sizeof(struct hs_ev_reset) == 88, "hs_ev_reset");

struct hs_ev_error {
	struct hs_ev_socket socket;
	__s32 error;  /* errno, positive */
	__u32 pad;
	__u64 duration_ns; /* connect(): time spent in the call; 0: not known */
};
static_assert(sizeof(struct hs_ev_error) == 96, "hs_ev_error");

enum hs_direction {
	HS_DIRECTION_EGRESS,  /* made on this node */
	HS_DIRECTION_INGRESS, /* it had arrived, for here or to be forwarded */
};

#define HS_DROP_REASON_LEN 32

struct hs_ev_drop {
	struct hs_event event;
	struct hs_tuple tuple; /* local: the sender's address and port; netns: where it was dropped */
	/*
	 * enum skb_drop_reason by name: "NETFILTER_DROP"; cut, always ended by NUL. "ICMP_PORT_UNREACH" and other
	 * codes by name: that was answered; the drop itself follows.
	 */
	char reason[HS_DROP_REASON_LEN];
	__u64 location;  /* address of the kernel code that dropped it; 0: answered by ICMP */
	__u64 cookie;    /* of the socket that sent it; 0: not known */
	__u32 length;    /* bytes of payload */
	__u32 burst;     /* drops on this CPU since its last record that were not recorded, being too many */
	__u8 direction;  /* enum hs_direction */
	__u8 flags;      /* of the TCP header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16 */
	__u8 pad[6];
};
static_assert(sizeof(struct hs_ev_drop) == 120, "hs_ev_drop");

/* Cumulative counters of a network namespace; of the node where it says so. */
enum hs_counter {
	HS_COUNTER_LISTEN_OVERFLOWS,    /* TcpExt ListenOverflows */
	HS_COUNTER_LISTEN_DROPS,        /* TcpExt ListenDrops */
	HS_COUNTER_SYN_QUEUE_DROPS,     /* TcpExt TCPReqQFullDrop */
	HS_COUNTER_SYN_QUEUE_COOKIES,   /* TcpExt TCPReqQFullDoCookies */
	HS_COUNTER_RP_FILTER,           /* TcpExt IPReversePathFilter */
	HS_COUNTER_TIMESTAMP_REJECTED,  /* TcpExt PAWSActive + PAWSEstab + PAWSTimewait + TSEcrRejected */
	HS_COUNTER_BACKLOG_DROPS,       /* TcpExt TCPBacklogDrop */
	HS_COUNTER_RECEIVE_QUEUE_DROPS, /* TcpExt TCPRcvQDrop + TCPZeroWindowDrop */
	HS_COUNTER_MEMORY_PRESSURES,    /* TcpExt TCPMemoryPressures + TCPAbortOnMemory */
	HS_COUNTER_ABORT_ON_DATA,       /* TcpExt TCPAbortOnClose: closed with unread data */
	HS_COUNTER_ABORT_ON_LINGER,     /* TcpExt TCPAbortOnData: closed with SO_LINGER of 0, or data came after close() */
	HS_COUNTER_RETRANSMIT_FAILS,    /* TcpExt TCPRetransFail */
	HS_COUNTER_NO_ROUTES,           /* IpExt InNoRoutes + Ip OutNoRoutes */
	HS_COUNTER_CONNTRACK_DROPS,     /* stat/nf_conntrack insert_failed + drop + early_drop; 0 without conntrack */
	HS_COUNTER_CONNTRACK_ENTRIES,   /* a gauge: connections tracked */
	HS_COUNTER_CONNTRACK_MAX,       /* a gauge: nf_conntrack_max; 0: not known */
	HS_COUNTER_CPU_BACKLOG_DROPS,   /* of the node: softnet_stat, packets dropped */
	HS_COUNTER_LOCKED_ICMPS,        /* TcpExt LockDroppedIcmps: ICMP errors while a call of the application ran */
	HS_COUNTER_MAX,
};

struct hs_ev_counters {
	struct hs_event event;
	__u32 netns;
	__u32 pad;
	__u64 count[HS_COUNTER_MAX];
};
/* Recordings from before there were more. */
#define HS_EV_COUNTERS_SIZE __builtin_offsetof(struct hs_ev_counters, count[HS_COUNTER_LOCKED_ICMPS])

struct hs_ev_address {
	struct hs_event event;
	__u8 address[16];
	__u32 netns;
	__u32 pad;
};

struct hs_ev_status {
	struct hs_event event;
	__u32 pid;
	__u32 fds;      /* open files */
	__u32 fd_limit; /* RLIMIT_NOFILE, soft */
	__u32 threads;
	__u8 state;     /* of the main thread, as ps(1) shows it: R, S, D, T, Z … */
	__u8 pad[7];
};
static_assert(sizeof(struct hs_ev_status) == 40, "hs_ev_status");

#define HS_COMM_LEN 16
#define HS_HOSTNAME_LEN 64
#define HS_EXE_LEN 64
#define HS_ARGS_LEN 384
#define HS_CGROUP_LEN 512

/*
 * Who a process is. The three texts follow one another in text[]: the executable (a path, or
 * its last part when the kernel made the record), the arguments (each ended by NUL, cut at
 * HS_ARGS_LEN), and the components of the cgroup path, leaf first, each ended by NUL.
 */
struct hs_ev_process {
	struct hs_event event;
	__u32 pid;
	__u32 parent_pid;
	__u64 start_ns; /* CLOCK_BOOTTIME; with pid it names a process for ever */
	__u64 cgroup_id;
	char comm[HS_COMM_LEN];         /* of the thread group leader */
	char hostname[HS_HOSTNAME_LEN]; /* of its UTS namespace */
	__u16 exe_len, args_len, cgroup_len;
	__u16 pad;
	char text[];
};
#define HS_EV_PROCESS_MAX (sizeof(struct hs_ev_process) + HS_EXE_LEN + HS_ARGS_LEN + HS_CGROUP_LEN)
static_assert(sizeof(struct hs_ev_process) == 128, "hs_ev_process");

struct hs_ev_pass {
	struct hs_event event;
	__u32 number;
	__u32 end; /* 0: begins, 1: ended and complete */
};

/*
 * Payload of a connection, in the order in which its end sent it, or in which it arrived there. A
 * record of HS_EV_CONNECTION with this cookie came before. Not all is told: of a long run of bytes in
 * one direction only the head, and then how much more there was. What is told neither here nor in
 * before_bytes of a later record was lost. Zeroes fill bytes[] up to a multiple of 8.
 */
struct hs_ev_data {
	struct hs_event event;
	__u64 cookie;
	__u64 before_ns;    /* when the last of before_bytes came; 0: there are none */
	__u64 read_ns;      /* when the application began to read what the other side said last; 0: not known */
	__u32 position;     /* sequence number of the segment's first byte */
	__u32 before_bytes; /* directly before it so many were seen and not recorded */
	__u32 length;       /* bytes of the segment (of several, as the kernel joins and splits them) */
	__u16 captured;     /* of these so many are in bytes */
	__u8 direction;     /* enum hs_direction, from the socket's point of view */
	__u8 ahead;         /* 1: something before it is missing, and nothing of this direction had come */
	__u8 bytes[];
};
static_assert(sizeof(struct hs_ev_data) == 56, "hs_ev_data");
#define HS_EV_DATA_BYTES 4096 /* at most, in one record */

/*
 * A UDP datagram that a socket sent or got. The tuple is as the socket says where it is bound and
 * connected, and as the packet says where it is not: address translation may change what is in
 * between. Zeroes fill bytes[] up to a multiple of 8.
 */
struct hs_ev_datagram {
	struct hs_event event;
	__u64 cookie;    /* on the rung of system calls the socket's address instead */
	struct hs_tuple tuple;
	__u32 pid, tid;  /* who sends it; 0 where it arrives: nobody has read it yet */
	__u32 length;    /* bytes of payload */
	__u16 captured;  /* of these so many are in bytes */
	__u8 direction;  /* enum hs_direction */
	__u8 pad;
	__u8 bytes[];
};
static_assert(sizeof(struct hs_ev_datagram) == 80, "hs_ev_datagram");
#define HS_EV_DATAGRAM_BYTES 1536 /* at most: what fits into a packet */
#define HS_DNS_PORT 53

/* How much of a connection's payload is wanted. */
enum hs_watch {
	HS_WATCH_NEW,    /* not decided: as HS_WATCH_HEADS */
	HS_WATCH_HEADS,  /* the first HS_WATCH_HEAD_BYTES of every turn, when the other side has spoken */
	HS_WATCH_ALL,    /* all of it */
	HS_WATCH_NOTHING,
	HS_WATCH_COUNT,  /* HTTP/1 without surprises: the kernel follows its calls, and counts those that are ordinary */
	HS_WATCH_ENDS,   /* the first HS_WATCH_ENDS_BYTES of every turn, and the last HS_WATCH_TAIL_BYTES of what is pushed behind */
	HS_WATCH_PIPELINE, /* only a wish: as HS_WATCH_COUNT for Redis, once it is known what is under way (HS_FOLLOWED_TRIED) */
};
#define HS_WATCH_HEAD_BYTES 4096
#define HS_WATCH_ENDS_BYTES (128u << 10) /* and the segment in which they end */
#define HS_WATCH_TAIL_BYTES 512

/* What userspace has decided of a connection; of HS_WATCH_COUNT also whose calls they are. Not a record. */
struct hs_wanted {
	__u32 watch; /* enum hs_watch */
	__u32 group; /* number of the edge, times two, and the minor version of HTTP/1 */
	__u32 position;  /* with HS_WATCH_PIPELINE: nothing was under way when the client came to this sequence number … */
	__u32 confirmed; /* … if this is 1 */
};

/*
 * How calls are counted in the kernel. Userspace names a route by the hash of its operation and path
 * (count.h) on an edge, and gives it a number; every answer to it that it wants to be counted has an
 * entry of its own. What has none is told as it happens. Not records: keys and values of maps.
 */
struct hs_route_key {
	__u64 hash;
	__u32 group;
	__u32 pad;
};

struct hs_count_key {
	__u32 route;
	__u32 status;
};

/* Places of a route's counters; 0: it has none. */
#define HS_ROUTE_ANSWERS 6
struct hs_route {
	__u32 number;
	__u32 edge_place;
	struct {
		__u16 status, place;
	} answer[HS_ROUTE_ANSWERS];
};
static_assert(sizeof(struct hs_route) == 32, "hs_route");

/* Counters are in arrays of so many, made as they are needed. */
#define HS_COUNTS 64
#define HS_COUNTS_ARRAYS 64
#define HS_EDGE_COUNTS 16
#define HS_EDGE_COUNTS_ARRAYS 64

#define HS_COUNT_BUCKETS 14 /* upper bounds in hs_count_bound_ns[] (count.h); the last count is of what is above */
#define HS_COUNT_SIZES 7    /* upper bounds 128 << 3 * i bytes */
#define HS_COUNT_BINS 168   /* 8 steps to a power of two, see struct hs_rough_latency, user/model/latency.h */
#define HS_SLOW_NS 1000000000ull /* what takes longer is never only counted */

struct hs_count {
	__u64 count, duration_ns;
	__u64 request_bytes, response_bytes; /* bodies */
	__u32 bucket[HS_COUNT_BUCKETS + 2];  /* the last is not used */
	__u32 request_size[HS_COUNT_SIZES + 1], response_size[HS_COUNT_SIZES + 1]; /* of those that are not empty */
	__u32 bin[HS_COUNT_BINS];
};
static_assert(sizeof(struct hs_count) == 832, "hs_count");

/* Where the time of a call goes. */
enum hs_part {
	HS_PART_NETWORK, /* a round trip, as the kernel measures it */
	HS_PART_QUEUE,   /* the request had arrived, and nobody had begun to read it */
	HS_PART_SERVICE, /* from then to the first byte of the answer */
	HS_PART_MAX,
};
#define HS_PART_BUCKETS 16 /* upper bounds in hs_part_bound_ns[] (count.h) */

/* Of all calls of an edge that were counted: a fine distribution, see user/model/latency.h. */
#define HS_LATENCY_COUNTED_BINS 672 /* up to HS_SLOW_NS */
struct hs_edge_count {
	__u64 part_ns[HS_PART_MAX];
	__u32 part[HS_PART_MAX][HS_PART_BUCKETS + 2]; /* the last is not used */
	__u32 bin[HS_LATENCY_COUNTED_BINS];
};
static_assert(sizeof(struct hs_edge_count) == 2928, "hs_edge_count");

/*
 * A server that clients of a namespace reach on this node: its own end tells what they say. Not
 * a record: the key of a map that userspace fills.
 */
struct hs_server {
	__u8 address[16];
	__u32 netns; /* of the client */
	__u16 port;
	__u16 pad;
};
#define HS_SERVER_NS 60000000000ull /* so long it is believed: then the next client's end tells again */

/* Where a record can be lost in the kernel; the names are in user/probe/ring.c. */
enum hs_loss {
	HS_LOSS_RING_PROCESS,
	HS_LOSS_RING_CONNECTION,
	HS_LOSS_RING_ACCEPT,
	HS_LOSS_RING_LISTENER,
	HS_LOSS_RING_RETRANSMIT,
	HS_LOSS_RING_RESET,
	HS_LOSS_RING_ERROR,
	HS_LOSS_RING_DROP,
	HS_LOSS_RING_DATA,
	HS_LOSS_RING_CALL,
	HS_LOSS_STORAGE,  /* no memory for per-socket state: the connection is seen at its close only */
	HS_LOSS_DROP_BURST, /* dropped packets that were too many to tell: the next HS_EV_DROP counts them */
	HS_LOSS_RING_DATAGRAM,
	HS_LOSS_MAX,
};

/*
 * What became of a call that the kernel followed. Commands of Redis need not wait for an answer, so the kernel has to know
 * that nothing is under way when it begins: it follows on trial, and all is told, until userspace has said so.
 */
enum hs_followed {
	HS_FOLLOWED_OVER,   /* it is answered in full */
	HS_FOLLOWED_HANDED, /* no surprise was to come, and one has: what follows is told as payload again */
	HS_FOLLOWED_LOST,   /* the same, and what was counted of this connection lately may be wrong */
	HS_FOLLOWED_TRIED,  /* a trial begins: is nothing under way at these positions? */
	HS_FOLLOWED_ENDED,  /* the trial is over: something came that the kernel does not follow */
};

/* The status of an answer of a protocol that has none, and that did not fail. */
#define HS_STATUS_NONE 1

/* Calls that are alike and under way, asked at one time. */
struct hs_run {
	__u64 request_ns;
	__u32 route; /* its number */
	__u32 bytes; /* of all of them */
	__u16 calls;
	__u16 place; /* of the kernel's counters */
	__u32 pad;
};
static_assert(sizeof(struct hs_run) == 24, "hs_run");
#define HS_RUNS 32

struct hs_ev_call {
	struct hs_event event;
	__u64 cookie;
	__u64 request_ns, request_end_ns; /* as in struct hs_call, l7/call.h */
	__u64 read_ns;                    /* the application began to read the request; 0: not known */
	__u64 response_ns, response_end_ns;
	__u64 request_bytes, response_bytes;
	__u32 route;       /* its number; 0: no call is under way */
	__u32 position[2]; /* by direction: sequence number behind the last byte that the kernel has seen */
	__u32 rtt_us;      /* smoothed; 0: not known */
	__u16 status;      /* of the answer; 0: none yet */
	__u8 what;         /* enum hs_followed */
	__u8 run_count;
	__u16 calls;       /* so many that are alike, one behind the other; 0: one */
	__u8 pad[2];
	struct hs_run runs[]; /* what is under way of a pipeline that is handed over, oldest first */
};
static_assert(sizeof(struct hs_ev_call) == 104, "hs_ev_call");

/* By how much one entry of the kernel's counters has grown. */
struct hs_ev_counted {
	struct hs_event event;
	struct hs_count_key key;
	struct hs_count grown;
};
static_assert(sizeof(struct hs_ev_counted) == 856, "hs_ev_counted");

/* The same for an edge; only the bins that have grown. */
struct hs_ev_latencies {
	struct hs_event event;
	__u32 edge;
	__u32 count; /* of bins */
	__u64 part_ns[HS_PART_MAX];
	__u32 part[HS_PART_MAX][HS_PART_BUCKETS + 2];
	struct hs_bin {
		__u32 bin, grown;
	} bins[];
};
static_assert(sizeof(struct hs_ev_latencies) == 264, "hs_ev_latencies");

struct hs_ev_loss {
	struct hs_event event;
	__u64 count[HS_LOSS_MAX];
};

#endif
