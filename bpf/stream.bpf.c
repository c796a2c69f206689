/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload as processes hand it to the kernel and get it back, where cgroup_skb cannot be had: the entry and
 * the exit of the system calls that write to and read from TCP sockets. Each costs every system call
 * of the machine (docs/KERNELS.md). The records are those of data.bpf.c; what is not in a buffer of such a call
 * (sendfile, splice) is told by its length, and what no such call carries (io_uring) by the place in the
 * stream that the next call finds.
 *
 * What is written is told as the call is entered: the answer may be read by another thread before this one
 * comes back. How much the kernel took is known at the exit: what of it has not been recorded is told there. A
 * call that writes less than it was to is made again with the rest, which has then been told.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/data.bpf.h"

#define HS_IOVS_MAX 1024 /* of a call: UIO_MAXIOV, include/uapi/linux/uio.h */
#define HS_ENTERED_MAX (HS_CHUNKS_MAX * HS_EV_DATA_BYTES)
#define HS_MSG_UNREADABLE (0x01 | 0x20) /* include/linux/socket.h: MSG_OOB, MSG_TRUNC */
#define HS_MSG_NOT_READ (0x02 | 0x2000) /* MSG_PEEK, MSG_ERRQUEUE: not of the stream, or it stays there */

enum hs_io {
	HS_IO_READS = 1,
	HS_IO_WRITES = 2,
	HS_IO_VECTOR = 4,   /* buffers in a struct iovec[] */
	HS_IO_MESSAGE = 8,  /* in a struct msghdr */
	HS_IO_FLAGS = 16,   /* the fourth argument is flags */
	HS_IO_HIDDEN = 32,  /* no buffers */
	HS_IO_MANY = 64,    /* a struct mmsghdr[]: looked at for datagrams only */
};

/* Where a call's bytes are, in the memory of its caller. */
struct hs_buffers {
	struct hs_iovec one; /* if iov is 0 */
	__u64 iov, count;
	__u64 total; /* of all buffers; at the entry no more than that */
	__u32 enters;
};

/*
 * What is found out of a call: by CPU, since it is too much for the stack, and by program, since the kernel runs
 * none on a CPU where it runs already, preempted or not.
 */
struct hs_user_call {
	struct hs_buffers buffers;
	struct hs_payload payload;
	struct hs_mmsghdr message;
	struct hs_user_datagram datagram;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct hs_user_call);
} hs_user_calls SEC(".maps");

/* A combination of enum hs_io; 0: the call is not of interest. */
static __always_inline __u32 hs_io_of(long number)
{
	switch (number) {
	case HS_SYSCALL_READ:
		return HS_IO_READS;
	case HS_SYSCALL_RECVFROM:
		return HS_IO_READS | HS_IO_FLAGS;
	case HS_SYSCALL_READV:
		return HS_IO_READS | HS_IO_VECTOR;
	case HS_SYSCALL_RECVMSG:
		return HS_IO_READS | HS_IO_MESSAGE;
	case HS_SYSCALL_WRITE:
		return HS_IO_WRITES;
	case HS_SYSCALL_SENDTO:
		return HS_IO_WRITES | HS_IO_FLAGS;
	case HS_SYSCALL_WRITEV:
		return HS_IO_WRITES | HS_IO_VECTOR;
	case HS_SYSCALL_SENDMSG:
		return HS_IO_WRITES | HS_IO_MESSAGE;
	case HS_SYSCALL_SENDFILE:
		return HS_IO_WRITES | HS_IO_HIDDEN;
	case HS_SYSCALL_SPLICE:
		return HS_IO_WRITES | HS_IO_READS | HS_IO_HIDDEN;
	case HS_SYSCALL_SENDMMSG:
		return HS_IO_WRITES | HS_IO_MANY;
	case HS_SYSCALL_RECVMMSG:
		return HS_IO_READS | HS_IO_MANY;
	default:
		return 0;
	}
}

