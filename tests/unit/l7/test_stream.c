// SPDX-License-Identifier: GPL-2.0-or-later
/* Segments in any order give the stream that was sent, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l7/stream.h"

#define SEC 1000000000ull

static struct hs_stream stream;
static uint8_t sent[4096], got[8192];
static size_t got_length;

static int set_up(void **state)
{
	(void)state;
	memset(&stream, 0, sizeof(stream));
	got_length = 0;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = i * 31 + i / 256;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hs_stream_free(&stream);
	return 0;
}

static void take(const struct hs_piece *piece)
{
	assert_true(got_length + piece->length <= sizeof(got));
	memcpy(got + got_length, piece->bytes, piece->captured);
	got_length += piece->length;
}

/* Bytes [from, from + length) of what is sent come, as a copy of their own. */
static void come_by(bool (*feed)(struct hs_stream *, uint32_t, struct hs_piece *), uint32_t base, size_t from,
		    size_t length, uint64_t time_ns)
{
	uint8_t *copy = malloc(length);
	struct hs_piece piece = { .length = length, .captured = length, .bytes = copy, .time_ns = time_ns };

	memcpy(copy, sent + from, length);
	if (feed(&stream, base + from, &piece))
		take(&piece);
	while (hs_stream_next(&stream, &piece))
		take(&piece);
	free(copy);
}

static void come(uint32_t base, size_t from, size_t length, uint64_t time_ns)
{
	come_by(hs_stream_feed, base, from, length, time_ns);
}

static void check(size_t length)
{
	assert_int_equal(got_length, length);
	assert_memory_equal(got, sent, length);
}

/* The first one begins the stream; the rest comes shuffled, overlapping and twice. */
static void test_shuffled(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed < 300; seed++) {
		uint32_t base = seed * 2654435761u; /* some of them wrap */
		size_t order[32];

		srand(seed);
		set_up(NULL);
		for (size_t i = 0; i < 32; i++) {
			size_t j = rand() % (i + 1);

			order[i] = order[j];
			order[j] = i;
		}
		come(base, 0, 16, 0);
		for (size_t i = 0; i < 32; i++) {
			size_t before = rand() % 10, from = 16 + order[i] * 64;

			come(base, from - before, 64 + before, 0);
			if (rand() % 4 == 0)
				come(base, from, 64, 0);
		}
		check(16 + 32 * 64);
		assert_int_equal(hs_stream_give_up(&stream, 100 * SEC), 0);
		hs_stream_free(&stream);
	}
	memset(&stream, 0, sizeof(stream));
}

static void test_first_comes_late(void **state)
{
	(void)state;
	come_by(hs_stream_feed_ahead, 0xfffffff0, 20, 10, SEC);
	come_by(hs_stream_feed_ahead, 0xfffffff0, 10, 10, SEC);
	check(0);
	assert_int_equal(hs_stream_give_up(&stream, 2 * SEC), 0);
	come(0xfffffff0, 0, 10, 2 * SEC);
	check(30);
	come_by(hs_stream_feed_ahead, 0xfffffff0, 30, 10, 2 * SEC); /* it has begun by now */
	check(40);
	assert_int_equal(hs_stream_give_up(&stream, 100 * SEC), 0);
}

static void test_first_never_comes(void **state)
{
	(void)state;
	come_by(hs_stream_feed_ahead, 1, 20, 10, SEC);
	come_by(hs_stream_feed_ahead, 1, 40, 10, SEC);
	assert_int_equal(hs_stream_give_up(&stream, 6 * SEC), 30);
	check(0);
	come(1, 50, 5, 6 * SEC);
	assert_int_equal(got_length, 5);
}

static void test_too_long(void **state)
{
	(void)state;
	come(1, 0, 10, SEC);
	come(1, 20, 10, 2 * SEC);
	come(1, 50, 10, 2 * SEC);
	assert_int_equal(hs_stream_give_up(&stream, 4 * SEC), 0);
	assert_int_equal(hs_stream_give_up(&stream, 6 * SEC), 50);
	check(10);
	come(1, 30, 10, 6 * SEC); /* too late */
	check(10);
	come(1, 60, 5, 6 * SEC);
	assert_int_equal(got_length, 15);
	assert_memory_equal(got + 10, sent + 60, 5);
}

static void test_too_many(void **state)
{
	uint32_t missing = 0;

	(void)state;
	come(1, 0, 10, 0);
	for (size_t i = 0; i <= HS_STREAM_AHEAD_SEGMENTS; i++) {
		assert_int_equal(missing, 0);
		come(1, 20 + i * 10, 10, 0);
		missing = hs_stream_give_up(&stream, 0);
	}
	assert_int_equal(missing, 20 + HS_STREAM_AHEAD_SEGMENTS * 10);
	check(10);
}

/* Of what was not captured the length still counts. */
static void test_heads_only(void **state)
{
	struct hs_piece piece = { .length = 1000, .captured = 10, .bytes = sent };

	(void)state;
	assert_true(hs_stream_feed(&stream, 5, &piece));
	piece = (struct hs_piece){ .length = 100, .captured = 0 };
	assert_false(hs_stream_feed(&stream, 905, &piece)); /* seen before */
	piece = (struct hs_piece){ .length = 200, .captured = 50, .bytes = sent };
	assert_true(hs_stream_feed(&stream, 965, &piece));
	assert_int_equal(piece.length, 160);
	assert_int_equal(piece.captured, 10);
	assert_ptr_equal(piece.bytes, sent + 40);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shuffled), TEST(test_first_comes_late), TEST(test_first_never_comes), TEST(test_too_long), TEST(test_too_many), TEST(test_heads_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
