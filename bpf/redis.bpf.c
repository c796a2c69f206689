/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redis followed in the kernel: commands are counted by their names, answers come in their order, however many are
 * under way (redis.io/docs/reference/protocol-spec). Segments that hold whole commands, or whole answers, are read
 * element by element; values are stepped over. A command that userspace has not taught, an error, a message that nobody
 * asked for, what is cut by the end of its segment: from there on the connection is handed back, with what is under
 * way.
 *
 * A client need not wait before it asks again, so where the kernel begins something may be under way. It begins on trial:
 * it follows, and all is told as before, until userspace, which has read the same, says that nothing was.
 */
#include "kernel.h"
#include "hopscope/count.h"
#include "lib/scan.bpf.h"

#define HS_ELEMENTS 8192 /* of one segment */
#define HS_ELEMENTS_LEFT (1u << 20) /* of one answer */

/*
 * What is under way on a connection, by cookie. Inserted when a trial begins; deleted when the connection is handed
 * back, and at its close. Size set by the loader; without room the connection is told and not followed.
 */
struct hs_pipeline {
	__u32 head, tail; /* of runs, only ever grow: whoever sees answers moves the one, whoever sees commands the other */
	__u32 busy;       /* bits: the direction is being looked at */
	__u32 next[2];    /* by direction: sequence number */
	__u32 begun;      /* the client's sequence number when the trial began */
	__u32 edge_place;
	__u32 pad;
	struct hs_run runs[HS_RUNS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct hs_pipeline);
} hs_pipelines SEC(".maps");

static __always_inline __u32 hs_rtt_us(struct __sk_buff *skb)
{
	const struct tcp_sock *tp = hs_tp(skb);

	return tp ? tp->srtt_us >> 3 : 0;
}

/* ---- commands ---- */

/* What of the segment has been read and belongs together is under way. */
static __always_inline bool hs_run_push(struct hs_scan *scan, struct hs_pipeline *pipeline)
{
	struct hs_run *run = &pipeline->runs[pipeline->tail & (HS_RUNS - 1)];

	if (!scan->calls)
		return true;
	if (pipeline->tail - pipeline->head >= HS_RUNS) {
		scan->begin = scan->run_begin;
		return false;
	}
	run->request_ns = scan->now;
	run->route = scan->route;
	run->bytes = scan->begin - scan->run_begin;
	run->calls = scan->calls;
	run->place = scan->place;
	__sync_fetch_and_add(&pipeline->tail, 1); /* it is complete by then */
	scan->calls = 0;
	scan->run_begin = scan->begin;
	return true;
}

/* Another command than the last: it begins a run, if it is known. */
static __always_inline bool hs_run_begin(struct hs_scanning *scanning, __u64 hash)
{
	struct hs_route_key key = { .hash = hash, .group = scanning->state->data.group };
	struct hs_scan *scan = scanning->scan;
	struct hs_route *route;

	if (!hs_run_push(scan, scanning->pipeline))
		return false;
	route = bpf_map_lookup_elem(&hs_routes, &key);
	if (!route)
		return false;
	scan->hash = hash;
	scan->route = route->number;
	scan->place = route->answer[0].place;
	scanning->pipeline->edge_place = route->edge_place;
	return true;
}

static __always_inline __u64 hs_word_head(__u64 word, __u32 length)
{
	return length < 8 ? word & ((1ull << 8 * length) - 1) : word;
}

/* "*3\r\n$3\r\nSET\r\n": how long that is. 0: it is something else, or nothing that is followed. */
static __always_inline __u32 hs_command_begin(struct hs_scanning *scanning, __u32 from)
{
	struct hs_scan *scan = scanning->scan;
	__u32 at = from, args, length, line;
	__u64 hash, second;

	line = hs_scan_byte(scan, at) == '*' ? hs_scan_number(scan, at + 1, &args) : 0;
	if (!line || !args || args > HS_ELEMENTS)
		return 0;
	at += 1 + line;
	line = hs_scan_byte(scan, at) == '$' ? hs_scan_number(scan, at + 1, &length) : 0;
	if (!line || !length || length > HS_COMMAND_MAX)
		return 0;
	at += 1 + line;
	second = length > 8 ? hs_word_head(hs_scan_word(scan, at + 8), length - 8) : 0;
	hash = hs_command_hash(hs_word_head(hs_scan_word(scan, at), length), second);
	if (hash != scan->hash && !hs_run_begin(scanning, hash))
		return 0;
	scan->left = args;
	return at + length + 2 - from;
}

