// SPDX-License-Identifier: GPL-2.0-or-later
#include "http2_captures.h"
#include "l7/grpc.h"
#include "l7/protocols.h"
#include "wire.h"

#define GET(PATH) ":method: GET\n:scheme: http\n:path: " PATH "\n:authority: a\nuser-agent: test\n"
#define POST(PATH) ":method: POST\n:scheme: http\n:path: " PATH "\n:authority: a\n"
#define GRPC(PATH) POST(PATH) "te: trailers\ncontent-type: application/grpc\n"
#define OK ":status: 200\nserver: x\n"
#define OK_GRPC ":status: 200\ncontent-type: application/grpc+proto\n"

static struct wire client, server;

static void start(void)
{
	wire_raw(&client, PREFACE, sizeof(PREFACE) - 1);
	wire_raw(&client, SETTINGS_EMPTY, 9);
	wire_raw(&server, SETTINGS_EMPTY, 9);
}

static int set_up(void **state)
{
	(void)state;
	start();
	return 0;
}

static int set_up_late(void **state)
{
	(void)state;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	wire_free(&client);
	wire_free(&server);
	return 0;
}

static struct turn asked(void)
{
	return wire_turn(&client, HS_CLIENT);
}

static struct turn answered(void)
{
	return wire_turn(&server, HS_SERVER);
}

/* ---- requests and responses ---- */

static void test_simple(void **state)
{
	struct turn turns[2];

	(void)state;
	wire_headers(&client, END, 1, GET("/a?secret=1"));
	turns[0] = asked();
	wire_headers(&server, 0, 1, OK);
	wire_data(&server, END, 1, 5);
	turns[1] = answered();
	talk_check(turns, 2, "GET /a 200 - 0 5 answered\n");
}

/* Streams answered in another order, data of several between each other. */
static void test_multiplexed(void **state)
{
	struct turn turns[2];

	(void)state;
	wire_headers(&client, 0, 1, POST("/1"));
	wire_headers(&client, END, 3, GET("/2"));
	wire_data(&client, 0, 1, 10);
	wire_headers(&client, END, 5, GET("/3"));
	wire_data(&client, END, 1, 7);
	turns[0] = asked();
	wire_headers(&server, 0, 3, OK);
	wire_headers(&server, END, 5, ":status: 404\n");
	wire_headers(&server, 0, 1, ":status: 503\n");
	wire_data(&server, 0, 3, 1);
	wire_data(&server, END, 1, 2);
	wire_data(&server, 0, 3, 3);
	wire_data(&server, END, 3, 0);
	turns[1] = answered();
	talk_check(turns, 2, "GET /3 404 - 0 0 answered\nPOST /1 503 - 17 2 answered failed\nGET /2 200 - 0 4 answered\n");
}

/* Blocks cut anywhere, padding, priority, and frames that nobody has to know. */
static void test_frames(void **state)
{
	uint8_t block[512], payload[600] = { 3, 0x80, 0, 0, 0, 15 };
	struct turn turns[2];
	size_t length;

	(void)state;
	wire_word(&client, HS_HTTP2_WINDOW_UPDATE, 0, 100);
	wire_frame(&client, 0xfa, 0xff, 12, "grease", 6);
	wire_frame(&client, HS_HTTP2_PING, 0, 0, "12345678", 8);
	wire_frame(&client, HS_HTTP2_PRIORITY, 0, 3, "\0\0\0\0\1", 5);
	length = wire_block(&client, POST("/continued"), block, sizeof(block));
	memcpy(payload + 6, block, 4);
	wire_frame(&client, HS_HTTP2_HEADERS, HS_HTTP2_PADDED | HS_HTTP2_HAS_PRIORITY, 1, payload, 6 + 4 + 3);
	wire_frame(&client, HS_HTTP2_CONTINUATION, 0, 1, block + 4, 1);
	wire_frame(&client, HS_HTTP2_CONTINUATION, HS_HTTP2_PADDED, 1, "", 0); /* a flag that it does not have */
	wire_frame(&client, HS_HTTP2_CONTINUATION, HS_HTTP2_END_HEADERS, 1, block + 5, length - 5);
	wire_frame(&client, HS_HTTP2_DATA, END | HS_HTTP2_PADDED, 1, "\2abc\0\0", 6);
	turns[0] = asked();
	wire_frame(&server, HS_HTTP2_SETTINGS, HS_HTTP2_ACK, 0, "", 0);
	wire_headers(&server, 0, 1, ":status: 103\nlink: </x>\n");
	wire_headers(&server, 0, 1, OK);
	wire_frame(&server, HS_HTTP2_DATA, HS_HTTP2_PADDED, 1, "\0", 1);
	wire_data(&server, 0, 1, 3);
	wire_headers(&server, END, 1, "checksum: 5\n");
	turns[1] = answered();
	talk_check(turns, 2, "POST /continued 200 - 3 3 answered\n");
}

