/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload, where it leaves a socket and where it arrives: cgroup_skb at the root of cgroup v2. It
 * sees what system calls hide (io_uring, sendfile), knows when bytes arrived and not when somebody
 * read them, and costs other system calls nothing. The programs only read, and always let pass.
 *
 * Recorded are the heads of what is said: where requests and responses begin. Of a long run of
 * bytes in one direction the rest is only counted, until userspace asks for more of the
 * connection, or for nothing (hs_watches).
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"

#define HS_PASS 1
#define HS_TCP_PSH 8
#define HS_CHUNKS_MAX 129 /* of 4 KiB: BIG TCP makes segments of up to 512 KiB, on loopback too */
#define HS_BEFORE_MAX (256u << 10) /* so much goes unrecorded before a record tells of it */

/*
 * What userspace has decided, by cookie, until the connection's own state has taken it over.
 * Inserted by the agent; deleted by whoever takes it over; what nobody takes makes room for others.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32); /* enum hs_watch */
} hs_watches SEC(".maps");

/*
 * Servers of this node, by the address under which clients reach them, with the time of the last
 * word on it. Inserted by the agent when it has seen both ends of a connection; what is not used makes
 * room for others.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct hs_server);
	__type(value, __u64);
} hs_servers SEC(".maps");

struct hs_payload {
	__u64 cookie;
	__u32 offset, length; /* in the packet */
	__u32 position;       /* sequence number */
	__u32 captured;       /* how much of it is to be recorded */
	__u32 before;         /* how much before it was not */
	__u8 flags;           /* of the TCP header */
	__u8 direction;
};

/* False: no TCP payload. The packet begins with the network header (kernel/bpf/cgroup.c). */
static __always_inline bool hs_payload_find(struct __sk_buff *skb, struct hs_payload *payload)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *tcp;
	__u32 ip;

	if (data + 1 > end)
		return false;
	if (*data >> 4 == 4) {
		ip = (*data & 15) * 4;
		if (data + 20 > end || data[9] != IPPROTO_TCP)
			return false;
	} else {
		ip = 40;
		if (data + 40 > end || data[6] != IPPROTO_TCP)
			return false; /* extension headers before TCP do not occur on connections */
	}
	tcp = data + ip;
	if (tcp + 20 > end)
		return false;
	payload->offset = ip + (tcp[12] >> 4) * 4;
	payload->flags = tcp[13];
	payload->position = bpf_ntohl(*(const __be32 *)(tcp + 4));
	if (skb->len <= payload->offset)
		return false;
	payload->length = skb->len - payload->offset;
	return true;
}

/* A client whose server is on this node as well: what it says is read there. */
static __always_inline bool hs_data_is_redundant(const struct tcp_sock *tp, const struct hs_sock *state)
{
	struct hs_server server = {};
	struct hs_tuple tuple = {};
	__u64 *known;

	if (state->role != HS_ROLE_CLIENT)
		return false;
	hs_tuple_fill(&tuple, tp);
	__builtin_memcpy(server.address, tuple.remote, sizeof(server.address));
	server.netns = tuple.netns;
	server.port = tuple.remote_port;
	known = bpf_map_lookup_elem(&hs_servers, &server);
	return known && *known + HS_SERVER_NS > bpf_ktime_get_ns();
}

/* The connection's record, for userspace that has not heard of it yet. */
static __always_inline void hs_data_announce(const struct tcp_sock *tp, __u64 cookie, struct hs_sock *state)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct hs_ev_connection *connection =
		hs_reserve_size(HS_EV_CONNECTION_OPEN_SIZE, HS_EV_CONNECTION, HS_LOSS_RING_CONNECTION);

	if (!connection)
		return;
	state->data.announced = 1;
	connection->socket.cookie = cookie;
	hs_tuple_fill(&connection->socket.tuple, tp);
	connection->socket.pid = state->pid;
	connection->socket.tid = state->tid;
	connection->socket.role = state->role;
	connection->socket.state = sk->__sk_common.skc_state;
	connection->socket.old_state = connection->socket.state;
	connection->socket.phase = HS_PHASE_OPEN;
	connection->start_ns = state->start_ns;
	connection->established_ns = state->established_ns;
	connection->accept_ns = state->accept_ns;
	hs_submit(connection);
}

/* A record with room for SIZE bytes of payload, a power of two. */
static __always_inline void hs_data_send_size(struct __sk_buff *skb, const struct hs_payload *payload,
					      const struct hs_sock *state, __u32 size)
{
	struct hs_ev_data *data = bpf_ringbuf_reserve(&hs_ring, sizeof(*data) + size, 0);
	__u32 captured = payload->captured, last = captured - 1;

	if (!data) {
		hs_lost(HS_LOSS_RING_DATA);
		return;
	}
	hs_event_init(&data->event, HS_EV_DATA, sizeof(*data) + ((captured + 7) & ~7u));
	data->cookie = payload->cookie;
	data->before_ns = payload->before ? state->data.before_ns : 0;
	data->position = payload->position;
	data->before_bytes = payload->before;
	data->length = payload->length;
	data->captured = captured;
	data->direction = payload->direction;
	data->pad = 0;
	if (captured) {
		*(__u64 *)(data->bytes + (last & (size - 8))) = 0;
		if (bpf_skb_load_bytes(skb, payload->offset, data->bytes, (last & (size - 1)) + 1))
			data->captured = 0;
	}
	hs_submit(data);
}

