// SPDX-License-Identifier: GPL-2.0-or-later
/* DNS over TCP. */
#include "l7/protocols.h"
#include "talk.h"

#define C(TEXT) { HS_CLIENT, TEXT, sizeof(TEXT) - 1 }
#define S(TEXT) { HS_SERVER, TEXT, sizeof(TEXT) - 1 }

/* Messages with their length; ID is two bytes. */
#define A_TEST "\x01" "a\x04test\0"
#define B_TEST "\x01" "B\x04test\0"
#define QUERY_A(ID) "\0\x18" ID "\x01\x20\0\x01\0\0\0\0\0\0" A_TEST "\0\x01\0\x01"
#define QUERY_B(ID) "\0\x18" ID "\x01\0\0\x01\0\0\0\0\0\0" B_TEST "\0\x1c\0\x01"
#define ANSWER_A(ID) "\0\x28" ID "\x81\x80\0\x01\0\x01\0\0\0\0" A_TEST "\0\x01\0\x01" \
	"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\4\xc0\0\2\7"
#define NO_B(ID) "\0\x18" ID "\x81\x83\0\x01\0\0\0\0\0\0" B_TEST "\0\x1c\0\x01"
#define FAIL_A(ID) "\0\x18" ID "\x81\x82\0\x01\0\0\0\0\0\0" A_TEST "\0\x01\0\x01"

static void test_simple(void **state)
{
	(void)state;
	TALK("A a.test 0 - 24 40 answered\n", C(QUERY_A("\1\1")), S(ANSWER_A("\1\1")));
}

static void test_rcodes(void **state)
{
	(void)state;
	TALK("AAAA b.test 3 nxdomain 24 24 answered\nA a.test 2 servfail 24 24 answered failed\n",
	     C(QUERY_B("\1\1")), S(NO_B("\1\1")), C(QUERY_A("\0\0")), S(FAIL_A("\0\0")));
}

static void test_out_of_order(void **state)
{
	(void)state;
	TALK("AAAA b.test 3 nxdomain 24 24 answered\nA a.test 0 - 24 40 answered\n",
	     C(QUERY_A("\xff\xff") QUERY_B("\1\2")), S(NO_B("\1\2") ANSWER_A("\xff\xff")));
}

static void test_unanswered(void **state)
{
	(void)state;
	TALK("A a.test 0 - 24 40 answered\nAAAA b.test -1 - 24 0 unanswered\n",
	     C(QUERY_A("\1\1") QUERY_B("\1\2")), S(ANSWER_A("\1\1")));
}

/* The answer of a query that was asked for before, or of none at all, is nobody's. */
static void test_stray(void **state)
{
	(void)state;
	TALK("A a.test 0 - 24 40 answered\n", C(QUERY_A("\1\1")), S(NO_B("\1\2") ANSWER_A("\1\1") ANSWER_A("\1\1")));
}

/* A zone is as many messages as it takes, and larger than what is kept. */
static void test_large(void **state)
{
	static char large[2 + 40000] = "\x9c\x40\1\1\x81\x80\0\x01\0\xff\0\0\0\0" A_TEST "\0\x01\0\x01";
	const struct turn turns[] = {
		C(QUERY_A("\1\1")), { HS_SERVER, large, sizeof(large) }, C(QUERY_B("\1\2")), S(NO_B("\1\2")),
	};
	struct talk talk;
	char text[512];

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, turns[0].bytes, turns[0].length, turns[0].length);
	for (size_t at = 0; at < sizeof(large); at += 1000) {
		size_t length = sizeof(large) - at < 1000 ? sizeof(large) - at : 1000;

		talk_segment(&talk, HS_SERVER, large + at, length, length);
	}
	talk_segment(&talk, HS_CLIENT, turns[2].bytes, turns[2].length, turns[2].length);
	talk_segment(&talk, HS_SERVER, turns[3].bytes, turns[3].length, turns[3].length);
	talk_end(&talk);
	talk_write(&talk, text, sizeof(text));
	assert_string_equal(text, "A a.test 0 - 24 40000 answered\nAAAA b.test 3 nxdomain 24 24 answered\n");
	assert_int_equal(talk.calls[0].response_end_ns - talk.calls[0].response_ns, 40 * TALK_STEP_NS);
	assert_int_equal(talk.losses[HS_L7_LOSS_BYTES], 0);
}

