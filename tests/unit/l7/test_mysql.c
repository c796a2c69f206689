// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "l7/protocols.h"
#include "talk.h"

/*
 * Packets of one side: pairs of a number and a body, in which '|' stands for NUL. The number "=": bytes
 * as they are.
 */
static struct turn say(enum hs_side from, const char *number, ...)
{
	static char pool[1 << 18];
	static size_t used;
	struct turn turn = { .from = from };
	va_list list;

	if (used > sizeof(pool) / 2)
		used = 0;
	turn.bytes = pool + used;
	va_start(list, number);
	for (; number; number = va_arg(list, const char *)) {
		const char *body = va_arg(list, const char *);
		size_t length = strlen(body);

		for (int shift = 0; shift < 24 && *number != '='; shift += 8)
			pool[used++] = length >> shift;
		if (*number != '=')
			pool[used++] = atoi(number);
		for (size_t i = 0; i < length; i++)
			pool[used++] = body[i] == '|' ? '\0' : body[i];
	}
	va_end(list);
	turn.length = pool + used - turn.bytes;
	return turn;
}

#define C(...) say(HS_CLIENT, __VA_ARGS__, NULL)
#define S(...) say(HS_SERVER, __VA_ARGS__, NULL)
/* As a MariaDB of Debian 12 and its clients say it. */
#define GREETING S("0", "\n5.5.5-10.11.19-MariaDB-0+deb12u1|\4|||J0O!QT5K|\376\367\10\2|\377\201\25||||||\35|||Y]H2_ir\"NDI\"|mysql_native_password|")
#define GREETING_8 S("0", "\n8.0.36|\12|||J0O!QT5K|\377\377\377\2|\377\337\25||||||||||Y]H2_ir\"NDI\"|caching_sha2_password|")
#define LOGIN C("1", "\215\242\73|\377\377\377|-|||||||||||||||||||||||u|\24\34:\327\14C\3213\373l\220\313\n\t\321\347\23-,\233\33d|mysql_native_password|")
#define OK "|||\2|||"
#define DONE "|\1|\2|||"
#define BEGIN GREETING, LOGIN, S("2", "|||\2|||")
#define A "\3def\1d\1t\1t\1a\1a|\14?|\13|||\3|||||"
#define B "\3def\1d\1t\1t\1b\1b|\14!|\375\377\2|\374\20||||"
#define EOF_ "\376||\"|"
#define EOF_MORE "\376||\11|"
#define OK_END "\376||\2|||" /* in place of EOF, where both know better */
#define NO_TABLE "\377z\4#42S02Table 'd.nope' doesn't exist"

static void test_simple(void **state)
{
	(void)state;
	TALK("INSERT t -1 - 33 11 answered\nSELECT t -1 - 20 96 answered\nSELECT nope -1 1146 23 41 answered failed\n", BEGIN,
	     C("0", "\3insert into t values (1,'x')"), S("1", "|\1|\2|||"),
	     C("0", "\3select * from t"), S("1", "\2\1", "2", A, "3", B, "4", EOF_, "5", "\0011\1x", "6", EOF_),
	     C("0", "\3select * from nope"), S("1", NO_TABLE), C("0", "\1"));
}

/* Without EOF packets, and rows that look like other things. */
static void test_deprecated_eof(void **state)
{
	(void)state;
	TALK("SELECT t -1 - 20 59 answered\nSELECT t -1 - 20 48 answered\nSELECT t -1 1829 20 56 answered failed\n"
	     "COMMIT - -1 - 11 11 answered\n", BEGIN,
	     C("0", "\3select * from t"), S("1", "\1", "2", A, "3", "\373", "4", "\0011", "5", OK_END),
	     C("0", "\3select * from t"), S("1", "\1", "2", A, "3", OK_END),
	     C("0", "\3select * from t"), S("1", "\1", "2", A, "3", "|", "4", "\377\45\7#70100x"),
	     C("0", "\3COMMIT"), S("1", DONE));
}

