/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP packets that this kernel drops or answers by ICMP, and its reason. kfree_skb fires for every packet that is not
 * consumed, also where nothing went wrong (a reset has been read, a handshake's last ACK has made
 * its socket): the table of reasons is looked at first, and almost always that is all.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"

#define HS_DROP_REASONS 256
#define HS_DROP_WINDOW_NS 100000000ull
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IP_OFFSET 0x1fff /* of a later fragment: it has no TCP header */

/*
 * By the running kernel's number: the name of a reason that is told; "" for the others. The loader
 * fills it, since the numbers differ by kernel. Subsystems have numbers of their own, which are
 * beyond this table. Kernels before 5.17 give no reason: the verifier refuses the program.
 */
const volatile char hs_drop_reasons[HS_DROP_REASONS][HS_DROP_REASON_LEN] __attribute__((aligned(8)));
const volatile __u32 hs_drop_backlog; /* number of CPU_BACKLOG */
const volatile __u32 hs_drop_budget = 1000; /* records per CPU and window */

struct hs_drop_window {
	__u64 since_ns;
	__u32 records, burst;
};

/* What was recorded and what was not, by CPU. Always there; written here only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hs_drop_window);
} hs_drop_windows SEC(".maps");

/* Network header without options, and where the one of TCP begins. */
struct hs_packet {
	union {
		struct {
			__u8 version_length, tos;
			__be16 total_length, id, offset;
			__u8 ttl, protocol;
			__be16 checksum;
			__be32 source, destination;
		} v4;
		struct {
			__be32 version_flow;
			__be16 payload_length;
			__u8 protocol, hop_limit;
			struct in6_addr source, destination;
		} v6;
	};
};

struct hs_tcp_header {
	__be16 source, destination;
	__be32 seq, ack_seq;
	__u8 offset, flags;
};

/* What of a packet is told, read before it is told. */
struct hs_segment_seen {
	struct hs_packet packet;
	struct hs_tcp_header tcp;
	__u32 headers, total; /* bytes from the network header on */
};

/* Bytes of the network header; 0 for what is not TCP in IPv4, or in IPv6 without extension headers. */
static __always_inline __u32 hs_network_length(const struct hs_packet *packet, __be16 protocol)
{
	__u8 version = packet->v4.version_length >> 4;

	if (protocol == bpf_htons(ETH_P_IP) && version == 4 && packet->v4.protocol == IPPROTO_TCP &&
	    !(packet->v4.offset & bpf_htons(IP_OFFSET)))
		return (packet->v4.version_length & 15) * 4;
	if (protocol == bpf_htons(ETH_P_IPV6) && version == 6 && packet->v6.protocol == IPPROTO_TCP)
		return sizeof(packet->v6);
	return 0;
}

/* As the header says it; from 64 KiB on it cannot, and is 0. */
static __always_inline __u32 hs_total_length(const struct hs_packet *packet, __be16 protocol)
{
	if (protocol == bpf_htons(ETH_P_IP))
		return bpf_ntohs(packet->v4.total_length);
	return packet->v6.payload_length ? bpf_ntohs(packet->v6.payload_length) + sizeof(packet->v6) : 0;
}

/*
 * False for what is not TCP. A header that is not in the linear part is not looked for: the stack
 * has drawn it there before it drops for one of our reasons.
 */
static __always_inline bool hs_segment_read(struct hs_segment_seen *seen, const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head); /* a number: loaded, it would be a pointer since 6.17 */
	__u32 at = skb->network_header, length;
	__u32 bytes = BPF_CORE_READ(skb, data) - head + skb->len - at;
	__u32 linear = bytes - skb->data_len;

	if (!at || bytes > 1 << 24 || linear < sizeof(seen->packet.v4) + sizeof(seen->tcp) ||
	    bpf_probe_read_kernel(&seen->packet, sizeof(seen->packet), head + at))
		return false;
	length = hs_network_length(&seen->packet, skb->protocol);
	if (!length || linear < length + sizeof(seen->tcp) ||
	    bpf_probe_read_kernel(&seen->tcp, sizeof(seen->tcp), head + at + length))
		return false;
	seen->headers = length + (seen->tcp.offset >> 4) * 4;
	seen->total = hs_total_length(&seen->packet, skb->protocol);
	if (!seen->total)
		seen->total = bytes;
	return true;
}

static __always_inline void hs_segment_fill(struct hs_ev_drop *drop, const struct hs_segment_seen *seen)
{
	const struct hs_packet *packet = &seen->packet;

	if (packet->v4.version_length >> 4 == 4) {
		hs_map_v4(drop->tuple.local, packet->v4.source);
		hs_map_v4(drop->tuple.remote, packet->v4.destination);
	} else {
		hs_copy_v6(drop->tuple.local, &packet->v6.source);
		hs_copy_v6(drop->tuple.remote, &packet->v6.destination);
	}
	drop->tuple.local_port = bpf_ntohs(seen->tcp.source);
	drop->tuple.remote_port = bpf_ntohs(seen->tcp.destination);
	drop->flags = seen->tcp.flags & 0x1f;
	drop->length = seen->total > seen->headers ? seen->total - seen->headers : 0;
}

