/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of TCP connections and listeners, from tracepoints that fire per connection or per
 * fault, never per packet.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/connect.bpf.h"

/* Without a hook on accept() the server's end has to be announced when it is established. */
const volatile bool hs_announce_servers;

/* What connect() returns is not seen on its way back, but where a route or a permission is missing. */
const volatile bool hs_tell_no_ports;

const volatile __u32 hs_self; /* the agent's pid */

/*
 * The third argument of two tracepoints came with later kernels, 6.18 and 6.10. Every kernel has
 * types of these names; for one that it has not, libbpf would look into all modules, and that
 * takes CAP_SYS_ADMIN.
 */
typedef void (*btf_trace_tcp_retransmit_skb)(void *data, const struct sock *sk, const struct sk_buff *skb, int err);

enum sk_rst_reason {
	SK_RST_REASON_NOT_SPECIFIED,
};

typedef void (*btf_trace_tcp_send_reset)(void *data, const struct sock *sk, const struct sk_buff *skb,
					 const enum sk_rst_reason reason);

static __always_inline void hs_own(struct hs_sock *state)
{
	__u64 task = bpf_get_current_pid_tgid();

	state->pid = task >> 32;
	state->tid = (__u32)task;
	hs_task_introduce();
}

static __always_inline void hs_send_open(struct sock *sk, const struct tcp_sock *tp, struct hs_sock *state)
{
	struct hs_ev_connection *connection =
		hs_reserve_at(state->established_ns, HS_EV_CONNECTION_OPEN_SIZE, HS_EV_CONNECTION,
			      HS_LOSS_RING_CONNECTION);

	if (!connection)
		return;
	hs_connection_fill(connection, sk, tp, HS_PHASE_OPEN, state);
	connection->socket.state = TCP_ESTABLISHED;
	state->data.announced = 1;
	hs_submit(connection);
}

/* A connection in full: closed, or abandoned. */
static __always_inline void hs_send_full(struct sock *sk, const struct tcp_sock *tp, __u8 phase,
					  struct hs_sock *state)
{
	struct hs_ev_connection *connection =
		hs_reserve(struct hs_ev_connection, HS_EV_CONNECTION, HS_LOSS_RING_CONNECTION);

	if (!connection)
		return;
	hs_connection_fill(connection, sk, tp, phase, state);
	if (phase == HS_PHASE_CLOSE)
		connection->socket.state = TCP_CLOSE;
	hs_tcp_fill(&connection->tcp, tp, connection->socket.role, state);
	state->closed_ns = connection->socket.event.time_ns;
	hs_submit(connection);
}

/* One that is over and has no more to tell than how much was said. */
static __always_inline void hs_send_brief(struct sock *sk, const struct tcp_sock *tp, struct hs_sock *state)
{
	struct hs_ev_connection *connection =
		hs_reserve_size(HS_EV_CONNECTION_BRIEF_SIZE, HS_EV_CONNECTION, HS_LOSS_RING_CONNECTION);

	if (!connection)
		return;
	hs_connection_fill(connection, sk, tp, HS_PHASE_CLOSE, state);
	connection->socket.state = TCP_CLOSE;
	hs_tcp_brief(&connection->tcp, tp, hs_tcp_fin(tp), state->role);
	state->closed_ns = connection->socket.event.time_ns;
	hs_submit(connection);
}

static __always_inline bool hs_is_brief(const struct sock *sk, const struct tcp_sock *tp, const struct hs_sock *state)
{
	bool fin = sk->__sk_common.skc_flags & (1ul << SOCK_DONE); /* the peer's counts in rcv_nxt */

	return state->established_ns && tp->tcp_clock_cache - state->start_ns < HS_BRIEF_NS && !tp->total_retrans &&
	       !state->resets_sent && !state->resets_received && !state->close && !state->closer_exit &&
	       !sk->sk_err && !sk->sk_err_soft &&
	       tp->write_seq == tp->snd_una && tp->rcv_nxt - tp->copied_seq <= fin;
}

static __always_inline void hs_send_close(struct sock *sk, const struct tcp_sock *tp, struct hs_sock *state)
{
	hs_call_settle(tp, state);
	if (state->data.stage >= HS_STAGE_TRIED)
		hs_pipeline_end(tp, state);
	if (hs_is_brief(sk, tp, state))
		hs_send_brief(sk, tp, state);
	else
		hs_send_full(sk, tp, HS_PHASE_CLOSE, state);
}