static void test_promise(void **state)
{
	uint8_t payload[300] = { 0, 0, 0, 2 };
	struct turn turns[2];
	size_t length;

	(void)state;
	wire_headers(&client, END, 1, GET("/page"));
	turns[0] = asked();
	length = wire_block(&server, GET("/style"), payload + 4, sizeof(payload) - 4);
	wire_frame(&server, HS_HTTP2_PUSH_PROMISE, HS_HTTP2_END_HEADERS, 1, payload, length + 4);
	wire_headers(&server, 0, 2, OK);
	wire_data(&server, END, 2, 9);
	wire_headers(&server, END, 1, OK);
	turns[1] = answered();
	talk_check(turns, 2, "GET /page 200 - 0 0 answered\n");
}

static void test_connect(void **state)
{
	struct turn turns[3];

	(void)state;
	wire_headers(&client, 0, 1, ":method: CONNECT\n:authority: db:5432\n");
	turns[0] = asked();
	wire_headers(&server, 0, 1, OK);
	wire_data(&server, 0, 1, 9);
	turns[1] = answered();
	wire_data(&client, END, 1, 9);
	turns[2] = asked();
	talk_check(turns, 3, "CONNECT - 200 - 0 0 answered\n");
}

/* The server does not wait for the end of the request. */
static void test_early_answer(void **state)
{
	struct turn turns[3];

	(void)state;
	wire_headers(&client, 0, 1, POST("/big"));
	wire_data(&client, 0, 1, 10);
	turns[0] = asked();
	wire_headers(&server, END, 1, ":status: 413\n");
	wire_word(&server, HS_HTTP2_RST_STREAM, 1, 0);
	turns[1] = answered();
	wire_data(&client, END, 1, 10);
	turns[2] = asked();
	talk_check(turns, 3, "POST /big 413 - 10 0 answered\n");
}

static void test_resets(void **state)
{
	struct turn turns[3];

	(void)state;
	for (uint32_t stream = 1; stream <= 9; stream += 2)
		wire_headers(&client, END, stream, GET("/r"));
	turns[0] = asked();
	wire_headers(&server, 0, 5, OK);
	wire_word(&server, HS_HTTP2_RST_STREAM, 1, 11);
	wire_word(&server, HS_HTTP2_RST_STREAM, 3, 4711);
	turns[1] = answered();
	wire_word(&client, HS_HTTP2_RST_STREAM, 5, 8);
	wire_word(&client, HS_HTTP2_RST_STREAM, 7, 1);
	wire_word(&client, HS_HTTP2_RST_STREAM, 1, 8);
	turns[2] = asked();
	talk_check(turns, 3,
		   "GET /r -1 ENHANCE_YOUR_CALM 0 0 unanswered failed\nGET /r -1 INTERNAL_ERROR 0 0 unanswered failed\n"
		   "GET /r 200 - 0 0 cancelled\nGET /r -1 PROTOCOL_ERROR 0 0 cancelled\nGET /r -1 - 0 0 unanswered\n");
}

static void test_goaway(void **state)
{
	struct turn turns[2];

	(void)state;
	for (uint32_t stream = 1; stream <= 7; stream += 2)
		wire_headers(&client, END, stream, GET("/g"));
	turns[0] = asked();
	wire_goaway(&server, 0x7fffffff, 0);
	wire_goaway(&server, 3, 0);
	wire_headers(&server, END, 1, OK);
	wire_goaway(&server, 3, 2);
	turns[1] = answered();
	talk_check(turns, 2,
		   "GET /g -1 REFUSED_STREAM 0 0 unanswered\nGET /g -1 REFUSED_STREAM 0 0 unanswered\n"
		   "GET /g 200 - 0 0 answered\nGET /g -1 INTERNAL_ERROR 0 0 unanswered\n");
}

/* The dynamic table with all that an encoder may do to it. */
static void test_table(void **state)
{
	struct turn turns[2];

	(void)state;
	for (uint32_t stream = 1; stream <= 9; stream += 2) {
		if (stream == 5)
			nghttp2_hd_deflate_change_table_size(client.encoder, 0);
		if (stream == 7)
			nghttp2_hd_deflate_change_table_size(client.encoder, 1 << 20); /* more than we keep */
		wire_headers(&client, END, stream, stream & 2 ? GET("/odd") : GET("/even"));
	}
	turns[0] = asked();
	for (uint32_t stream = 1; stream <= 9; stream += 2)
		wire_headers(&server, END, stream, stream & 2 ? ":status: 218\n" : ":status: 219\n");
	turns[1] = answered();
	talk_check(turns, 2,
		   "GET /even 219 - 0 0 answered\nGET /odd 218 - 0 0 answered\nGET /even 219 - 0 0 answered\n"
		   "GET /odd 218 - 0 0 answered\nGET /even 219 - 0 0 answered\n");
}

