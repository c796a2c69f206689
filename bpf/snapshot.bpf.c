/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot pass: every TCP socket that a process of any network namespace holds, with its
 * owner, read through iter/task_file. It finds what is older than the agent, samples what
 * lives, and shows who holds a socket now (after fork, or when it was passed on). iter/tcp
 * would see one network namespace at a time, and no owner.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"

static __always_inline void hs_snapshot_listener(struct seq_file *seq, struct sock *sk, struct task_struct *task)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct hs_ev_listener listener = {};

	if (!tp)
		return;
	hs_event_init(&listener.socket.event, HS_EV_LISTENER, sizeof(listener), bpf_ktime_get_ns());
	hs_listener_fill(&listener, sk, tp, HS_PHASE_SAMPLE, hs_sock_get(sk));
	listener.socket.pid = task->tgid;
	listener.socket.tid = task->pid;
	bpf_seq_write(seq, &listener, sizeof(listener));
}

/*
 * A connection older than the agent: the kernel chose its port inside connect(), or it was
 * made by a listener (or bound by hand: userspace looks for a listener).
 */
static __always_inline struct hs_sock *hs_adopt(struct sock *sk, const struct tcp_sock *tp)
{
	struct hs_sock *state = hs_sock_make(sk);
	struct inet_bind_bucket *bucket = tp->inet_conn.icsk_bind_hash;

	if (!state)
		return NULL;
	state->cookie = hs_cookie(sk);
	state->retrans_base = tp->total_retrans;
	if (bucket && bucket->fastreuse < 0)
		state->role = HS_ROLE_CLIENT;
	return state;
}

#define HS_REST_NS 200000000ull /* for so long nothing has come of an answer: that was it */

/* The socket's entry; NULL when it has none, or one whose socket went unseen: without hook connection they all do. */
static __always_inline struct hs_sock *hs_known(struct sock *sk)
{
	struct hs_sock *state = hs_sock_get(sk);

	if (!state || !state->cookie || state->cookie == hs_cookie(sk))
		return state;
	hs_sock_clear(sk, state);
	return NULL;
}

static __always_inline void hs_snapshot_call(const struct tcp_sock *tp, struct hs_sock *state)
{
	__u64 now = bpf_ktime_get_ns();

	if (state->data.stage == HS_STAGE_ANSWERED && state->data.response_end_ns + HS_REST_NS < now)
		hs_call_settle(tp, state);
	else if (state->data.stage == HS_STAGE_ASKED && state->data.request_ns + HS_SLOW_NS < now)
		hs_call_waits(tp, state);
	else if (state->data.stage == HS_STAGE_PIPELINE)
		hs_pipeline_waits(tp, state, now);
}

static __always_inline void hs_snapshot_connection(struct seq_file *seq, struct sock *sk,
						   struct task_struct *task)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct hs_ev_connection connection = {};
	struct hs_sock *state;

	if (!tp)
		return;
	state = hs_known(sk);
	if (!state)
		state = hs_adopt(sk, tp);
	else if (state->data.watch == HS_WATCH_COUNT)
		hs_snapshot_call(tp, state);
	hs_event_init(&connection.socket.event, HS_EV_CONNECTION, sizeof(connection), bpf_ktime_get_ns());
	hs_connection_fill(&connection, sk, tp, HS_PHASE_SAMPLE, state);
	hs_tcp_fill(&connection.tcp, tp, connection.socket.role, state);
	connection.inode = sk->sk_socket->file->f_inode->i_ino;
	if (connection.socket.pid != (__u32)task->tgid) { /* else of its threads the one that connected or accepted */
		connection.socket.pid = task->tgid;
		connection.socket.tid = task->pid;
	}
	bpf_seq_write(seq, &connection, sizeof(connection));
}

/*
 * The dead entries of connections are kept to be taken over, for a minute at least, those of listeners (which have no
 * closed_ns) are not: the memory of sockets that are no more comes back when they are half of what the table holds.
 */
#define HS_DEAD_NS 60000000000ull

static long hs_sweep_one(struct bpf_map *map, __u64 *key, struct hs_sock *state, __u64 *now)
{
	if (HS_SOCK_DEAD(state) && (!state->closed_ns || state->closed_ns + HS_DEAD_NS < *now) &&
	    !bpf_map_delete_elem(map, key))
		__sync_fetch_and_sub(&hs_sock_count, 1);
	return 0;
}

static __always_inline void hs_sweep(void)
{
	__u64 now = bpf_ktime_get_ns();

	if (hs_sock_count > hs_sock_bound)
		bpf_for_each_map_elem(&hs_socks, hs_sweep_one, &now, 0);
}

SEC("iter/task_file")
int hs_snapshot(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u8 state;

	if (!task || !file) {
		hs_sweep(); /* the end of a pass */
		return 0;
	}
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !hs_sock_is_tcp(sk))
		return 0;
	state = sk->__sk_common.skc_state;
	if (state == TCP_LISTEN)
		hs_snapshot_listener(ctx->meta->seq, sk, task);
	else if (state != TCP_CLOSE)
		hs_snapshot_connection(ctx->meta->seq, sk, task);
	return 0;
}