static __always_inline __u32 hs_io_flags(const struct pt_regs *regs, __u32 io)
{
	if (io & HS_IO_MESSAGE)
		return HS_SYSCALL_ARG3(regs);
	return io & HS_IO_FLAGS ? HS_SYSCALL_ARG4(regs) : 0;
}

/* False: they cannot be read. */
static __always_inline bool hs_buffers_find(const struct pt_regs *regs, __u32 io, struct hs_user_call *call)
{
	struct hs_buffers *buffers = &call->buffers;
	struct hs_msghdr *message = &call->message.message;

	buffers->one.base = HS_SYSCALL_ARG2(regs);
	buffers->one.length = HS_SYSCALL_ARG3(regs);
	buffers->iov = buffers->count = 0;
	if (io & HS_IO_VECTOR) {
		buffers->iov = buffers->one.base;
		buffers->count = buffers->one.length;
	} else if (io & HS_IO_MESSAGE) {
		if (bpf_probe_read_user(message, sizeof(*message), (void *)buffers->one.base))
			return false;
		buffers->iov = message->iov;
		buffers->count = message->iov_count;
	}
	return true;
}

/* Buffer number i; false: there is none. */
static __always_inline bool hs_buffer_at(const struct hs_buffers *buffers, __u32 i, struct hs_iovec *buffer)
{
	if (!buffers->iov) {
		*buffer = buffers->one;
		return i == 0;
	}
	return i < buffers->count &&
	       !bpf_probe_read_user(buffer, sizeof(*buffer), (void *)(buffers->iov + i * sizeof(*buffer)));
}

/* What of it has not been told? What came before it, and was not seen, is told with it. */
static __always_inline bool hs_user_is_new(struct hs_payload *payload, struct hs_sock *state)
{
	__u8 direction = payload->direction & 1;
	__s32 told;

	if (!(state->data.begun & (1 << direction))) {
		state->data.begun |= 1 << direction;
		state->data.next[direction] = payload->position;
	}
	told = state->data.next[direction] - payload->position;
	if (told <= 0) {
		payload->before = -told;
		return true;
	}
	if ((__u32)told >= payload->length)
		return false;
	payload->offset += told;
	payload->position += told;
	payload->length -= told;
	return true;
}

/* Pages that nobody has touched cannot be read as a call is entered, but at its exit. */
static __always_inline bool hs_user_is_there(const struct hs_payload *payload)
{
	const char *at = (void *)(payload->user + payload->offset);
	char byte;

	return !bpf_probe_read_user(&byte, 1, at) && !bpf_probe_read_user(&byte, 1, at + payload->length - 1);
}

static long hs_user_send_next(__u32 index, struct hs_sending *sending)
{
	return hs_send_next(index, true, sending);
}

__noinline int hs_user_send_all(const struct hs_payload *payload, const struct hs_sock *state)
{
	struct hs_sending sending = { .state = state };

	if (!payload || !state)
		return 0;
	sending.rest = *payload;
	bpf_loop(HS_CHUNKS_MAX, hs_user_send_next, &sending, 0);
	return 0;
}

/*
 * How much of a buffer is recorded, at the call's entry no more than that is told. A call's end may be that of what is
 * said, as a pushed segment's may. False: nothing of it now.
 */
static __always_inline bool hs_user_cut(struct hs_payload *payload, struct hs_sock *state, bool enters)
{
	__u32 left = state->data.left;

	payload->flags = enters ? 0 : HS_TCP_PSH;
	if (payload->user)
		hs_data_cut(payload, state);
	if (payload->captured > HS_ENTERED_MAX)
		payload->captured = HS_ENTERED_MAX;
	if (!enters)
		return true;
	payload->length = payload->captured;
	if (payload->length && hs_user_is_there(payload))
		return true;
	state->data.left = left;
	return false;
}