static void test_multiple_results(void **state)
{
	(void)state;
	TALK("SELECT - -1 - 30 122 answered\nCALL - -1 - 13 66 answered\n", BEGIN,
	     C("0", "\3select 1; select a from t"),
	     S("1", "\1", "2", A, "3", EOF_MORE, "4", "\0011", "5", EOF_MORE, "6", "\1", "7", A, "8", EOF_, "9", "\0011", "10", EOF_),
	     C("0", "\3call p()"), S("1", "\1", "2", A, "3", EOF_MORE, "4", EOF_MORE, "5", DONE));
}

/* Prepared, executed twice, closed; as Perl's DBD::mysql does it. */
static void test_prepared(void **state)
{
	(void)state;
	TALK("SELECT t -1 - 20 32 answered\nSELECT t -1 - 19 33 answered\nSELECT nope -1 1146 23 41 answered failed\n"
	     "- - -1 - 19 11 answered\n", BEGIN,
	     C("0", "\26select b from t where a = ?"),
	     S("1", "|\1|||\1|\1||||", "2", "\3def|||\1?||\14?||||||\6\200||||", "3", "\376||\2|", "4", B, "5", "\376||\2|"),
	     C("0", "\27\1||||\1||||\1\376|\0011"), S("1", "\1|", "2", EOF_, "3", "||\1x", "4", EOF_),
	     C("0", "\27\1||||\1||||||\0012"), S("1", "\1|", "2", EOF_, "3", "||\1xy", "4", EOF_),
	     C("0", "\26select * from nope"), S("1", NO_TABLE),
	     C("0", "\31\1|||", "0", "\27\1||||\1||||||\0012"), S("1", DONE), C("0", "\1"));
}

/* The same without EOF packets, and executed before its number is known. */
static void test_prepared_at_once(void **state)
{
	(void)state;
	TALK("INSERT t -1 - 14 11 answered\nCOMMIT - -1 - 11 11 answered\n", BEGIN,
	     C("0", "\26insert into t values (?)", "0", "\27\377\377\377\377|\1|||"),
	     S("1", "|\7|||||\1||||", "2", B, "1", DONE), C("0", "\3COMMIT"), S("1", DONE));
	TALK("INSERT t -1 - 14 11 answered\n", BEGIN,
	     C("0", "\26insert into t values (?)", "0", "\27\377\377\377\377|\1|||"),
	     S("1", "|\7|||||\1||||", "2", B, "3", EOF_, "1", DONE));
}

static void test_cursor(void **state)
{
	(void)state;
	TALK("SELECT t -1 - 14 39 answered\nFETCH t -1 - 13 14 answered\nSTMT_RESET - -1 - 9 11 answered\n", BEGIN,
	     C("0", "\26select b from t"), S("1", "|\1|||\1|||||", "2", B, "3", EOF_),
	     C("0", "\27\1|||\1\1|||"), S("1", "\1", "2", "\3def|||\1?||\14?||||||\6|", "3", "\376||B|"),
	     C("0", "\34\1|||\1|||"), S("1", "|", "2", "\376||\202|"), C("0", "\32\1|||"), S("1", OK));
}

static void test_commands(void **state)
{
	(void)state;
	TALK("PING - -1 - 5 11 answered\nUSE - -1 - 6 11 answered\nUSE - -1 1049 6 7 answered failed\n"
	     "FIELD_LIST t -1 - 7 41 answered\nSTATISTICS - -1 - 5 14 answered\nRESET_CONNECTION - -1 - 5 11 answered\n"
	     "CHANGE_USER - -1 - 18 32 answered\n", BEGIN,
	     C("0", "\16"), S("1", OK), C("0", "\2d"), S("1", OK), C("0", "\2x"), S("1", "\377\31\4"),
	     C("0", "\4t|"), S("1", A, "2", EOF_), C("0", "\11"), S("1", "Uptime: 12"), C("0", "\37"), S("1", OK),
	     C("0", "\21u||d|"), S("1", "\376mysql_native_pwd"), C("2", "abcd"), S("3", OK));
}

static void test_local_infile(void **state)
{
	(void)state;
	TALK("LOAD t -1 - 69 23 answered\nLOAD t -1 13 54 20 answered failed\nCOMMIT - -1 - 11 11 answered\n", BEGIN,
	     C("0", "\3load data local infile '/secret' into table t"), S("1", "\373/secret"),
	     C("2", "1\n2\n", "3", "3\n4", "4", ""), S("5", DONE),
	     C("0", "\3load data local infile '/secret' into table t"), S("1", "\373/secret"), C("2", ""),
	     S("3", "\377\r|x"), C("0", "\3COMMIT"), S("1", DONE));
}

