/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Payload: of a packet, as the programs at the root of cgroup v2 see it, or of a system call. */
#ifndef HS_DATA_BPF_H
#define HS_DATA_BPF_H

#include "lib/sock.bpf.h"

struct hs_payload {
	__u64 cookie;
	__u64 user;           /* address in the memory of the process whose call it is; not of a packet */
	__u32 header;         /* where TCP's begins in the packet */
	__u32 offset, length; /* in the packet, or from user on */
	__u32 position;       /* sequence number */
	__u32 captured;       /* how much of it is to be recorded */
	__u32 before;         /* how much before it was not */
	__u8 flags;           /* of the TCP header */
	__u8 direction;
	__u8 ahead;           /* of where its direction begins */
};

/* Of a packet, or of the memory of the process whose call it is: what is one has none of the other's helpers. */
static __always_inline long hs_payload_load(struct __sk_buff *skb, bool user, const struct hs_payload *payload, void *to,
					    __u32 size)
{
	return user ? bpf_probe_read_user(to, size, (void *)(payload->user + payload->offset)) :
		      bpf_skb_load_bytes(skb, payload->offset, to, size);
}

/* The other side's turn. */
static __always_inline void hs_turn_begins(__u8 direction, bool is_client, struct hs_sock *state)
{
	if (is_client) {
		if (state->data.turns < 255)
			state->data.turns++;
		state->data.read_ns = 0;
	}
	state->data.turn = direction + 1;
	state->data.left = state->data.watch == HS_WATCH_ENDS ? HS_WATCH_ENDS_BYTES : HS_WATCH_HEAD_BYTES;
}

#endif
