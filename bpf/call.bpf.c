/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connect() and accept() as the application called them: errors that come back before a SYN
 * was made, which no TCP tracepoint sees, and the moment and owner of every accept().
 *
 * Three rungs. fexit costs nothing but on these two calls. Nor do the cgroup programs, but for a
 * look at what each route look-up came to; they see what happens to a connection inside these calls, and not
 * what a security module refuses before, nor an accept() that does not ask for the peer's address. The
 * syscall tracepoints see all of it: while any of them is attached, every system call of the
 * machine takes the slow entry and exit (54 ns each, measured on 6.18).
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"
#include "lib/connect.bpf.h"

/* Errors of connect() that are no failure of this attempt. */
static __always_inline bool hs_is_failure(long error)
{
	return error < 0 && error != -EINPROGRESS && error != -EALREADY && error != -EISCONN &&
	       error != -EINTR && error != -EAGAIN;
}

/* sk has been found by walking memory: every step may fault. */
static __always_inline bool hs_is_tcp_probed(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

/* Was the result of this connect() told by the states of its socket? */
static __always_inline bool hs_told_by_states(const struct sock *sk)
{
	struct hs_sock *state = hs_sock_get(sk);

	if (!state || !state->connect_sent || state->cookie != (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter))
		return false;
	state->connect_sent = 0;
	return true;
}

static __always_inline int hs_connect_failed_to(const struct sock *sk, const struct hs_sockaddr *address, long error)
{
	struct hs_tuple tuple = {};

	if (!hs_sockaddr_fill(&tuple, address))
		return 0;
	tuple.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	tuple.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	return hs_connect_failed(&tuple, error);
}

static __always_inline void hs_send_accept(const struct sock *sk)
{
	__u64 task = hs_task_id();
	struct hs_ev_socket *event;

	event = hs_reserve(struct hs_ev_socket, HS_EV_ACCEPT, HS_LOSS_RING_ACCEPT);
	if (!event)
		return;
	event->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	hs_tuple_probe(&event->tuple, sk);
	event->pid = task >> 32;
	event->tid = (__u32)task;
	event->role = HS_ROLE_SERVER;
	event->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	hs_submit(event);
}

/* What the socket will tell anyway need not be a record of its own, unless somebody waits for it. */
static __always_inline int hs_accepted(const struct sock *sk)
{
	__u64 task = hs_task_id();
	struct hs_sock *state = hs_sock_get(sk);

	if (state && state->role == HS_ROLE_SERVER && !HS_SOCK_DEAD(state)) {
		state->pid = task >> 32;
		state->tid = (__u32)task;
		state->accept_ns = bpf_ktime_get_ns();
	} else if (!hs_is_tcp_probed(sk)) {
		return 0;
	} else {
		state = NULL;
	}
	hs_task_introduce();
	if (!state || hs_live)
		hs_send_accept(sk);
	return 0;
}

/* ---- fexit ---- */

static __always_inline int hs_connect_done(struct socket *sock, const struct hs_sockaddr *address, long error)
{
	struct sock *sk = sock->sk;
	struct hs_sockaddr copy;

	if (!hs_is_failure(error) || !sk || !hs_sock_is_tcp(sk) || hs_told_by_states(sk) ||
	    bpf_probe_read_kernel(&copy, sizeof(copy), address))
		return 0;
	return hs_connect_failed_to(sk, &copy, error);
}

SEC("fexit/inet_stream_connect")
int BPF_PROG(hs_connect_fexit, struct socket *sock, void *address, int length, int flags, int error)
{
	return hs_connect_done(sock, address, error);
}

/* Refused by a security module: inet_stream_connect() is not reached. */
SEC("fexit/security_socket_connect")
int BPF_PROG(hs_connect_denied_fexit, struct socket *sock, void *address, int length, int error)
{
	return hs_connect_done(sock, address, error);
}

SEC("fexit/inet_csk_accept")
int hs_accept_fexit(__u64 *ctx)
{
	__u64 child = 0; /* the argument list changed in 6.10: the return value by helper */

	return !bpf_get_func_ret(ctx, &child) && child ? hs_accepted((const struct sock *)child) : 0;
}

/* ---- cgroup programs, and the route look-ups inside connect() ---- */

static __always_inline int hs_connect_begins(struct bpf_sock_addr *ctx, bool v6)
{
	struct bpf_sock *sk = ctx->sk;
	struct hs_connect *connect = hs_connect_of((__u32)hs_task_id());
	const struct tcp_sock *tp;
	long error;

	if (!connect)
		return HS_PASS;
	connect->tid = 0;
	tp = sk && ctx->protocol == IPPROTO_TCP ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!tp || tp->inet_conn.icsk_inet.sk.__sk_common.skc_state != TCP_CLOSE)
		return HS_PASS; /* one that is under way, or was: this call only asks how it went */
	if (v6) {
		__u32 *word = (__u32 *)connect->tuple.remote;

		word[0] = ctx->user_ip6[0];
		word[1] = ctx->user_ip6[1];
		word[2] = ctx->user_ip6[2];
		word[3] = ctx->user_ip6[3];
	} else {
		hs_map_v4(connect->tuple.remote, ctx->user_ip4);
	}
	connect->tuple.remote_port = bpf_ntohs((__be16)ctx->user_port);
	connect->tuple.local_port = tp->inet_conn.icsk_inet.sk.__sk_common.skc_num;
	connect->tuple.netns = tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ns.inum;
	connect->error = 0;
	error = bpf_get_retval(); /* programs of cgroups below the root have had their say */
	if (hs_is_failure(error))
		hs_connect_failed(&connect->tuple, error);
	else
		connect->tid = (__u32)hs_task_id();
	return HS_PASS;
}

