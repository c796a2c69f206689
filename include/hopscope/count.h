/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel side and userspace have to compute alike for calls that are counted in the
 * kernel: the hash of a route, and the place of a duration or a size in a histogram.
 */
#ifndef HOPSCOPE_COUNT_H
#define HOPSCOPE_COUNT_H

#include "hopscope/event.h"

/* ---- histograms ---- */

#define HS_MS 1000000ull

/* As the semantic conventions advise for HTTP; hs_buckets_call in user/model/histogram.c. */
static const __u64 hs_count_bound_ns[HS_COUNT_BUCKETS] = {
	5 * HS_MS, 10 * HS_MS, 25 * HS_MS, 50 * HS_MS, 75 * HS_MS, 100 * HS_MS, 250 * HS_MS, 500 * HS_MS,
	750 * HS_MS, 1000 * HS_MS, 2500 * HS_MS, 5000 * HS_MS, 7500 * HS_MS, 10000 * HS_MS,
};

/* … and for databases; hs_buckets_db there. */
#define HS_DB_BUCKETS 9
static const __u64 hs_db_bound_ns[HS_DB_BUCKETS] = {
	1 * HS_MS, 5 * HS_MS, 10 * HS_MS, 50 * HS_MS, 100 * HS_MS, 500 * HS_MS, 1000 * HS_MS, 5000 * HS_MS, 10000 * HS_MS,
};

/* hs_buckets_part there. */
static const __u64 hs_part_bound_ns[HS_PART_BUCKETS] = {
	HS_MS / 20, HS_MS / 10, HS_MS / 4, HS_MS / 2, 1 * HS_MS, 5 * HS_MS / 2, 5 * HS_MS, 10 * HS_MS, 25 * HS_MS,
	50 * HS_MS, 100 * HS_MS, 250 * HS_MS, 500 * HS_MS, 1000 * HS_MS, 2500 * HS_MS, 10000 * HS_MS,
};

/* Index of the first of count bounds that is not below value; count if all are. */
static inline __attribute__((always_inline)) __u32 hs_bucket_of(const __u64 *bound, __u32 count, __u64 value)
{
	__u32 i;

	for (i = 0; i < count; i++)
		if (value <= bound[i])
			break;
	return i;
}

/* Bounds of sizes: 128 bytes, and eight times the last; hs_buckets_body there. */
static inline __attribute__((always_inline)) __u32 hs_size_bucket_of(__u64 bytes)
{
	__u32 i;

	for (i = 0; i < HS_COUNT_SIZES; i++)
		if (bytes <= 128ull << (3 * i))
			break;
	return i;
}

/*
 * Log-linear: 1 << step_shift steps to every power of two, a step of the first power being 1 << unit_shift ns.
 * What user/model/latency.h counts; not bounded above.
 */
static inline __attribute__((always_inline)) __u32 hs_latency_bin_of(__u64 ns, __u32 unit_shift, __u32 step_shift)
{
	__u64 units = ns >> unit_shift, rest = units >> step_shift;
	__u32 power = 0;

	if (!rest)
		return units;
	for (int bit = 32; bit; bit /= 2) {
		if (rest >> bit) {
			rest >>= bit;
			power += bit;
		}
	}
	return ((power + 1) << step_shift) + ((units >> power) & ((1u << step_shift) - 1));
}
#define HS_LATENCY_UNIT_SHIFT 5 /* of struct hs_latency */
#define HS_LATENCY_STEP_SHIFT 5
#define HS_ROUGH_UNIT_SHIFT 7 /* of struct hs_rough_latency: its powers begin at the same times */
#define HS_ROUGH_STEP_SHIFT 3

/* ---- routes ---- */

/*
 * A path is hashed by segments. One that names a thing and not a kind of things counts as what
 * it is: a number, a UUID, a hash in hexadecimal digits. These are the ones that the kernel
 * can tell while it hashes; user/model/route.c knows more, and says for which paths both agree.
 */
enum hs_segment_class {
	HS_SEGMENT_LITERAL,
	HS_SEGMENT_ID,
	HS_SEGMENT_UUID,
	HS_SEGMENT_HASH,
};

/*
 * What is read at once: eight bytes of a segment, or what is left of it, maybe nothing. A path of more
 * is not followed: each takes time at the start, in the verifier.
 */
#define HS_PATH_WORDS 16
#define HS_ALL_BYTES 0x0101010101010101ull

struct hs_path_hash {
	__u64 hash;    /* up to the segment under way */
	__u64 literal; /* with what there is of it */
	__u64 length, digits, hex, hyphens; /* of it */
};

static inline __attribute__((always_inline)) __u64 hs_hash_mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

