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
#include "lib/connect.bpf.h"
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

static __always_inline void hs_send_connect_error(const struct hs_tuple *tuple, long error, __u64 start_ns)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct hs_ev_error *event;

	hs_task_introduce();
	event = hs_reserve(struct hs_ev_error, HS_EV_CONNECT_ERROR, HS_LOSS_RING_ERROR);
	if (!event)
		return;
	event->socket.tuple = *tuple;
	event->socket.pid = task >> 32;
	event->socket.tid = (__u32)task;
	event->socket.role = HS_ROLE_CLIENT;
	event->socket.state = TCP_CLOSE;
	event->error = -error;
	event->duration_ns = start_ns ? event->socket.event.time_ns - start_ns : 0;
	hs_submit(event);
}

static __always_inline void hs_send_accept(const struct sock *sk)
{
	__u64 task = bpf_get_current_pid_tgid();
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct hs_ev_socket *event;

	if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	hs_task_introduce();
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

/* ---- fexit ---- */

static __always_inline int hs_connect_done(struct socket *sock, const struct hs_sockaddr *address, long error)
{
	struct sock *sk = sock->sk;
	struct hs_sock *state;
	struct hs_sockaddr copy;
	struct hs_tuple tuple = {};

	if (error == -EINPROGRESS || !sk || !hs_sock_is_tcp(sk))
		return 0;
	state = hs_sock_get(sk);
	if (state && state->connect_sent) {
		state->connect_sent = 0; /* it had a SYN: told by its states */
		return 0;
	}
	if (!hs_is_failure(error) || bpf_probe_read_kernel(&copy, sizeof(copy), address) ||
	    !hs_address(&tuple, &copy))
		return 0;
	tuple.netns = sk->__sk_common.skc_net.net->ns.inum;
	hs_send_connect_error(&tuple, error, 0);
	return 0;
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
	return error ? hs_connect_done(sock, address, error) : 0;
}

SEC("fexit/inet_csk_accept")
int hs_accept_fexit(__u64 *ctx)
{
	__u64 child = 0; /* the argument list changed in 6.10: the return value by helper */

	if (!bpf_get_func_ret(ctx, &child) && child)
		hs_send_accept((const struct sock *)child);
	return 0;
}

/* ---- syscall tracepoints ---- */

static __always_inline struct socket *hs_fd_socket(int fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slot = BPF_CORE_READ(table, fd);
	struct file *file = NULL;

	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), slot + fd))
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

SEC("tracepoint/syscalls/sys_enter_connect")
int hs_connect_enter(struct trace_event_raw_sys_enter *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct hs_connect call = {};
	struct hs_sockaddr address = {};
	struct socket *socket;
	struct sock *sk;

	bpf_probe_read_user(&address, 8, (void *)ctx->args[1]);
	if (address.family == AF_INET6)
		bpf_probe_read_user(&address, sizeof(address), (void *)ctx->args[1]);
	if (!hs_address(&call.tuple, &address))
		return 0; /* the families share private_data: only now is it a socket for certain */
	socket = hs_fd_socket(ctx->args[0]);
	sk = BPF_CORE_READ(socket, sk);
	/* A call that collects the result of an earlier one is no attempt. */
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || BPF_CORE_READ(socket, state) != SS_UNCONNECTED)
		return 0;
	call.start_ns = bpf_ktime_get_ns();
	call.tuple.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (bpf_map_update_elem(&hs_connects, &thread, &call, BPF_ANY))
		hs_lost(HS_LOSS_CONNECT);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_connect")
int hs_connect_exit(struct trace_event_raw_sys_exit *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct hs_connect *call = bpf_map_lookup_elem(&hs_connects, &thread);
	struct hs_connect done;

	if (!call)
		return 0;
	done = *call;
	bpf_map_delete_elem(&hs_connects, &thread);
	if (hs_is_failure(ctx->ret) && !done.sent)
		hs_send_connect_error(&done.tuple, ctx->ret, done.start_ns);
	return 0;
}

static __always_inline int hs_accepted(long fd)
{
	struct socket *socket = fd < 0 ? NULL : hs_fd_socket(fd);

	if (socket)
		hs_send_accept(BPF_CORE_READ(socket, sk));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int hs_accept_exit(struct trace_event_raw_sys_exit *ctx)
{
	return hs_accepted(ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int hs_accept4_exit(struct trace_event_raw_sys_exit *ctx)
{
	return hs_accepted(ctx->ret);
}
