/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload, where it leaves a socket and where it arrives: cgroup_skb at the root of cgroup v2. It
 * sees what system calls hide (io_uring, sendfile), knows when bytes arrived and not when somebody
 * read them, and costs other system calls nothing. The programs only read, and always let pass.
 *
 * Recorded are the heads of what is said: where requests and responses begin; of some protocols
 * its ends too. Of a long run of bytes in one direction the rest is only counted, until userspace
 * asks for more of the connection, or for nothing (hs_watches).
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/data.bpf.h"

#define HS_TCP_FIN 1
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
	__type(value, struct hs_wanted);
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
	payload->header = ip;
	payload->offset = ip + (tcp[12] >> 4) * 4;
	payload->flags = tcp[13];
	payload->position = bpf_ntohl(*(const __be32 *)(tcp + 4));
	if (skb->len <= payload->offset)
		return false;
	payload->length = skb->len - payload->offset;
	return true;
}

/* A client whose server is on this node as well: what it says is read there. */
static __always_inline bool hs_data_is_redundant(const struct hs_tuple *tuple, const struct hs_sock *state)
{
	struct hs_server server = { .netns = tuple->netns, .port = tuple->remote_port };
	__u64 *known;

	if (state->role != HS_ROLE_CLIENT)
		return false;
	__builtin_memcpy(server.address, tuple->remote, sizeof(server.address));
	known = bpf_map_lookup_elem(&hs_servers, &server);
	return known && *known + HS_SERVER_NS > bpf_ktime_get_ns();
}

/* The connection's record, for userspace that has not heard of it yet. */
static __always_inline void hs_data_announce(const struct hs_tuple *tuple, __u8 tcp_state, __u64 cookie,
					     struct hs_sock *state)
{
	struct hs_ev_connection *connection =
		hs_reserve_size(HS_EV_CONNECTION_OPEN_SIZE, HS_EV_CONNECTION, HS_LOSS_RING_CONNECTION);

	if (!connection)
		return;
	state->data.announced = 1;
	connection->socket.cookie = cookie;
	connection->socket.tuple = *tuple;
	connection->socket.pid = state->pid;
	connection->socket.tid = state->tid;
	connection->socket.role = state->role;
	connection->socket.state = tcp_state;
	connection->socket.old_state = connection->socket.state;
	connection->socket.phase = HS_PHASE_OPEN;
	connection->start_ns = state->start_ns;
	connection->established_ns = state->established_ns;
	connection->accept_ns = state->accept_ns;
	hs_submit(connection);
}

/*
 * The client goes on after two calls: the agent may let the kernel follow this connection, and the sooner the less
 * payload has to be told. Not more often than it can make use of.
 */
#define HS_REUSED_TURNS 3
#define HS_WAKE_NS 5000000ull
static __u64 hs_woken_ns;

