// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/protocols.h"
#include "talk.h"

#define C(TEXT) { HS_CLIENT, TEXT, sizeof(TEXT) - 1 }
#define S(TEXT) { HS_SERVER, TEXT, sizeof(TEXT) - 1 }
#define REQUEST C("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
#define ANSWER S("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")

static void test_simple(void **state)
{
	(void)state;
	TALK("GET /a 200 - 0 3 answered\n", REQUEST, ANSWER);
}

static void test_keep_alive(void **state)
{
	(void)state;
	TALK("GET /a 200 - 0 3 answered\nPOST /b/c 404 - 5 0 answered\nGET /a 500 - 0 1 answered failed\n",
	     REQUEST, ANSWER,
	     C("POST /b/c?secret=1 HTTP/1.1\r\ncontent-length:  5 \r\n\r\nhello"),
	     S("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
	     REQUEST, S("HTTP/1.1 500 \r\nContent-Length: 1\r\n\r\n!"));
}

static void test_pipelined(void **state)
{
	(void)state;
	TALK("GET /1 200 - 0 1 answered\nGET /2 204 - 0 0 answered\nGET /3 304 - 0 0 answered\n",
	     C("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"),
	     S("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 204 No Content\r\n\r\n"
	       "HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\n\r\n"));
}

static void test_chunked(void **state)
{
	(void)state;
	TALK("POST /up 200 - 9 26 answered\nGET /a 200 - 0 3 answered\n",
	     C("POST /up HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
	       "4\r\nabcd\r\n5;name=value\r\nefghi\r\n0\r\nTrailer: 1\r\n\r\n"),
	     S("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"),
	     REQUEST, ANSWER);
}

static void test_head(void **state)
{
	(void)state;
	TALK("HEAD /a 200 - 0 0 answered\nGET /a 200 - 0 3 answered\n",
	     C("HEAD /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"), REQUEST, ANSWER);
}

static void test_continue(void **state)
{
	(void)state;
	TALK("PUT /f 201 - 2 0 answered\n",
	     C("PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
	     S("HTTP/1.1 100 Continue\r\n\r\n"), C("ok"),
	     S("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
}

/* The server does not wait for the body. */
static void test_early_answer(void **state)
{
	(void)state;
	TALK("POST /big 413 - 6 0 answered\nGET /a 200 - 0 3 answered\n",
	     C("POST /big HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc"),
	     S("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"), C("def"), REQUEST, ANSWER);
}

static void test_until_close(void **state)
{
	(void)state;
	TALK("GET /old 200 - 0 0 answered\n",
	     C("GET /old HTTP/1.0\r\n\r\n"), S("HTTP/1.0 200 OK\r\n\r\nall that is to come"), S(", and more"));
}

static void test_unanswered(void **state)
{
	(void)state;
	TALK("GET /a 200 - 0 3 answered\nGET /a -1 - 0 0 unanswered\n", REQUEST, ANSWER, REQUEST);
}

static void test_websocket(void **state)
{
	(void)state;
	TALK("GET /ws 101 - 0 0 answered\n",
	     C("GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"),
	     S("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"), C("\x81\x85GET /"));
}

/* What goes through a tunnel is looked at anew. */
static void test_connect(void **state)
{
	(void)state;
	TALK("CONNECT - 200 - 0 0 answered\nGET /a 200 - 0 3 answered\n",
	     C("CONNECT db.example:443 HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 Connection established\r\n\r\n"),
	     REQUEST, ANSWER);
}

static void test_targets(void **state)
{
	(void)state;
	TALK("GET / 200 - 0 3 answered\nGET /p 200 - 0 3 answered\nOPTIONS * 200 - 0 3 answered\n"
	     "_OTHER /x 200 - 0 3 answered\n",
	     C("GET http://host HTTP/1.1\r\n\r\n"), ANSWER, C("GET http://host/p?q#f HTTP/1.1\r\n\r\n"), ANSWER,
	     C("OPTIONS * HTTP/1.1\r\n\r\n"), ANSWER, C("BREW /x HTTP/1.1\r\n\r\n"), ANSWER);
}

static void test_bare_newlines(void **state)
{
	(void)state;
	TALK("GET /a 200 - 0 3 answered\nGET /a 200 - 0 3 answered\n",
	     C("GET /a HTTP/1.1\nHost: x\n\n"), S("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"),
	     C("\r\nGET /a HTTP/1.1\r\n\r\n"), ANSWER);
}

static void test_times(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, "POST / HTTP/1.1\r\n", 17, 17);
	talk_segment(&talk, HS_CLIENT, "Content-Length: 4\r\n\r\nab", 23, 23);
	talk_segment(&talk, HS_CLIENT, "cd", 2, 2);
	talk_segment(&talk, HS_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 38, 38);
	talk_segment(&talk, HS_SERVER, "x", 1, 1);
	talk_segment(&talk, HS_SERVER, "x", 1, 1);
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_int_equal(talk.calls[0].request_ns, TALK_START_NS);
	assert_int_equal(talk.calls[0].request_end_ns, TALK_START_NS + 2 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_ns, TALK_START_NS + 3 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_end_ns, TALK_START_NS + 5 * TALK_STEP_NS);
}

/* Of a body nothing needs to be seen. */
static void test_bodies_not_captured(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, "GET / HTTP/1.1\r\n\r\n", 18, 18);
	talk_segment(&talk, HS_SERVER, head, sizeof(head) - 1 + 60000, sizeof(head) - 1);
	talk_segment(&talk, HS_SERVER, "", 40000, 0);
	talk_segment(&talk, HS_CLIENT, "GET /2 HTTP/1.1\r\n\r\n", 19, 19);
	assert_int_equal(talk.call_count, 1);
	assert_int_equal(talk.calls[0].response_bytes, 100000);
	assert_int_equal(talk.losses[HS_L7_LOSS_BYTES], 0);
	talk_end(&talk);
}

static void answered(struct talk *talk, const char *request, const char *answer)
{
	talk_segment(talk, HS_CLIENT, request, strlen(request), strlen(request));
	talk_segment(talk, HS_SERVER, answer, strlen(answer), strlen(answer));
}

/* A lost segment costs the calls that it touches; the next turn is read again. */
static void test_loss(void **state)
{
	for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++) {
		struct talk talk;

		(void)state;
		talk_begin(&talk, false);
		answered(&talk, "GET /1 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		talk_lose(&talk, from, 300);
		talk.now_ns += 4000000000ull;
		for (int i = 0; i < 3; i++)
			answered(&talk, "GET /2 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
		talk.now_ns += 4000000000ull;
		for (int i = 0; i < 3; i++)
			answered(&talk, "GET /3 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxx");
		talk_end(&talk);
		assert_int_equal(talk.losses[HS_L7_LOSS_SEGMENTS], 1);
		assert_true(talk.losses[HS_L7_LOSS_BYTES] >= 300);
		assert_true(talk.call_count >= 3);
		for (size_t i = 0; i < talk.call_count; i++) { /* never an answer to another request */
			assert_int_equal(talk.calls[i].status, 200);
			assert_int_equal(talk.calls[i].response_bytes, talk.calls[i].target[1] - '1');
		}
	}
}

static void test_late(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	talk_segment(&talk, HS_SERVER, "rest of a body", 14, 14);
	talk_segment(&talk, HS_SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19, 19);
	answered(&talk, "GET /2 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_string_equal(talk.calls[0].target, "/2");
}

static void test_out_of_order(void **state)
{
	static const char request[] = "GET /abcdefghijklmnop HTTP/1.1\r\n\r\n";
	struct talk talk;
	struct hs_segment segment = { .from = HS_CLIENT, .time_ns = 5 };
	size_t at[] = { 0, 16, 8, 8, 0, 24 };

	(void)state;
	talk_begin(&talk, false);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		segment.position = 0xfffffff0 + at[i];
		segment.bytes = (const uint8_t *)request + at[i];
		segment.length = segment.captured = at[i] == 24 ? sizeof(request) - 1 - 24 : 8;
		hs_conversation_feed(talk.conversation, &segment);
	}
	assert_non_null(hs_conversation_pending(talk.conversation));
	assert_string_equal(hs_conversation_pending(talk.conversation)->target, "/abcdefghijklmnop");
	talk_end(&talk);
}

/* Not HTTP, or a lie: never a call, never a crash. */
static void test_others(void **state)
{
	static const char *const first[] = {
		"SSH-2.0-OpenSSH\r\n", "GET key\r\n", "OPTIONS rtsp://x/ RTSP/1.0\r\n\r\n", "*1\r\n$4\r\nPING\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00", "EHLO x\r\n", "GET  HTTP/1.1\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
		size_t length = strlen(first[i]);

		assert_int_not_equal(hs_protocol_http1.match(HS_CLIENT, (const uint8_t *)first[i], length), HS_MATCH_YES);
	}
}

static void test_lies(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "nonsense\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct talk talk;

		talk_begin(&talk, false);
		answered(&talk, "GET /1 HTTP/1.1\r\n\r\n", answers[i]);
		assert_int_equal(talk.call_count, 0);
		assert_true(talk.losses[HS_L7_LOSS_BYTES] > 0);
		assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 1);
		answered(&talk, "GET /2 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
		assert_int_equal(talk.call_count, 1);
		talk_end(&talk);
	}
}

static void part(struct talk *talk, enum hs_side from, const char *bytes, size_t length)
{
	talk_segment(talk, from, bytes, length, strlen(bytes));
}

static void whole(struct talk *talk, enum hs_side from, const char *bytes)
{
	part(talk, from, bytes, strlen(bytes));
}

/* Of chunks only the first are recorded: such a body is over when the other side speaks, or at the end. */
static void test_hidden_chunks(void **state)
{
	struct talk talk;
	char text[512];

	(void)state;
	talk_begin(&talk, false);
	whole(&talk, HS_CLIENT, "GET /1 HTTP/1.1\r\n\r\n");
	part(&talk, HS_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n4\r", 1000);
	part(&talk, HS_SERVER, "", 3000);
	whole(&talk, HS_SERVER, "ab\r\n0\r\n\r\n");
	whole(&talk, HS_CLIENT, "PUT /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n");
	part(&talk, HS_CLIENT, "x", 5000);
	whole(&talk, HS_SERVER, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	whole(&talk, HS_CLIENT, "GET /3 HTTP/1.1\r\n\r\n");
	part(&talk, HS_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 9000);
	talk_end(&talk);
	talk_write(&talk, text, sizeof(text));
	assert_string_equal(text, "GET /1 200 - 0 3955 answered\nPUT /2 201 - 4998 0 answered\n"
				  "GET /3 200 - 0 8953 answered\n");
	for (int loss = 0; loss < HS_L7_LOSS_MAX; loss++)
		assert_int_equal(talk.losses[loss], 0);
}

/* … but where another answer waits behind it, nobody can tell where that began: both are lost, and what follows is not. */
static void test_hidden_pipelined(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	whole(&talk, HS_CLIENT, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
	part(&talk, HS_SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n4\r", 1000);
	assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 2);
	answered(&talk, "GET /3 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
	assert_int_equal(talk.call_count, 1);
	talk_end(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden_chunks), cmocka_unit_test(test_hidden_pipelined),
		cmocka_unit_test(test_simple), cmocka_unit_test(test_keep_alive), cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_chunked), cmocka_unit_test(test_head), cmocka_unit_test(test_continue),
		cmocka_unit_test(test_early_answer), cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_unanswered), cmocka_unit_test(test_websocket), cmocka_unit_test(test_connect),
		cmocka_unit_test(test_targets), cmocka_unit_test(test_bare_newlines), cmocka_unit_test(test_times),
		cmocka_unit_test(test_bodies_not_captured), cmocka_unit_test(test_loss), cmocka_unit_test(test_late),
		cmocka_unit_test(test_out_of_order), cmocka_unit_test(test_others), cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