/* A buffer. 0: what follows is to be told at the call's exit. */
__noinline int hs_user_take(struct hs_payload *payload, struct hs_sock *state, __u32 enters)
{
	__u32 length;

	if (!payload || !state)
		return 0;
	if (!hs_user_is_new(payload, state))
		return 1;
	length = payload->length;
	if (!hs_user_cut(payload, state, enters))
		return 0;
	if (payload->before)
		state->data.before_ns = bpf_ktime_get_ns();
	state->data.next[payload->direction & 1] = payload->position + payload->length;
	hs_user_send_all(payload, state);
	return !enters || payload->length == length;
}

/*
 * Threads inside a call that writes of which not all was told at its entry; the others are known at their exit by
 * not being here, without a look at the socket. Where two share a place the later has it, and what the earlier
 * left is told with what it writes next.
 */
#define HS_WRITERS 1024
static __u32 hs_writers[HS_WRITERS];

static __always_inline __u32 *hs_writer_place(void)
{
	return &hs_writers[(__u32)bpf_get_current_task_btf()->pid % HS_WRITERS];
}

static __always_inline void hs_writer_note(void)
{
	*hs_writer_place() = bpf_get_current_task_btf()->pid;
}

/* Was it noted? It is no more. */
static __always_inline bool hs_writer_take(void)
{
	__u32 *place = hs_writer_place();

	if (*place != (__u32)bpf_get_current_task_btf()->pid)
		return false;
	*place = 0;
	return true;
}

/* The buffers of a call, one after the other. */
struct hs_taking {
	const struct hs_buffers *buffers;
	const struct hs_payload *payload;
	struct hs_sock *state;
	__u32 done;  /* bytes */
	__u32 taken; /* buffers */
};

/* 1: that was the last. */
static long hs_user_take_next(__u32 index, struct hs_taking *taking)
{
	const struct hs_buffers *buffers = taking->buffers;
	struct hs_payload part = *taking->payload;
	struct hs_iovec buffer;

	if (taking->done >= buffers->total || !hs_buffer_at(buffers, index, &buffer))
		return 1;
	part.position += taking->done;
	part.user = buffer.base;
	part.length = buffer.length < buffers->total - taking->done ? buffer.length : buffers->total - taking->done;
	if (part.length && !hs_user_take(&part, taking->state, buffers->enters))
		return 1;
	taking->done += part.length;
	taking->taken++;
	return 0;
}

/* All of a call's buffers, as far as it got; payload is where they are in the stream. 0: not all of them. */
__noinline int hs_user_take_all(const struct hs_buffers *buffers, const struct hs_payload *payload, struct hs_sock *state)
{
	struct hs_taking taking = { .buffers = buffers, .payload = payload, .state = state };
	struct hs_payload part;

	if (!buffers || !payload || !state)
		return 0;
	bpf_loop(HS_IOVS_MAX, hs_user_take_next, &taking, 0);
	if (buffers->enters)
		return taking.taken == (buffers->iov ? buffers->count : 1);
	if (taking.done >= buffers->total)
		return 1;
	part = *payload;
	part.position += taking.done;
	part.length = buffers->total - taking.done;
	part.user = 0;
	return hs_user_take(&part, state, false);
}

static __noinline bool hs_user_meet(const struct sock *sk, __u64 cookie, struct hs_sock *state)
{
	struct hs_tuple tuple = {};

	hs_tuple_probe(&tuple, sk);
	return hs_data_meet(&tuple, BPF_CORE_READ(sk, __sk_common.skc_state), cookie, state);
}

/* Is what this call says wanted? It may be the first of its turn. */
static __always_inline bool hs_user_is_wanted(const struct sock *sk, const struct hs_buffers *buffers,
					      struct hs_payload *payload, struct hs_sock *state)
{
	bool begins = hs_client_begins(payload, state), turns = state->data.turn != payload->direction + 1;
	bool first = !(state->data.begun & (1 << payload->direction));
	struct hs_iovec buffer = {};