/* As MySQL 8 and its client say it: attributes before the text, another login. */
static void test_mysql_8(void **state)
{
	struct talk talk;
	struct turn turns[] = {
		GREETING_8, C("1", "\215\242\73\11\377\377\377|-|||||||||||||||||||||||u|"), S("2", "\376caching_sha2_password|abc|"),
		C("3", "xxxxxxxx"), S("4", "\1\3", "5", OK), C("0", "\3|\1select * from t"), S("1", "\1", "2", A, "3", OK_END),
	};

	(void)state;
	TALK("SELECT t -1 - 22 48 answered\n", turns[0], turns[1], turns[2], turns[3], turns[4], turns[5], turns[6]);
	talk_begin(&talk, false);
	for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++)
		talk_segment(&talk, turns[i].from, turns[i].bytes, turns[i].length, turns[i].length);
	assert_string_equal(talk.protocol->name, "mysql");
	talk_end(&talk);
}

static void hear(struct talk *talk, struct turn turn)
{
	talk_segment(talk, turn.from, turn.bytes, turn.length, turn.length);
}

static void hear_head(struct talk *talk, struct turn turn, size_t more)
{
	hear(talk, turn);
	talk_segment(talk, turn.from, "", more, 0);
}

static void hear_login(struct talk *talk)
{
	talk_begin(talk, false);
	hear(talk, GREETING);
	hear(talk, LOGIN);
	hear(talk, S("2", "|||\2|||"));
}

static void expect(struct talk *talk, const char *expected, uint64_t undecoded)
{
	char text[4096];

	talk_end(talk);
	talk_write(talk, text, sizeof(text));
	assert_string_equal(text, expected);
	assert_int_equal(talk->losses[HS_L7_LOSS_MESSAGES], undecoded);
	assert_int_equal(talk->losses[HS_L7_LOSS_CALLS], 0);
}

static void test_mariadb(void **state)
{
	struct talk talk;

	(void)state;
	hear_login(&talk);
	hear(&talk, C("0", "\16"));
	hear(&talk, S("1", OK));
	assert_string_equal(talk.protocol->name, "mariadb");
	expect(&talk, "PING - -1 - 5 11 answered\n", 0);
}

/* What cannot be read is said to be so, and left alone. */
static void test_compressed(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	hear(&talk, S("0", "\n8.0.36|\12|||J0O!QT5K|\377\377\377\2|\377\337\25||||||||||Y]H2_ir\"NDI\"|x|"));
	hear(&talk, C("1", "\255\242\73|\377\377\377|-|||||||||||||||||||||||u|"));
	assert_true(hs_conversation_is_ignored(talk.conversation));
	expect(&talk, "", 1);
}

static void test_attributes(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	hear(&talk, GREETING_8);
	hear(&talk, C("1", "\215\242\73\11\377\377\377|-|||||||||||||||||||||||u|"));
	hear(&talk, S("2", OK));
	hear(&talk, C("0", "\3\1\1|\1\10|\4namesecretselect 1"));
	hear(&talk, S("1", DONE));
	hear(&talk, C("0", "\3|\1COMMIT"));
	hear(&talk, S("1", DONE));
	expect(&talk, "- - -1 - 30 11 answered\nCOMMIT - -1 - 13 11 answered\n", 1);
}

/* Behind the client's wish for TLS everything is looked at anew. */
static void test_tls(void **state)
{
	(void)state;
	TALK("", GREETING, C("1", "\215\252\73|\377\377\377|-|||||||||||||||||||||||"), C("=", "\26\3\1|\5\1||\1|"));
	TALK("PING - -1 - 5 11 answered\n", GREETING, C("1", "\215\252\73|\377\377\377|-|||||||||||||||||||||||"), GREETING,
	     LOGIN, S("2", OK), C("0", "\16"), S("1", OK));
}

static void test_refused(void **state)
{
	(void)state;
	TALK("", GREETING, LOGIN, S("2", "\377\25\4#28000Access denied"));
}