/* What cannot be read is counted, and the next message is found behind it. */
static void test_undecoded(void **state)
{
	struct talk talk;
	char text[512];
	static const char bad[] = "\0\x05" "hello", request[] = QUERY_A("\1\1"), answer[] = ANSWER_A("\1\1");

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, request, sizeof(request) - 1, sizeof(request) - 1);
	talk_segment(&talk, HS_SERVER, bad, sizeof(bad) - 1, sizeof(bad) - 1);
	talk_segment(&talk, HS_SERVER, answer, sizeof(answer) - 1, sizeof(answer) - 1);
	talk_end(&talk);
	talk_write(&talk, text, sizeof(text));
	assert_string_equal(text, "A a.test 0 - 24 40 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 1);
}

/* A connection that is older than the agent is known by its next query. */
static void test_late(void **state)
{
	static const char request[] = QUERY_A("\1\1"), answer[] = ANSWER_A("\1\1");
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	talk_segment(&talk, HS_SERVER, answer, sizeof(answer) - 1, sizeof(answer) - 1);
	talk_segment(&talk, HS_CLIENT, request, sizeof(request) - 1, sizeof(request) - 1);
	talk_segment(&talk, HS_SERVER, answer, sizeof(answer) - 1, sizeof(answer) - 1);
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_ptr_equal(talk.protocol, &hs_protocol_dns);
}

#define REFUSED(TEXT) assert_int_equal(hs_protocol_dns.match(HS_CLIENT, (const uint8_t *)(TEXT), sizeof(TEXT) - 1), HS_MATCH_NO)

/* Near misses: each with one thing that no query has. */
static void test_other_protocols(void **state)
{
	static const char query[] = QUERY_A("\1\1");

	(void)state;
	for (size_t length = 0; length < sizeof(query) - 1; length++)
		assert_int_equal(hs_protocol_dns.match(HS_CLIENT, (const uint8_t *)query, length), HS_MATCH_MORE);
	assert_int_equal(hs_protocol_dns.match(HS_CLIENT, (const uint8_t *)query, sizeof(query) - 1), HS_MATCH_YES);
	assert_int_equal(hs_protocol_dns.match(HS_SERVER, (const uint8_t *)query, sizeof(query) - 1), HS_MATCH_NO);
	REFUSED("\0\x18\1\1\x81\0\0\x01\0\0\0\0\0\0" A_TEST "\0\x01\0\x01"); /* an answer */
	REFUSED("\0\x18\1\1\x09\0\0\x01\0\0\0\0\0\0" A_TEST "\0\x01\0\x01"); /* an opcode */
	REFUSED("\0\x18\1\1\x01\x03\0\x01\0\0\0\0\0\0" A_TEST "\0\x01\0\x01"); /* an rcode */
	REFUSED("\0\x18\1\1\x01\0\0\x02\0\0\0\0\0\0" A_TEST "\0\x01\0\x01"); /* two questions */
	REFUSED("\0\x18\1\1\x01\0\0\x01\0\x01\0\0\0\0" A_TEST "\0\x01\0\x01"); /* an answer in a query */
	REFUSED("\0\x18\1\1\x01\0\0\x01\0\0\0\0\0\x09" A_TEST "\0\x01\0\x01"); /* too many additions */
	REFUSED("\0\x18\1\1\x01\0\0\x01\0\0\0\0\0\0" A_TEST "\0\x01\0\x77"); /* no class */
	REFUSED("\0\x18\1\1\x01\0\0\x01\0\0\0\0\0\0" A_TEST "\0\0\0\x01"); /* no type */
	REFUSED("\0\x10\1\1\x01\0\0\x01\0\0\0\0\0\0" A_TEST "\0\x01\0\x01"); /* shorter than its question */
	REFUSED("GET / HTTP/1.1\r\n\r\n");
	REFUSED("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 a TLS hello");
	REFUSED("\0\0\0\x08\x04\xd2\x16\x2f"); /* PostgreSQL: SSLRequest */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_rcodes),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_unanswered),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_undecoded),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_other_protocols),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