/* 1 or 0 without a branch: every branch inside a loop doubles what the kernel's verifier looks at. */
static inline __attribute__((always_inline)) __u64 hs_is_below(__u64 value, __u64 bound) /* both below 1 << 63 */
{
	return (value - bound) >> 63;
}

static inline __attribute__((always_inline)) __u64 hs_is_equal(__u64 a, __u64 b)
{
	return hs_is_below(a ^ b, 1);
}

static inline __attribute__((always_inline)) __u64 hs_segment_class_of(const struct hs_path_hash *p)
{
	__u64 some = 1 - hs_is_equal(p->digits, 0), all = hs_is_equal(p->digits + p->hex, p->length);
	__u64 id = hs_is_equal(p->digits, p->length);
	__u64 uuid = hs_is_equal(p->length, 36) & hs_is_equal(p->hyphens, 4) & hs_is_equal(p->digits + p->hex, 32);
	__u64 hash = all & hs_is_below(7, p->length) & (1 - id);

	return some * (id * HS_SEGMENT_ID + uuid * HS_SEGMENT_UUID + hash * HS_SEGMENT_HASH);
}

/* The segment is over: at a '/', and at the end of the path. */
static inline __attribute__((always_inline)) void hs_path_hash_segment(struct hs_path_hash *p)
{
	__u64 class = hs_segment_class_of(p), literal = -hs_is_equal(class, HS_SEGMENT_LITERAL);

	p->hash = (p->literal & literal) | (hs_hash_mix(p->hash, 256 + class) & ~literal);
	p->hash = hs_hash_mix(p->hash, '/');
	p->literal = p->hash;
	p->length = p->digits = p->hex = p->hyphens = 0;
}

/* 0x80 in every byte of the word that is one of first to last, both below 0x80. */
static inline __attribute__((always_inline)) __u64 hs_bytes_between(__u64 word, __u8 first, __u8 last)
{
	__u64 seven = word & HS_ALL_BYTES * 0x7f;

	return (seven + HS_ALL_BYTES * (0x80 - first)) & ~(seven + HS_ALL_BYTES * (0x7f - last)) & ~word &
	       HS_ALL_BYTES * 0x80;
}

/* … that is this one. */
static inline __attribute__((always_inline)) __u64 hs_bytes_equal(__u64 word, __u8 byte)
{
	word ^= HS_ALL_BYTES * byte;
	return ~(((word & HS_ALL_BYTES * 0x7f) + HS_ALL_BYTES * 0x7f) | word | HS_ALL_BYTES * 0x7f);
}

static inline __attribute__((always_inline)) __u64 hs_bytes_marked(__u64 marks)
{
	return (marks >> 7) * HS_ALL_BYTES >> 56;
}

/* length bytes of a segment, at most eight, the first lowest; zero behind them. Every word but the last is full. */
static inline __attribute__((always_inline)) void hs_path_hash_word(struct hs_path_hash *p, __u64 word, __u64 length)
{
	p->literal = hs_hash_mix(p->literal, word);
	p->length += length;
	p->digits += hs_bytes_marked(hs_bytes_between(word, '0', '9'));
	p->hex += hs_bytes_marked(hs_bytes_between(word | HS_ALL_BYTES * 0x20, 'a', 'f'));
	p->hyphens += hs_bytes_marked(hs_bytes_equal(word, '-'));
}

/* A whole segment, of bytes that are none of "/?# " and no control characters; how many words that took. */
static inline __u32 hs_path_hash_text(struct hs_path_hash *p, const char *text, __u64 length)
{
	__u64 at = 0;

	do {
		__u64 word = 0;

		for (__u64 i = at; i < length && i < at + 8; i++)
			word |= (__u64)(__u8)text[i] << 8 * (i - at);
		hs_path_hash_word(p, word, length - at < 8 ? length - at : 8);
		at += 8;
	} while (at <= length);
	return at / 8;
}

/* A command of Redis is hashed by its name in capitals. */
#define HS_COMMAND_MAX 16 /* longer names are not followed */

static inline __attribute__((always_inline)) __u64 hs_bytes_upper(__u64 word)
{
	return word ^ hs_bytes_between(word, 'a', 'z') >> 2;
}

/* Of its first eight bytes and the next, zero behind its end. */
static inline __attribute__((always_inline)) __u64 hs_command_hash(__u64 first, __u64 second)
{
	return hs_hash_mix(hs_hash_mix('R', hs_bytes_upper(first)), hs_bytes_upper(second));
}

/* Methods whose calls the kernel follows; the number is the seed of the hash. */
enum hs_method {
	HS_METHOD_OTHER,
	HS_METHOD_GET,
	HS_METHOD_HEAD,
	HS_METHOD_POST,
	HS_METHOD_PUT,
	HS_METHOD_PATCH,
	HS_METHOD_DELETE,
};

#endif