/* A command's head, or an argument. */
static long hs_command_next(__u32 index, struct hs_scanning *scanning)
{
	struct hs_scan *scan = scanning->scan;
	__u32 at, size;

	if (scan->at == scan->length)
		return 1;
	scan->odd = 1; /* unless it turns out well */
	if (!hs_scan_load(scanning))
		return 1;
	at = scan->at - scan->base;
	if (!scan->left)
		size = hs_command_begin(scanning, at);
	else
		size = hs_scan_byte(scan, at) == '$' ? hs_scan_value(scan, at) : 0;
	if (!size || size > scan->length - scan->at)
		return 1;
	scan->at += size;
	if (!--scan->left) {
		scan->calls++;
		scan->begin = scan->at;
	}
	scan->odd = 0;
	return 0;
}

/* ---- answers ---- */

static __always_inline void hs_parts_add(struct hs_edge_count *edge, enum hs_part part, __u64 ns, __u32 calls)
{
	__u32 bucket = hs_part_bucket(ns);

	edge->part_ns[part] += ns * calls;
	if (bucket < HS_PART_BUCKETS + 1)
		edge->part[part][bucket] += calls;
}

static __always_inline void hs_run_edge_add(const struct hs_scan *scan, const struct hs_pipeline *pipeline,
					    const struct hs_sock *state, const struct hs_run *run)
{
	struct hs_edge_count *edge = hs_edge_count_at(pipeline->edge_place);
	__u32 bin = hs_latency_bin(scan->now - run->request_ns);
	__u64 read_ns = state->data.read_ns;

	if (!edge)
		return; /* no room for it */
	if (bin < HS_LATENCY_COUNTED_BINS)
		edge->bin[bin] += scan->calls;
	if (scan->rtt_us)
		hs_parts_add(edge, HS_PART_NETWORK, scan->rtt_us * 1000ull, scan->calls);
	if (read_ns >= run->request_ns && read_ns <= scan->now) {
		hs_parts_add(edge, HS_PART_QUEUE, read_ns - run->request_ns, scan->calls);
		hs_parts_add(edge, HS_PART_SERVICE, scan->now - read_ns, scan->calls);
	}
}

__noinline __u32 hs_db_bucket(__u64 ns)
{
	return hs_bucket_of(hs_db_bound_ns, HS_DB_BUCKETS, ns);
}

/* False: they are to be told. */
static __always_inline bool hs_run_count(const struct hs_scan *scan, const struct hs_run *run, __u32 request_bytes)
{
	__u32 array = run->place / HS_COUNTS, index = run->place % HS_COUNTS, bucket;
	__u64 duration_ns = scan->now - run->request_ns;
	struct hs_count *count;
	void *counts;

	if (duration_ns > HS_SLOW_NS || hs_calls_live || !run->place)
		return false;
	counts = bpf_map_lookup_elem(&hs_counts, &array);
	count = counts ? bpf_map_lookup_elem(counts, &index) : NULL;
	if (!count)
		return false;
	count->count += scan->calls;
	count->duration_ns += duration_ns * scan->calls;
	count->request_bytes += request_bytes;
	count->response_bytes += scan->begin - scan->run_begin;
	bucket = hs_db_bucket(duration_ns);
	if (bucket <= HS_DB_BUCKETS)
		count->bucket[bucket] += scan->calls;
	bucket = hs_rough_bin(duration_ns);
	if (bucket < HS_COUNT_BINS)
		count->bin[bucket] += scan->calls;
	return true;
}

static __always_inline void hs_run_tell(const struct hs_scan *scan, const struct hs_sock *state,
					const struct hs_run *run, __u32 request_bytes)
{
	struct hs_ev_call *event = hs_reserve(struct hs_ev_call, HS_EV_CALL, HS_LOSS_RING_CALL);

	if (!event)
		return;
	event->cookie = state->data.cookie;
	event->position[0] = state->data.next[0];
	event->position[1] = state->data.next[1];
	event->what = HS_FOLLOWED_OVER;
	event->rtt_us = scan->rtt_us;
	event->route = run->route;
	event->status = HS_STATUS_NONE;
	event->calls = scan->calls;
	event->request_ns = event->request_end_ns = run->request_ns;
	if (state->data.read_ns >= run->request_ns && state->data.read_ns <= scan->now)
		event->read_ns = state->data.read_ns;
	event->response_ns = event->response_end_ns = scan->now;
	event->request_bytes = request_bytes;
	event->response_bytes = scan->begin - scan->run_begin;
	hs_submit(event);
}

