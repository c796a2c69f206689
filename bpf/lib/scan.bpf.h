/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment of Redis that is read line by line: what of it is in memory, and the numbers that its elements begin with.
 */
#ifndef HS_SCAN_BPF_H
#define HS_SCAN_BPF_H

#include "hopscope/count.h"
#include "lib/data.bpf.h"

#define HS_SCAN_MAX 1024
#define HS_SCAN_LINES 64 /* the lines of a command up to its name, or an answer's; without values they are shorter */

/* A segment that is being read. No state on the stack: the verifier would follow every value of it. */
struct hs_scan {
	__u8 bytes[HS_SCAN_MAX + 8];
	__u64 hash;      /* of the run that is being made */
	__u64 now, sample_ns;
	__u32 base, until; /* what part of the payload is in bytes */
	__u32 at, length;  /* of the payload */
	__u32 begin;     /* all before is done with: where the command or answer under way begins */
	__u32 run_begin; /* … the run */
	__u32 left;      /* elements to come of it */
	__u32 calls;     /* of the run */
	__u32 route, rtt_us;
	__u16 place;
	__u8 busy, odd;
};

/* Two for each CPU, by direction; as hs_heads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct hs_scan);
} hs_scans SEC(".maps");

struct hs_pipeline;

struct hs_scanning {
	struct __sk_buff *skb;
	const struct hs_payload *payload;
	struct hs_scan *scan;
	struct hs_pipeline *pipeline;
	struct hs_sock *state;
};

/*
 * What arrives may interrupt what is being sent, and what is sent in answer to that comes when nothing that
 * arrives is being looked at. NULL: both are in use.
 */
static __always_inline struct hs_scan *hs_scan_begin(__u32 direction)
{
	__u32 place = bpf_get_smp_processor_id() * 2 + direction;
	struct hs_scan *scan = bpf_map_lookup_elem(&hs_scans, &place);

	if (scan && scan->busy && direction == HS_DIRECTION_EGRESS) {
		place++;
		scan = bpf_map_lookup_elem(&hs_scans, &place);
	}
	if (!scan || scan->busy)
		return NULL;
	scan->busy = 1;
	scan->hash = 0;
	scan->base = scan->until = scan->at = scan->begin = scan->run_begin = scan->left = scan->calls = 0;
	scan->odd = 0;
	return scan;
}

/* Is what comes next in bytes, as far as lines go? */
static __always_inline bool hs_scan_load(const struct hs_scanning *scanning)
{
	struct hs_scan *scan = scanning->scan;
	__u32 last = scan->length - scan->at - 1;

	if (scan->at + HS_SCAN_LINES <= scan->until || scan->until == scan->length)
		return true;
	if (last > HS_SCAN_MAX - 1)
		last = HS_SCAN_MAX - 1;
	last &= HS_SCAN_MAX - 1;
	scan->base = scan->at;
	scan->until = scan->at + last + 1;
	return !bpf_skb_load_bytes(scanning->skb, scanning->payload->offset + scan->at, scan->bytes, last + 1);
}

static __always_inline __u8 hs_scan_byte(const struct hs_scan *scan, __u32 at)
{
	return scan->bytes[at & (HS_SCAN_MAX - 1)];
}

static __always_inline __u64 hs_scan_word(const struct hs_scan *scan, __u32 at)
{
	return *(const __u64 *)(scan->bytes + (at & (HS_SCAN_MAX - 1)));
}

/* How many bytes there are before the first that is marked, by 0x80. */
static __always_inline __u32 hs_bytes_before(__u64 marks)
{
	return hs_bytes_marked(((marks & -marks) - 1) & HS_ALL_BYTES * 0x80);
}

/* The number at `at`, of at most seven digits, and how long it is with the end of its line. 0: it is none. */
static __always_inline __u32 hs_scan_number(const struct hs_scan *scan, __u32 at, __u32 *number)
{
	__u64 word = hs_scan_word(scan, at), ends = hs_bytes_equal(word, '\r');
	__u32 digits = hs_bytes_before(ends);

	if (!ends || !digits || hs_scan_byte(scan, at + digits + 1) != '\n')
		return 0;
	word <<= 64 - 8 * digits;
	if (hs_bytes_marked(hs_bytes_between(word, '0', '9')) != digits)
		return 0;
	word &= HS_ALL_BYTES * 0x0f;
	word = (word * 10 + (word >> 8)) & 0x00ff00ff00ff00ffull;
	word = (word * 100 + (word >> 16)) & 0x0000ffff0000ffffull;
	*number = word * 10000 + (word >> 32);
	return digits + 2;
}

/* How long the line at `at` is, with its end; 0: too long. */
static __always_inline __u32 hs_scan_line(const struct hs_scan *scan, __u32 at)
{
	for (__u32 i = 0; i < HS_SCAN_LINES / 2; i += 8) {
		__u64 ends = hs_bytes_equal(hs_scan_word(scan, at + i), '\r');

		if (!ends)
			continue;
		i += hs_bytes_before(ends);
		return hs_scan_byte(scan, at + i + 1) == '\n' ? i + 2 : 0;
	}
	return 0;
}

/* A value's line, and the value: how long they are. 0: not what it should be. */
static __always_inline __u32 hs_scan_value(const struct hs_scan *scan, __u32 at)
{
	__u32 length, line = hs_scan_number(scan, at + 1, &length);

	return line ? 1 + line + length + 2 : 0;
}

#endif
