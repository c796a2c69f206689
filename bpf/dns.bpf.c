/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS over UDP, for the programs of data.bpf.c and stream.bpf.c: datagrams from or to port 53, as they leave a
 * socket and as they arrive at one, or as processes send and read them. UDP sockets are in no table of ours: what is told of one is
 * read from it each time, which a resolver's few packets can afford.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"
#include "lib/task.bpf.h"

#define HS_UDP_HEADER 8

/* Where the UDP header begins, 0: it is another protocol. The packet begins with the network header. */
static __always_inline __u32 hs_udp_offset(struct __sk_buff *skb)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 20 > end)
		return 0;
	if (*data >> 4 == 4)
		return data[9] == IPPROTO_UDP ? (*data & 15) * 4 : 0;
	return data[6] == IPPROTO_UDP ? 40 : 0;
}

/* Cheap: it is asked of every packet. */
static __always_inline bool hs_dns_is(struct __sk_buff *skb)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 offset = hs_udp_offset(skb);
	const __be16 *ports = (const void *)(data + offset);

	if (!offset || data + offset + HS_UDP_HEADER > end)
		return false;
	return ports[0] == bpf_htons(HS_DNS_PORT) || ports[1] == bpf_htons(HS_DNS_PORT);
}

/*
 * A socket's address as a number, to be read from with bpf_probe_read_kernel(). The kernel has a
 * way to see a TCP socket whole, and none for a UDP socket of IPv4.
 */
static __always_inline const struct sock *hs_sock_address(struct bpf_sock *sk)
{
	struct bpf_sock *volatile place = sk;
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), (const void *)&place);
	return (const struct sock *)address;
}

/* Addresses and ports of the packet, the sender's first. */
static __always_inline bool hs_packet_tuple(struct __sk_buff *skb, __u32 offset, struct hs_tuple *tuple)
{
	__be16 ports[2];
	__be32 v4[2];
	__u8 first;

	if (bpf_skb_load_bytes(skb, 0, &first, 1) || bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)))
		return false;
	tuple->local_port = bpf_ntohs(ports[0]);
	tuple->remote_port = bpf_ntohs(ports[1]);
	if (first >> 4 == 4) {
		if (bpf_skb_load_bytes(skb, 12, v4, sizeof(v4)))
			return false;
		hs_map_v4(tuple->local, v4[0]);
		hs_map_v4(tuple->remote, v4[1]);
		return true;
	}
	return !bpf_skb_load_bytes(skb, 8, tuple->local, 16) && !bpf_skb_load_bytes(skb, 24, tuple->remote, 16);
}

static __always_inline void hs_tuple_swap(struct hs_tuple *tuple)
{
	struct hs_tuple other = *tuple;

	__builtin_memcpy(tuple->local, other.remote, 16);
	__builtin_memcpy(tuple->remote, other.local, 16);
	tuple->local_port = other.remote_port;
	tuple->remote_port = other.local_port;
}

static __always_inline bool hs_address_is_any(const __u8 address[16])
{
	const __u32 *word = (const __u32 *)address;

	return !word[0] && !word[1] && !word[3] && (!word[2] || word[2] == bpf_htonl(0xffff));
}

/* What the socket knows better than the packet, on which addresses may have been translated. */
static __always_inline void hs_datagram_tuple(const struct sock *sk, struct hs_tuple *tuple)
{
	struct hs_tuple socket = {};

	hs_tuple_probe(&socket, sk);
	tuple->netns = socket.netns;
	tuple->local_port = socket.local_port;
	if (!hs_address_is_any(socket.local))
		__builtin_memcpy(tuple->local, socket.local, 16);
	if (!socket.remote_port)
		return;
	__builtin_memcpy(tuple->remote, socket.remote, 16);
	tuple->remote_port = socket.remote_port;
}

/* A record with room for SIZE bytes of payload; zero behind what is captured, to a multiple of 8. */
static __always_inline void hs_datagram_send_size(struct __sk_buff *skb, bool user, const struct hs_ev_datagram *head,
						  __u64 from, __u32 size)
{
	/* 8 more: to the verifier, what a mask rounds down may be as large as before. */
	struct hs_ev_datagram *datagram = bpf_ringbuf_reserve(&hs_ring, sizeof(*datagram) + size + 8, 0);
	__u32 last = head->captured - 1;

	if (!datagram) {
		hs_lost(HS_LOSS_RING_DATAGRAM);
		return;
	}
	*datagram = *head;
	hs_event_init(&datagram->event, HS_EV_DATAGRAM, sizeof(*datagram) + ((head->captured + 7) & ~7u),
		      bpf_ktime_get_ns());
	barrier_var(last);
	if (last >= size)
		last = size - 1; /* for the verifier */
	*(__u64 *)(datagram->bytes + (last & ~7u)) = 0;
	if (user ? bpf_probe_read_user(datagram->bytes, last + 1, (void *)from) :
		   bpf_skb_load_bytes(skb, from, datagram->bytes, last + 1)) {
		datagram->captured = 0;
		datagram->event.size = sizeof(*datagram);
	}
	hs_submit(datagram);
}

