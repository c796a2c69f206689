// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "l7/protocols.h"
#include "tls_captures.h"

#define C(TEXT) { HS_CLIENT, TEXT, sizeof(TEXT) - 1 }
#define S(TEXT) { HS_SERVER, TEXT, sizeof(TEXT) - 1 }
#define CAPTURE(EXPECTED, TURNS) talk_check(TURNS, sizeof(TURNS) / sizeof(*(TURNS)), EXPECTED)

/* Client and server hello of 1.2 with nothing that is of no use. */
#define RANDOM "0123456789abcdef0123456789abcdef"
#define HELLO "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" RANDOM "\x00\x00\x02\xc0\x2b\x01\x00"
#define ANSWER "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" RANDOM "\x00\xc0\x2b\x00"
#define DONE "\x16\x03\x03\x00\x04\x0e\x00\x00\x00"
#define KEYS "\x16\x03\x03\x00\x02xx"
#define CHANGE "\x14\x03\x03\x00\x01\x01"
#define FINISHED "\x16\x03\x03\x00\x28" RANDOM "01234567"
#define ALERT(LEVEL, CODE) "\x15\x03\x03\x00\x02" LEVEL CODE

static void test_captures(void **state)
{
	(void)state;
	CAPTURE("- a.test -1 - 325 122 answered\n", tls13);
	CAPTURE("h2 a.test -1 - 325 74 answered\n", tls12);
	CAPTURE("- a.test -1 - 647 275 answered\n", retry);
	CAPTURE("- a.test -1 - 307 122 answered\n", client_cert);
	CAPTURE("- a.test -1 - 307 65 answered\n", client_cert12);
	CAPTURE("- a.test -1 - 483 85 answered\n", resumed12);
	CAPTURE("- a.test -1 - 406 128 answered\n", early_data);
	CAPTURE("- wrong.test -1 - 311 65 answered\n", name_warning);
}

static void test_failures(void **state)
{
	(void)state;
	CAPTURE("- - -1 unknown_ca 512 122 answered failed\n", unknown13);
	CAPTURE("- - -1 unknown_ca 512 93 answered failed\n", unknown12);
	CAPTURE("- a.test -1 protocol_version 198 0 answered failed\n", no_version);
	CAPTURE("- a.test -1 handshake_failure 307 65 answered failed\n", no_cert12);
	CAPTURE("- a.test -1 no_application_protocol 318 0 answered failed\n", no_alpn);
	CAPTURE("- wrong.test -1 unrecognized_name 311 0 answered failed\n", no_name);
}

static void version_of(const struct turn *turns, size_t count, const char *version)
{
	struct talk talk;

	talk_begin(&talk, false);
	for (size_t i = 0; i < count; i++)
		talk_segment(&talk, turns[i].from, turns[i].bytes, turns[i].length, turns[i].length);
	assert_int_equal(talk.call_count, 1);
	assert_string_equal(talk.calls[0].version, version);
	assert_ptr_equal(talk.protocol, &hs_protocol_tls);
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
}
#define VERSION(TURNS, NAME) version_of(TURNS, sizeof(TURNS) / sizeof(*(TURNS)), NAME)

static void test_versions(void **state)
{
	const struct turn old[] = {
		C("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01" RANDOM "\x00\x00\x02\x00\x2f\x01\x00"),
		S("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" RANDOM "\x00\x00\x2f\x00"),
		C(KEYS CHANGE FINISHED), S(CHANGE FINISHED),
	};

	(void)state;
	VERSION(tls13, "1.3");
	VERSION(tls12, "1.2");
	VERSION(retry, "1.3");
	VERSION(unknown13, "1.3");
	VERSION(no_version, "");
	VERSION(old, "1.0");
}

static void test_by_hand(void **state)
{
	(void)state;
	TALK("- - -1 - 45 42 answered\n", C(HELLO), S(ANSWER DONE), C(KEYS CHANGE FINISHED), S(CHANGE FINISHED), C("GET /"));
	TALK("- - -1 - 45 42 answered\n", C(HELLO), S(ANSWER CHANGE FINISHED), C(CHANGE FINISHED "\x17\x03\x03\x00\x01x"));
	TALK("- - -1 close_notify 45 42 answered failed\n", C(HELLO), S(ANSWER DONE), C(ALERT("\x01", "\x00")));
	TALK("- - -1 bad_certificate_status_response 45 42 answered failed\n",
	     C(HELLO), S(ANSWER DONE), C(ALERT("\x02", "\x71")));
	TALK("- - -1 _OTHER 45 0 answered failed\n", C(HELLO), S(ALERT("\x02", "\x05")));
	TALK("- - -1 encrypted_alert 45 42 answered failed\n",
	     C(HELLO), S(ANSWER DONE), C(KEYS CHANGE FINISHED), S("\x15\x03\x03\x00\x1a" "abcdefghijklmnopqrstuvwxyz"));
}

