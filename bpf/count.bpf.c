/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1 followed in the kernel, on connections where userspace has seen that it holds no surprises. Of a
 * request the first line is looked at and where its head ends, of an answer the status and the same;
 * the sides take turns, so the last byte of an answer is the last one before the next request. A
 * call that is ordinary is counted: its route and status are known, it was not slow, did not fail,
 * and nobody follows calls as they happen. Of any other one record tells. As soon as something
 * is not as expected the connection is handed back, and its payload told as before.
 */
#include "kernel.h"
#include "hopscope/count.h"
#include "lib/data.bpf.h"

#define HS_HEAD_MAX 512
#define HS_SAMPLE_NS 20000000ull /* an ordinary call in this time is told, by each CPU */

/* Inserted and deleted by the agent, which bounds them; size set by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct hs_route_key);
	__type(value, struct hs_route);
} hs_routes SEC(".maps");

/* Arrays of counters: the agent makes them as places in them are needed. Nothing is looked for. */
struct hs_count_array {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HS_COUNTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct hs_count));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, HS_COUNTS_ARRAYS);
	__type(key, __u32);
	__array(values, struct hs_count_array);
} hs_counts SEC(".maps");

struct hs_edge_count_array {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HS_EDGE_COUNTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct hs_edge_count));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, HS_EDGE_COUNTS_ARRAYS);
	__type(key, __u32);
	__array(values, struct hs_edge_count_array);
} hs_edge_counts SEC(".maps");

struct hs_head {
	__u8 bytes[HS_HEAD_MAX + 8];
	__u64 zero; /* stays 0, but the verifier does not know: it would tell apart all that is counted from a constant */
	__u64 sample_ns; /* when the last ordinary call was told */
};

/*
 * Two for each CPU, by direction: what arrives may interrupt what is being sent. No per-CPU array, since those lie in
 * pages of their own, and it takes long to translate their addresses. Size set by the loader.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct hs_head);
} hs_heads SEC(".maps");

__u32 hs_calls_live; /* somebody follows calls as they happen: set by the agent */

/* ---- heads ---- */

/* The one for a payload of this direction, on this CPU. */
static __always_inline struct hs_head *hs_head_of(__u8 direction)
{
	__u32 place = bpf_get_smp_processor_id() * 2 + (direction & 1);

	return bpf_map_lookup_elem(&hs_heads, &place);
}

/* How many bytes of the payload were taken; 0: none. */
static __always_inline __u32 hs_head_load(struct __sk_buff *skb, bool user, const struct hs_payload *payload,
					  struct hs_head *head)
{
	__u32 last = (payload->length < HS_HEAD_MAX ? payload->length : HS_HEAD_MAX) - 1;

	last &= HS_HEAD_MAX - 1;
	return hs_payload_load(skb, user, payload, head->bytes, last + 1) ? 0 : last + 1;
}

/*
 * Where the empty line ends that a head ends with: two line feeds, one byte between; 0: not in here.
 * This and the next are functions that the kernel verifies once, and not again for every way to them.
 */
__noinline __u32 hs_head_end(const struct hs_head *head, __u32 length)
{
	__u64 before = 0;

	if (!head)
		return 0;
	for (__u32 at = 0; at < HS_HEAD_MAX && at < length; at += 8) {
		__u64 feeds = hs_bytes_equal(*(const __u64 *)(head->bytes + at), '\n');
		__u64 ends = feeds & (feeds << 16 | before >> 48);
		__u32 end = at + 1;

		before = feeds;
		if (!ends)
			continue;
		ends &= -ends; /* the first */
		end += ends >> 63 ? 7 : ends >> 55 ? 6 : ends >> 47 ? 5 : ends >> 39 ? 4 : ends >> 31 ? 3 :
		       ends >> 23 ? 2 : ends >> 15 ? 1 : 0;
		return end <= length ? end : 0;
	}
	return 0;
}

/* Little-endian words of what a request may begin with. */
#define HS_WORD4(A, B, C, D) ((__u32)(A) | (__u32)(B) << 8 | (__u32)(C) << 16 | (__u32)(D) << 24)