/* While the kernel only tells the heads of turns. */
static void test_hidden(void **state)
{
	struct talk talk;

	(void)state;
	hear_login(&talk);
	hear(&talk, C("0", "\3select * from t"));
	hear_head(&talk, S("1", "\1", "2", A, "3", EOF_, "4", "\0011"), 100000);
	hear(&talk, C("0", "\3select * from u"));
	hear_head(&talk, S("1", "\1", "2", A, "3", EOF_, "4", "\0011"), 100000);
	hear(&talk, S("=", "end of a row", "9", EOF_));
	assert_int_equal(talk.call_count, 2);
	hear(&talk, C("0", "\3select * from x"));
	hear_head(&talk, S("1", "\1", "2", A, "3", EOF_, "4", "\0011"), 100000);
	hear(&talk, S("=", "end of a row", "9", NO_TABLE));
	assert_int_equal(talk.call_count, 3);
	talk_segment(&talk, HS_CLIENT, "\0\0\1\0\3insert into v values ('xxx", 4 + 65536, 31);
	hear(&talk, S("1", DONE));
	hear(&talk, C("0", "\3load data local infile 'x' into table t"));
	hear(&talk, S("1", "\373x"));
	hear_head(&talk, C("2", "1\n2\n"), 100000);
	hear(&talk, C("=", "more of it"));
	hear(&talk, S("9", DONE));
	hear(&talk, C("0", "\3select * from w"));
	hear_head(&talk, S("1", "\1", "2", A, "3", EOF_, "4", "\0011"), 100000);
	hear(&talk, S("=", "a row, and not its end"));
	hear(&talk, C("0", "\3select * from z"));
	hear_head(&talk, S("1", "\1", "2", A, "3", EOF_, "4", "\0011"), 100000);
	hear(&talk, S("=", "a row, and its end in two parts: "));
	talk_segment(&talk, HS_SERVER, "\5\0\0\11\376", 5, 5);
	talk_segment(&talk, HS_SERVER, "\0\0\2\0", 4, 4);
	assert_int_equal(talk.call_count, 7);
	expect(&talk, "SELECT t -1 - 20 100052 answered\nSELECT u -1 - 20 100073 answered\n"
		      "SELECT x -1 1146 20 100105 answered failed\nINSERT v -1 - 65540 11 answered\n"
		      "LOAD t -1 - 52 17 answered\nSELECT w -1 - 20 100052 answered\nSELECT z -1 - 20 100094 answered\n", 2);
}

/* A row of more than 16 MB, and a text: they go on in the next packet. */
static void test_large_packets(void **state)
{
	struct talk talk;

	(void)state;
	hear_login(&talk);
	talk_segment(&talk, HS_CLIENT, "\377\377\377\0\3insert into v values ('xxx", 4 + 0xffffff, 31);
	talk_segment(&talk, HS_CLIENT, "\2\0\0\1')", 6, 6);
	hear(&talk, S("1", DONE));
	talk_segment(&talk, HS_CLIENT, "\377\377\377\0\3insert into v values ('xxx", 31, 31);
	talk_segment(&talk, HS_CLIENT, "", 0xffffff + 1000, 0); /* beyond the next packet's head */
	hear(&talk, C("=", "xxx"));
	hear(&talk, S("1", DONE));
	hear(&talk, C("0", "\3select * from t"));
	hear(&talk, S("1", "\1", "2", A, "3", EOF_));
	talk_segment(&talk, HS_SERVER, "\377\377\377\4\376\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\1\2\3\4\5\6\7\10\11", 4 + 0xffffff, 29);
	talk_segment(&talk, HS_SERVER, "\1\0\0\5\377", 5, 5);
	hear(&talk, S("6", EOF_));
	hear(&talk, C("0", "\3COMMIT"));
	hear(&talk, S("1", DONE));
	expect(&talk, "INSERT v -1 - 16777225 11 answered\nINSERT v -1 - 16777219 11 answered\n"
		      "SELECT t -1 - 20 16777279 answered\nCOMMIT - -1 - 11 11 answered\n", 0);
}