	if (turns || (state->data.watch != HS_WATCH_HEADS && state->data.watch != HS_WATCH_ENDS))
		hs_data_ask(payload, state, false); /* what the kernel counts, it counts of packets */
	if (state->data.watch == HS_WATCH_NOTHING)
		return false;
	if (!hs_data_is_met(state) && !hs_user_meet(sk, payload->cookie, state))
		return false;
	if (hs_data_may_show(state, first, begins) && hs_buffer_at(buffers, 0, &buffer)) {
		payload->user = buffer.base;
		payload->length = buffer.length < buffers->total ? buffer.length : buffers->total;
		hs_data_shows(hs_user_wanted(payload), state);
	}
	if (turns)
		hs_turn_begins(payload->direction, begins, state);
	return true;
}

/* ---- datagrams ---- */

#define HS_DATAGRAMS_MAX 16 /* of a call */

static __always_inline void hs_user_message(const struct sock *sk, struct hs_user_call *call)
{
	const struct hs_msghdr *message = &call->message.message;

	call->datagram.name = message->name;
	if (message->iov_count && !bpf_probe_read_user(&call->datagram.bytes, sizeof(call->datagram.bytes),
						       (void *)message->iov))
		hs_dns_send_user((__u64)sk, &call->datagram);
}

/* Of a call that sends at its entry, as with streams; of one that reads when it has come back. */
static __always_inline int hs_user_datagrams(const struct pt_regs *regs, const struct sock *sk, __u32 io,
					     struct hs_user_call *call)
{
	const struct hs_mmsghdr *several = (void *)HS_SYSCALL_ARG2(regs);
	__u32 enters = call->buffers.enters, count = enters ? HS_SYSCALL_ARG3(regs) : call->buffers.total;

	call->datagram.bytes.base = HS_SYSCALL_ARG2(regs);
	call->datagram.bytes.length = HS_SYSCALL_ARG3(regs);
	call->datagram.name = io & HS_IO_FLAGS ? HS_SYSCALL_ARG5(regs) : 0;
	call->datagram.length = call->buffers.total;
	call->datagram.direction = io & HS_IO_READS ? HS_DIRECTION_INGRESS : HS_DIRECTION_EGRESS;
	if (io & HS_IO_MESSAGE) {
		if (!bpf_probe_read_user(&call->message.message, sizeof(call->message.message), several))
			hs_user_message(sk, call);
	} else if (!(io & HS_IO_MANY)) {
		hs_dns_send_user((__u64)sk, &call->datagram);
	}
	for (__u32 i = 0; (io & HS_IO_MANY) && i < HS_DATAGRAMS_MAX && i < count; i++) {
		if (bpf_probe_read_user(&call->message, sizeof(call->message), several + i))
			break;
		call->datagram.length = enters ? ~0u : call->message.length;
		hs_user_message(sk, call);
	}
	return 0;
}

/* ---- calls ---- */

/* Behind the last byte that a process has read. A FIN that was read with it took a number of its own. */
static __always_inline __u32 hs_read_position(const struct tcp_sock *tp, const struct sock *sk)
{
	__u32 position = BPF_CORE_READ(tp, copied_seq);

	if (!(BPF_CORE_READ(sk, __sk_common.skc_flags) & (1ul << SOCK_DONE)))
		return position;
	return position - (position == BPF_CORE_READ(tp, rcv_nxt));
}

/* Nobody wants to know what this one says: its next call ends early. */
static __always_inline bool hs_user_is_unwanted(__u64 key, const struct hs_sock *state)
{
	if (state->handled == TCP_LISTEN || state->handled == TCP_SYN_SENT || HS_SOCK_DEAD(state))
		return true;
	if (state->data.watch != HS_WATCH_NOTHING)
		return false;
	hs_ignore(key);
	return true;
}