/* ---- upgrade ---- */

static void test_upgrade(void **state)
{
	static const char upgrade[] =
		"GET /up?x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n";
	static const char switching[] =
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
	struct turn turns[4];

	(void)state;
	client.length = server.length = 0;
	wire_raw(&client, upgrade, sizeof(upgrade) - 1);
	turns[0] = asked();
	wire_raw(&server, switching, sizeof(switching) - 1);
	wire_raw(&server, SETTINGS_EMPTY, 9);
	turns[1] = answered();
	start();
	server.length = 0;
	wire_headers(&client, END, 3, GET("/next"));
	turns[2] = asked();
	wire_headers(&server, END, 3, ":status: 404\n");
	wire_headers(&server, 0, 1, OK);
	wire_data(&server, END, 1, 6);
	turns[3] = answered();
	talk_check(turns, 4, "GET /next 404 - 0 0 answered\nGET /up 200 - 0 6 answered\n");
}

/* ---- gRPC ---- */

static void test_grpc(void **state)
{
	struct turn turns[2];

	(void)state;
	wire_headers(&client, 0, 1, GRPC("/shop.Orders/Get") "grpc-timeout: 1500m\n");
	wire_data(&client, END, 1, 8);
	wire_headers(&client, 0, 3, GRPC("/shop.Orders/List"));
	wire_headers(&client, END, 5, GRPC("/shop.Orders/Nothing"));
	wire_headers(&client, END, 7, GRPC("/shop.Orders/Odd"));
	wire_headers(&client, END, 9, POST("/shop.Orders/Web") "content-type: application/grpc-web\n");
	wire_data(&client, END, 3, 8);
	turns[0] = asked();
	wire_headers(&server, 0, 1, OK_GRPC);
	wire_headers(&server, END, 5, OK_GRPC "grpc-status: 12\ngrpc-message: no\n");
	wire_headers(&server, END, 7, ":status: 200\ncontent-type: application/grpc\ngrpc-status: 99\n");
	wire_headers(&server, 0, 3, OK_GRPC);
	wire_data(&server, 0, 3, 10);
	wire_headers(&server, END, 9, OK);
	wire_data(&server, 0, 1, 12);
	wire_data(&server, 0, 3, 10);
	wire_headers(&server, END, 3, "grpc-status: 5\n");
	wire_headers(&server, END, 1, "grpc-status: 0\n");
	turns[1] = answered();
	talk_check(turns, 2,
		   "POST shop.Orders/Nothing 12 UNIMPLEMENTED 0 0 answered failed\n"
		   "POST shop.Orders/Odd 99 UNKNOWN 0 0 answered failed\n"
		   "POST /shop.Orders/Web 200 - 0 0 answered\n"
		   "POST shop.Orders/List 5 NOT_FOUND 8 20 answered\n"
		   "POST shop.Orders/Get 0 - 8 12 answered\n");
}

/* A proxy in between, or a server that forgets. */
static void test_grpc_without_status(void **state)
{
	struct turn turns[2];

	(void)state;
	for (uint32_t stream = 1; stream <= 7; stream += 2)
		wire_headers(&client, END, stream, GRPC("/a.B/C"));
	turns[0] = asked();
	wire_headers(&server, END, 1, ":status: 502\ncontent-type: text/html\n");
	wire_headers(&server, END, 3, OK_GRPC);
	wire_headers(&server, 0, 5, OK_GRPC);
	turns[1] = answered();
	talk_check(turns, 2,
		   "POST a.B/C 14 UNAVAILABLE 0 0 answered failed\nPOST a.B/C 2 UNKNOWN 0 0 answered failed\n"
		   "POST a.B/C -1 - 0 0 unanswered\nPOST a.B/C -1 - 0 0 unanswered\n");
}

static void say(struct talk *talk, struct turn turn)
{
	talk_segment(talk, turn.from, turn.bytes, turn.length, turn.length);
}

/* Who gave up, and was it the deadline? */
static void test_deadline(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	wire_headers(&client, END, 1, GRPC("/a.B/Slow") "grpc-timeout: 100m\n");
	wire_headers(&client, END, 3, GRPC("/a.B/Slow") "grpc-timeout: 2S\n");
	say(&talk, asked());
	talk.now_ns += 99000000; /* the client rounds up */
	wire_word(&client, HS_HTTP2_RST_STREAM, 1, 8);
	wire_word(&client, HS_HTTP2_RST_STREAM, 3, 8);
	say(&talk, asked());
	talk_end(&talk);
	assert_int_equal(talk.call_count, 2);
	assert_true(talk.calls[0].rpc);
	assert_string_equal(talk.calls[0].version, "2");
	assert_int_equal(talk.calls[0].timeout_ns, 100000000);
	assert_int_equal(talk.calls[0].end, HS_CALL_CANCELLED);
	assert_string_equal(talk.calls[0].error, "DEADLINE_EXCEEDED");
	assert_true(talk.calls[0].failed);
	assert_int_equal(talk.calls[1].timeout_ns, 2000000000);
	assert_int_equal(talk.calls[1].end, HS_CALL_CANCELLED);
	assert_string_equal(talk.calls[1].error, "");
	assert_false(talk.calls[1].failed);
}

