/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading sockets: identity, tcp_sock, and the state we keep with each of them. */
#ifndef HS_SOCK_BPF_H
#define HS_SOCK_BPF_H

#include <bpf/bpf_endian.h>

#include "lib/emit.bpf.h"

/*
 * What we remember of a socket. A request and its answer are handled by two CPUs in turn: what both of them
 * write lies in one cache line, that from role to data.response_end_ns (the kernel puts 56 bytes before the value).
 */
struct hs_sock {
	__u64 start_ns;       /* SYN sent, or the child made; 0: older than the agent */
	__u8 role;            /* enum hs_role */
	__u8 handled;         /* the last new state that a program has handled */
	__u8 resets_received, resets_sent;
	__u8 connect_sent;    /* the last connect() got as far as a SYN, and its states tell how it ended */
	__u8 close;           /* enum hs_close bits */
	__u8 pad[2];
	struct {              /* payload: bpf/data.bpf.c */
		__u8 watch;       /* enum hs_watch */
		__u8 turn;        /* direction of this turn + 1; 0: none yet */
		__u8 begun;       /* bits: next of that direction is known */
		__u8 announced;   /* userspace knows the connection */
		__u8 unread;      /* of the client's turn nothing has been read */
		__u8 body;        /* the method of the request has one */
		__u16 status;     /* … of the answer */
		__u32 next[2];    /* by direction: next sequence number */
		__u32 stage;      /* enum hs_stage */
		__u32 response_bytes; /* of its body; not counted beyond 4 GiB */
		__u64 request_ns; /* with HS_WATCH_COUNT, the call that is under way: bpf/count.bpf.c */
		__u64 read_ns;    /* the server's application began to read what the client says in this turn */
		__u64 response_ns, response_end_ns;
		/* what is written by one CPU, or seldom */
		__u64 request_end_ns, cookie, before_ns;
		__u32 before[2];  /* by direction: seen and not recorded */
		__u32 left;       /* bytes of this turn that may still be recorded */
		__u32 group, request_bytes;
		__u8 turns;       /* of the client, while its payload is told; saturating */
		__u8 pad[3];
		struct hs_route route;
	} data;
	__u64 established_ns;
	__u64 accept_ns;
	__u64 closed_ns;
	__u64 cookie;         /* of a client's socket: whose SYN it was; of one older than the agent: whose state it is */
	__u32 pid, tid;       /* owner: who connected or accepted; of a listener who listens */
	__u32 closer_pid, closer_tid, closer_exit;
	__u32 retrans[HS_RETRANSMIT_MAX]; /* segments our hooks saw; of a listener: SYN-ACKs */
	__u32 retrans_base;   /* total_retrans when we met it, or inherited from its handshake */
	__u32 synack_retrans_acked;
};

enum hs_stage {
	HS_STAGE_REST,
	HS_STAGE_ASKED,    /* a request has come, or a part of it */
	HS_STAGE_ANSWERED, /* an answer as well, or a part of it: the next request shows that it was all */
	HS_STAGE_TOLD,     /* the same, and it has been told already */
	HS_STAGE_HANDED,   /* a pass has given the request back: it waits for long */
	HS_STAGE_TRIED,    /* commands of Redis, of which something may have been under way before: bpf/redis.bpf.c */
	HS_STAGE_PIPELINE, /* the same, and all that is under way is known */
	HS_STAGE_LOST,     /* it was handed over while it went on: what is known of it may be forgotten at the close */
};

/*
 * By the socket's address. An entry outlives its socket, with HS_SOCK_DEAD, and is taken over
 * by the next one at that address: the kernel's allocator hands out the same addresses again,
 * so that a connection costs no allocation here (socket storage, made and freed with every
 * socket, took three times as long). Inserted by the programs that meet a socket first;
 * deleted by a snapshot pass when many are dead (bpf/snapshot.bpf.c). Size set by the loader.
 */
struct hs_socks_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct hs_sock);
};
extern struct hs_socks_map hs_socks SEC(".maps");
extern __u64 hs_sock_count; /* bpf/state.bpf.c */
extern const volatile __u64 hs_sock_bound;

extern const volatile __u64 hs_tick_ns; /* length of a jiffy */

#define HS_PASS 1 /* what a cgroup program returns: it only looks */

/*
 * Sockets whose payload is told by the other end: most of what passes, on a node whose services call one another.
 * By address; where two share a place, the later has it, and the other is looked up. An array that the kernel
 * allocates in one piece (16 KiB), not a global variable: those lie in pages of their own, and it takes long to
 * translate their addresses.
 */