/* *length: of the method and the space behind it. */
static __always_inline enum hs_method hs_method_of(const struct hs_head *head, __u32 *length)
{
	const __u8 *bytes = head->bytes;
	__u32 word = *(const __u32 *)bytes;

	if (word == HS_WORD4('G', 'E', 'T', ' '))
		return *length = 4, HS_METHOD_GET;
	if (word == HS_WORD4('P', 'U', 'T', ' '))
		return *length = 4, HS_METHOD_PUT;
	if (word == HS_WORD4('P', 'O', 'S', 'T') && bytes[4] == ' ')
		return *length = 5, HS_METHOD_POST;
	if (word == HS_WORD4('H', 'E', 'A', 'D') && bytes[4] == ' ')
		return *length = 5, HS_METHOD_HEAD;
	if (word == HS_WORD4('P', 'A', 'T', 'C') && bytes[4] == 'H' && bytes[5] == ' ')
		return *length = 6, HS_METHOD_PATCH;
	if (word == HS_WORD4('D', 'E', 'L', 'E') && bytes[4] == 'T' && bytes[5] == 'E' && bytes[6] == ' ')
		return *length = 7, HS_METHOD_DELETE;
	return HS_METHOD_OTHER;
}

/* Behind a request without a body another one begins: many answers may come in one turn. */
static __always_inline bool hs_is_pipelined(struct __sk_buff *skb, bool user, const struct hs_payload *payload)
{
	struct hs_head *head = hs_head_of(payload->direction);
	__u32 taken = head ? hs_head_load(skb, user, payload, head) : 0, at, end;
	enum hs_method method;

	if (taken < 16)
		return false;
	method = hs_method_of(head, &at);
	if (method != HS_METHOD_GET && method != HS_METHOD_HEAD && method != HS_METHOD_DELETE)
		return false;
	end = hs_head_end(head, taken);
	return end && end < payload->length;
}

/* Where a segment ends, or what cannot be read begins. */
static __always_inline __u64 hs_segment_ends(__u64 word)
{
	return hs_bytes_between(word, 0, ' ') | hs_bytes_equal(word, '/') | hs_bytes_equal(word, '?') |
	       hs_bytes_equal(word, '#');
}

/* Of the path at `at`, up to its query; 0: too long, or none. */
__noinline __u64 hs_path_hash(const struct hs_head *head, __u32 at, __u32 seed)
{
	struct hs_path_hash path = { .hash = seed, .literal = seed };

	if (!head || head->bytes[at++ & (HS_HEAD_MAX - 1)] != '/')
		return 0;
	path.length = path.digits = path.hex = path.hyphens = head->zero;
	for (__u32 i = 0; i < HS_PATH_WORDS; i++) {
		__u64 word = *(const __u64 *)(head->bytes + (at & (HS_HEAD_MAX - 1)));
		__u64 ends = hs_segment_ends(word), first = ends & -ends, length;
		__u8 byte;

		length = hs_bytes_marked((first - 1) & HS_ALL_BYTES * 0x80);
		hs_path_hash_word(&path, word & ((first >> 7) - 1), length);
		at += length;
		if (!ends)
			continue;
		byte = head->bytes[at++ & (HS_HEAD_MAX - 1)];
		hs_path_hash_segment(&path);
		if (byte != '/')
			return byte == ' ' || byte == '?' ? path.hash : 0;
	}
	return 0;
}

/* ---- calls ---- */

/*
 * An answer that seems to be over is told, or counted, by the next request, by a pass, or by the
 * close, whoever comes first.
 */
static __always_inline bool hs_stage_leaves(struct hs_sock *state, enum hs_stage from, enum hs_stage to)
{
	return __sync_val_compare_and_swap(&state->data.stage, from, to) == from;
}

static __always_inline const struct tcp_sock *hs_tp(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_skc_to_tcp_sock(sk) : NULL;
}

static __always_inline void hs_call_fill(struct hs_ev_call *event, const struct tcp_sock *tp, const struct hs_sock *state,
					 enum hs_followed what)
{
	event->cookie = state->data.cookie;
	event->position[0] = state->data.next[0];
	event->position[1] = state->data.next[1];
	event->what = what;
	if (tp)
		event->rtt_us = tp->srtt_us >> 3;
	if (state->data.stage == HS_STAGE_ASKED || state->data.stage == HS_STAGE_ANSWERED) {
		event->route = state->data.route.number;
		event->request_ns = state->data.request_ns;
		event->request_end_ns = state->data.request_end_ns;
		event->read_ns = state->data.read_ns;
		event->request_bytes = state->data.request_bytes;
	}
	if (state->data.stage == HS_STAGE_ANSWERED) {
		event->status = state->data.status;
		event->response_ns = state->data.response_ns;
		event->response_end_ns = state->data.response_end_ns;
		event->response_bytes = state->data.response_bytes;
	}
}