static void test_grpc_values(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} timeouts[] = {
		{ "1H", 3600000000000 }, { "99999999H", UINT64_MAX },
		{ "2M", 120000000000 }, { "3S", 3000000000 }, { "4m", 4000000 }, { "5u", 5000 }, { "6n", 6 },
		{ "", 0 }, { "m", 0 }, { "1", 0 }, { "123456789n", 0 }, { "-1m", 0 }, { "1 m", 0 }, { "1s", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(*timeouts); i++)
		assert_int_equal(hs_grpc_timeout_ns((const uint8_t *)timeouts[i].text, strlen(timeouts[i].text)),
				 timeouts[i].ns);
	assert_int_equal(hs_grpc_status((const uint8_t *)"16", 2), 16);
	assert_int_equal(hs_grpc_status((const uint8_t *)"", 0), -1);
	assert_int_equal(hs_grpc_status((const uint8_t *)"1x", 2), -1);
	assert_int_equal(hs_grpc_status((const uint8_t *)"99999", 5), -1);
}

/* ---- captures ---- */

static void test_captures(void **state)
{
	(void)state;
	talk_check(grpc_capture, sizeof(grpc_capture) / sizeof(*grpc_capture),
		   "POST test.Kit/Echo 0 - 10 10 answered\nPOST test.Kit/Echo 0 - 10 10 answered\n"
		   "POST test.Kit/Fail 5 NOT_FOUND 14 0 answered\n");
	talk_check(nginx_capture, sizeof(nginx_capture) / sizeof(*nginx_capture),
		   "GET /users/17 200 - 0 6 answered\nGET /broken 503 - 0 197 answered failed\n");
}

/* Heard from any place on, no call is told that was not there, and no field that it had not. */
static void test_captures_late(void **state)
{
	const size_t count = sizeof(grpc_capture) / sizeof(*grpc_capture);

	(void)state;
	for (size_t from = 1; from < count; from++) {
		struct talk talk;

		talk_begin(&talk, true);
		for (size_t i = from; i < count; i++)
			say(&talk, grpc_capture[i]);
		talk_end(&talk);
		for (size_t i = 0; i < talk.call_count; i++) {
			const struct hs_call *call = &talk.calls[i];
			const char *method = call->target + (call->target[0] == '/');

			assert_string_equal(call->operation, "POST");
			assert_true(!*method || !strcmp(method, "test.Kit/Echo") || !strcmp(method, "test.Kit/Fail"));
			assert_true(call->rpc ? call->status == 5 || call->status <= 0 : call->status == 200);
		}
	}
}

/* ---- times ---- */

static void test_times(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	say(&talk, asked());
	wire_headers(&client, 0, 1, POST("/t"));
	say(&talk, asked());
	wire_data(&client, END, 1, 100);
	say(&talk, asked());
	say(&talk, answered());
	wire_headers(&server, 0, 1, OK);
	say(&talk, answered());
	wire_data(&server, END, 1, 100);
	talk_segment(&talk, HS_SERVER, server.bytes, 60, 60);
	talk_segment(&talk, HS_SERVER, server.bytes + 60, server.length - 60, 0); /* of data nothing needs to be seen */
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_int_equal(talk.calls[0].request_ns, TALK_START_NS + TALK_STEP_NS);
	assert_int_equal(talk.calls[0].request_end_ns, TALK_START_NS + 2 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_ns, TALK_START_NS + 4 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_end_ns, TALK_START_NS + 6 * TALK_STEP_NS);
	assert_int_equal(talk.losses[HS_L7_LOSS_BYTES], 0);
}

/* ---- late, and losses ---- */

static void expect(const struct talk *talk, const char *expected)
{
	char text[TALK_CALLS_MAX * 400];

	talk_write(talk, text, sizeof(text));
	assert_string_equal(text, expected);
}

/* A header block by hand: libnghttp2's encoder does not put paths into its table. */
#define BLOCK(WIRE, STREAM, BYTES) \
	wire_frame(WIRE, HS_HTTP2_HEADERS, END | HS_HTTP2_END_HEADERS, STREAM, BYTES, sizeof(BYTES) - 1)
#define INSERT_PATH "\x44" /* name 4 is :path; a length and the value follow */
#define NEWEST "\xbe"      /* entry of the dynamic table */
#define SECOND "\xbf"
#define THIRD "\xc0"
#define IS_GET "\x82"