static __always_inline void hs_send_listener(struct sock *sk, const struct tcp_sock *tp, __u8 phase,
					     const struct hs_sock *state)
{
	struct hs_ev_listener *listener =
		hs_reserve(struct hs_ev_listener, HS_EV_LISTENER, HS_LOSS_RING_LISTENER);

	if (!listener)
		return;
	hs_listener_fill(listener, sk, tp, phase, state);
	listener->socket.state = phase == HS_PHASE_CLOSE ? TCP_CLOSE : TCP_LISTEN;
	hs_submit(listener);
}

static __always_inline void hs_syn_sent(struct sock *sk, struct hs_sock *state)
{
	state->role = HS_ROLE_CLIENT;
	state->start_ns = bpf_ktime_get_ns();
	state->cookie = hs_cookie(sk);
	state->connect_sent = 1;
	hs_own(state);
	if (hs_tell_no_ports)
		hs_connect_is_told(state->tid);
}

static __always_inline void hs_established_server(struct sock *sk, const struct tcp_sock *tp, struct hs_sock *state)
{
	struct hs_early *early = hs_early_of(tp);
	__u64 cookie = hs_cookie(sk); /* makes it: accept() could only read it */

	/* SYN-ACKs sent again were counted at the listener, and the child inherits them. */
	state->retrans_base = tp->total_retrans;
	if (early && !hs_announce_servers)
		hs_send_open(sk, tp, state);
	if (early)
		hs_early_tell(cookie, early, state);
}

static __always_inline void hs_established(struct sock *sk, const struct tcp_sock *tp, struct hs_sock *state)
{
	__u64 now = tp->tcp_clock_cache; /* when that segment came; to read the clock takes 40 ns */

	state->established_ns = now > state->start_ns ? now : state->start_ns; /* without a segment: TCP_REPAIR */
	if (!state->role) {
		state->role = HS_ROLE_SERVER;
		state->start_ns = state->established_ns;
	}
	state->connect_sent = 0; /* a later failure is one of a later connect() */
	if (state->role == HS_ROLE_CLIENT || hs_announce_servers)
		hs_send_open(sk, tp, state);
	if (state->role == HS_ROLE_SERVER)
		hs_established_server(sk, tp, state);
}

static __always_inline void hs_listening(struct sock *sk, const struct tcp_sock *tp, struct hs_sock *state)
{
	hs_own(state);
	hs_send_listener(sk, tp, HS_PHASE_OPEN, state);
}

/*
 * A FIN leaves a socket only through close() or shutdown() of a process that holds it. Not
 * always of its own will: the last reference may be dropped by a kernel worker, or by a pass
 * over all files that was looking at this one, our own or that of another agent. A pass runs
 * inside read(), where nobody closes anything.
 */
static __always_inline void hs_closing(struct hs_sock *state)
{
	__u64 task = bpf_get_current_pid_tgid();
	__u32 exit = hs_task_exit();

	if (task >> 32 != state->pid) {
		/* Killed inside read() is not inside a pass: that was over before. */
		if (!hs_task_is_user() || task >> 32 == hs_self || (!exit && hs_task_reads()))
			return;
		hs_task_introduce();
	}
	state->closer_pid = task >> 32;
	state->closer_tid = (__u32)task;
	state->closer_exit = exit;
}

/*
 * Inside close(), by whoever runs here? It shuts both directions and then leaves these states at
 * once, all under the socket's lock (__tcp_close() in net/ipv4/tcp.c), and shutdown() goes to a
 * state with a FIN instead; what comes from the network or a timer (tcp_done()) shuts the
 * directions when the state has changed.
 */
static __always_inline bool hs_is_in_close(const struct sock *sk, __u8 old_state)
{
	return (old_state == TCP_ESTABLISHED || old_state == TCP_CLOSE_WAIT || old_state == TCP_SYN_SENT) &&
	       (sk->sk_shutdown & SHUTDOWN_MASK) == SHUTDOWN_MASK && !sk->sk_err;
}

/* What it had sent is neither acknowledged nor likely to be soon: that its application gave up is news. */
static __always_inline bool hs_hangs(const struct tcp_sock *tp)
{
	return tp->write_seq != tp->snd_una && (tp->inet_conn.icsk_retransmits || !tp->snd_wnd);
}

static __always_inline void hs_fin_sent(struct sock *sk, const struct tcp_sock *tp, struct hs_sock *state)
{
	hs_closing(state);
	if (state->closer_pid && hs_hangs(tp))
		hs_send_full(sk, tp, HS_PHASE_ABANDONED, state);
}