/* Tell of the call that is under way, or over. */
static __always_inline void hs_call_tell(const struct tcp_sock *tp, const struct hs_sock *state, enum hs_followed what)
{
	struct hs_ev_call *event = hs_reserve(struct hs_ev_call, HS_EV_CALL, HS_LOSS_RING_CALL);

	if (!event)
		return;
	hs_call_fill(event, tp, state, what);
	hs_submit(event);
}

/* Tell of the call that is in stage `from`, unless somebody else has meanwhile. True: it has left that stage. */
static __always_inline bool hs_call_leaves(const struct tcp_sock *tp, struct hs_sock *state, enum hs_stage from,
					   enum hs_stage to, enum hs_followed what)
{
	struct hs_ev_call *event = hs_reserve(struct hs_ev_call, HS_EV_CALL, HS_LOSS_RING_CALL);

	if (!event)
		return false;
	hs_call_fill(event, tp, state, what);
	if (!hs_stage_leaves(state, from, to)) {
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return false;
	}
	hs_submit(event);
	return true;
}

/* The connection rests, or is closing: what is not told will not be soon. */
static __always_inline void hs_call_settle(const struct tcp_sock *tp, struct hs_sock *state)
{
	__u32 stage = state->data.stage;

	if (stage == HS_STAGE_ASKED || stage == HS_STAGE_ANSWERED)
		hs_call_leaves(tp, state, stage, HS_STAGE_TOLD,
			       stage == HS_STAGE_ANSWERED ? HS_FOLLOWED_OVER : HS_FOLLOWED_HANDED);
}

static __always_inline struct hs_edge_count *hs_edge_count_at(__u32 place)
{
	__u32 array = place / HS_EDGE_COUNTS, index = place % HS_EDGE_COUNTS;
	void *counts = place ? bpf_map_lookup_elem(&hs_edge_counts, &array) : NULL;

	return counts ? bpf_map_lookup_elem(counts, &index) : NULL;
}

/* Where an answer of that status is counted; NULL: nowhere. */
static __always_inline struct hs_count *hs_count_of(const struct hs_sock *state)
{
	__u32 place = 0, array, index;
	void *counts;

	for (int i = 0; i < HS_ROUTE_ANSWERS; i++)
		place |= state->data.route.answer[i].place &
			 -hs_is_equal(state->data.route.answer[i].status, state->data.status);
	if (!place)
		return NULL;
	array = place / HS_COUNTS;
	index = place % HS_COUNTS;
	counts = bpf_map_lookup_elem(&hs_counts, &array);
	return counts ? bpf_map_lookup_elem(counts, &index) : NULL;
}

/* Places in histograms: functions of their own, so that the verifier does not go on from each place apart. */
__noinline __u32 hs_part_bucket(__u64 ns)
{
	return hs_bucket_of(hs_part_bound_ns, HS_PART_BUCKETS, ns);
}

__noinline __u32 hs_call_bucket(__u64 ns)
{
	return hs_bucket_of(hs_count_bound_ns, HS_COUNT_BUCKETS, ns);
}

__noinline __u32 hs_size_bucket(__u64 bytes)
{
	return hs_size_bucket_of(bytes);
}

__noinline __u32 hs_latency_bin(__u64 ns)
{
	return hs_latency_bin_of(ns, HS_LATENCY_UNIT_SHIFT, HS_LATENCY_STEP_SHIFT);
}

__noinline __u32 hs_rough_bin(__u64 ns)
{
	return hs_latency_bin_of(ns, HS_ROUGH_UNIT_SHIFT, HS_ROUGH_STEP_SHIFT);
}

static __always_inline void hs_part_add(struct hs_edge_count *edge, enum hs_part part, __u64 ns)
{
	__u32 bucket = hs_part_bucket(ns);

	edge->part_ns[part] += ns;
	if (bucket < HS_PART_BUCKETS + 1)
		edge->part[part][bucket]++;
}

static __always_inline void hs_edge_add(const struct tcp_sock *tp, const struct hs_sock *state, __u64 duration_ns)
{
	__u32 bin = hs_latency_bin(duration_ns);
	struct hs_edge_count *edge = hs_edge_count_at(state->data.route.edge_place);

	if (!edge)
		return; /* no room for it */
	if (bin < HS_LATENCY_COUNTED_BINS)
		edge->bin[bin]++;
	if (tp)
		hs_part_add(edge, HS_PART_NETWORK, (tp->srtt_us >> 3) * 1000ull);
	if (state->data.read_ns) {
		hs_part_add(edge, HS_PART_QUEUE, state->data.read_ns - state->data.request_ns);
		hs_part_add(edge, HS_PART_SERVICE, state->data.response_ns - state->data.read_ns);
	}
}