/* TCP takes the device away from a packet that it has received; its route stays. */
static __always_inline __u32 hs_packet_netns(const struct sk_buff *skb)
{
	const struct dst_entry *route = (const void *)(skb->_skb_refdst & ~3ul);
	const struct net_device *dev = skb->dev;
	const struct sock *sk = skb->sk;

	if (dev)
		return dev->nd_net.net->ns.inum;
	if (sk)
		return sk->__sk_common.skc_net.net->ns.inum;
	return BPF_CORE_READ(route, dev, nd_net.net, ns.inum);
}

static __always_inline __u64 hs_packet_cookie(const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	return sk ? sk->__sk_common.skc_cookie.counter : 0;
}

/* False, and counted, when this CPU has told of too many lately. */
static __always_inline bool hs_drop_may(struct hs_drop_window *window)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - window->since_ns >= HS_DROP_WINDOW_NS) {
		window->since_ns = now;
		window->records = 0;
	}
	if (window->records++ < hs_drop_budget)
		return true;
	window->burst++;
	hs_lost(HS_LOSS_DROP_BURST);
	return false;
}

/* names: as many as mask + 1. */
static __always_inline void hs_drop_send(const struct sk_buff *skb, void *location,
					 const volatile char (*names)[HS_DROP_REASON_LEN], __u64 name, __u64 mask,
					 bool ingress, const struct hs_segment_seen *seen,
					 struct hs_drop_window *window)
{
	struct hs_ev_drop *drop = hs_reserve(struct hs_ev_drop, HS_EV_DROP, HS_LOSS_RING_DROP);

	if (!drop)
		return;
	hs_segment_fill(drop, seen);
	barrier_var(name);
	name &= mask; /* for the verifier */
	for (int i = 0; i < HS_DROP_REASON_LEN / 8; i++)
		((__u64 *)drop->reason)[i] = ((const volatile __u64 *)names[name])[i];
	drop->tuple.netns = hs_packet_netns(skb);
	drop->location = (__u64)location;
	drop->direction = ingress ? HS_DIRECTION_INGRESS : HS_DIRECTION_EGRESS;
	if (!ingress)
		drop->cookie = hs_packet_cookie(skb);
	drop->burst = window->burst;
	window->burst = 0;
	hs_submit(drop);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(hs_drop, const struct sk_buff *skb, void *location, __u64 reason)
{
	struct hs_drop_window *window;
	struct hs_segment_seen seen;
	__u32 zero = 0;

	if (reason >= HS_DROP_REASONS)
		return 0;
	barrier_var(reason);
	reason &= HS_DROP_REASONS - 1; /* for the verifier of 6.1, which forgets the bound of what is put aside */
	if (!hs_drop_reasons[reason][0] || !hs_segment_read(&seen, skb))
		return 0;
	window = bpf_map_lookup_elem(&hs_drop_windows, &zero);
	if (!window || !hs_drop_may(window))
		return 0;
	/* A packet in the backlog has not been received yet: no device has been noted. */
	hs_drop_send(skb, location, hs_drop_reasons, reason, HS_DROP_REASONS - 1,
		     skb->skb_iif || reason == hs_drop_backlog, &seen, window);
	return 0;
}

#define ICMP_DEST_UNREACH 3
#define HS_ICMP_CODES 16

/* Why the destination cannot be reached, as include/uapi/linux/icmp.h calls it. Not 4: that only tells an MTU. */
static const char hs_icmp_codes[HS_ICMP_CODES][HS_DROP_REASON_LEN] __attribute__((aligned(8))) = {
	[0] = "ICMP_NET_UNREACH",
	[1] = "ICMP_HOST_UNREACH",
	[2] = "ICMP_PROT_UNREACH",
	[3] = "ICMP_PORT_UNREACH",
	[5] = "ICMP_SR_FAILED",
	[6] = "ICMP_NET_UNKNOWN",
	[7] = "ICMP_HOST_UNKNOWN",
	[8] = "ICMP_HOST_ISOLATED",
	[9] = "ICMP_NET_ANO",
	[10] = "ICMP_HOST_ANO",
	[11] = "ICMP_NET_UNR_TOS",
	[12] = "ICMP_HOST_UNR_TOS",
	[13] = "ICMP_PKT_FILTERED",
	[14] = "ICMP_PREC_VIOLATION",
	[15] = "ICMP_PREC_CUTOFF",
};

/*
 * The kernel here answers a TCP packet by ICMP: a rule that rejects, a router without a route. The sender's
 * socket does not tell: while connect() holds it, the error is kept aside, where its application takes it away
 * (sk_err_soft, tcp_v4_err() in net/ipv4/tcp_ipv4.c).
 */
SEC("tp_btf/icmp_send")
int BPF_PROG(hs_icmp, const struct sk_buff *skb, int type, int code)
{
	struct hs_drop_window *window;
	struct hs_segment_seen seen;
	__u32 zero = 0, number = code;

	if (type != ICMP_DEST_UNREACH || number >= HS_ICMP_CODES || !hs_icmp_codes[number][0] ||
	    !hs_segment_read(&seen, skb))
		return 0;
	window = bpf_map_lookup_elem(&hs_drop_windows, &zero);
	if (!window || !hs_drop_may(window))
		return 0;
	hs_drop_send(skb, NULL, hs_icmp_codes, number, HS_ICMP_CODES - 1, skb->skb_iif, &seen, window);
	return 0;
}