/* What the tables hide is unknown; what came by since is known, wherever it has moved. */
static void test_late(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true); /* "/old" and ":status: 218" are in the tables */
	BLOCK(&client, 3, IS_GET NEWEST);
	say(&talk, asked());
	BLOCK(&server, 3, NEWEST);
	say(&talk, answered());
	BLOCK(&client, 5, IS_GET INSERT_PATH "\4/new");
	say(&talk, asked());
	BLOCK(&server, 5, "\x48\003404");
	say(&talk, answered());
	BLOCK(&client, 7, IS_GET NEWEST);
	BLOCK(&client, 9, IS_GET SECOND);
	say(&talk, asked());
	BLOCK(&server, 9, SECOND);
	BLOCK(&server, 7, NEWEST);
	say(&talk, answered());
	talk_end(&talk);
	expect(&talk, "GET - -1 - 0 0 answered\nGET /new 404 - 0 0 answered\nGET - -1 - 0 0 answered\n"
	       "GET /new 404 - 0 0 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 0);
}

/* Entries with a name that is hidden have their places in the table; so has what comes behind them. */
static void test_late_names(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	BLOCK(&client, 3, IS_GET INSERT_PATH "\2/a" "\x7f\0\5value" INSERT_PATH "\2/b"); /* the name of entry 63 */
	say(&talk, asked());
	BLOCK(&client, 5, IS_GET THIRD);
	BLOCK(&client, 7, IS_GET SECOND);
	BLOCK(&client, 9, IS_GET NEWEST);
	BLOCK(&client, 11, IS_GET "\x0f\x30\5value\x1f\x30\5value" THIRD); /* … without, and never to be, indexed */
	BLOCK(&client, 13, IS_GET "\xff\x80\x80\x01"); /* far off */
	BLOCK(&client, 15, SECOND); /* may be the method */
	say(&talk, asked());
	for (uint32_t stream = 3; stream <= 15; stream += 2)
		BLOCK(&server, stream, "\x88");
	say(&talk, answered());
	talk_end(&talk);
	expect(&talk, "GET /b 200 - 0 0 answered\nGET /a 200 - 0 0 answered\nGET - 200 - 0 0 answered\n"
	       "GET /b 200 - 0 0 answered\nGET /a 200 - 0 0 answered\nGET - 200 - 0 0 answered\n- - 200 - 0 0 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 0);
}

/* gRPC of which only the trailers, or the type of the response, can be read. */
static void test_late_grpc(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	for (uint32_t stream = 3; stream <= 9; stream += 2)
		BLOCK(&client, stream, "\x83" NEWEST SECOND);
	say(&talk, asked());
	wire_headers(&server, 0, 3, OK);
	wire_headers(&server, END, 3, "grpc-status: 14\n");
	wire_headers(&server, END, 5, OK_GRPC);
	wire_headers(&server, END, 7, OK);
	wire_headers(&server, 0, 9, OK_GRPC);
	BLOCK(&server, 9, "\xf0"); /* a status that is older than our knowledge */
	say(&talk, answered());
	talk_end(&talk);
	expect(&talk, "POST - 14 UNAVAILABLE 0 0 answered failed\nPOST - 2 UNKNOWN 0 0 answered failed\n"
	       "POST - 200 - 0 0 answered\nPOST - -1 - 0 0 answered\n");
	assert_true(talk.calls[0].rpc && talk.calls[1].rpc && !talk.calls[2].rpc && talk.calls[3].rpc);
}

/* Every response to a request that nobody saw is counted. */
static void test_late_streams(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	wire_headers(&server, END, 1, OK);
	wire_headers(&server, END, 7, OK);
	say(&talk, answered());
	wire_headers(&client, END, 9, GET("/a"));
	say(&talk, asked());
	wire_headers(&server, END, 5, OK);
	wire_headers(&server, END, 9, OK);
	wire_headers(&server, END, 9, OK);
	say(&talk, answered());
	talk_end(&talk);
	expect(&talk, "GET /a 200 - 0 0 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 3);
}

/* The other side is in the midst of something when the first one is understood. */
static void test_late_amid_data(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	wire_headers(&client, END, 11, GET("/a"));
	say(&talk, asked());
	wire_raw(&server, "rest of the data of another stream", 34);
	say(&talk, answered());
	wire_headers(&client, END, 13, GET("/b"));
	say(&talk, asked());
	wire_headers(&server, END, 13, OK);
	say(&talk, answered()); /* nobody knows whether 11 was answered: it is given up, and 13 with it */
	wire_headers(&client, END, 15, GET("/c"));
	say(&talk, asked());
	wire_headers(&server, END, 15, OK);
	say(&talk, answered());
	talk_end(&talk);
	expect(&talk, "GET /c 200 - 0 0 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 2);
	assert_int_equal(talk.losses[HS_L7_LOSS_BYTES], 34);
}

static void exchange(struct talk *talk, uint32_t stream, bool counted)
{
	(void)counted;
	wire_headers(&client, END, stream, stream & 2 ? GET("/odd") : GET("/even"));
	say(talk, asked());
	wire_headers(&server, END, stream, stream & 2 ? ":status: 218\n" : ":status: 219\n");
	say(talk, answered());
}

/* A hole on either side: fewer calls, never a wrong one, and the rest is counted. */
static void test_loss(void **state)
{
	for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++) {
		struct talk talk;

		tear_down(state);
		start();
		talk_begin(&talk, false);
		for (uint32_t stream = 1; stream < 20; stream += 2)
			exchange(&talk, stream, true);
		talk_lose(&talk, from, 300);
		if (from == HS_CLIENT) { /* its table moves on */
			wire_headers(&client, END, 21, GET("/unseen"));
			client.length = 0;
		}
		talk.now_ns += 4000000000ull;
		exchange(&talk, 23, false);
		talk.now_ns += 4000000000ull;
		for (uint32_t stream = 25; stream < 60; stream += 2)
			exchange(&talk, stream, true);
		talk_end(&talk);
		assert_int_equal(talk.losses[HS_L7_LOSS_SEGMENTS], 1);
		assert_true(talk.losses[HS_L7_LOSS_BYTES] >= 300);
		assert_true(talk.call_count >= 26);
		for (size_t i = 0; i < talk.call_count; i++) {
			const struct hs_call *call = &talk.calls[i];

			assert_int_equal(call->end, HS_CALL_ANSWERED);
			if (*call->target && call->status >= 0)
				assert_int_equal(call->status, strcmp(call->target, "/odd") ? 219 : 218);
			assert_string_not_equal(call->target, "/unseen");
		}
	}
}

/* A hole that nobody could give up in time: what waits behind it may be the answer. */
static void test_loss_before_the_end(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	wire_headers(&client, END, 1, GET("/a"));
	say(&talk, asked());
	wire_headers(&server, 0, 1, OK);
	say(&talk, answered());
	talk_lose(&talk, HS_SERVER, 1000);
	wire_data(&server, END, 1, 10);
	say(&talk, answered());
	talk_end(&talk);
	assert_int_equal(talk.call_count, 0);
	assert_int_equal(talk.losses[HS_L7_LOSS_SEGMENTS], 1);
	assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 1);
}

/* ---- many, and long ---- */

#define MANY 6000

static void test_many_streams(void **state)
{
	static struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	for (uint32_t i = 0; i < MANY; i++) {
		wire_headers(&client, END, 2 * i + 1, i & 1 ? GET("/odd") : GET("/even"));
		if (client.length > 60000 || i == MANY - 1) {
			talk_segment(&talk, HS_CLIENT, client.bytes, client.length, client.length);
			client.length = 0;
		}
	}
	for (uint32_t i = MANY; i-- > 0;) { /* the newest first */
		wire_headers(&server, END, 2 * i + 1, i & 1 ? ":status: 218\n" : ":status: 219\n");
		if (server.length > 60000 || !i) {
			talk_segment(&talk, HS_SERVER, server.bytes, server.length, server.length);
			server.length = 0;
		}
	}
	assert_int_equal(talk.call_count, MANY);
	assert_null(hs_conversation_pending(talk.conversation));
	for (size_t i = 0; i < TALK_CALLS_MAX; i++)
		assert_int_equal(talk.calls[i].status, strcmp(talk.calls[i].target, "/odd") ? 219 : 218);
	assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 0);
	talk_end(&talk);
}