static __noinline int hs_data_send(struct __sk_buff *skb, const struct hs_payload *payload, const struct hs_sock *state)
{
	if (!payload || !state)
		return 0;
	if (payload->captured <= 128)
		hs_data_send_size(skb, payload, state, 128);
	else if (payload->captured <= 512)
		hs_data_send_size(skb, payload, state, 512);
	else
		hs_data_send_size(skb, payload, state, HS_EV_DATA_BYTES);
	return 0;
}

/* Has userspace decided how much it wants of this one? */
static __always_inline void hs_data_ask(__u64 cookie, struct hs_sock *state)
{
	__u32 *watch = bpf_map_lookup_elem(&hs_watches, &cookie);

	if (!watch)
		return;
	state->data.watch = *watch;
	bpf_map_delete_elem(&hs_watches, &cookie);
}

/* What was seen and not recorded ends here: tell of it alone. */
static __always_inline void hs_data_flush(struct __sk_buff *skb, const struct hs_payload *payload,
					  struct hs_sock *state)
{
	struct hs_payload rest = {
		.cookie = payload->cookie, .position = state->data.next[payload->direction & 1],
		.before = state->data.before[payload->direction & 1], .direction = payload->direction,
	};

	state->data.before[payload->direction & 1] = 0;
	if (rest.before)
		hs_data_send(skb, &rest, state);
}

/*
 * Is it new, or sent again? What lies behind a hole is new, each time it comes; when the hole has
 * filled, the kernel's own rcv_nxt has passed ours.
 */
static __always_inline bool hs_data_is_new(struct __sk_buff *skb, const struct tcp_sock *tp,
					   const struct hs_payload *payload, struct hs_sock *state, bool *in_order)
{
	__u8 direction = payload->direction & 1;
	__u32 *next = &state->data.next[direction], end = payload->position + payload->length;

	if (!(state->data.begun & (1 << direction))) {
		state->data.begun |= 1 << direction;
		*next = payload->position;
	}
	if (direction == HS_DIRECTION_INGRESS && (__s32)(tp->rcv_nxt - *next) > 0) {
		hs_data_flush(skb, payload, state);
		*next = tp->rcv_nxt;
	}
	if ((__s32)(end - *next) <= 0)
		return false;
	*in_order = (__s32)(payload->position - *next) <= 0;
	if (*in_order)
		*next = end;
	return true;
}

/*
 * What userspace will want of a connection that begins like this: until it has read so and says it,
 * several turns have gone by. HTTP/2, by its preface (RFC 9113, 3.4): frames may begin anywhere in what is
 * said. PostgreSQL, by the length and the code of its first packet (3.x, SSLRequest, GSSENCRequest), and MySQL,
 * by its greeting (a short packet, the first one; protocol 10, a version).
 */
static __always_inline __u8 hs_data_likely(struct __sk_buff *skb, const struct hs_payload *payload)
{
	__u64 preface, bytes;
	__u32 head, code;

	if (payload->length < sizeof(bytes) || bpf_skb_load_bytes(skb, payload->offset, &bytes, sizeof(bytes)))
		return HS_WATCH_HEADS;
	__builtin_memcpy(&preface, "PRI * HT", sizeof(preface));
	if (bytes == preface)
		return HS_WATCH_ALL;
	bytes = bpf_be64_to_cpu(bytes);
	head = bytes >> 32;
	code = bytes;
	if (head < 1 << 16)
		return code >> 16 == 3 || code == 80877103 || code == 80877104 ? HS_WATCH_TAILS : HS_WATCH_HEADS;
	if (!(head & 0xffffff) && code >> 24 == 10 && (code >> 16 & 0xff) >= '0' && (code >> 16 & 0xff) <= '9')
		return HS_WATCH_TAILS;
	return HS_WATCH_HEADS;
}

static __always_inline __u8 hs_data_watch(const struct hs_sock *state)
{
	return state->data.watch == HS_WATCH_NEW ? state->data.likely : state->data.watch;
}

/* How much of what is left of a segment is to be in its next record. */
static __always_inline void hs_data_capture(struct hs_piece *piece)
{
	__u32 captured = piece->length < HS_EV_DATA_BYTES ? piece->length : HS_EV_DATA_BYTES;

	if (!piece->budget)
		captured = piece->tail && piece->length <= HS_WATCH_TAIL_BYTES ? piece->length : 0;
	else if (captured > piece->budget)
		captured = piece->budget;
	piece->captured = captured;
	if (piece->budget && piece->budget != ~0u)
		piece->budget -= captured;
}

