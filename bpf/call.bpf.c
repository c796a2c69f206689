/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connect() and accept() as the application called them: errors that come back before a SYN
 * was made, which no TCP tracepoint sees, and the moment and owner of every accept().
 *
 * Two rungs. fexit costs nothing but on these two calls. The syscall tracepoints are the
 * lower rung: while any of them is attached, every system call of the machine takes the slow
 * entry and exit (52 ns each, measured on 6.18).
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"
#include "lib/task.bpf.h"

#define EPERM 1
#define EINTR 4
#define EAGAIN 11
#define EALREADY 114
#define EINPROGRESS 115
#define EISCONN 106

/* Errors of connect() that are no failure of this attempt. */
static __always_inline bool hs_is_failure(long error)
{
	return error < 0 && error != -EINPROGRESS && error != -EALREADY && error != -EISCONN &&
	       error != -EINTR && error != -EAGAIN;
}

static __always_inline bool hs_address(struct hs_tuple *tuple, const struct hs_sockaddr *address)
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

static __always_inline int hs_connect_failed(const struct sock *sk, const struct hs_sockaddr *address, long error)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct hs_ev_error *event;

	hs_task_introduce();
	event = hs_reserve(struct hs_ev_error, HS_EV_CONNECT_ERROR, HS_LOSS_RING_ERROR);
	if (!event)
		return 0;
	if (!hs_address(&event->socket.tuple, address)) {
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return 0;
	}
	event->socket.tuple.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	event->socket.tuple.local_port = BPF_CORE_READ(sk, __sk_common.skc_num); /* bound before; else 0 */
	event->socket.pid = task >> 32;
	event->socket.tid = (__u32)task;
	event->socket.role = HS_ROLE_CLIENT;
	event->socket.state = TCP_CLOSE;
	event->error = -error;
	hs_submit(event);
	return 0;
}

static __always_inline void hs_send_accept(const struct sock *sk)
{
	__u64 task = bpf_get_current_pid_tgid();
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
	__u64 task = bpf_get_current_pid_tgid();
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
	return hs_connect_failed(sk, &copy, error);
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
	return BPF_CORE_READ(socket, sk);
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
	return hs_connect_failed(sk, &address, ctx->ret);
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
