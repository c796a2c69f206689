// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "l7/dns_message.h"
#include "talk.h"

#define HEADER(FLAGS, QUESTIONS, ANSWERS) "\x12\x34" FLAGS QUESTIONS ANSWERS "\0\0\0\0"
#define QUERY "\x01\0"
#define ANSWER "\x81\x80"
#define ONE "\0\x01"
#define NONE "\0\0"
#define NAME "\x03www\x07" "Example\x03" "com\0"
#define A "\0\x01\0\x01"
#define AAAA "\0\x1c\0\x01"
#define CNAME "\0\x05\0\x01"
#define ASKED "\xc0\x0c" /* the name of the question */
#define TTL "\0\0\0\x3c"
#define BYTES(TEXT) (const uint8_t *)(TEXT), sizeof(TEXT) - 1

static int read_it(const uint8_t *bytes, size_t length, struct hs_dns_message *message)
{
	uint8_t *copy = malloc(length ? length : 1); /* its own: a read beyond it is seen */
	int error;

	memcpy(copy, bytes, length);
	error = hs_dns_read(copy, length, message);
	free(copy);
	return error;
}

static void test_query(void **state)
{
	struct hs_dns_message message;

	(void)state;
	assert_int_equal(read_it(BYTES(HEADER(QUERY, ONE, NONE) NAME A), &message), 0);
	assert_int_equal(message.id, 0x1234);
	assert_false(message.answer);
	assert_false(message.truncated);
	assert_int_equal(message.opcode, HS_DNS_OPCODE_QUERY);
	assert_int_equal(message.questions, 1);
	assert_int_equal(message.type, HS_DNS_TYPE_A);
	assert_int_equal(message.class_, 1);
	assert_string_equal(message.name, "www.example.com");
	assert_int_equal(message.question_end, 12 + 17 + 4);
}

static void test_flags(void **state)
{
	struct hs_dns_message message;

	(void)state;
	assert_int_equal(read_it(BYTES(HEADER("\x93\x83", NONE, NONE)), &message), 0);
	assert_true(message.answer);
	assert_true(message.truncated);
	assert_int_equal(message.opcode, 2);
	assert_int_equal(message.rcode, HS_DNS_NXDOMAIN);
	assert_string_equal(message.name, "");
	assert_int_equal(message.type, 0);
}

static void check_name(const char *wire, size_t length, const char *name)
{
	struct hs_dns_message message;
	uint8_t bytes[1024] = HEADER(QUERY, ONE, NONE);

	memcpy(bytes + 12, wire, length);
	memcpy(bytes + 12 + length, A, 4);
	if (!name) {
		assert_int_equal(read_it(bytes, 12 + length + 4, &message), -EBADMSG);
		return;
	}
	assert_int_equal(read_it(bytes, 12 + length + 4, &message), 0);
	assert_string_equal(message.name, name);
}

static void test_names(void **state)
{
	(void)state;
	check_name("\0", 1, ".");
	check_name("\x01" "A\0", 3, "a");
	check_name("\x04" "a.b\x80\x01 \x02\x7f\n\0", 11, "a?b?.?.??");
	check_name("\x05_sIp-\x01Z\0", 9, "_sip-.z");
	check_name("\xc0\x0c", 2, NULL);     /* to itself */
	check_name("\x01" "a\xc0\x0c", 4, NULL);
	check_name("\xc0\x00", 2, NULL);     /* into the header */
	check_name("\xc0\xff", 2, NULL);     /* forward */
	check_name("\x40" "a\0", 3, NULL);   /* reserved */
	check_name("\x80" "a\0", 3, NULL);
}

/* 255 bytes are a name, and one more is none. */
static void test_longest_name(void **state)
{
	char wire[300], name[300] = "";
	size_t at = 0;

	(void)state;
	for (int label = 0; label < 3; label++) {
		wire[at++] = 63;
		memset(wire + at, 'a' + label, 63);
		memset(name + label * 64, 'a' + label, 63);
		name[label * 64 + 63] = '.';
		at += 63;
	}
	wire[at] = 61;
	memset(wire + at + 1, 'd', 61);
	wire[at + 62] = 0;
	memset(name + 192, 'd', 61);
	check_name(wire, at + 63, name);
	wire[at] = 62;
	memset(wire + at + 1, 'd', 62);
	wire[at + 63] = 0;
	check_name(wire, at + 64, NULL);
}

static void test_no_message(void **state)
{
	struct hs_dns_message message = { .id = 7 };

	(void)state;
	assert_int_equal(read_it(BYTES(HEADER(QUERY, NONE, NONE)), &message), -EBADMSG);
	assert_int_equal(read_it(BYTES(HEADER(QUERY, "\0\x02", NONE) NAME A NAME A), &message), -EBADMSG);
	assert_int_equal(read_it(BYTES(HEADER(ANSWER, "\1\1", NONE) NAME A), &message), -EBADMSG);
	assert_int_equal(message.id, 7); /* untouched */
}

static void test_every_prefix(void **state)
{
	static const char whole[] = HEADER(ANSWER, ONE, ONE) NAME A ASKED A TTL "\0\x04\xc0\0\x02\x07";
	struct hs_dns_message message, read;
	struct hs_dns_address address;
	size_t end;

	(void)state;
	assert_int_equal(read_it(BYTES(whole), &message), 0);
	end = message.question_end;
	for (size_t length = 0; length < sizeof(whole) - 1; length++) {
		uint8_t *copy = malloc(length ? length : 1);

		memcpy(copy, whole, length);
		assert_int_equal(hs_dns_read(copy, length, &read), length < end ? -EAGAIN : 0);
		if (length >= end)
			assert_int_equal(hs_dns_addresses(copy, length, &message, &address, 1), 0);
		free(copy);
	}
	assert_int_equal(hs_dns_addresses(BYTES(whole), &message, &address, 1), 1);
}