#define HS_IGNORED 2048
struct hs_ignored_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HS_IGNORED);
	__type(key, __u32);
	__type(value, __u64);
};
extern struct hs_ignored_map hs_ignored SEC(".maps"); /* bpf/state.bpf.c */

static __always_inline __u64 *hs_ignored_place(__u64 sk)
{
	__u32 place;

	/* Half a pointer is a number to the verifier, which allows no such arithmetic on pointers. */
	asm volatile("%0 = %1" : "=w"(place) : "w"((__u32)sk));
	place = (place >> 6 ^ place >> 16) % HS_IGNORED;
	return bpf_map_lookup_elem(&hs_ignored, &place);
}

static __always_inline bool hs_is_ignored(__u64 sk)
{
	__u64 *place = hs_ignored_place(sk);

	return place && *place == sk;
}

static __always_inline void hs_ignore(__u64 sk)
{
	__u64 *place = hs_ignored_place(sk);

	if (place)
		*place = sk;
}

static __always_inline void hs_ignored_forget(__u64 sk)
{
	__u64 *place = hs_ignored_place(sk);

	if (place && *place == sk)
		*place = 0;
}

#define HS_SOCK_DEAD(STATE) ((STATE)->handled == TCP_CLOSE)

static __always_inline struct hs_sock *hs_sock_get(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&hs_socks, &key);
}

/* The entry of a socket that is met for the first time: clear. */
static __always_inline struct hs_sock *hs_sock_insert(const struct sock *sk)
{
	static const struct hs_sock clear;
	__u64 key = (__u64)sk;
	struct hs_sock *state;

	hs_ignored_forget(key);
	if (!bpf_map_update_elem(&hs_socks, &key, &clear, BPF_NOEXIST))
		__sync_fetch_and_add(&hs_sock_count, 1);
	state = bpf_map_lookup_elem(&hs_socks, &key);
	if (!state)
		hs_lost(HS_LOSS_STORAGE);
	return state;
}

/* A socket begins its life at an address where another was. Only what is not wanted is ignored. */
static __always_inline void hs_sock_clear(const struct sock *sk, struct hs_sock *state)
{
	if (state->data.watch == HS_WATCH_NOTHING)
		hs_ignored_forget((__u64)sk);
	__builtin_memset(state, 0, sizeof(*state));
}

static __always_inline struct hs_sock *hs_sock_make(const struct sock *sk)
{
	struct hs_sock *state = hs_sock_get(sk);

	return state ? state : hs_sock_insert(sk);
}

static __always_inline bool hs_sock_is_tcp(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return sk->sk_protocol == IPPROTO_TCP && (family == AF_INET || family == AF_INET6);
}

static __always_inline void hs_map_v4(__u8 address[16], __be32 v4)
{
	__u32 *word = (__u32 *)address;

	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	word[3] = v4;
}

static __always_inline void hs_copy_v6(__u8 address[16], const struct in6_addr *v6)
{
	__u32 *word = (__u32 *)address;

	for (int i = 0; i < 4; i++)
		word[i] = v6->in6_u.u6_addr32[i];
}

static __always_inline void hs_addresses_fill(struct hs_tuple *tuple, const struct sock_common *common)
{
	if (common->skc_family == AF_INET6) {
		hs_copy_v6(tuple->local, &common->skc_v6_rcv_saddr);
		hs_copy_v6(tuple->remote, &common->skc_v6_daddr);
	} else {
		hs_map_v4(tuple->local, common->skc_rcv_saddr);
		hs_map_v4(tuple->remote, common->skc_daddr);
	}
	tuple->remote_port = bpf_ntohs(common->skc_dport);
}

static __always_inline void hs_tuple_fill(struct hs_tuple *tuple, const struct tcp_sock *tp)
{
	const struct inet_sock *inet = &tp->inet_conn.icsk_inet;

	hs_addresses_fill(tuple, &inet->sk.__sk_common);
	tuple->local_port = bpf_ntohs(inet->inet_sport);
	tuple->netns = inet->sk.__sk_common.skc_net.net->ns.inum;
}