static __always_inline bool hs_scan_is_sample(struct hs_scan *scan)
{
	if (scan->now - scan->sample_ns < HS_SAMPLE_NS)
		return false;
	scan->sample_ns = scan->now;
	return true;
}

/* Answers that have come, of commands of one run. On trial they are told as payload. */
__noinline int hs_run_answered(struct hs_scan *scan, struct hs_pipeline *pipeline, const struct hs_sock *state)
{
	struct hs_run *run;
	__u32 bytes;

	if (!scan || !pipeline || !state || !scan->calls)
		return 0;
	run = &pipeline->runs[pipeline->head & (HS_RUNS - 1)];
	bytes = run->calls ? (__u64)run->bytes * scan->calls / run->calls : 0;
	if (state->data.stage == HS_STAGE_TRIED)
		;
	else if (hs_scan_is_sample(scan) || !hs_run_count(scan, run, bytes))
		hs_run_tell(scan, state, run, bytes);
	else
		hs_run_edge_add(scan, pipeline, state, run);
	run->bytes -= bytes;
	run->calls -= scan->calls;
	scan->calls = 0;
	scan->run_begin = scan->begin;
	if (!run->calls)
		__sync_fetch_and_add(&pipeline->head, 1);
	return 0;
}

/* "-1": there is no such value, or no such list. */
static __always_inline bool hs_is_null(const struct hs_scan *scan, __u32 at)
{
	return (__u32)hs_scan_word(scan, at + 1) == HS_WORD4('-', '1', '\r', '\n');
}

/*
 * An element of an answer: how long it is, 0: nothing that is followed. *more: so many are in it. Errors
 * in lists are for the application alone; those of EXEC's are not, and EXEC is not taught.
 */
static __always_inline __u32 hs_answer_element(const struct hs_scan *scan, __u32 at, __u32 *more)
{
	__u32 line;

	switch (hs_scan_byte(scan, at)) {
	case '+': case ':': case ',': case '(': case '#': case '_': case '-':
		line = hs_scan_line(scan, at + 1);
		return line ? line + 1 : 0;
	case '$': case '=':
		return hs_is_null(scan, at) ? 5 : hs_scan_value(scan, at);
	case '*': case '~': case '%':
		if (hs_is_null(scan, at))
			return 5;
		line = hs_scan_number(scan, at + 1, more);
		if (hs_scan_byte(scan, at) == '%')
			*more *= 2;
		return line ? line + 1 : 0;
	default:
		return 0;
	}
}

static long hs_answer_next(__u32 index, struct hs_scanning *scanning)
{
	struct hs_scan *scan = scanning->scan;
	struct hs_pipeline *pipeline = scanning->pipeline;
	__u32 at, size, more = 0;

	if (scan->at == scan->length)
		return 1;
	scan->odd = 1; /* unless it turns out well */
	if (pipeline->head == pipeline->tail || !hs_scan_load(scanning))
		return 1;
	at = scan->at - scan->base;
	if (!scan->left) {
		if (hs_scan_byte(scan, at) == '-')
			return 1;
		scan->left = 1;
	}
	size = hs_answer_element(scan, at, &more);
	if (!size || size > scan->length - scan->at || more > HS_ELEMENTS_LEFT || scan->left > HS_ELEMENTS_LEFT)
		return 1;
	scan->at += size;
	scan->left += more - 1;
	scan->odd = 0;
	if (scan->left)
		return 0;
	scan->begin = scan->at;
	if (++scan->calls == pipeline->runs[pipeline->head & (HS_RUNS - 1)].calls)
		hs_run_answered(scan, pipeline, scanning->state);
	return 0;
}

/* ---- beginning and end ---- */

static __always_inline bool hs_trial_tell(const struct hs_sock *state, enum hs_followed what,
					  const struct hs_payload *payload)
{
	struct hs_ev_call *event = hs_reserve(struct hs_ev_call, HS_EV_CALL, HS_LOSS_RING_CALL);

	if (!event)
		return false;
	event->cookie = state->data.cookie;
	event->position[0] = state->data.next[0];
	event->position[1] = state->data.next[1];
	event->position[payload->direction & 1] = payload->position;
	event->what = what;
	hs_submit(event);
	return true;
}

/* It is not followed any more; who still looks at it is not to find it gone. */
static __always_inline void hs_pipeline_forget(struct hs_sock *state, bool in_use)
{
	__u64 cookie = state->data.cookie;

	if (!in_use)
		bpf_map_delete_elem(&hs_pipelines, &cookie);
	state->data.stage = in_use ? HS_STAGE_LOST : HS_STAGE_REST;
}