/* Header blocks of the longest frame and more. Beyond 64 KiB they are unknown; what follows is right. */
static void test_long_blocks(void **state)
{
	static char lines[70 << 10];
	static uint8_t block[80 << 10];

	for (size_t size = 30000; size <= 70000; size += 40000) {
		static struct talk talk;
		size_t length, at;

		tear_down(state);
		start();
		strcpy(lines, GET("/long") "x: ");
		memset(lines + strlen(lines), '\\', size - sizeof(GET("/long"))); /* whose code is longer than itself */
		lines[size] = '\0';
		talk_begin(&talk, false);
		length = wire_block(&client, lines, block, sizeof(block));
		wire_frame(&client, HS_HTTP2_HEADERS, END, 1, block, 16384);
		for (at = 16384; length - at > 16384; at += 16384)
			wire_frame(&client, HS_HTTP2_CONTINUATION, 0, 1, block + at, 16384);
		wire_frame(&client, HS_HTTP2_CONTINUATION, HS_HTTP2_END_HEADERS, 1, block + at, length - at);
		for (at = 0; at < client.length; at += 1000) {
			size_t piece = client.length - at < 1000 ? client.length - at : 1000;

			talk_segment(&talk, HS_CLIENT, client.bytes + at, piece, piece);
		}
		client.length = 0;
		wire_headers(&server, END, 1, OK);
		say(&talk, answered());
		wire_headers(&client, END, 3, GET("/short"));
		say(&talk, asked());
		wire_headers(&server, END, 3, OK);
		say(&talk, answered());
		talk_end(&talk);
		expect(&talk, size < 65536 ? "GET /long 200 - 0 0 answered\nGET /short 200 - 0 0 answered\n" :
					     "- - 200 - 0 0 answered\nGET /short 200 - 0 0 answered\n");
		assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], size < 65536 ? 0 : 1);
		assert_int_equal(talk.losses[HS_L7_LOSS_BYTES], 0);
	}
}

