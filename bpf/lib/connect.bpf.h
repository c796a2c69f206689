/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect() calls under way, and those that failed before a SYN was sent. */
#ifndef HS_CONNECT_BPF_H
#define HS_CONNECT_BPF_H

#include "lib/sock.bpf.h"
#include "lib/task.bpf.h"

#define EPERM 1
#define EINTR 4
#define EAGAIN 11
#define EALREADY 114
#define EINPROGRESS 115
#define EISCONN 106
#define ENETUNREACH 101
#define EADDRNOTAVAIL 99

#define HS_CONNECTS 256

/* The last connect() of a thread; where two threads share a place, the later has it. */
struct hs_connect {
	struct bpf_task_work work;
	struct hs_tuple tuple;
	__u32 tid;  /* 0: nothing is under way */
	__s32 error; /* of its last route look-up */
};

/* By thread number. Written by connect(); taken when its SYN is sent, or its error told. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HS_CONNECTS);
	__type(key, __u32);
	__type(value, struct hs_connect);
} hs_connects SEC(".maps");

static __always_inline struct hs_connect *hs_connect_of(__u32 tid)
{
	__u32 place = tid % HS_CONNECTS;

	return bpf_map_lookup_elem(&hs_connects, &place);
}

/* A thread has sent a SYN, or would have: the states of its socket tell the rest. */
static __always_inline void hs_connect_is_told(__u32 tid)
{
	struct hs_connect *connect = hs_connect_of(tid);

	if (connect && connect->tid == tid)
		connect->tid = 0;
}

/* Of the tuple: the remote end, the namespace, and the local port if it was bound before. */
static __always_inline int hs_connect_failed(const struct hs_tuple *tuple, long error)
{
	struct hs_ev_error *event;
	__u64 task = hs_task_id();

	hs_task_introduce();
	event = hs_reserve(struct hs_ev_error, HS_EV_CONNECT_ERROR, HS_LOSS_RING_ERROR);
	if (!event)
		return 0;
	event->socket.tuple = *tuple;
	event->socket.pid = task >> 32;
	event->socket.tid = (__u32)task;
	event->socket.role = HS_ROLE_CLIENT;
	event->socket.state = TCP_CLOSE;
	event->error = -error;
	hs_submit(event);
	return 0;
}

#endif