static __always_inline void hs_trial_begin(const struct hs_payload *payload, struct hs_sock *state)
{
	static const struct hs_pipeline clear;
	__u32 direction = payload->direction & 1;
	__u64 cookie = payload->cookie;
	struct hs_pipeline *pipeline;

	bpf_map_update_elem(&hs_pipelines, &cookie, &clear, BPF_ANY);
	pipeline = bpf_map_lookup_elem(&hs_pipelines, &cookie);
	if (!pipeline)
		return; /* no room for it */
	pipeline->next[direction] = pipeline->begun = payload->position;
	pipeline->next[!direction] = state->data.next[!direction];
	state->data.cookie = cookie;
	if (hs_trial_tell(state, HS_FOLLOWED_TRIED, payload))
		state->data.stage = HS_STAGE_TRIED;
	else
		hs_pipeline_forget(state, false);
}

/* The client speaks, in order, and userspace wants it followed. True: from here on it is. */
static __noinline bool hs_pipeline_ask(const struct hs_payload *payload, const struct hs_wanted *wanted,
				       struct hs_sock *state)
{
	__u64 cookie = payload->cookie;
	struct hs_pipeline *pipeline;

	if (state->data.stage != HS_STAGE_TRIED) {
		state->data.group = wanted->group;
		hs_trial_begin(payload, state);
		return false;
	}
	pipeline = bpf_map_lookup_elem(&hs_pipelines, &cookie);
	if (!pipeline || !wanted->confirmed || wanted->position != pipeline->begun ||
	    payload->position != pipeline->next[payload->direction & 1] || pipeline->head != pipeline->tail)
		return false;
	return hs_stage_leaves(state, HS_STAGE_TRIED, HS_STAGE_PIPELINE);
}

/* What is under way, oldest first. */
static __always_inline void hs_runs_fill(struct hs_ev_call *event, const struct hs_pipeline *pipeline)
{
	__u32 head = pipeline->head, count = pipeline->tail - head, i;

	for (i = 0; i < HS_RUNS; i++) {
		if (i >= count)
			break;
		event->runs[i] = pipeline->runs[(head + i) & (HS_RUNS - 1)];
		event->runs[i].place = 0;
	}
	event->run_count = i;
	event->event.size += i * sizeof(event->runs[0]);
}

/*
 * What is under way is userspace's from now on, and what follows. If a direction is being looked at at the same time,
 * what is found there is counted or told; maybe both.
 */
__noinline int hs_pipeline_hand_over(struct hs_sock *state, __u32 rtt_us)
{
	__u64 cookie = state ? state->data.cookie : 0;
	struct hs_pipeline *pipeline = bpf_map_lookup_elem(&hs_pipelines, &cookie);
	struct hs_ev_call *event;
	bool others;

	if (!state || !pipeline)
		return 0;
	event = bpf_ringbuf_reserve(&hs_ring, sizeof(*event) + HS_RUNS * sizeof(event->runs[0]), 0);
	if (!event)
		hs_lost(HS_LOSS_RING_CALL);
	if (!hs_stage_leaves(state, HS_STAGE_PIPELINE, HS_STAGE_LOST)) {
		if (event)
			bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return 0;
	}
	others = __sync_fetch_and_or(&pipeline->busy, 0);
	state->data.watch = HS_WATCH_ALL;
	state->data.turn = 0;
	if (event) {
		__builtin_memset(event, 0, sizeof(*event));
		hs_event_init(&event->event, HS_EV_CALL, sizeof(*event), bpf_ktime_get_ns());
		event->cookie = cookie;
		event->position[0] = state->data.next[0];
		event->position[1] = state->data.next[1];
		event->rtt_us = rtt_us;
		event->what = others ? HS_FOLLOWED_LOST : HS_FOLLOWED_HANDED;
		hs_runs_fill(event, pipeline);
		hs_submit(event);
	}
	hs_pipeline_forget(state, others);
	return 0;
}

/* The connection is closing, or userspace wants it otherwise. */
static __always_inline void hs_pipeline_end(const struct tcp_sock *tp, struct hs_sock *state)
{
	__u64 cookie = state->data.cookie;
	struct hs_pipeline *pipeline = bpf_map_lookup_elem(&hs_pipelines, &cookie);

	if (pipeline && pipeline->head != pipeline->tail)
		hs_pipeline_hand_over(state, tp ? tp->srtt_us >> 3 : 0);
	hs_pipeline_forget(state, false);
}

