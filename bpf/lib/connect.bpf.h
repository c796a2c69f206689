/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect() calls under way, as the syscall tracepoints see them: bpf/call.bpf.c. */
#ifndef HS_CONNECT_BPF_H
#define HS_CONNECT_BPF_H

#include "kernel.h"
#include "hopscope/event.h"

struct hs_connect {
	__u64 start_ns;
	struct hs_tuple tuple; /* remote only */
	__u64 sent; /* it got as far as a SYN: told by the socket's states */
};

/*
 * By thread. Inserted at enter, deleted at exit. Bounded by threads that are killed in between:
 * the kernel evicts the oldest.
 */
struct hs_connects_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct hs_connect);
};
extern struct hs_connects_map hs_connects SEC(".maps");

/* Called in the context of the thread that connects; no call is known where fexit does the work. */
static __always_inline void hs_connect_sent(bool sent)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct hs_connect *call = bpf_map_lookup_elem(&hs_connects, &thread);

	if (call)
		call->sent = sent;
}

#endif