static __always_inline void hs_size_add(__u32 *sizes, __u64 bytes)
{
	__u32 bucket = hs_size_bucket(bytes);

	if (bytes && bucket <= HS_COUNT_SIZES)
		sizes[bucket]++;
}

static __always_inline bool hs_count_add(const struct tcp_sock *tp, struct hs_sock *state)
{
	__u64 duration_ns = state->data.response_end_ns - state->data.request_ns;
	struct hs_count *count;
	__u32 bucket;

	if (duration_ns > HS_SLOW_NS || state->data.status >= 500 || hs_calls_live)
		return false;
	count = hs_count_of(state);
	if (!count)
		return false;
	if (!hs_stage_leaves(state, HS_STAGE_ANSWERED, HS_STAGE_REST))
		return true; /* a pass has told it */
	count->count++;
	count->duration_ns += duration_ns;
	count->request_bytes += state->data.request_bytes;
	count->response_bytes += state->data.response_bytes;
	bucket = hs_call_bucket(duration_ns);
	if (bucket <= HS_COUNT_BUCKETS)
		count->bucket[bucket]++;
	bucket = hs_rough_bin(duration_ns);
	if (bucket < HS_COUNT_BINS)
		count->bin[bucket]++;
	hs_size_add(count->request_size, state->data.request_bytes);
	hs_size_add(count->response_size, state->data.response_bytes);
	hs_edge_add(tp, state, duration_ns);
	return true;
}

/* Some of the ordinary ones are told, for people who want to see what calls there are. */
static __always_inline bool hs_is_sample(struct hs_head *head, __u64 now)
{
	if (now - head->sample_ns < HS_SAMPLE_NS)
		return false;
	head->sample_ns = now;
	return true;
}

/* It waits for its answer for long: what becomes of it is told as it happens. */
static __always_inline void hs_call_waits(const struct tcp_sock *tp, struct hs_sock *state)
{
	if (!hs_call_leaves(tp, state, HS_STAGE_ASKED, HS_STAGE_HANDED, HS_FOLLOWED_HANDED))
		return;
	state->data.turn = 0;
	state->data.watch = HS_WATCH_ENDS;
}

/* The answer that has come is all of it. */
static __always_inline void hs_call_over(struct __sk_buff *skb, struct hs_head *head, struct hs_sock *state)
{
	const struct tcp_sock *tp = hs_tp(skb);

	if (hs_is_sample(head, state->data.response_end_ns) || !hs_count_add(tp, state)) {
		hs_call_settle(tp, state);
		state->data.stage = HS_STAGE_REST;
	}
}

/* What is under way is userspace's from now on, and so is what follows. */
static __always_inline void hs_call_hand_over(const struct tcp_sock *tp, struct hs_sock *state, enum hs_followed what)
{
	hs_call_tell(tp, state, what);
	state->data.stage = HS_STAGE_REST;
	state->data.watch = HS_WATCH_ENDS; /* many answers may come, if there are many requests */
	state->data.turn = 0;
}

/* ---- turns ---- */

/* TCP has written into what it sends when it does; reading the clock takes 40 ns. */
static __always_inline __u64 hs_now(struct __sk_buff *skb, const struct hs_payload *payload)
{
	__u64 sent = payload->direction == HS_DIRECTION_EGRESS ? skb->tstamp : 0;

	return sent ? sent : bpf_ktime_get_ns();
}

/* False: not one that is followed. */
static __always_inline bool hs_request_begins(struct __sk_buff *skb, const struct hs_payload *payload,
					      struct hs_head *head, struct hs_sock *state)
{
	struct hs_route_key key = { .group = state->data.group };
	__u32 taken = hs_head_load(skb, false, payload, head), at = 0, end;
	struct hs_route *route;
	enum hs_method method;

	if (taken < 16)
		return false;
	method = hs_method_of(head, &at);
	key.hash = method == HS_METHOD_OTHER ? 0 : hs_path_hash(head, at, method);
	if (!key.hash)
		return false;
	end = hs_head_end(head, taken);
	state->data.body = method == HS_METHOD_POST || method == HS_METHOD_PUT || method == HS_METHOD_PATCH;
	if (!end || (end != payload->length && !state->data.body))
		return false; /* more than this request, or not all of it */
	route = bpf_map_lookup_elem(&hs_routes, &key);
	if (!route)
		return false;
	state->data.route = *route;
	state->data.request_ns = state->data.request_end_ns = bpf_ktime_get_ns();
	state->data.read_ns = 0;
	state->data.unread = payload->direction == HS_DIRECTION_INGRESS;
	state->data.request_bytes = payload->length - end;
	state->data.stage = HS_STAGE_ASKED;
	return true;
}

