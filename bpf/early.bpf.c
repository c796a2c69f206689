/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client says with the packet that completes its handshake: where the third packet was lost, and always
 * with TCP_DEFER_ACCEPT. It arrives at the listener, and the connection's socket is made while the kernel
 * handles it (tcp_check_req() in net/ipv4/tcp_minisocks.c): on the same CPU, before anything else that arrives
 * there. So it is kept for that moment, and told as the socket's first word.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/data.bpf.h"

struct hs_early {
	__u32 position, length, captured; /* captured is 0: nothing */
	__u32 ports; /* as in the packet */
	__u32 watch; /* enum hs_watch: what its first bytes ask for */
	__u32 pad;
	__u8 bytes[HS_EV_DATA_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hs_early);
} hs_earlies SEC(".maps");

static bool hs_early_seen; /* on most nodes there is none: then nobody looks for it */

/* A listener gets this. */
__noinline int hs_early_keep(struct __sk_buff *skb, const struct hs_payload *payload, __u32 watch)
{
	__u32 zero = 0, last;
	struct hs_early *early = bpf_map_lookup_elem(&hs_earlies, &zero);

	if (!early || !payload)
		return 0;
	early->captured = 0;
	last = (payload->length < HS_EV_DATA_BYTES ? payload->length : HS_EV_DATA_BYTES) - 1;
	last &= HS_EV_DATA_BYTES - 1;
	if (bpf_skb_load_bytes(skb, payload->header, &early->ports, sizeof(early->ports)) ||
	    bpf_skb_load_bytes(skb, payload->offset, early->bytes, last + 1))
		return 0;
	early->position = payload->position;
	early->length = payload->length;
	early->watch = watch;
	early->captured = last + 1;
	hs_early_seen = true;
	return 0;
}

/* What was kept, if this socket is the one that has come of it. */
static __always_inline struct hs_early *hs_early_of(const struct tcp_sock *tp)
{
	const struct inet_sock *inet = &tp->inet_conn.icsk_inet;
	__u32 ports = inet->sk.__sk_common.skc_dport | (__u32)inet->inet_sport << 16, zero = 0;
	struct hs_early *early;

	if (!hs_early_seen)
		return NULL;
	early = bpf_map_lookup_elem(&hs_earlies, &zero);
	if (!early || !early->captured || early->position != tp->rcv_nxt || early->ports != ports)
		return NULL;
	return early;
}

/* A record with room for SIZE bytes of it, a power of two. */
static __always_inline void hs_early_send_size(__u64 cookie, const struct hs_early *early, __u32 size)
{
	struct hs_ev_data *data = bpf_ringbuf_reserve(&hs_ring, sizeof(*data) + size, 0);
	__u32 last = early->captured - 1;

	if (!data) {
		hs_lost(HS_LOSS_RING_DATA);
		return;
	}
	__builtin_memset(data, 0, sizeof(*data));
	barrier_var(last);
	last &= size - 1;
	hs_event_init(&data->event, HS_EV_DATA, sizeof(*data) + ((last + 8) & ~7u), bpf_ktime_get_ns());
	data->cookie = cookie;
	data->position = early->position;
	data->length = early->length;
	data->captured = last + 1;
	data->direction = HS_DIRECTION_INGRESS;
	*(__u64 *)(data->bytes + (last & (size - 8))) = 0;
	if (bpf_probe_read_kernel(data->bytes, last + 1, early->bytes))
		data->captured = 0;
	hs_submit(data);
}

/* Tell of it; the connection itself has been announced. */
static __always_inline void hs_early_tell(__u64 cookie, struct hs_early *early, struct hs_sock *state)
{
	if (early->captured <= 512)
		hs_early_send_size(cookie, early, 512);
	else
		hs_early_send_size(cookie, early, HS_EV_DATA_BYTES);
	state->data.watch = early->watch;
	state->data.begun = 1 << HS_DIRECTION_INGRESS;
	state->data.next[HS_DIRECTION_INGRESS] = early->position + early->length;
	hs_turn_begins(HS_DIRECTION_INGRESS, true, state);
	state->data.unread = 1;
	state->data.left -= early->captured;
	early->captured = 0;
}