/* The addresses of an answer as "a b ". */
static void check_addresses(const char *wire, size_t length, const char *expected)
{
	uint8_t *copy = malloc(length);
	struct hs_dns_address addresses[4];
	struct hs_dns_message message;
	char text[256] = "";
	size_t count;

	memcpy(copy, wire, length);
	assert_int_equal(hs_dns_read(copy, length, &message), 0);
	count = hs_dns_addresses(copy, length, &message, addresses, 4);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *a = addresses[i].address;

		sprintf(text + strlen(text), "%d..%d.%d.%d.%d/%u ", a[0], a[12], a[13], a[14], a[15], addresses[i].ttl);
	}
	assert_string_equal(text, expected);
	free(copy);
}
#define ADDRESSES(EXPECTED, WIRE) check_addresses(WIRE, sizeof(WIRE) - 1, EXPECTED)

static void test_addresses(void **state)
{
	(void)state;
	ADDRESSES("", HEADER(ANSWER, ONE, NONE) NAME A);
	ADDRESSES("0..192.0.2.7/60 0..192.0.2.8/60 ",
		  HEADER(ANSWER, ONE, "\0\2") NAME A ASKED A TTL "\0\4\xc0\0\x02\x07" ASKED A TTL "\0\4\xc0\0\x02\x08");
	ADDRESSES("32..0.0.0.1/60 ", HEADER(ANSWER, ONE, ONE) NAME AAAA ASKED AAAA TTL
		  "\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01");
	/* of lengths that addresses do not have */
	ADDRESSES("", HEADER(ANSWER, ONE, ONE) NAME A ASKED A TTL "\0\x05\xc0\0\x02\x07\x01");
	ADDRESSES("", HEADER(ANSWER, ONE, ONE) NAME AAAA ASKED AAAA TTL "\0\4\xc0\0\x02\x07");
	/* it promises more than there is */
	ADDRESSES("0..192.0.2.7/60 ", HEADER(ANSWER, ONE, "\xff\xff") NAME A ASKED A TTL "\0\4\xc0\0\x02\x07");
	ADDRESSES("", HEADER(ANSWER, ONE, ONE) NAME A ASKED A TTL "\xff\xff\xc0\0\x02\x07");
	/* no more than there is room for */
#define FOUR ASKED A TTL "\0\4\1\1\1\1" ASKED A TTL "\0\4\1\1\1\2" ASKED A TTL "\0\4\1\1\1\3" ASKED A TTL "\0\4\1\1\1\4"
	ADDRESSES("0..1.1.1.1/60 0..1.1.1.2/60 0..1.1.1.3/60 0..1.1.1.4/60 ",
		  HEADER(ANSWER, ONE, "\0\5") NAME A FOUR ASKED A TTL "\0\4\1\1\1\5");
}

#define EDGE "\x04" "edge\x03" "net\0"
static void test_aliases(void **state)
{
	(void)state;
	/* www.example.com -> edge.net -> its address, with the shortest time on the way */
	ADDRESSES("0..192.0.2.9/5 ", HEADER(ANSWER, ONE, "\0\2") NAME A ASKED CNAME "\0\0\0\5" "\0\x0a" EDGE
		  "\xc0\x2d" A TTL "\0\4\xc0\0\x02\x09");
	/* somebody else's address beside it */
	ADDRESSES("0..192.0.2.7/60 ", HEADER(ANSWER, ONE, "\0\2") NAME A EDGE A TTL "\0\4\xc0\0\x02\x09"
		  ASKED A TTL "\0\4\xc0\0\x02\x07");
	/* an alias of itself, and one that leads nowhere */
	ADDRESSES("", HEADER(ANSWER, ONE, "\0\2") NAME A ASKED CNAME TTL "\0\2" ASKED ASKED CNAME TTL "\0\2" ASKED);
	ADDRESSES("", HEADER(ANSWER, ONE, "\0\2") NAME A ASKED CNAME TTL "\0\2\xff\xff" ASKED A TTL "\0\4\xc0\0\x02\x07");
	/* pointers to pointers, backward: each is read once */
	ADDRESSES("0..192.0.2.7/60 ", HEADER(ANSWER, ONE, "\0\2") NAME A ASKED CNAME TTL "\0\2" ASKED "\xc0\x2d" A TTL
		  "\0\4\xc0\0\x02\x07");
}

static void test_words(void **state)
{
	char text[HS_DNS_TYPE_LEN];

	(void)state;
	hs_dns_type_text(28, text);
	assert_string_equal(text, "AAAA");
	hs_dns_type_text(65280, text);
	assert_string_equal(text, "TYPE65280");
	hs_dns_rcode_text(0, text);
	assert_string_equal(text, "");
	hs_dns_rcode_text(3, text);
	assert_string_equal(text, "nxdomain");
	hs_dns_rcode_text(255, text);
	assert_string_equal(text, "rcode255");
	assert_false(hs_dns_rcode_is_failure(0));
	assert_false(hs_dns_rcode_is_failure(3));
	assert_true(hs_dns_rcode_is_failure(2));
	assert_true(hs_dns_rcode_is_failure(15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_no_message),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