/* From an offset in the packet, or an address in the memory of the process whose call it is. */
static __always_inline void hs_datagram_send(struct __sk_buff *skb, bool user, const struct hs_ev_datagram *head,
					     __u64 from)
{
	if (head->captured <= 128)
		hs_datagram_send_size(skb, user, head, from, 128);
	else if (head->captured <= 512)
		hs_datagram_send_size(skb, user, head, from, 512);
	else
		hs_datagram_send_size(skb, user, head, from, HS_EV_DATAGRAM_BYTES);
}

/* A datagram is sent in its sender's own call; who will read one that arrives is not known. */
static __always_inline void hs_datagram_owner(struct hs_ev_datagram *head)
{
	const struct task_struct *task = bpf_get_current_task_btf();

	if (head->direction != HS_DIRECTION_EGRESS || !hs_task_is_user())
		return;
	hs_task_introduce();
	head->pid = task->tgid;
	head->tid = task->pid;
}

static __noinline int hs_dns_send(struct __sk_buff *skb, __u8 direction)
{
	struct bpf_sock *sk = skb->sk;
	__u32 offset = hs_udp_offset(skb);
	struct hs_ev_datagram head = { .direction = direction };

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_UDP || skb->len <= offset + HS_UDP_HEADER)
		return 0;
	if (!hs_packet_tuple(skb, offset, &head.tuple))
		return 0;
	if (direction == HS_DIRECTION_INGRESS)
		hs_tuple_swap(&head.tuple);
	hs_datagram_tuple(hs_sock_address(sk), &head.tuple);
	offset += HS_UDP_HEADER;
	head.cookie = bpf_get_socket_cookie(skb);
	head.length = skb->len - offset;
	head.captured = head.length < HS_EV_DATAGRAM_BYTES ? head.length : HS_EV_DATAGRAM_BYTES;
	hs_datagram_owner(&head);
	hs_datagram_send(skb, false, &head, offset);
	return 0;
}

/* What a call sends or has got, in the memory of its caller. */
struct hs_user_datagram {
	struct hs_iovec bytes; /* the buffer: longer than the datagram, or the first of several */
	__u64 name;            /* struct sockaddr of the other end; 0: none */
	__u32 length;          /* ~0: as long as the buffer */
	__u32 direction;
	struct hs_sockaddr other; /* a copy of what name says, and the record's head: too large for the stack */
	struct hs_ev_datagram head;
};

/* sk has been found by walking memory, and need not be a socket. */
static __always_inline bool hs_sock_is_udp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP && (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_socket, sk) == sk;
}

/* Its socket by its address: so the kernel verifies this once, and not for each way to it. */
__noinline int hs_dns_send_user(__u64 address, struct hs_user_datagram *datagram)
{
	const struct sock *sk = (void *)address;
	struct hs_ev_datagram *head;

	if (!datagram)
		return 0;
	head = &datagram->head;
	__builtin_memset(head, 0, sizeof(*head));
	__builtin_memset(&datagram->other, 0, sizeof(datagram->other));
	head->direction = datagram->direction & 1;
	head->length = datagram->length == ~0u ? datagram->bytes.length : datagram->length;
	bpf_probe_read_user(&datagram->other, 8, (void *)datagram->name);
	if (datagram->other.family == AF_INET6)
		bpf_probe_read_user(&datagram->other, sizeof(datagram->other), (void *)datagram->name);
	hs_sockaddr_fill(&head->tuple, &datagram->other);
	hs_datagram_tuple(sk, &head->tuple);
	if (!head->length || (head->tuple.local_port != HS_DNS_PORT && head->tuple.remote_port != HS_DNS_PORT))
		return 0;
	head->cookie = address; /* there may be no cookie yet, and one when the answer is read */
	head->captured = head->length < HS_EV_DATAGRAM_BYTES ? head->length : HS_EV_DATAGRAM_BYTES;
	if (head->captured > datagram->bytes.length)
		head->captured = datagram->bytes.length;
	hs_datagram_owner(head);
	hs_datagram_send(NULL, true, head, datagram->bytes.base);
	return 0;
}