static void test_late(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	hear(&talk, S("=", "rest of a row", "9", EOF_));
	hear(&talk, C("0", "\3select * from t"));
	hear(&talk, S("1", "\1", "2", A, "3", "\0011", "4", OK_END));
	hear(&talk, C("0", "\27\1||||\1||||||\0012"));
	hear(&talk, S("1", DONE));
	assert_string_equal(talk.protocol->name, "mysql");
	expect(&talk, "SELECT t -1 - 20 54 answered\n- - -1 - 19 11 answered\n", 0);
}

static void test_loss(void **state)
{
	for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++) {
		struct talk talk;

		(void)state;
		hear_login(&talk);
		talk_lose(&talk, from, 300);
		for (int i = 0; i < 10; i++) {
			talk.now_ns += 4000000000ull;
			hear(&talk, C("0", "\3select * from t"));
			hear(&talk, S("1", "\1", "2", A, "3", EOF_, "4", "\0011", "5", EOF_));
		}
		talk_end(&talk);
		assert_int_equal(talk.losses[HS_L7_LOSS_SEGMENTS], 1);
		assert_true(talk.call_count >= 6 && talk.call_count <= 10);
		for (size_t i = 0; i < talk.call_count; i++)
			assert_int_equal(talk.calls[i].response_bytes, 61);
	}
}

static const struct hs_protocol *const both[] = { &hs_protocol_mysql, &hs_protocol_mariadb };

static void test_others(void **state)
{
	static const char *const others[] = {
		"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "+OK\r\n", "SSH-2.0-OpenSSH\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\26\3\1|\5\1||\1|\3\3", "220 mail ESMTP\r\n", "||||\4||||||", "Q|||\16select 1|",
		"R|||\10||||", "|||\20|\3|||||\1|\4test", "\10|||\n1.2.3|", "\72|||\3|||||||\335\7||", "\5|||\3nosql",
		"\5|||\3select 1", "@|||\n8.0\1|", "\20\14|\4MQTT\4\2|<||", "AMQP||\11\1", "||||", "\2|||\3",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct turn turn = C("=", others[i]);

		for (int j = 0; j < 4; j++) {
			assert_int_not_equal(both[j / 2]->match(j % 2, (const uint8_t *)turn.bytes, turn.length), HS_MATCH_YES);
			assert_int_not_equal(both[j / 2]->boundary(j % 2, (const uint8_t *)turn.bytes, turn.length), HS_MATCH_YES);
		}
	}
	srand(1);
	for (int i = 0; i < 1000000; i++) {
		uint8_t bytes[32];

		for (size_t at = 0; at < sizeof(bytes); at++)
			bytes[at] = rand() >> 8;
		for (int j = 0; j < 2; j++) {
			assert_int_not_equal(both[j]->match(HS_SERVER, bytes, sizeof(bytes)), HS_MATCH_YES);
			assert_int_not_equal(both[j]->boundary(HS_CLIENT, bytes, sizeof(bytes)), HS_MATCH_YES);
		}
	}
}

/* A lie ends what is believed, not the agent. */
static void test_lies(void **state)
{
	static const char *const answers[] = {
		"|||\1", "\11|||\376\377\377\377\377\377\377\377\377", "\2|||||", "\5|||\375\377\377\377|", "\3|||\3|\1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct talk talk;

		hear_login(&talk);
		hear(&talk, C("0", "\3select 1"));
		hear(&talk, S("=", answers[i]));
		assert_int_equal(talk.call_count, 0);
		assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 1);
		hear(&talk, C("0", "\3COMMIT"));
		hear(&talk, S("1", DONE));
		assert_int_equal(talk.call_count, 1);
		talk_end(&talk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple), cmocka_unit_test(test_deprecated_eof), cmocka_unit_test(test_multiple_results),
		cmocka_unit_test(test_prepared), cmocka_unit_test(test_prepared_at_once), cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_commands), cmocka_unit_test(test_local_infile), cmocka_unit_test(test_mysql_8),
		cmocka_unit_test(test_mariadb), cmocka_unit_test(test_compressed), cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_tls), cmocka_unit_test(test_refused), cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_large_packets), cmocka_unit_test(test_late), cmocka_unit_test(test_loss),
		cmocka_unit_test(test_others), cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