/* The same for a socket found by walking memory, where every step may fault. */
static __always_inline void hs_tuple_probe(struct hs_tuple *tuple, const struct sock *sk)
{
	const struct inet_sock *inet = (const void *)sk;
	struct in6_addr v6;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&v6, sk, __sk_common.skc_v6_rcv_saddr);
		__builtin_memcpy(tuple->local, &v6, 16);
		BPF_CORE_READ_INTO(&v6, sk, __sk_common.skc_v6_daddr);
		__builtin_memcpy(tuple->remote, &v6, 16);
	} else {
		hs_map_v4(tuple->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		hs_map_v4(tuple->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	}
	tuple->local_port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	tuple->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	tuple->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* The remote end, as a system call names it. False: of neither family. */
static __always_inline bool hs_sockaddr_fill(struct hs_tuple *tuple, const struct hs_sockaddr *address)
{
	if (address->family == AF_INET)
		hs_map_v4(tuple->remote, address->v4);
	else if (address->family == AF_INET6)
		__builtin_memcpy(tuple->remote, address->v6, 16);
	else
		return false;
	tuple->remote_port = bpf_ntohs(address->port);
	return true;
}

static __always_inline __u64 hs_cookie(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	return cookie ? cookie : bpf_get_socket_cookie(sk);
}

/* sk and tp are the same socket. */
static __always_inline void hs_socket_fill(struct hs_ev_socket *socket, struct sock *sk,
					   const struct tcp_sock *tp, const struct hs_sock *state)
{
	socket->cookie = hs_cookie(sk);
	hs_tuple_fill(&socket->tuple, tp);
	socket->state = sk->__sk_common.skc_state;
	if (state) {
		socket->pid = state->pid;
		socket->tid = state->tid;
		socket->role = state->role;
	}
}

static __always_inline __u32 hs_ms(__u32 jiffies)
{
	return jiffies * hs_tick_ns / 1000000;
}

static __always_inline __u8 hs_tcp_fin(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u8 state = sk->__sk_common.skc_state, fin = 0;

	if (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
	    state == TCP_LAST_ACK)
		fin |= HS_FIN_SENT;
	if (fin && tp->snd_una == tp->write_seq)
		fin |= HS_FIN_ACKED;
	if (sk->__sk_common.skc_flags & (1ul << SOCK_DONE))
		fin |= HS_FIN_RECEIVED;
	return fin;
}

/*
 * The part that every close tells. SYN and FIN take a sequence number each and are no payload. The kernel
 * counts a client's SYN in bytes_acked (a server's child starts behind it), an acknowledged FIN there too, and
 * the peer's FIN in bytes_received (net/ipv4/tcp_input.c: tcp_snd_una_update, tcp_rcv_nxt_update).
 */
static __always_inline void hs_tcp_brief(struct hs_tcp *tcp, const struct tcp_sock *tp, __u8 fin, __u8 role)
{
	tcp->bytes_acked = tp->bytes_acked;
	tcp->bytes_received = tp->bytes_received;
	if (role == HS_ROLE_CLIENT && tcp->bytes_acked)
		tcp->bytes_acked--;
	if ((fin & HS_FIN_ACKED) && tcp->bytes_acked)
		tcp->bytes_acked--;
	if ((fin & HS_FIN_RECEIVED) && tcp->bytes_received)
		tcp->bytes_received--;
	tcp->segs_out = tp->segs_out;
	tcp->segs_in = tp->segs_in;
	tcp->srtt_us = tp->srtt_us >> 3;
	tcp->rttvar_us = tp->mdev_us >> 2;
	tcp->min_rtt_us = tp->rtt_min.s[0].v;
	tcp->rto_us = (__u64)tp->inet_conn.icsk_rto * hs_tick_ns / 1000;
}

/* Segments that the socket counts as sent again and no hook has seen. */
static __always_inline __u32 hs_retrans_unseen(const struct tcp_sock *tp, const struct hs_sock *state)
{
	__u32 seen = 0, total = tp->total_retrans - state->retrans_base;

	for (int kind = 0; kind < HS_RETRANSMIT_UNTRACED; kind++)
		seen += state->retrans[kind];
	return total > seen ? total - seen : 0;
}

static __always_inline void hs_tcp_retrans(struct hs_tcp *tcp, const struct tcp_sock *tp,
					   const struct hs_sock *state)
{
	tcp->total_retrans = tp->total_retrans;
	if (!state)
		return;
	for (int kind = 0; kind < HS_RETRANSMIT_UNTRACED; kind++)
		tcp->retrans[kind] = state->retrans[kind];
	tcp->retrans[HS_RETRANSMIT_UNTRACED] = hs_retrans_unseen(tp, state);
	tcp->resets_received = state->resets_received;
	tcp->resets_sent = state->resets_sent;
}

static __always_inline void hs_tcp_chrono(struct hs_tcp *tcp, const struct tcp_sock *tp, __u32 now)
{
	__u8 running = BPF_CORE_READ_BITFIELD(tp, chrono_type);
	__u32 busy = tp->chrono_stat[0], rwnd = tp->chrono_stat[1], sndbuf = tp->chrono_stat[2];
	__u32 since = now - tp->chrono_start;

	busy += running == 1 ? since : 0;
	rwnd += running == 2 ? since : 0;
	sndbuf += running == 3 ? since : 0;
	tcp->busy_ms = hs_ms(busy + rwnd + sndbuf);
	tcp->rwnd_limited_ms = hs_ms(rwnd);
	tcp->sndbuf_limited_ms = hs_ms(sndbuf);
}

static __always_inline void hs_tcp_fill(struct hs_tcp *tcp, const struct tcp_sock *tp, __u8 role,
					const struct hs_sock *state)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	const struct sock *sk = &icsk->icsk_inet.sk;
	__u32 now = bpf_jiffies64();

	tcp->fin = hs_tcp_fin(tp);
	hs_tcp_brief(tcp, tp, tcp->fin, role);
	hs_tcp_retrans(tcp, tp, state);
	hs_tcp_chrono(tcp, tp, now);
	tcp->snd_cwnd = tp->snd_cwnd;
	tcp->snd_ssthresh = tp->snd_ssthresh;
	tcp->snd_wnd = tp->snd_wnd;
	tcp->rcv_wnd = tp->rcv_wnd;
	tcp->mss = tp->mss_cache;
	tcp->unacked_bytes = tp->write_seq - tp->snd_una;
	tcp->unsent_bytes = tp->write_seq - tp->snd_nxt;
	tcp->unread_bytes = tp->rcv_nxt - tp->copied_seq;
	tcp->last_sent_ms = hs_ms(now - tp->lsndtime);
	tcp->last_received_ms = hs_ms(now - icsk->icsk_ack.lrcvtime);
	tcp->last_ack_ms = hs_ms(now - tp->rcv_tstamp);
	tcp->user_timeout_ms = icsk->icsk_user_timeout;
	tcp->packets_out = tp->packets_out;
	tcp->lost_out = tp->lost_out;
	tcp->delivered = tp->delivered;
	tcp->error = sk->sk_err;
	tcp->soft_error = sk->sk_err_soft;
	tcp->ca_state = BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state);
	tcp->retransmits = icsk->icsk_retransmits;
	tcp->probes_out = icsk->icsk_probes_out;
	tcp->backoff = icsk->icsk_backoff;
	tcp->pending_timer = icsk->icsk_pending;
}