/* How much of it the record is about. */
static __always_inline __u32 hs_data_span(const struct hs_piece *piece)
{
	if (piece->captured < piece->length) {
		if (piece->budget || (piece->tail && piece->captured))
			return piece->captured;
		if (piece->tail)
			return piece->length - HS_WATCH_TAIL_BYTES;
	}
	return piece->length;
}

/*
 * Records for a segment. What changes from one to the next is kept in the socket's state and not on the
 * stack: the verifier does not remember what is in a map, so all rounds are one to it.
 */
static __always_inline void hs_data_send_pieces(struct __sk_buff *skb, struct hs_payload *payload, struct hs_sock *state,
						struct hs_piece *piece)
{
	for (int i = 0; i < HS_CHUNKS_MAX; i++) {
		struct hs_payload chunk = *payload;

		chunk.offset = piece->offset;
		chunk.position = piece->position;
		chunk.captured = piece->captured;
		chunk.length = i < HS_CHUNKS_MAX - 1 ? hs_data_span(piece) : piece->length;
		chunk.before = i ? 0 : payload->before;
		if (chunk.captured > HS_EV_DATA_BYTES)
			return;
		hs_data_send(skb, &chunk, state);
		if (chunk.length >= piece->length)
			return;
		piece->offset += chunk.length;
		piece->position += chunk.length;
		piece->length -= chunk.length;
		hs_data_capture(piece);
	}
}

static __always_inline void hs_data_take(struct __sk_buff *skb, const struct tcp_sock *tp,
					 struct hs_payload *payload, struct hs_sock *state)
{
	__u8 direction = payload->direction & 1;
	bool in_order = false, first = !(state->data.begun & (1 << (direction & 1)));
	struct hs_piece *piece;
	__u8 watch;

	payload->cookie = bpf_get_socket_cookie(skb);
	if (!hs_data_is_new(skb, tp, payload, state, &in_order))
		return;
	if (state->data.watch == HS_WATCH_NEW)
		hs_data_ask(payload->cookie, state);
	if (state->data.watch == HS_WATCH_NOTHING)
		return;
	if (!state->data.turn && hs_data_is_redundant(tp, state)) {
		state->data.watch = HS_WATCH_NOTHING;
		return;
	}
	if (!state->data.announced)
		hs_data_announce(tp, payload->cookie, state);
	if (first && state->data.likely < HS_WATCH_ALL)
		state->data.likely = hs_data_likely(skb, payload);
	watch = hs_data_watch(state);
	if (state->data.turn != direction + 1) {
		state->data.turn = direction + 1;
		state->data.left = watch == HS_WATCH_TAILS ? HS_WATCH_LONG_HEAD_BYTES : HS_WATCH_HEAD_BYTES;
	}
	piece = &state->data.piece[direction];
	piece->offset = payload->offset;
	piece->position = payload->position;
	piece->length = payload->length;
	piece->budget = watch == HS_WATCH_ALL ? ~0u : state->data.left;
	piece->tail = watch == HS_WATCH_TAILS && in_order && payload->flags & HS_TCP_PSH;
	hs_data_capture(piece);
	if (in_order && !piece->captured && !(payload->flags & HS_TCP_PSH) &&
	    state->data.before[direction] < HS_BEFORE_MAX) {
		state->data.before[direction] += payload->length;
		state->data.before_ns = bpf_ktime_get_ns();
		return;
	}
	if (in_order) {
		payload->before = state->data.before[direction];
		state->data.before[direction] = 0;
	}
	hs_data_send_pieces(skb, payload, state, piece);
	if (watch != HS_WATCH_ALL)
		state->data.left = piece->budget;
}

static __always_inline int hs_data(struct __sk_buff *skb, __u8 direction)
{
	struct bpf_sock *sk = skb->sk;
	struct hs_payload payload = { .direction = direction };
	const struct tcp_sock *tp;
	struct hs_sock *state;
	__u64 key;

	if (!sk || !hs_payload_find(skb, &payload))
		return HS_PASS;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_TCP)
		return HS_PASS;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return HS_PASS;
	key = (__u64)tp;
	state = bpf_map_lookup_elem(&hs_socks, &key);
	if (state && state->data.watch != HS_WATCH_NOTHING && !HS_SOCK_DEAD(state) && state->handled != TCP_LISTEN)
		hs_data_take(skb, tp, &payload, state);
	return HS_PASS;
}

SEC("cgroup_skb/egress")
int hs_data_egress(struct __sk_buff *skb)
{
	return hs_data(skb, HS_DIRECTION_EGRESS);
}

SEC("cgroup_skb/ingress")
int hs_data_ingress(struct __sk_buff *skb)
{
	return hs_data(skb, HS_DIRECTION_INGRESS);
}