SEC("cgroup/connect4")
int hs_connect4(struct bpf_sock_addr *ctx)
{
	return hs_connect_begins(ctx, false);
}

SEC("cgroup/connect6")
int hs_connect6(struct bpf_sock_addr *ctx)
{
	return hs_connect_begins(ctx, true);
}

/* The thread returns to user space: what connect() returned is in its registers. */
static int hs_connect_returns(struct bpf_map *map, void *key, void *value)
{
	struct hs_connect *connect = value;
	struct task_struct *task = bpf_get_current_task_btf();
	long error = connect->error;

#ifdef HS_SYSCALL_NUMBER
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	if (HS_SYSCALL_NUMBER(regs) == HS_SYSCALL_CONNECT)
		error = HS_SYSCALL_RESULT(regs);
#endif
	if (connect->tid != (__u32)task->pid)
		return 0;
	connect->tid = 0;
	if (hs_is_failure(error))
		hs_connect_failed(&connect->tuple, error);
	return 0;
}

/* A route look-up of this thread found none. Another table may have one: only the call's result tells. */
static __always_inline int hs_no_route(__u8 protocol, int error)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hs_connect *connect;

	if (protocol != IPPROTO_TCP)
		return 0;
	connect = hs_connect_of(task->pid);
	if (!connect || connect->tid != (__u32)task->pid)
		return 0;
	connect->error = error == -EAGAIN ? -ENETUNREACH : error; /* fib_lookup() in include/net/ip_fib.h */
	bpf_task_work_schedule_resume_impl(task, &connect->work, &hs_connects, hs_connect_returns, NULL);
	return 0;
}

SEC("tp_btf/fib_table_lookup")
int BPF_PROG(hs_no_route4, __u32 table, const struct flowi4 *flow, const void *next_hop, int error)
{
	if (!error || table == RT_TABLE_LOCAL)
		return 0;
	return hs_no_route(flow->__fl_common.flowic_proto, error);
}

SEC("tp_btf/fib6_table_lookup")
int BPF_PROG(hs_no_route6, const struct net *net, const struct fib6_result *result, struct fib6_table *table,
	     const struct flowi6 *flow)
{
	if (!(result->fib6_flags & RTF_REJECT) || table->tb6_id == RT_TABLE_LOCAL)
		return 0;
	return hs_no_route(flow->__fl_common.flowic_proto, -ENETUNREACH);
}

/* Inside accept() that asks for the peer's address; else getpeername() was called. */
static __always_inline int hs_accept_names(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	const struct tcp_sock *tp = sk && ctx->protocol == IPPROTO_TCP ? bpf_skc_to_tcp_sock(sk) : NULL;
	struct hs_sock *state;

	if (!tp)
		return HS_PASS;
	state = hs_sock_get((const struct sock *)tp);
	if (state && state->role == HS_ROLE_SERVER && !state->accept_ns)
		hs_accepted((const struct sock *)tp);
	return HS_PASS;
}

SEC("cgroup/getpeername4")
int hs_accept_name4(struct bpf_sock_addr *ctx)
{
	return hs_accept_names(ctx);
}

SEC("cgroup/getpeername6")
int hs_accept_name6(struct bpf_sock_addr *ctx)
{
	return hs_accept_names(ctx);
}

/* ---- syscall tracepoints ---- */

static __always_inline struct sock *hs_fd_sock(int fd)
{
	struct fdtable *table = bpf_get_current_task_btf()->files->fdt;
	struct socket *socket;
	struct file *file;

	if (fd < 0 || (__u32)fd >= table->max_fds ||
	    bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd))
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return socket ? BPF_CORE_READ(socket, sk) : NULL;
}

/* A connect() that failed with this error: its arguments are still in the registers of its caller. */
SEC("tracepoint/syscalls/sys_exit_connect")
int hs_connect_exit(struct trace_event_raw_sys_exit *ctx)
{
	struct hs_sockaddr address = {};
	struct pt_regs *regs;
	struct sock *sk;
	void *from;

	if (!hs_is_failure(ctx->ret))
		return 0;
	regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	from = (void *)HS_SYSCALL_ARG2(regs);
	bpf_probe_read_user(&address, 8, from);
	if (address.family == AF_INET6)
		bpf_probe_read_user(&address, sizeof(address), from);
	else if (address.family != AF_INET)
		return 0; /* the families share private_data: only now is it a socket for certain */
	sk = hs_fd_sock(HS_SYSCALL_ARG1(regs));
	if (!sk || !hs_is_tcp_probed(sk) || hs_told_by_states(sk))
		return 0;
	return hs_connect_failed_to(sk, &address, ctx->ret);
}

static __always_inline int hs_accept_exited(long fd)
{
	struct sock *sk = fd < 0 ? NULL : hs_fd_sock(fd);

	return sk ? hs_accepted(sk) : 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int hs_accept_exit(struct trace_event_raw_sys_exit *ctx)
{
	return hs_accept_exited(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int hs_accept4_exit(struct trace_event_raw_sys_exit *ctx)
{
	return hs_accept_exited(ctx->ret);
}