static void test_large_frames(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	wire_frame(&client, HS_HTTP2_SETTINGS, 0, 0, "\0\5\0\0\x80\0", 6); /* 32 KiB */
	wire_headers(&client, END, 1, GET("/a"));
	say(&talk, asked());
	wire_headers(&server, 0, 1, OK);
	wire_data(&server, END, 1, 32768);
	talk_segment(&talk, HS_SERVER, server.bytes, server.length, 200);
	server.length = 0;
	talk_end(&talk);
	expect(&talk, "GET /a 200 - 0 32768 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_BYTES], 0);
}

/* ---- hostile ---- */

static void test_lies(void **state)
{
	static const struct {
		const char *what;
		int type, flags;
		uint32_t stream;
		const char *payload;
		size_t length;
		bool fatal; /* else it is an undecoded message, and the place is kept */
	} lies[] = {
		{ "padding longer than the frame", HS_HTTP2_DATA, HS_HTTP2_PADDED, 1, "\7abc", 4, true },
		{ "no room for padding", HS_HTTP2_DATA, HS_HTTP2_PADDED, 1, "", 0, true },
		{ "data on the connection", HS_HTTP2_DATA, 0, 0, "abc", 3, true },
		{ "no room for priority", HS_HTTP2_HEADERS, 0x24, 3, "abc", 3, true },
		{ "settings on a stream", HS_HTTP2_SETTINGS, 0, 1, "", 0, true },
		{ "half a setting", HS_HTTP2_SETTINGS, 0, 0, "abc", 3, true },
		{ "a long ping", HS_HTTP2_PING, 0, 0, "123456789", 9, true },
		{ "a short reset", HS_HTTP2_RST_STREAM, 0, 1, "ab", 2, true },
		{ "a client that promises", HS_HTTP2_PUSH_PROMISE, 4, 1, "\0\0\0\2", 4, true },
		{ "continues nothing", HS_HTTP2_CONTINUATION, 4, 1, "", 0, true },
		{ "a short goaway", HS_HTTP2_GOAWAY, 0, 0, "1234567", 7, true },
		{ "index 0", HS_HTTP2_HEADERS, 5, 3, "\x80", 1, false },
		{ "a number without end", HS_HTTP2_HEADERS, 5, 3, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, false },
		{ "a string beyond the block", HS_HTTP2_HEADERS, 5, 3, "\x82\x44\x7f\xff\x01/", 6, false },
		{ "a bad Huffman code", HS_HTTP2_HEADERS, 5, 3, "\x82\x44\x84\xff\xff\xff\xff", 7, false },
		{ "cut", HS_HTTP2_HEADERS, 5, 3, "\x82\x44\x03/a", 5, false },
		{ "a size that changes too late", HS_HTTP2_HEADERS, 5, 3, "\x82\x20", 2, false },
		{ "no method", HS_HTTP2_HEADERS, 5, 3, "\x84", 1, false },
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct talk talk;

		tear_down(state);
		start();
		talk_begin(&talk, false);
		wire_headers(&client, 0, 1, POST("/before"));
		wire_frame(&client, lies[i].type, lies[i].flags, lies[i].stream, lies[i].payload, lies[i].length);
		say(&talk, asked());
		if (!!talk.losses[HS_L7_LOSS_CALLS] != lies[i].fatal ||
		    talk.losses[HS_L7_LOSS_MESSAGES] != !lies[i].fatal)
			fail_msg("%s", lies[i].what);
		wire_headers(&client, END, 5, GET("/after"));
		say(&talk, asked());
		wire_headers(&server, END, 5, OK);
		say(&talk, answered());
		assert_int_equal(talk.call_count, 1);
		assert_string_equal(talk.calls[0].target, "/after");
		assert_int_equal(talk.calls[0].status, 200);
		talk_end(&talk);
	}
}

static void test_too_long_frame(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	wire_data(&client, 0, 1, 16385); /* nobody has allowed that */
	say(&talk, asked());
	assert_true(talk.losses[HS_L7_LOSS_BYTES] >= 16385);
	talk_end(&talk);
}

static void test_interrupted_block(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	wire_frame(&client, HS_HTTP2_HEADERS, END, 1, "\x82", 1);
	wire_data(&client, 0, 1, 1);
	say(&talk, asked());
	assert_true(talk.losses[HS_L7_LOSS_BYTES] > 0);
	assert_int_equal(talk.call_count, 0);
	talk_end(&talk);
}

/* A server that repeats itself costs nothing. */
static void test_goaways(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	wire_headers(&client, END, 1, GET("/a"));
	say(&talk, asked());
	for (int i = 0; i < 2000; i++)
		wire_goaway(&server, 1, 0);
	say(&talk, answered());
	wire_headers(&server, END, 1, OK);
	say(&talk, answered());
	talk_end(&talk);
	expect(&talk, "GET /a 200 - 0 0 answered\n");
}

/* ---- which protocol ---- */

static enum hs_match match(enum hs_side from, const void *bytes, size_t length)
{
	return hs_protocol_http2.match(from, bytes, length);
}

static void test_match(void **state)
{
	(void)state;
	for (size_t length = 1; length < sizeof(PREFACE) - 1; length++)
		assert_int_equal(match(HS_CLIENT, PREFACE, length), HS_MATCH_MORE);
	assert_int_equal(match(HS_CLIENT, PREFACE "x", sizeof(PREFACE)), HS_MATCH_YES);
	assert_int_equal(match(HS_CLIENT, "PRI * HTTP/2.0\r\n\r\nXX", 20), HS_MATCH_NO);
	assert_int_equal(match(HS_SERVER, SETTINGS_EMPTY, 9), HS_MATCH_YES);
	assert_int_equal(match(HS_SERVER, SETTINGS_EMPTY, 4), HS_MATCH_MORE);
	assert_int_equal(match(HS_SERVER, "J\0\0\0\nmysql", 10), HS_MATCH_NO);
	assert_int_equal(match(HS_SERVER, "\0\0\7\4\0\0\0\0\0", 9), HS_MATCH_NO);
	assert_int_equal(match(HS_SERVER, "HTTP/1.1 400", 12), HS_MATCH_NO);
}

/* In the midst of other protocols nothing looks like a frame. */
static void test_boundary(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} others[] = {
		{ "GET /a HTTP/1.1\r\n\r\n", 19 }, { "\x16\3\1\2\0\1\0\1\xfc\3\3", 11 }, { "\x17\3\3\0\x20", 5 },
		{ "\0\0\0\x54\0\3\0\0user\0", 13 }, { "Q\0\0\0\x0dselect 1", 13 }, { "*1\r\n$4\r\nPING\r\n", 14 },
		{ "\1\0\0\0\1", 5 }, { "\0\x1c\x01\x02\1\0\0\1\0\0\0\0\0\0", 14 }, { "\0\0\0\x2a\0\x12\0\2\0\0\0\1", 12 },
		{ "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18 }, { "\x3a\0\0\0\1\0\0\0\0\0\0\0\xdd\7\0\0", 16 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++)
			assert_int_not_equal(hs_protocol_http2.boundary(from, (const uint8_t *)others[i].bytes,
									others[i].length), HS_MATCH_YES);
	wire_headers(&client, 0, 7, GET("/a"));
	wire_data(&client, END, 7, 100);
	for (size_t length = 1; length <= client.length; length++) {
		enum hs_match found = hs_protocol_http2.boundary(HS_CLIENT, client.bytes, length);

		assert_int_not_equal(found, HS_MATCH_NO);
		if (length == client.length)
			assert_int_equal(found, HS_MATCH_YES);
	}
	assert_int_equal(hs_protocol_http2.boundary(HS_CLIENT, client.bytes + 1, client.length - 1), HS_MATCH_NO);
}

#define LATE(TEST) cmocka_unit_test_setup_teardown(TEST, set_up_late, tear_down)
#define FRESH(TEST) cmocka_unit_test_setup_teardown(TEST, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(test_simple), FRESH(test_multiplexed), FRESH(test_frames), FRESH(test_promise), FRESH(test_connect),
		FRESH(test_early_answer), FRESH(test_resets), FRESH(test_goaway), FRESH(test_table), FRESH(test_upgrade),
		FRESH(test_grpc), FRESH(test_grpc_without_status), FRESH(test_deadline), FRESH(test_grpc_values),
		FRESH(test_captures), LATE(test_captures_late), FRESH(test_times), LATE(test_late), LATE(test_late_names), LATE(test_late_grpc), LATE(test_late_streams),
		LATE(test_late_amid_data), FRESH(test_loss), FRESH(test_loss_before_the_end), FRESH(test_many_streams),
		FRESH(test_long_blocks),
		FRESH(test_large_frames), FRESH(test_lies), FRESH(test_too_long_frame), FRESH(test_interrupted_block),
		FRESH(test_goaways), FRESH(test_match), LATE(test_boundary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