/* Without the whole of it: nobody answered, or somebody went away. */
static void test_unfinished(void **state)
{
	(void)state;
	TALK("- - -1 - 45 0 unanswered failed\n", C(HELLO));
	TALK("- - -1 - 45 42 unanswered failed\n", C(HELLO), S(ANSWER DONE));
	TALK("- - -1 - 45 42 unanswered failed\n", C(HELLO), S(ANSWER DONE), C(KEYS CHANGE FINISHED));
	TALK("- - -1 unrecognized_name 45 0 unanswered failed\n", C(HELLO), S(ALERT("\x01", "\x70")));
}

/* In 1.3 the client's first record that is no more than an alert. */
static void test_encrypted_alert(void **state)
{
	const struct turn turns[] = {
		tls13[0], tls13[1], C(CHANGE "\x17\x03\x03\x00\x13" "0123456789012345678"),
	};

	(void)state;
	CAPTURE("- a.test -1 encrypted_alert 325 122 answered failed\n", turns);
}

static void name_of(const char *name, size_t length, const char *expected)
{
	uint8_t bytes[600] = HELLO;
	size_t at = sizeof(HELLO) - 1;
	const uint8_t head[] = {
		(length + 9) >> 8, length + 9, 0, 0, (length + 5) >> 8, length + 5, (length + 3) >> 8, length + 3,
		0, length >> 8, length,
	};
	struct talk talk;

	memcpy(bytes + at, head, sizeof(head));
	memcpy(bytes + at + sizeof(head), name, length);
	at += sizeof(head) + length;
	bytes[3] = (at - 5) >> 8;
	bytes[4] = at - 5;
	bytes[7] = (at - 9) >> 8;
	bytes[8] = at - 9;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, bytes, at, at);
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_string_equal(talk.calls[0].target, expected);
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 0);
}

static void test_names(void **state)
{
	char name[400];

	(void)state;
	name_of("Shop.Example", 12, "shop.example");
	name_of("a_b-9.x", 7, "a_b-9.x");
	name_of("a b", 3, "");
	name_of("a\0b", 3, "");
	name_of("x\xff", 2, "");
	name_of("", 0, "");
	memset(name, 'a', sizeof(name));
	name_of(name, 400, "");
	name[255] = '\0';
	name_of(name, 255, name);
}

/* A hello in records of a few bytes each, as middleboxes and those who evade them have it. */
static void test_fragments(void **state)
{
	uint8_t bytes[2000] = "";
	size_t at = 0, hello = tls13[0].length - 5;
	struct turn turns[] = { { HS_CLIENT, (const char *)bytes, 0 }, tls13[1], tls13[2] };

	(void)state;
	for (size_t i = 0; i < hello; i += 6) {
		size_t length = hello - i < 6 ? hello - i : 6;

		memcpy(bytes + at, "\x16\x03\x01\x00", 4);
		bytes[at + 4] = length;
		memcpy(bytes + at + 5, tls13[0].bytes + 5 + i, length);
		at += 5 + length;
	}
	turns[0].length = at;
	CAPTURE("- a.test -1 - 325 122 answered\n", turns);
}

static void test_times(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, HELLO, 20, 20);
	talk_segment(&talk, HS_CLIENT, HELLO + 20, sizeof(HELLO) - 21, sizeof(HELLO) - 21);
	talk_segment(&talk, HS_SERVER, ANSWER, sizeof(ANSWER) - 1, sizeof(ANSWER) - 1);
	talk_segment(&talk, HS_SERVER, DONE, sizeof(DONE) - 1, sizeof(DONE) - 1);
	talk_segment(&talk, HS_CLIENT, KEYS CHANGE FINISHED, 53, 53);
	talk_segment(&talk, HS_SERVER, CHANGE FINISHED, 51, 51);
	assert_true(hs_conversation_is_ignored(talk.conversation));
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_int_equal(talk.calls[0].request_ns, TALK_START_NS);
	assert_int_equal(talk.calls[0].request_end_ns, TALK_START_NS + TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_ns, TALK_START_NS + 2 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_end_ns, TALK_START_NS + 5 * TALK_STEP_NS);
}

/* Of a long flight only its head was captured; what the server says next is read again. */
static void test_heads(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, HELLO, sizeof(HELLO) - 1, sizeof(HELLO) - 1);
	talk_segment(&talk, HS_SERVER, ANSWER DONE, 6000, sizeof(ANSWER DONE) - 1);
	talk_segment(&talk, HS_SERVER, "", 3000, 0);
	talk_segment(&talk, HS_CLIENT, KEYS CHANGE FINISHED, 53, 53);
	talk_segment(&talk, HS_SERVER, CHANGE FINISHED, 51, 51);
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_int_equal(talk.calls[0].end, HS_CALL_ANSWERED);
	for (int i = 0; i < HS_L7_LOSS_MAX; i++)
		assert_int_equal(talk.losses[i], 0);
}

