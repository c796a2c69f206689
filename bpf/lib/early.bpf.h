/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request that completes its handshake: where the third packet was lost, or the server waits for one
 * (TCP_DEFER_ACCEPT, as Apache does). The program at the root of cgroup v2 sees it arrive at the listener; its connection
 * comes to be while this packet is handled, on this CPU (tcp_check_req() and tcp_child_process() in
 * net/ipv4/tcp_minisocks.c), and takes it then.
 */
#ifndef HS_EARLY_BPF_H
#define HS_EARLY_BPF_H

#include "lib/sock.bpf.h"

#define HS_EARLY_NS 10000000ull

struct hs_early {
	__u64 watch; /* enum hs_watch: how much is wanted of its connection */
	__u64 record[(sizeof(struct hs_ev_data) + HS_EV_DATA_BYTES) / 8 + 1]; /* a struct hs_ev_data; its length 0: none */
};

/* One by CPU: written by what arrives at a listener, taken by the connection that it makes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hs_early);
} hs_earlies SEC(".maps");

static __always_inline struct hs_early *hs_early(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&hs_earlies, &first);
}

/* NULL: it was made by a bare third packet, as nearly all are. */
static __always_inline struct hs_early *hs_early_of(const struct tcp_sock *tp)
{
	struct hs_early *early = hs_early();
	const struct hs_ev_data *data = early ? (void *)early->record : NULL;

	if (!data || !data->length || data->position != tp->rcv_nxt ||
	    data->event.time_ns + HS_EARLY_NS < bpf_ktime_get_ns())
		return NULL;
	return early;
}

/* The connection is established, and userspace has been told. */
static __always_inline void hs_early_take(struct hs_early *early, __u64 cookie, struct hs_sock *state)
{
	struct hs_ev_data *data = (void *)early->record;
	__u32 captured = data->captured & (2 * HS_EV_DATA_BYTES - 1);

	data->cookie = cookie;
	if (captured > HS_EV_DATA_BYTES ||
	    bpf_ringbuf_output(&hs_ring, data, sizeof(*data) + ((captured + 7) & ~7u), hs_ring_flags()))
		hs_lost(HS_LOSS_RING_DATA);
	state->data.begun |= 1 << HS_DIRECTION_INGRESS;
	state->data.next[HS_DIRECTION_INGRESS] = data->position + data->length;
	state->data.watch = early->watch;
	state->data.turn = HS_DIRECTION_INGRESS + 1;
	state->data.turns = 1;
	state->data.unread = 1;
	state->data.left = HS_WATCH_HEAD_BYTES - captured;
	data->length = 0;
}

#endif