/* Closed without a FIN, by the application: a SYN that it no longer waits for, or a reset. */
static __always_inline void hs_closing_at_once(const struct sock *sk, const struct tcp_sock *tp, __u8 old_state,
					       struct hs_sock *state)
{
	bool fin = sk->__sk_common.skc_flags & (1ul << SOCK_DONE); /* the peer's counts in rcv_nxt */

	hs_closing(state);
	if (old_state == TCP_SYN_SENT)
		return;
	if (tp->rcv_nxt - tp->copied_seq > fin)
		state->close |= HS_CLOSE_UNREAD;
	if ((sk->__sk_common.skc_flags & (1ul << SOCK_LINGER)) && !sk->sk_lingertime)
		state->close |= HS_CLOSE_LINGER;
}

/*
 * It never sent its SYN: the port that it was to have is in use, or none is left. connect() returns that
 * error (EADDRNOTAVAIL, tcp_v4_connect() in net/ipv4/tcp_ipv4.c).
 */
static __always_inline void hs_not_sent(const struct tcp_sock *tp, struct hs_sock *state)
{
	struct hs_tuple tuple = {};

	state->connect_sent = 0;
	if (!hs_tell_no_ports)
		return;
	hs_tuple_fill(&tuple, tp);
	__builtin_memset(tuple.local, 0, sizeof(tuple.local));
	tuple.local_port = tp->inet_conn.icsk_inet.sk.__sk_common.skc_num;
	hs_connect_failed(&tuple, -EADDRNOTAVAIL);
}

static __always_inline void hs_closed(struct sock *sk, const struct tcp_sock *tp, __u8 old_state,
				      struct hs_sock *state)
{
	if (old_state == TCP_LISTEN)
		hs_send_listener(sk, tp, HS_PHASE_CLOSE, state);
	else if (old_state == TCP_SYN_SENT && !tp->segs_out)
		hs_not_sent(tp, state);
	else {
		if (hs_is_in_close(sk, old_state))
			hs_closing_at_once(sk, tp, old_state, state);
		hs_send_close(sk, tp, state);
	}
}

/* Does the transition mean anything to us? */
static __always_inline bool hs_is_of_interest(int old_state, int new_state)
{
	switch (new_state) {
	case TCP_SYN_SENT:
	case TCP_LISTEN:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		return true;
	case TCP_CLOSE:
		return old_state != TCP_CLOSE;
	default:
		return false;
	}
}

/*
 * Does the life of a socket that we follow begin here? A server's does when it is established:
 * what a listener makes and drops before that is no connection. (A client may come to
 * TCP_SYN_RECV too, when both ends connect at once.)
 */
static __always_inline bool hs_is_birth(const struct hs_sock *state, int old_state, int new_state)
{
	return new_state == TCP_SYN_SENT || new_state == TCP_LISTEN ||
	       (new_state == TCP_ESTABLISHED && old_state == TCP_SYN_RECV &&
		!(state && state->handled == TCP_SYN_SENT));
}

/* NULL also when the other one of the two programs has handled it. */
static __always_inline struct hs_sock *hs_state_for(struct sock *sk, int old_state, int new_state)
{
	struct hs_sock *state = hs_sock_get(sk);
	bool birth = hs_is_birth(state, old_state, new_state);

	if (!state)
		return birth || (new_state == TCP_CLOSE && old_state != TCP_SYN_RECV) ? hs_sock_insert(sk) : NULL;
	if (state->handled == new_state)
		return NULL;
	if (birth || HS_SOCK_DEAD(state))
		hs_sock_clear(sk, state);
	return state;
}

static __always_inline int hs_state_changed(struct sock *sk, int old_state, int new_state)
{
	const struct tcp_sock *tp;
	struct hs_sock *state;

	if (!hs_sock_is_tcp(sk))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	state = hs_state_for(sk, old_state, new_state);
	if (!state)
		return 0;
	if (new_state == TCP_SYN_SENT)
		hs_syn_sent(sk, state);
	else if (new_state == TCP_ESTABLISHED)
		hs_established(sk, tp, state);
	else if (new_state == TCP_LISTEN)
		hs_listening(sk, tp, state);
	else if (new_state == TCP_CLOSE)
		hs_closed(sk, tp, old_state, state);
	else
		hs_fin_sent(sk, tp, state);
	state->handled = new_state;
	return 0;
}