/* Then nobody needs to look at the connection any more. */
static void test_late(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	talk_segment(&talk, HS_SERVER, "\x17\x03\x03\x01\x00 and so on", 15, 15);
	assert_true(hs_conversation_is_ignored(talk.conversation));
	talk_end(&talk);
	assert_int_equal(talk.call_count, 0);
	for (int i = 0; i < HS_L7_LOSS_MAX; i++)
		assert_int_equal(talk.losses[i], 0);
}

/* A hole in it: what came of it is not known. */
static void test_loss(void **state)
{
	for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++) {
		struct talk talk;

		(void)state;
		talk_begin(&talk, false);
		talk_segment(&talk, HS_CLIENT, HELLO, sizeof(HELLO) - 1, sizeof(HELLO) - 1);
		talk_segment(&talk, HS_SERVER, ANSWER, 20, 20);
		talk_lose(&talk, from, 300);
		talk.now_ns += 4000000000ull;
		talk_segment(&talk, from, "\x16\x03\x03", 3, 3);
		talk.now_ns += 4000000000ull;
		talk_segment(&talk, from, "\x16\x03\x03", 3, 3);
		assert_true(hs_conversation_is_ignored(talk.conversation));
		talk_end(&talk);
		assert_int_equal(talk.call_count, 0);
		assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 1);
	}
}

/* Records and hellos that lie: never a crash, and counted. */
static void test_lies(void **state)
{
	const struct turn lies[] = {
		C("\x17\x03\x03\xff\xff"), C("\x17\x04\x03\x00\x01"), C("\x19\x03\x03\x00\x01"), C("GET / HTTP/1.1\r\n"),
		S("\x16\x03\x03\x00\x2a\x03\x00\x00\x26"), S("\x16\x03\x03\x00\x04\x02\xff\xff\xff"),
		S("\x16\x03\x03\x00\x04\x02\x00\x00\x00"),
		S("\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" RANDOM "\xff\xc0\x2b\x00"),
		S("\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03" RANDOM "\x00\xc0\x2b\x00\xff\xff"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct talk talk;

		talk_begin(&talk, false);
		talk_segment(&talk, HS_CLIENT, HELLO, sizeof(HELLO) - 1, sizeof(HELLO) - 1);
		talk_segment(&talk, lies[i].from, lies[i].bytes, lies[i].length, lies[i].length);
		assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 1);
		talk_end(&talk);
	}
}

/* Each byte of a hello replaced by others. */
static void test_mutations(void **state)
{
	(void)state;
	for (size_t at = 0; at < tls13[0].length; at++) {
		uint8_t bytes[2000];

		memcpy(bytes, tls13[0].bytes, tls13[0].length);
		for (int value = 0; value < 256; value += 51) {
			struct talk talk;

			bytes[at] = value;
			talk_begin(&talk, false);
			talk_segment(&talk, HS_CLIENT, bytes, tls13[0].length, tls13[0].length);
			talk_segment(&talk, HS_SERVER, tls13[1].bytes, tls13[1].length, tls13[1].length);
			talk_end(&talk);
		}
	}
}

static enum hs_match match(enum hs_side from, const void *bytes, size_t length)
{
	return hs_protocol_tls.match(from, bytes, length);
}

static void test_others(void **state)
{
	const struct turn first[] = {
		C("SSH-2.0-OpenSSH\r\n"), C("GET / HTTP/1.1\r\n"), C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), C("*1\r\n$4\r\nPING\r\n"),
		C("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10"), /* the hello of SSLv2 */
		C("\x00\x00\x00\x08\x04\xd2\x16\x2f"), C("\x00\x00\x00\x52\x00\x03\x00\x00user\x00"),
		C("\x16\x03\x01\x02\x00\x02\x00\x01\xfc\x03\x03"), C("\x16\x03\x01\x00\x00\x01\x00\x01\xfc\x03\x03"),
		C("\x16\x03\x01\x05\x00\x01\x00\x01\xfc\x03\x03"), S("J\x00\x00\x00\x0a" "8.0.1\0"), S(ANSWER),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		assert_int_equal(match(first[i].from, first[i].bytes, first[i].length), HS_MATCH_NO);
	for (size_t i = 1; i <= sizeof(HELLO); i++)
		assert_int_equal(match(HS_CLIENT, HELLO, i), i < 11 ? HS_MATCH_MORE : HS_MATCH_YES);
	srand(1);
	for (int i = 0; i < 100000; i++) {
		uint8_t bytes[32];

		for (size_t at = 0; at < sizeof(bytes); at++)
			bytes[at] = rand();
		assert_int_not_equal(match(i % 2, bytes, sizeof(bytes)), HS_MATCH_YES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures), cmocka_unit_test(test_failures), cmocka_unit_test(test_versions),
		cmocka_unit_test(test_by_hand), cmocka_unit_test(test_unfinished), cmocka_unit_test(test_encrypted_alert),
		cmocka_unit_test(test_names), cmocka_unit_test(test_fragments), cmocka_unit_test(test_times),
		cmocka_unit_test(test_heads), cmocka_unit_test(test_late), cmocka_unit_test(test_loss),
		cmocka_unit_test(test_lies), cmocka_unit_test(test_mutations), cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