/* A pass: what waits for its answer for long is told as it happens from now on. */
static __always_inline void hs_pipeline_waits(const struct tcp_sock *tp, struct hs_sock *state, __u64 now)
{
	__u64 cookie = state->data.cookie;
	struct hs_pipeline *pipeline = bpf_map_lookup_elem(&hs_pipelines, &cookie);

	if (pipeline && !pipeline->busy && pipeline->head != pipeline->tail &&
	    pipeline->runs[pipeline->head & (HS_RUNS - 1)].request_ns + HS_SLOW_NS < now)
		hs_pipeline_hand_over(state, tp->srtt_us >> 3);
}

/* ---- turns ---- */

static __always_inline void hs_commands_take(struct hs_scanning *scanning)
{
	struct hs_pipeline *pipeline = scanning->pipeline;
	struct hs_sock *state = scanning->state;
	struct hs_scan *scan = scanning->scan;

	scan->now = bpf_ktime_get_ns();
	if (pipeline->head == pipeline->tail && state->data.stage == HS_STAGE_PIPELINE) {
		state->data.read_ns = 0;
		state->data.unread = scanning->payload->direction == HS_DIRECTION_INGRESS;
	}
	bpf_loop(HS_ELEMENTS, hs_command_next, scanning, 0);
	if (!hs_run_push(scan, pipeline))
		scan->odd = 1;
}

static __always_inline void hs_answers_take(struct hs_scanning *scanning)
{
	struct hs_scan *scan = scanning->scan;

	scan->now = hs_now(scanning->skb, scanning->payload);
	scan->rtt_us = hs_rtt_us(scanning->skb);
	bpf_loop(HS_ELEMENTS, hs_answer_next, scanning, 0);
	hs_run_answered(scan, scanning->pipeline, scanning->state);
}

/* How much of the payload is done with. */
static __noinline __u32 hs_redis_scan(struct hs_scanning *scanning)
{
	const struct hs_payload *payload = scanning->payload;
	__u32 direction = payload->direction & 1, done;
	struct hs_scan *scan = hs_scan_begin(direction);

	if (!scan)
		return 0;
	scanning->scan = scan;
	scan->length = payload->length;
	if ((scanning->state->role == HS_ROLE_SERVER) == (direction == HS_DIRECTION_INGRESS))
		hs_commands_take(scanning);
	else
		hs_answers_take(scanning);
	done = scan->begin;
	scan->busy = 0;
	return done;
}

/* On trial all is told; what is odd ends it. */
static __always_inline void hs_trial_take(const struct hs_payload *payload, struct hs_pipeline *pipeline,
					  struct hs_sock *state, bool odd)
{
	if (!odd || !hs_stage_leaves(state, HS_STAGE_TRIED, HS_STAGE_LOST))
		return;
	hs_trial_tell(state, HS_FOLLOWED_ENDED, payload);
	hs_pipeline_forget(state, __sync_fetch_and_or(&pipeline->busy, 0));
}

/* All but the first bytes is to be told. */
static __always_inline void hs_payload_advance(struct hs_payload *payload, __u32 bytes)
{
	payload->offset += bytes;
	payload->position += bytes;
	payload->length -= bytes;
}

/* 1: the payload has been taken account of. 0: it, or what is left of it, is to be told. */
__noinline int hs_redis_take(struct __sk_buff *skb, struct hs_payload *payload, struct hs_sock *state)
{
	struct hs_scanning scanning = { .skb = skb, .payload = payload, .state = state };
	__u32 direction = payload ? payload->direction & 1 : 0, done = 0;
	__u64 cookie = state ? state->data.cookie : 0;
	struct hs_pipeline *pipeline = bpf_map_lookup_elem(&hs_pipelines, &cookie);
	bool trial, odd;

	if (!payload || !state || !pipeline)
		return 0;
	trial = state->data.stage == HS_STAGE_TRIED;
	if (!trial && (__s32)hs_news(payload, state) <= 0)
		return 1; /* sent again */
	scanning.pipeline = pipeline;
	__sync_fetch_and_or(&pipeline->busy, 1u << direction);
	if (state->data.stage == (trial ? HS_STAGE_TRIED : HS_STAGE_PIPELINE) &&
	    payload->position == pipeline->next[direction]) {
		done = hs_redis_scan(&scanning);
		pipeline->next[direction] += done;
		if (!trial)
			state->data.next[direction] = pipeline->next[direction];
	}
	odd = done != payload->length;
	__sync_fetch_and_and(&pipeline->busy, ~(1u << direction));
	if (trial) {
		hs_trial_take(payload, pipeline, state, odd);
		return 0;
	}
	if (!odd)
		return 1;
	hs_payload_advance(payload, done);
	hs_pipeline_hand_over(state, hs_rtt_us(skb));
	return 0;
}