/* *odd: these are no first bytes of an answer. */
static __always_inline bool hs_response_begins(struct __sk_buff *skb, const struct hs_payload *payload,
					       struct hs_head *head, struct hs_sock *state, bool *odd)
{
	__u32 taken = hs_head_load(skb, false, payload, head), end;
	const __u8 *bytes = head->bytes;

	*odd = taken < 13 || *(const __u32 *)bytes != HS_WORD4('H', 'T', 'T', 'P') || bytes[4] != '/' || bytes[8] != ' ';
	if (*odd)
		return false;
	state->data.status = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + bytes[11] - '0';
	end = hs_head_end(head, taken);
	if (state->data.status / 100 == 1 && state->data.status != 101 && end == payload->length)
		return true; /* the answer itself is yet to come */
	if (!end || state->data.status < 200 || state->data.status > 599)
		return false;
	state->data.response_ns = state->data.response_end_ns = hs_now(skb, payload);
	state->data.response_bytes = payload->length - end;
	return hs_stage_leaves(state, HS_STAGE_ASKED, HS_STAGE_ANSWERED);
}

static __always_inline bool hs_is_next(const struct hs_payload *payload, const struct hs_sock *state)
{
	return payload->position == state->data.next[payload->direction & 1];
}

/* How many bytes the stream has grown by: what is missing before this segment will come, and is not looked at. */
static __always_inline __u32 hs_news(const struct hs_payload *payload, const struct hs_sock *state)
{
	return payload->position + payload->length - state->data.next[payload->direction & 1];
}

static __always_inline bool hs_client_speaks(struct __sk_buff *skb, const struct hs_payload *payload,
					     struct hs_head *head, struct hs_sock *state)
{
	if (state->data.stage == HS_STAGE_ASKED && state->data.body) {
		state->data.request_bytes += hs_news(payload, state);
		state->data.request_end_ns = bpf_ktime_get_ns();
		return true;
	}
	if (state->data.stage == HS_STAGE_HANDED)
		return false;
	if (state->data.stage == HS_STAGE_ANSWERED)
		hs_call_over(skb, head, state);
	if (state->data.stage != HS_STAGE_ASKED && hs_is_next(payload, state) &&
	    hs_request_begins(skb, payload, head, state))
		return true;
	hs_call_hand_over(hs_tp(skb), state, HS_FOLLOWED_HANDED);
	return false;
}

static __always_inline bool hs_server_speaks(struct __sk_buff *skb, const struct hs_payload *payload,
					     struct hs_head *head, struct hs_sock *state)
{
	bool odd = false;

	if (state->data.stage == HS_STAGE_ANSWERED) {
		__u32 bytes = state->data.response_bytes + hs_news(payload, state);

		state->data.response_bytes = bytes < state->data.response_bytes ? ~0u : bytes;
		state->data.response_end_ns = hs_now(skb, payload);
		return true;
	}
	if (state->data.stage == HS_STAGE_TOLD)
		return true; /* it went on, after all */
	if (state->data.stage == HS_STAGE_ASKED && hs_is_next(payload, state) &&
	    hs_response_begins(skb, payload, head, state, &odd))
		return true;
	if (state->data.stage == HS_STAGE_HANDED)
		return false;
	hs_call_hand_over(hs_tp(skb), state, odd ? HS_FOLLOWED_LOST : HS_FOLLOWED_HANDED);
	return false;
}

/* 1: the payload has been taken account of. 0: it is to be told. */
__noinline int hs_count_take(struct __sk_buff *skb, const struct hs_payload *payload, struct hs_sock *state)
{
	struct hs_head *head = hs_head_of(payload ? payload->direction : 0);
	__u32 direction;
	bool taken;

	if (!payload || !state || !head)
		return 0;
	direction = payload->direction & 1;
	if ((__s32)hs_news(payload, state) <= 0)
		return 1; /* sent again */
	taken = (state->role == HS_ROLE_SERVER) == (direction == HS_DIRECTION_INGRESS) ?
			hs_client_speaks(skb, payload, head, state) :
			hs_server_speaks(skb, payload, head, state);
	if (taken)
		state->data.next[direction] = payload->position + payload->length;
	return taken;
}