static __always_inline int hs_user_stream(const struct pt_regs *regs, const struct sock *sk, __u32 io, __u32 flags,
					  struct hs_user_call *call, struct hs_sock *state)
{
	const struct tcp_sock *tp = (const void *)sk;
	struct hs_buffers *buffers = &call->buffers;
	struct hs_payload *payload = &call->payload;

	__builtin_memset(payload, 0, sizeof(*payload));
	payload->direction = io & HS_IO_READS ? HS_DIRECTION_INGRESS : HS_DIRECTION_EGRESS;
	payload->position = io & HS_IO_READS ? hs_read_position(tp, sk) : BPF_CORE_READ(tp, write_seq);
	if (!buffers->enters && (io & HS_IO_WRITES) && (state->data.begun & 1) &&
	    state->data.next[HS_DIRECTION_EGRESS] == payload->position)
		return 0; /* it has all been told */
	if (!buffers->enters)
		payload->position -= buffers->total;
	if ((io & HS_IO_HIDDEN) || (flags & HS_MSG_UNREADABLE) || !hs_buffers_find(regs, io, call)) {
		if (buffers->enters) {
			hs_writer_note();
			return 0;
		}
		buffers->iov = buffers->one.base = 0;
		buffers->one.length = buffers->total;
	}
	payload->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (hs_user_is_wanted(sk, buffers, payload, state) && !hs_user_take_all(buffers, payload, state) &&
	    buffers->enters)
		hs_writer_note();
	return 0;
}

static __always_inline int hs_user_io(const struct pt_regs *regs, __u64 fd, __u32 io, __u64 total, bool enters)
{
	const struct sock *sk = hs_fd_sock(fd);
	__u64 key = (__u64)sk;
	__u32 flags = hs_io_flags(regs, io), place = enters;
	struct hs_user_call *call;
	struct hs_sock *state;

	if (!key || hs_is_ignored(key) || HS_SYSCALL_IS_COMPAT(regs) ||
	    ((io & HS_IO_READS) && (flags & HS_MSG_NOT_READ)))
		return 0;
	state = hs_sock_get(sk);
	if (state ? hs_user_is_unwanted(key, state) || (io & HS_IO_MANY) :
		    (io & HS_IO_HIDDEN) || !(io & HS_IO_WRITES) == enters || !hs_sock_is_udp(sk))
		return 0;
	call = bpf_map_lookup_elem(&hs_user_calls, &place);
	if (!call)
		return 0;
	call->buffers.total = total;
	call->buffers.enters = enters;
	return state ? hs_user_stream(regs, sk, io, flags, call, state) : hs_user_datagrams(regs, sk, io, call);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(hs_sys_enter, struct pt_regs *regs, long number)
{
	__u32 io = hs_io_of(number);

	if (!(io & HS_IO_WRITES) || (io & HS_IO_HIDDEN))
		return 0;
	return hs_user_io(regs, HS_SYSCALL_ARG1(regs), io, ~0u, true);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(hs_sys_exit, struct pt_regs *regs, long result)
{
	__u64 fd = HS_SYSCALL_ARG1(regs);
	__u32 io;

	if (result <= 0)
		return 0;
	io = hs_io_of(HS_SYSCALL_NUMBER(regs));
	if (!io || (io & (HS_IO_READS | HS_IO_HIDDEN) ? 0 : !hs_writer_take()))
		return 0;
	if (io & HS_IO_READS && io & HS_IO_WRITES) { /* splice(): one of its ends is a pipe */
		bool writes = hs_sock_get(hs_fd_sock(HS_SYSCALL_ARG3(regs)));

		fd = writes ? HS_SYSCALL_ARG3(regs) : fd;
		io = HS_IO_HIDDEN | (writes ? HS_IO_WRITES : HS_IO_READS);
	}
	return hs_user_io(regs, fd, io, result, false);
}