static __always_inline __u64 hs_data_flags(const struct hs_sock *state)
{
	__u64 now;

	if (state->data.turns != HS_REUSED_TURNS)
		return hs_ring_flags();
	now = bpf_ktime_get_ns();
	if (now - hs_woken_ns < HS_WAKE_NS)
		return hs_ring_flags();
	hs_woken_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

/* A record with room for SIZE bytes of payload, a power of two. */
static __always_inline void hs_data_send_size(struct __sk_buff *skb, bool user, const struct hs_payload *payload,
					      const struct hs_sock *state, __u32 size)
{
	struct hs_ev_data *data = bpf_ringbuf_reserve(&hs_ring, sizeof(*data) + size, 0);
	__u32 captured = payload->captured, last = captured - 1;

	if (!data) {
		hs_lost(HS_LOSS_RING_DATA);
		return;
	}
	hs_event_init(&data->event, HS_EV_DATA, sizeof(*data) + ((captured + 7) & ~7u),
		      bpf_ktime_get_ns());
	data->cookie = payload->cookie;
	data->before_ns = payload->before ? state->data.before_ns : 0;
	data->read_ns = state->data.read_ns;
	data->position = payload->position;
	data->before_bytes = payload->before;
	data->length = payload->length;
	data->captured = captured;
	data->direction = payload->direction;
	data->ahead = payload->ahead;
	if (captured) {
		*(__u64 *)(data->bytes + (last & (size - 8))) = 0;
		if (hs_payload_load(skb, user, payload, data->bytes, (last & (size - 1)) + 1)) {
			data->captured = 0;
			data->event.size = sizeof(*data);
		}
	}
	bpf_ringbuf_submit(data, hs_data_flags(state));
}

static __always_inline void hs_data_send_sized(struct __sk_buff *skb, bool user, const struct hs_payload *payload,
					       const struct hs_sock *state)
{
	if (payload->captured <= 128)
		hs_data_send_size(skb, user, payload, state, 128);
	else if (payload->captured <= 512)
		hs_data_send_size(skb, user, payload, state, 512);
	else if (payload->captured <= 1024)
		hs_data_send_size(skb, user, payload, state, 1024);
	else
		hs_data_send_size(skb, user, payload, state, HS_EV_DATA_BYTES);
}

__noinline int hs_data_send(struct __sk_buff *skb, const struct hs_payload *payload, const struct hs_sock *state)
{
	if (payload && state)
		hs_data_send_sized(skb, false, payload, state);
	return 0;
}

__noinline int hs_user_send(const struct hs_payload *payload, const struct hs_sock *state)
{
	if (payload && state)
		hs_data_send_sized(NULL, true, payload, state);
	return 0;
}

/*
 * Has userspace decided how much it wants of this one? It lets us count what follows from a request on
 * that comes when all before has been told.
 */
static __always_inline void hs_data_ask(const struct hs_payload *payload, struct hs_sock *state, bool may_count)
{
	__u64 cookie = payload->cookie;
	struct hs_wanted *wanted = bpf_map_lookup_elem(&hs_watches, &cookie);

	if (!wanted)
		return;
	if (wanted->watch == HS_WATCH_PIPELINE) {
		if (!may_count || state->data.before[0] || state->data.before[1] || state->data.begun != 3 ||
		    !hs_pipeline_ask(payload, wanted, state))
			return;
		state->data.watch = HS_WATCH_COUNT;
		bpf_map_delete_elem(&hs_watches, &cookie);
		return;
	}
	if (state->data.stage == HS_STAGE_TRIED)
		hs_pipeline_end(NULL, state);
	if (wanted->watch == HS_WATCH_COUNT) {
		if (!may_count || state->data.before[0] || state->data.before[1] || state->data.begun != 3)
			return;
		state->data.cookie = cookie;
		state->data.group = wanted->group;
		state->data.stage = HS_STAGE_REST;
	}
	state->data.watch = wanted->watch;
	bpf_map_delete_elem(&hs_watches, &cookie);
}

/*
 * What was seen and not recorded ends here: tell of it alone. Not inlined: kernels before 6.13 allow 512 bytes for the
 * stacks of all functions that are under way.
 */
static __noinline void hs_data_flush(struct __sk_buff *skb, const struct hs_payload *payload, struct hs_sock *state)
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
 * filled, the kernel's own rcv_nxt has passed ours. A direction begins with what is in order: its first
 * segment may come behind its second.
 */
static __always_inline bool hs_data_is_new(struct __sk_buff *skb, const struct tcp_sock *tp,
					   struct hs_payload *payload, struct hs_sock *state, bool *in_order)
{
	__u8 direction = payload->direction & 1;
	__u32 *next = &state->data.next[direction], end = payload->position + payload->length;
	bool begun = state->data.begun & (1 << direction);

	if (!begun)
		*next = direction == HS_DIRECTION_INGRESS ? tp->rcv_nxt : payload->position;
	if (direction == HS_DIRECTION_INGRESS && (__s32)(tp->rcv_nxt - *next) > 0) {
		hs_data_flush(skb, payload, state);
		*next = tp->rcv_nxt;
	}
	if ((__s32)(end - *next) <= 0)
		return false;
	*in_order = (__s32)(payload->position - *next) <= 0;
	payload->ahead = !begun && !*in_order;
	if (*in_order) {
		state->data.begun |= 1 << direction;
		*next = end;
	}
	return true;
}

/* A turn of the client: from here on may be counted. */
static __always_inline bool hs_client_begins(const struct hs_payload *payload, const struct hs_sock *state)
{
	return state->data.turn != payload->direction + 1 &&
	       (state->role == HS_ROLE_SERVER) == (payload->direction == HS_DIRECTION_INGRESS);
}

#define HS_WORD8(A, B, C, D, E, F, G, H)                                                               \
	((__u64)(A) | (__u64)(B) << 8 | (__u64)(C) << 16 | (__u64)(D) << 24 | (__u64)(E) << 32 |       \
	 (__u64)(F) << 40 | (__u64)(G) << 48 | (__u64)(H) << 56)

static __always_inline bool hs_is_bulk(const __u8 *bytes)
{
	return bytes[0] == '\r' && bytes[1] == '\n' && bytes[2] == '$';
}

/* "*3\r\n$", or with more digits. */
static __always_inline bool hs_data_is_redis(const __u8 bytes[8])
{
	if (bytes[0] != '*' || bytes[1] < '1' || bytes[1] > '9')
		return false;
	if (hs_is_bulk(bytes + 2))
		return true;
	if (bytes[2] < '0' || bytes[2] > '9')
		return false;
	return hs_is_bulk(bytes + 3) || (bytes[3] >= '0' && bytes[3] <= '9' && hs_is_bulk(bytes + 4));
}

/*
 * Protocols of which the heads of turns are not enough, by their first bytes: the preface of HTTP/2, a command of
 * Redis, PostgreSQL's first packet, MySQL's greeting. Until userspace has read so and says what it
 * wants, several turns have gone by, and a short connection is over.
 */
static __always_inline int hs_data_wanted_by(__u64 word, __u32 length)
{
	__u8 *bytes = (__u8 *)&word;

	if (word == HS_WORD8('P', 'R', 'I', ' ', '*', ' ', 'H', 'T') || hs_data_is_redis(bytes))
		return HS_WATCH_ALL;
	if (bpf_ntohl((__u32)word) == length && /* startup, or whether encryption is spoken */
	    ((__u32)(word >> 32) == bpf_htonl(0x00030000) || (__u32)(word >> 32) == bpf_htonl(80877103)))
		return HS_WATCH_ENDS;
	if ((word & 0xffffff) + 4 == length && !bytes[3] && bytes[4] == 10)
		return HS_WATCH_ENDS;
	return HS_WATCH_NEW;
}

__noinline int hs_data_wanted(struct __sk_buff *skb, const struct hs_payload *payload)
{
	__u64 word;

	if (!payload || payload->length < sizeof(word) || hs_payload_load(skb, false, payload, &word, sizeof(word)))
		return HS_WATCH_NEW;
	return hs_is_pipelined(skb, false, payload) ? HS_WATCH_ENDS : hs_data_wanted_by(word, payload->length);
}

__noinline int hs_user_wanted(const struct hs_payload *payload)
{
	__u64 word;

	if (!payload || payload->length < sizeof(word) || hs_payload_load(NULL, true, payload, &word, sizeof(word)))
		return HS_WATCH_NEW;
	return hs_is_pipelined(NULL, true, payload) ? HS_WATCH_ENDS : hs_data_wanted_by(word, payload->length);
}

/* May what is to be recorded be seen from this payload? */
static __always_inline bool hs_data_may_show(const struct hs_sock *state, bool first, bool begins)
{
	return (state->data.watch == HS_WATCH_NEW && (first || begins)) ||
	       (state->data.watch == HS_WATCH_HEADS && begins);
}

/* Until userspace wants it otherwise. What has heads that are enough may be pipelined all the same. */
static __always_inline void hs_data_shows(enum hs_watch wanted, struct hs_sock *state)
{
	if (state->data.watch == HS_WATCH_NEW || wanted == HS_WATCH_ENDS)
		state->data.watch = wanted;
}

/* A payload that is being sent in records of what fits into one. */
struct hs_sending {
	struct __sk_buff *skb; /* NULL: of a process's memory */
	const struct hs_sock *state;
	struct hs_payload rest;
};

static __always_inline long hs_send_next(__u32 index, bool user, struct hs_sending *sending)
{
	struct hs_payload *rest = &sending->rest, chunk = *rest;

	if (chunk.captured > HS_EV_DATA_BYTES) {
		chunk.captured = HS_EV_DATA_BYTES;
		if (index < HS_CHUNKS_MAX - 1)
			chunk.length = chunk.captured;
	}
	if (user)
		hs_user_send(&chunk, sending->state);
	else
		hs_data_send(sending->skb, &chunk, sending->state);
	rest->before = 0;
	rest->offset += chunk.length;
	rest->position += chunk.length;
	rest->length -= chunk.length;
	rest->captured -= chunk.captured;
	return !rest->length;
}

static long hs_data_send_next(__u32 index, struct hs_sending *sending)
{
	return hs_send_next(index, false, sending);
}

/* What is not to be recorded the last record tells of. */
__noinline int hs_data_send_all(struct __sk_buff *skb, const struct hs_payload *payload, const struct hs_sock *state)
{
	struct hs_sending sending = { .skb = skb, .state = state };

	if (!payload || !state)
		return 0;
	sending.rest = *payload;
	bpf_loop(HS_CHUNKS_MAX, hs_data_send_next, &sending, 0);
	return 0;
}

/* Only its last bytes are recorded. */
static __always_inline void hs_data_cut_to_tail(struct hs_payload *payload, struct hs_sock *state)
{
	__u32 hidden = payload->length - HS_WATCH_TAIL_BYTES;

	if (payload->length <= HS_WATCH_TAIL_BYTES)
		return;
	state->data.before_ns = bpf_ktime_get_ns();
	payload->before += hidden;
	payload->offset += hidden;
	payload->position += hidden;
	payload->length = payload->captured = HS_WATCH_TAIL_BYTES;
}

/*
 * How much of it is recorded. Where the ends of what is said are wanted, the segment in which the head of its turn
 * ends is recorded whole, and then a pushed one's end: an application's last word is pushed.
 */
static __always_inline void hs_data_cut(struct hs_payload *payload, struct hs_sock *state)
{
	__u32 left = state->data.left;

	payload->captured = payload->length;
	if (state->data.watch == HS_WATCH_ALL)
		return;
	state->data.left = left > payload->length ? left - payload->length : 0;
	if (state->data.watch != HS_WATCH_ENDS)
		payload->captured = payload->length < left ? payload->length : left;
	else if (!left && payload->flags & (HS_TCP_PSH | HS_TCP_FIN))
		hs_data_cut_to_tail(payload, state);
	else if (!left)
		payload->captured = 0;
}

/* The first of a socket that is to be told. False: the other end tells it. */
static __always_inline bool hs_data_meet(const struct hs_tuple *tuple, __u8 tcp_state, __u64 cookie,
					 struct hs_sock *state)
{
	if (!state->data.turn && hs_data_is_redundant(tuple, state)) {
		state->data.watch = HS_WATCH_NOTHING;
		return false;
	}
	if (!state->data.announced)
		hs_data_announce(tuple, tcp_state, cookie, state);
	return true;
}

static __always_inline bool hs_data_is_met(const struct hs_sock *state)
{
	return state->data.turn && state->data.announced;
}

/* Not inlined: what it puts on the stack is too much together with what follows. */
static __noinline bool hs_packet_meet(const struct tcp_sock *tp, __u64 cookie, struct hs_sock *state)
{
	struct hs_tuple tuple = {};

	hs_tuple_fill(&tuple, tp);
	return hs_data_meet(&tuple, tp->inet_conn.icsk_inet.sk.__sk_common.skc_state, cookie, state);
}

/* 1: what is said has been taken account of, and is not told. */
static __always_inline int hs_data_follow(struct __sk_buff *skb, struct hs_payload *payload, struct hs_sock *state)
{
	return state->data.stage == HS_STAGE_PIPELINE ? hs_redis_take(skb, payload, state) :
							hs_count_take(skb, payload, state);
}

/* All of it is told. When the trial ends, so does the wish. */
static __always_inline void hs_data_try(struct __sk_buff *skb, struct hs_payload *payload, struct hs_sock *state)
{
	__u64 cookie = payload->cookie;

	hs_redis_take(skb, payload, state);
	if (state->data.stage != HS_STAGE_TRIED)
		bpf_map_delete_elem(&hs_watches, &cookie);
}

static __always_inline void hs_data_take(struct __sk_buff *skb, const struct tcp_sock *tp,
					 struct hs_payload *payload, struct hs_sock *state)
{
	__u8 direction = payload->direction & 1;
	bool in_order = false, begins, first = !(state->data.begun & (1 << (direction & 1)));

	payload->cookie = bpf_get_socket_cookie(skb);
	if (!hs_data_is_new(skb, tp, payload, state, &in_order))
		return;
	begins = hs_client_begins(payload, state);
	if (state->data.turn != direction + 1 ||
	    (state->data.watch != HS_WATCH_HEADS && state->data.watch != HS_WATCH_ENDS))
		hs_data_ask(payload, state, begins && in_order);
	if (state->data.watch == HS_WATCH_NOTHING)
		return;
	if (state->data.watch == HS_WATCH_COUNT) {
		state->data.next[direction] = payload->position; /* it is taken once more */
		if (hs_data_follow(skb, payload, state))
			return;
		state->data.next[direction] = payload->position + payload->length;
	}
	if (state->data.stage == HS_STAGE_TRIED)
		hs_data_try(skb, payload, state);
	if (!hs_data_is_met(state) && !hs_packet_meet(tp, payload->cookie, state))
		return;
	if (hs_data_may_show(state, first, begins))
		hs_data_shows(hs_data_wanted(skb, payload), state);
	if (state->data.turn != direction + 1) {
		hs_turn_begins(direction, begins, state);
		if (begins)
			state->data.unread = direction == HS_DIRECTION_INGRESS;
	}
	hs_data_cut(payload, state);
	if (in_order && !payload->captured && !(payload->flags & HS_TCP_PSH) &&
	    state->data.before[direction] < HS_BEFORE_MAX) {
		state->data.before[direction] += payload->length;
		state->data.before_ns = bpf_ktime_get_ns();
		return;
	}
	if (in_order) {
		payload->before += state->data.before[direction];
		state->data.before[direction] = 0;
	}
	hs_data_send_all(skb, payload, state);
}

static __always_inline int hs_data(struct __sk_buff *skb, bool datagrams)
{
	struct bpf_sock *sk = skb->sk;
	__u64 key = (__u64)sk; /* of a request or in TIME_WAIT: is not among them */
	/* What came from no device is sent by this socket. */
	struct hs_payload payload = { .direction = skb->ingress_ifindex ? HS_DIRECTION_INGRESS : HS_DIRECTION_EGRESS };
	struct hs_sock *state;
	const struct tcp_sock *tp;

	if (!sk || hs_is_ignored(key))
		return HS_PASS;
	if (!hs_payload_find(skb, &payload)) { /* half of all packets of TCP are no more than acknowledgements */
		if (datagrams && hs_dns_is(skb))
			hs_dns_send(skb, payload.direction);
		return HS_PASS;
	}
	if (sk->state == TCP_LISTEN) { /* not always among them: it may be older than we are */
		hs_early_keep(skb, &payload, hs_data_wanted(skb, &payload));
		return HS_PASS;
	}
	state = bpf_map_lookup_elem(&hs_socks, &key);
	if (!state || state->handled == TCP_LISTEN || HS_SOCK_DEAD(state))
		return HS_PASS;
	if (state->data.watch == HS_WATCH_NOTHING) {
		hs_ignore(key);
		return HS_PASS;
	}
	if (state->data.watch == HS_WATCH_COUNT && hs_data_follow(skb, &payload, state))
		return HS_PASS;
	tp = hs_tp(skb);
	if (tp)
		hs_data_take(skb, tp, &payload, state);
	return HS_PASS;
}

/* Attached for both directions: it is verified once. */
SEC("cgroup_skb/ingress")
int hs_data_skb(struct __sk_buff *skb)
{
	return hs_data(skb, true);
}

/* The same where the kernel refuses what datagrams take. */
SEC("cgroup_skb/ingress")
int hs_data_skb_tcp(struct __sk_buff *skb)
{
	return hs_data(skb, false);
}