/*
 * A connection's record up to its tcp part, but for its header and new state: sk has the old
 * one, since the tracepoint fires before the change.
 */
static __always_inline void hs_connection_fill(struct hs_ev_connection *connection, struct sock *sk,
					       const struct tcp_sock *tp, __u8 phase,
					       const struct hs_sock *state)
{
	hs_socket_fill(&connection->socket, sk, tp, state);
	connection->socket.old_state = connection->socket.state;
	connection->socket.phase = phase;
	if (state) {
		connection->start_ns = state->start_ns;
		connection->established_ns = state->established_ns;
		connection->closer_pid = state->closer_pid;
		connection->closer_tid = state->closer_tid;
		connection->closer_exit = state->closer_exit;
		connection->close = state->close;
		connection->accept_ns = state->accept_ns;
	}
}

static __always_inline void hs_listener_fill(struct hs_ev_listener *listener, struct sock *sk,
					     const struct tcp_sock *tp, __u8 phase,
					     const struct hs_sock *state)
{
	const struct request_sock_queue *queue = &tp->inet_conn.icsk_accept_queue;
	struct request_sock *head = queue->rskq_accept_head;

	hs_socket_fill(&listener->socket, sk, tp, state);
	listener->socket.phase = phase;
	listener->backlog = sk->sk_ack_backlog;
	listener->backlog_limit = sk->sk_max_ack_backlog;
	listener->syn_queue = queue->qlen.counter;
	listener->drops = sk->sk_drops.counter;
	listener->inode = sk->sk_socket->file->f_inode->i_ino;
	if (state) {
		listener->synack_retrans = state->retrans[HS_RETRANSMIT_SYN_ACK];
		listener->synack_retrans_acked = state->synack_retrans_acked;
	}
	if (head) {
		/*
		 * A child that nobody accepted has sent nothing: lsndtime is still the time of
		 * its birth (tcp_create_openreq_child). Another CPU may free it meanwhile, so
		 * this walk only probes memory.
		 */
		const struct tcp_sock *child = (const struct tcp_sock *)BPF_CORE_READ(head, sk);
		__u32 born = BPF_CORE_READ(child, lsndtime);

		if (child && born)
			listener->oldest_wait_ns = ((__u32)bpf_jiffies64() - born) * hs_tick_ns;
	}
}

#endif