/*
 * The kernel does not run a tracing program inside itself: an interrupt that comes while one
 * runs for a process, and in whose wake the stack handles a batch of packets, would take every
 * event of that batch (64 in a row, measured). So there are two of the same: what one misses the other
 * handles, and hs_sock.handled keeps them from doing it twice. Almost always the second finds
 * the note of the first, that was written on this CPU a moment ago, and is done.
 */
#define HS_NOTES 256 /* by CPU; where two share one, the second program looks at the socket */
static struct hs_note {
	struct sock *sk;
	__u64 state;
} hs_notes[HS_NOTES];

static __always_inline struct hs_note *hs_note(void)
{
	return &hs_notes[bpf_get_smp_processor_id() % HS_NOTES];
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(hs_tcp_state, struct sock *sk, int old_state, int new_state)
{
	struct hs_note *note;

	if (!hs_is_of_interest(old_state, new_state))
		return 0;
	hs_state_changed(sk, old_state, new_state);
	note = hs_note();
	note->sk = sk;
	note->state = new_state;
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(hs_tcp_state_again, struct sock *sk, int old_state, int new_state)
{
	struct hs_note *note;

	if (!hs_is_of_interest(old_state, new_state))
		return 0;
	note = hs_note();
	if (note->sk == sk && note->state == (__u64)new_state)
		note->state = 0;
	else
		hs_state_changed(sk, old_state, new_state);
	return 0;
}

/*
 * The kind of a retransmission from the congestion state (net/ipv4/tcp_input.c,
 * enum tcp_ca_state): a timeout enters Loss before it sends; fast retransmit runs in Recovery; a
 * tail loss probe is sent outside both, without a timeout.
 */
static __always_inline enum hs_retransmit_kind hs_kind(const struct inet_connection_sock *icsk, __u8 state)
{
	__u8 ca = BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state);

	if (state == TCP_SYN_SENT)
		return HS_RETRANSMIT_SYN;
	if (state == TCP_SYN_RECV)
		return HS_RETRANSMIT_SYN_ACK; /* TCP Fast Open: the child itself repeats it */
	if (ca == TCP_CA_Recovery)
		return HS_RETRANSMIT_FAST;
	if (ca == TCP_CA_Loss || icsk->icsk_retransmits)
		return HS_RETRANSMIT_RTO;
	return HS_RETRANSMIT_TLP;
}

/*
 * The segments of this retransmission, as the socket counts them. One that came to nothing may have failed before
 * it was counted (-EBUSY: the first copy is still in a queue of this host) or behind (-ENOBUFS): only the count tells.
 */
static __always_inline __u32 hs_segments(const struct tcp_sock *tp, const struct sk_buff *skb, int error,
					 struct hs_sock **state)
{
	struct tcp_skb_cb *cb = __builtin_preserve_access_index((void *)&skb->cb);
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u32 segments = BPF_CORE_READ(cb, tcp_gso_segs);

	*state = hs_sock_get(sk);
	if (*state)
		return error && hs_retrans_unseen(tp, *state) < segments ? 0 : segments;
	segments = error ? 0 : segments;
	*state = hs_sock_make(sk);
	if (*state)
		(*state)->retrans_base = tp->total_retrans - segments;
	return segments;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(hs_tcp_retransmit, struct sock *sk, struct sk_buff *skb)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	int error = bpf_core_type_exists(btf_trace_tcp_retransmit_skb) ? (int)ctx[2] : 0;
	struct hs_ev_retransmit *event;
	enum hs_retransmit_kind kind;
	struct hs_sock *state;
	__u32 segments;

	if (!tp)
		return 0;
	kind = hs_kind(&tp->inet_conn, sk->__sk_common.skc_state);
	segments = hs_segments(tp, skb, error, &state);
	if (state && kind < HS_RETRANSMIT_MAX)
		state->retrans[kind] += segments;

	event = hs_reserve(struct hs_ev_retransmit, HS_EV_RETRANSMIT, HS_LOSS_RING_RETRANSMIT);
	if (!event)
		return 0;
	hs_socket_fill(&event->socket, sk, tp, state);
	event->kind = kind;
	event->segments = segments;
	event->attempt = tp->inet_conn.icsk_retransmits;
	event->rto_us = (__u64)tp->inet_conn.icsk_rto * hs_tick_ns / 1000;
	event->error = error;
	hs_submit(event);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(hs_tcp_retransmit_synack, struct sock *sk, struct request_sock *request)
{
	const struct inet_request_sock *inet = (const void *)request;
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct hs_sock *state = hs_sock_make(sk);
	struct hs_ev_retransmit *event;
	__u8 acked = BPF_CORE_READ_BITFIELD_PROBED(inet, acked);

	if (state) {
		state->retrans[HS_RETRANSMIT_SYN_ACK]++;
		state->synack_retrans_acked += acked;
	}
	if (!tp)
		return 0;
	event = hs_reserve(struct hs_ev_retransmit, HS_EV_RETRANSMIT, HS_LOSS_RING_RETRANSMIT);
	if (!event)
		return 0;
	hs_socket_fill(&event->socket, sk, tp, state);
	hs_addresses_fill(&event->socket.tuple, &request->__req_common);
	event->socket.tuple.local_port = request->__req_common.skc_num;
	event->socket.role = HS_ROLE_SERVER;
	event->kind = HS_RETRANSMIT_SYN_ACK;
	event->segments = 1;
	event->attempt = BPF_CORE_READ_BITFIELD_PROBED(request, num_timeout);
	event->acked = acked;
	event->backlog = sk->sk_ack_backlog;
	event->backlog_limit = sk->sk_max_ack_backlog;
	hs_submit(event);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(hs_tcp_receive_reset, struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct hs_sock *state = hs_sock_get(sk);
	struct hs_ev_reset *event;

	if (!tp)
		return 0;
	if (state && state->resets_received < 255)
		state->resets_received++;
	event = hs_reserve(struct hs_ev_reset, HS_EV_RESET, HS_LOSS_RING_RESET);
	if (!event)
		return 0;
	hs_socket_fill(&event->socket, sk, tp, state);
	event->reason = -1;
	hs_submit(event);
	return 0;
}

struct hs_segment { /* network and transport headers, as far as ports */
	union {
		struct {
			__u8 version, skip[11];
			__be32 source, destination;
		} v4;
		struct {
			__u8 version, skip[7];
			struct in6_addr source, destination;
		} v6;
	};
};

/* The tuple of the segment that is answered by a reset without a socket: we are its destination. */
static __always_inline bool hs_segment_tuple(struct hs_tuple *tuple, const struct sk_buff *skb)
{
	unsigned char *head = BPF_CORE_READ(skb, head);
	struct hs_segment segment;
	__be16 ports[2];

	if (!head || bpf_probe_read_kernel(&segment, sizeof(segment), head + BPF_CORE_READ(skb, network_header)) ||
	    bpf_probe_read_kernel(ports, sizeof(ports), head + BPF_CORE_READ(skb, transport_header)))
		return false;
	if (segment.v4.version >> 4 == 4) {
		hs_map_v4(tuple->local, segment.v4.destination);
		hs_map_v4(tuple->remote, segment.v4.source);
	} else {
		__builtin_memcpy(tuple->local, &segment.v6.destination, 16);
		__builtin_memcpy(tuple->remote, &segment.v6.source, 16);
	}
	tuple->local_port = bpf_ntohs(ports[1]);
	tuple->remote_port = bpf_ntohs(ports[0]);
	tuple->netns = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	return true;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(hs_tcp_send_reset, struct sock *sk, struct sk_buff *skb)
{
	const struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	struct hs_ev_reset *event;
	struct hs_sock *state = NULL;

	if (tp) {
		state = hs_sock_get(sk);
		if (state && state->resets_sent < 255)
			state->resets_sent++;
	}
	event = hs_reserve(struct hs_ev_reset, HS_EV_RESET, HS_LOSS_RING_RESET);
	if (!event)
		return 0;
	if (tp)
		hs_socket_fill(&event->socket, sk, tp, state);
	else if (!skb || !hs_segment_tuple(&event->socket.tuple, skb))
		goto discard;
	event->sent = 1;
	event->reason = -1;
	if (bpf_core_type_exists(btf_trace_tcp_send_reset))
		event->reason = (int)ctx[2];
	hs_submit(event);
	return 0;
discard:
	bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(hs_sk_error_report, struct sock *sk)
{
	const struct tcp_sock *tp;
	struct hs_ev_error *event;
	int error = sk->sk_err;

	if (!error || !hs_sock_is_tcp(sk))
		return 0; /* 0: something is in the error queue, no error */
	if (!sk->__sk_common.skc_dport)
		return 0; /* thrown away by its own end: tcp_disconnect() takes the address first (net/ipv4/tcp.c) */
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	event = hs_reserve(struct hs_ev_error, HS_EV_SOCKET_ERROR, HS_LOSS_RING_ERROR);
	if (!event)
		return 0;
	hs_socket_fill(&event->socket, sk, tp, hs_sock_get(sk));
	event->error = error;
	hs_submit(event);
	return 0;
}
