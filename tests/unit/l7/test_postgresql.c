// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "l7/protocols.h"
#include "talk.h"

/*
 * Messages of one side: pairs of a type and a body, in which '|' stands for NUL. The type "" is the
 * startup packet, "=" bytes as they are.
 */
static struct turn say(enum hs_side from, const char *type, ...)
{
	static char pool[1 << 18];
	static size_t used;
	struct turn turn = { .from = from };
	va_list list;

	if (used > sizeof(pool) / 2)
		used = 0;
	turn.bytes = pool + used;
	va_start(list, type);
	for (; type; type = va_arg(list, const char *)) {
		const char *body = va_arg(list, const char *);
		size_t length = strlen(body), whole = length + 4;

		if (*type && *type != '=')
			pool[used++] = *type;
		for (int shift = 24; shift >= 0 && *type != '='; shift -= 8)
			pool[used++] = whole >> shift;
		for (size_t i = 0; i < length; i++)
			pool[used++] = body[i] == '|' ? '\0' : body[i];
	}
	va_end(list);
	turn.length = pool + used - turn.bytes;
	return turn;
}

#define C(...) say(HS_CLIENT, __VA_ARGS__, NULL)
#define S(...) say(HS_SERVER, __VA_ARGS__, NULL)
/* As psql 15 and a server of 15 say it, but for most of the parameters. */
#define STARTUP C("", "|\3||user|postgres|database|postgres|application_name|psql||")
#define WELCOME S("R", "||||", "S", "server_version|15.18 (Debian 15.18-0+deb12u1)|", "S", "TimeZone|Etc/UTC|", \
		  "K", "||\2|\300\"\3045", "Z", "I")
#define ROW_1 "T", "|\1a|||@||\1|||\27|\4\377\377\377\377||", "D", "|\1|||\0011"
#define NO_TABLE "SERROR|VERROR|C42P01|Mrelation \"nope\" does not exist|P15|Fparse_relation.c|L1392|RparserOpenTable||"

static void test_simple(void **state)
{
	(void)state;
	TALK("CREATE TABLE t -1 - 35 24 answered\nINSERT t -1 - 42 22 answered\nSELECT t -1 - 21 71 answered\n",
	     STARTUP, WELCOME, C("Q", "create table t(a int, b text)|"), S("C", "CREATE TABLE|", "Z", "I"),
	     C("Q", "insert into t values (1,'x'),(2,'y')|"), S("C", "INSERT 0 2|", "Z", "I"),
	     C("Q", "select * from t|"), S(ROW_1, "D", "|\1|||\0012", "C", "SELECT 2|", "Z", "I"), C("X", ""));
}

static void test_errors(void **state)
{
	(void)state;
	TALK("SELECT - -1 22012 16 72 answered failed\nSELECT nope -1 42P01 24 110 answered failed\n"
	     "SELECT t -1 - 21 6 answered\n",
	     STARTUP, WELCOME, C("Q", "select 1/0|"),
	     S("E", "SERROR|VERROR|C22012|Mdivision by zero|Fint.c|L869|Rint4div||", "Z", "I"),
	     C("Q", "select * from nope|"), S("E", NO_TABLE, "Z", "I"), C("Q", "select * from t|"), S("Z", "I"));
}

/* Several statements are one call; what comes from the server at any time is none of its answer. */
static void test_several(void **state)
{
	(void)state;
	TALK("BEGIN - -1 - 36 82 answered\n- - -1 - 6 11 answered\nLISTEN - -1 - 14 18 answered\n", STARTUP, WELCOME,
	     C("Q", "begin; select a from t; commit|"),
	     S("C", "BEGIN|", "N", "SNOTICE|Mx||", ROW_1, "C", "SELECT 1|", "C", "COMMIT|", "Z", "I"),
	     C("Q", "|"), S("I", "", "Z", "I"), S("N", "SNOTICE|Mx||", "A", "||\1\1chan|payload|"),
	     C("Q", "LISTEN x|"), S("S", "TimeZone|UTC|", "C", "LISTEN|", "Z", "I"));
}

/* As pgbench -M extended: all at once, without names. */
static void test_extended(void **state)
{
	(void)state;
	TALK("SELECT pgbench_accounts -1 - 95 63 answered\nUPDATE u -1 - 55 24 answered\n", STARTUP, WELCOME,
	     C("P", "|SELECT abalance FROM pgbench_accounts WHERE aid = $1;|||", "B", "||||\1||\0015||", "D", "P|", "E", "|||||",
	       "S", ""),
	     S("1", "", "2", "", ROW_1, "C", "SELECT 1|", "Z", "I"),
	     C("P", "|update u set a = $1;|||", "B", "||||\1||\0015||", "E", "|||||", "S", ""),
	     S("1", "", "2", "", "C", "UPDATE 1|", "Z", "I"));
}

/* As pgbench -M prepared: a statement is prepared once, executed by name, and closed. */
static void test_prepared(void **state)
{
	(void)state;
	TALK("SELECT t -1 - 26 58 answered\nSELECT t -1 - 26 58 answered\n- - -1 - 26 58 answered\n", STARTUP, WELCOME,
	     C("P", "P_0|select a from t where b = $1|||", "S", ""), S("1", "", "Z", "I"),
	     C("B", "|P_0|||||||", "E", "|||||", "S", ""), S("2", "", ROW_1, "C", "SELECT 1|", "Z", "I"),
	     C("B", "|P_0|||||||", "E", "|||||", "S", "", "C", "SP_0|", "S", ""),
	     S("2", "", ROW_1, "C", "SELECT 1|", "Z", "I", "3", "", "Z", "I"),
	     C("B", "|P_0|||||||", "E", "|||||", "S", ""), S("2", "", ROW_1, "C", "SELECT 1|", "Z", "I"));
}

/* A call each, though they are asked in one batch, and several batches before an answer. */
static void test_pipelined(void **state)
{
	(void)state;
	TALK("INSERT t -1 - 59 26 answered\nINSERT t -1 - 24 21 answered\nDELETE u -1 - 45 24 answered\n"
	     "COMMIT - -1 - 12 18 answered\n",
	     STARTUP, WELCOME,
	     C("P", "s|insert into t values ($1)|||", "B", "|s|||||||", "E", "|||||", "B", "|s|||||||", "E", "|||||", "S", "",
	       "P", "|delete from u|||", "B", "||||||||", "E", "|||||", "S", "", "Q", "COMMIT|"),
	     S("1", "", "2", "", "C", "INSERT 0 1|", "2", "", "C", "INSERT 0 1|", "Z", "T", "1", "", "2", "", "C", "DELETE 1|",
	       "Z", "T", "C", "COMMIT|", "Z", "I"));
}

/* An error ends the batch: what is behind it never runs. The next batch does. */
static void test_skipped(void **state)
{
	(void)state;
	TALK("INSERT t -1 - 59 26 answered\nINSERT t -1 23505 24 28 answered failed\nINSERT t -1 - 24 0 unanswered\n"
	     "INSERT t -1 - 24 0 unanswered\nINSERT t -1 - 24 21 answered\n",
	     STARTUP, WELCOME,
	     C("P", "s|insert into t values ($1)|||", "B", "|s|||||||", "E", "|||||", "B", "|s|||||||", "E", "|||||", "B", "|s|||||||",
	       "E", "|||||", "B", "|s|||||||", "E", "|||||", "S", "", "B", "|s|||||||", "E", "|||||", "S", ""),
	     S("1", "", "2", "", "C", "INSERT 0 1|", "2", "", "E", "SERROR|C23505|Mx||", "Z", "E", "2", "", "C", "INSERT 0 1|",
	       "Z", "I"));
}

/* What cannot be prepared is a call that failed, though nobody executed it. */
static void test_parse_error(void **state)
{
	(void)state;
	TALK("SELECT nope -1 42P01 36 104 answered failed\nSELECT nope -1 42P01 52 104 answered failed\n",
	     STARTUP, WELCOME, C("P", "s|select * from nope|||", "D", "Ss|", "S", ""), S("E", NO_TABLE, "Z", "I"),
	     C("P", "s|select * from nope|||", "B", "|s|||||||", "E", "|||||", "S", ""), S("E", NO_TABLE, "Z", "I"));
}

/* Rows in portions: an Execute each. */
static void test_portals(void **state)
{
	(void)state;
	TALK("SELECT t -1 - 52 54 answered\nSELECT t -1 - 13 17 answered\nSELECT t -1 - 13 14 answered\n"
	     "DELETE u -1 - 45 24 answered\nSELECT t -1 - 13 14 answered\n",
	     STARTUP, WELCOME,
	     C("P", "|select * from t|||", "B", "C_1|||||||", "E", "C_1||||\1", "S", ""), S("1", "", "2", "", ROW_1, "s", "", "Z", "T"),
	     C("E", "C_1||||\1", "S", ""), S("D", "|\1|||\0011", "s", "", "Z", "T"),
	     C("E", "C_1||||\1", "S", ""), S("C", "SELECT 1|", "Z", "T"),
	     C("P", "|delete from u|||", "B", "||||||||", "E", "|||||", "S", ""), S("1", "", "2", "", "C", "DELETE 1|", "Z", "T"),
	     C("E", "C_1||||\1", "S", "", "C", "PC_1|", "S", ""), S("C", "SELECT 1|", "Z", "T", "3", "", "Z", "T"));
}

static void test_copy(void **state)
{
	(void)state;
	TALK("COPY t -1 - 37 30 answered\nCOPY t -1 - 22 53 answered\nCOPY t -1 57014 37 46 answered failed\n",
	     STARTUP, WELCOME, C("Q", "copy t from stdin|"), S("G", "||\2||||"), C("d", "3\tz\n", "c", ""),
	     S("C", "COPY 1|", "Z", "I"), C("Q", "copy t to stdout|"),
	     S("H", "||\2||||", "d", "1\tx\n", "d", "2\ty\n", "c", "", "C", "COPY 3|", "Z", "I"),
	     C("Q", "copy t from stdin|"), S("G", "||\2||||"), C("d", "3\tz\n", "f", ""),
	     S("E", "SERROR|C57014|Mfailed||", "Z", "I"));
}

static void test_encryption_refused(void **state)
{
	(void)state;
	TALK("SELECT - -1 - 14 71 answered\n", C("", "\4\322\26\60"), S("=", "N"), C("", "\4\322\26/"), S("=", "N"), STARTUP,
	     WELCOME, C("Q", "select 1|"), S(ROW_1, "D", "|\1|||\0011", "C", "SELECT 2|", "Z", "I"));
}

/* What comes behind the agreement is looked at anew: here the same again, as nothing else would show. */
static void test_encryption(void **state)
{
	(void)state;
	TALK("COMMIT - -1 - 12 18 answered\n", C("", "\4\322\26/"), S("=", "S"), STARTUP, WELCOME, C("Q", "COMMIT|"),
	     S("C", "COMMIT|", "Z", "I"));
	TALK("", C("", "\4\322\26/"), S("=", "S"), C("=", "\26\3\1|\5\1||\1|"), S("=", "\26\3\3|z"));
}

static void test_login_fails(void **state)
{
	(void)state;
	TALK("", STARTUP, S("R", "|||\5abcd"), C("p", "md5secret|"), S("E", "SFATAL|VFATAL|C28P01|Mpassword||"));
}

static void test_fatal(void **state)
{
	(void)state;
	TALK("SELECT - -1 57P01 23 23 answered failed\n", STARTUP, WELCOME, C("Q", "select sleep(100)|"),
	     S("E", "SFATAL|C57P01|Mx||"));
	TALK("SELECT - -1 - 23 0 unanswered\n", STARTUP, WELCOME, C("Q", "select sleep(100)|"));
}

static void test_cancel(void **state)
{
	(void)state;
	TALK("", C("", "\4\322\26.||\1\1||\2\2"));
}

static void test_replication(void **state)
{
	(void)state;
	TALK("START_REPLICATION - -1 - 42 8 answered\n", STARTUP, WELCOME, C("Q", "START_REPLICATION SLOT x LOGICAL 0/0|"),
	     S("W", "|||", "d", "w"), C("d", "r"));
}

static void test_function_call(void **state)
{
	(void)state;
	TALK("CALL - -1 - 15 15 answered\n", STARTUP, WELCOME, C("F", "||\1\1||||\1\1"), S("V", "||||", "Z", "I"));
}

static void test_times(void **state)
{
	struct turn query = C("Q", "select 1|"), answer = S("C", "SELECT 1|", "Z", "I");
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, STARTUP.bytes, STARTUP.length, STARTUP.length);
	talk_segment(&talk, HS_CLIENT, query.bytes, 7, 7);
	talk_segment(&talk, HS_CLIENT, query.bytes + 7, query.length - 7, query.length - 7);
	talk_segment(&talk, HS_SERVER, answer.bytes, answer.length - 6, answer.length - 6);
	talk_segment(&talk, HS_SERVER, answer.bytes + answer.length - 6, 6, 6);
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
	assert_int_equal(talk.calls[0].request_ns, TALK_START_NS + TALK_STEP_NS);
	assert_int_equal(talk.calls[0].request_end_ns, TALK_START_NS + 2 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_ns, TALK_START_NS + 3 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_end_ns, TALK_START_NS + 4 * TALK_STEP_NS);
}

static void hear(struct talk *talk, struct turn turn)
{
	talk_segment(talk, turn.from, turn.bytes, turn.length, turn.length);
}

/* The head of a turn and then so much that was not recorded. */
static void hear_head(struct talk *talk, struct turn turn, size_t more)
{
	talk_segment(talk, turn.from, turn.bytes, turn.length, turn.length);
	talk_segment(talk, turn.from, "", more, 0);
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

/* While the kernel only tells the heads of turns: an answer is over when the client goes on. */
static void test_hidden_answer(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	hear(&talk, STARTUP);
	hear(&talk, WELCOME);
	hear(&talk, C("Q", "select * from t|"));
	hear_head(&talk, S(ROW_1), 100000);
	hear(&talk, C("P", "|select * from u|||", "B", "||||||||", "E", "|||||", "S", ""));
	hear_head(&talk, S("1", "", "2", "", ROW_1), 50000);
	hear(&talk, C("Q", "COMMIT|"));
	hear(&talk, S("C", "COMMIT|", "Z", "I"));
	hear(&talk, C("Q", "select * from v|"));
	hear_head(&talk, S(ROW_1), 100000);
	hear(&talk, S("=", "a row, and not its end"));
	hear(&talk, C("Q", "select * from w|"));
	hear_head(&talk, S(ROW_1), 100000);
	expect(&talk, "SELECT t -1 - 21 100039 answered\nSELECT u -1 - 47 50049 answered\nCOMMIT - -1 - 12 18 answered\n"
		      "SELECT v -1 - 21 100039 answered\nSELECT w -1 - 21 100039 answered\n", 4);
}

/* … or when its end is seen after all: then also how it ended. */
static void test_hidden_middle(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	hear(&talk, STARTUP);
	hear(&talk, WELCOME);
	hear(&talk, C("Q", "select * from t|"));
	hear_head(&talk, S(ROW_1), 100000);
	hear(&talk, S("=", "the middle of a row", "D", "|\1|||\0011"));
	hear(&talk, S("=", "more Z|||\5", "D", "|\1|||\0011", "E", "SERROR|C22012|Mx||"));
	hear(&talk, S("Z", "I"));
	assert_int_equal(talk.call_count, 1);
	hear(&talk, C("Q", "COMMIT|"));
	hear(&talk, S("C", "COMMIT|", "Z", "I"));
	hear(&talk, C("P", "|select * from u|||", "B", "||||||||", "E", "|||||", "S", ""));
	hear_head(&talk, S("1", "", "2", "", ROW_1), 50000);
	hear(&talk, S("=", "a row", "C", "SELECT 100|", "Z", "I"));
	hear(&talk, C("Q", "select * from v|"));
	hear_head(&talk, S(ROW_1), 50000);
	hear(&talk, S("=", "a row, and C|||")); /* its end is cut in two */
	talk_segment(&talk, HS_SERVER, "C\0\0\0\017SELE", 9, 9);
	talk_segment(&talk, HS_SERVER, "CT 100\0Z\0\0\0\5I", 13, 13);
	expect(&talk, "SELECT t -1 22012 21 100121 answered failed\nCOMMIT - -1 - 12 18 answered\n"
		      "SELECT u -1 - 47 50070 answered\nSELECT v -1 - 21 50076 answered\n", 0);
}

static void test_hidden_requests(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	hear(&talk, STARTUP);
	hear(&talk, WELCOME);
	/* A text that is longer than what is recorded of it. */
	talk_segment(&talk, HS_CLIENT, "Q\0\1\0\4insert into t values (1, 'xxx", 5 + 65536, 35);
	hear(&talk, S("C", "INSERT 0 1|", "Z", "I"));
	/* A COPY: its rows are longer. */
	hear(&talk, C("Q", "copy t from stdin|"));
	hear(&talk, S("G", "||\2||||"));
	hear_head(&talk, C("d", "3\tz\n", "d", "4\tz\n"), 70000);
	hear(&talk, C("=", "the middle of a row"));
	hear(&talk, S("C", "COPY 1000|", "Z", "I"));
	hear(&talk, C("Q", "COMMIT|"));
	hear(&talk, S("C", "COMMIT|", "Z", "I"));
	expect(&talk, "INSERT t -1 - 65541 22 answered\nCOPY t -1 - 41 33 answered\nCOMMIT - -1 - 12 18 answered\n", 0);
}

static void test_late(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	hear(&talk, S("=", "rest of a row", "C", "SELECT 1|", "Z", "I"));
	hear(&talk, C("B", "|S_1|||||||", "E", "|||||", "S", ""));
	hear(&talk, S("2", "", "C", "SELECT 1|", "Z", "I"));
	hear(&talk, C("Q", "COMMIT|"));
	hear(&talk, S("C", "COMMIT|", "Z", "I"));
	assert_ptr_equal(talk.protocol, &hs_protocol_postgresql);
	expect(&talk, "- - -1 - 26 19 answered\nCOMMIT - -1 - 12 18 answered\n", 0);
}

/* A lost segment costs the calls that it touches. */
static void test_loss(void **state)
{
	for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++) {
		struct talk talk;

		(void)state;
		talk_begin(&talk, false);
		hear(&talk, STARTUP);
		hear(&talk, WELCOME);
		talk_lose(&talk, from, 300);
		for (int i = 0; i < 10; i++) {
			talk.now_ns += 4000000000ull;
			hear(&talk, C("Q", "select * from t|"));
			hear(&talk, S(ROW_1, "C", "SELECT 1|", "Z", "I"));
		}
		talk_end(&talk);
		assert_int_equal(talk.losses[HS_L7_LOSS_SEGMENTS], 1);
		assert_true(talk.call_count >= 6 && talk.call_count <= 10);
		for (size_t i = 0; i < talk.call_count; i++)
			assert_int_equal(talk.calls[i].response_bytes, 59);
	}
}

/* More statements than are remembered: the oldest are forgotten, and nothing is confused. */
static void test_many_statements(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	hear(&talk, STARTUP);
	hear(&talk, WELCOME);
	for (int i = 0; i < 3000; i++) {
		char text[64];

		snprintf(text, sizeof(text), "s%d|select * from t%d|||", i, i);
		hear(&talk, C("P", text, "S", ""));
		hear(&talk, S("1", "", "Z", "I"));
	}
	hear(&talk, C("B", "|s2999|||||||", "E", "|||||", "B", "|s0|||||||", "E", "|||||", "S", ""));
	hear(&talk, S("2", "", "C", "SELECT 0|", "2", "", "C", "SELECT 0|", "Z", "I"));
	expect(&talk, "SELECT t2999 -1 - 28 19 answered\n- - -1 - 25 19 answered\n", 0);
}

/* Not PostgreSQL: never said to be. */
static void test_others(void **state)
{
	static const char *const others[] = {
		"GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "DELETE /x HTTP/1.1\r\n\r\n", "*1\r\n$4\r\nPING\r\n",
		"PING\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\26\3\1|\5\1||\1|\3\3", "SSH-2.0-OpenSSH\r\n", "EHLO x\r\n",
		"|||\20|\3|||||\1|\4test", /* Kafka: metadata, version 0 */
		"Q|||\1|||||||\335\7||", /* MongoDB */ "\21|||\3select 1", /* MySQL */ "||", "B||", "|||\4", "SET x|",
		"Q|||\4", "Q|||\7\1\2\3", "S|||\5|", "|||\10|\2||", "|||\11\4\322\26/|", "\20\14|\4MQTT\4\2|<||",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct turn turn = C("=", others[i]);

		for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++) {
			assert_int_not_equal(hs_protocol_postgresql.match(from, (const uint8_t *)turn.bytes, turn.length),
					     HS_MATCH_YES);
			assert_int_not_equal(hs_protocol_postgresql.boundary(from, (const uint8_t *)turn.bytes, turn.length),
					     HS_MATCH_YES);
		}
	}
	srand(1);
	for (int i = 0; i < 1000000; i++) {
		uint8_t bytes[32];

		for (size_t at = 0; at < sizeof(bytes); at++)
			bytes[at] = rand() >> 8;
		assert_int_not_equal(hs_protocol_postgresql.match(HS_CLIENT, bytes, sizeof(bytes)), HS_MATCH_YES);
		assert_int_not_equal(hs_protocol_postgresql.boundary(HS_CLIENT, bytes, sizeof(bytes)), HS_MATCH_YES);
	}
}

/* A lie ends what is believed, not the agent. */
static void test_lies(void **state)
{
	static const char *const answers[] = { "C||||", "C\377\377\377\377", "Z|||\6II", "?|||\4", "E|||\3" };

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct talk talk;

		talk_begin(&talk, false);
		hear(&talk, STARTUP);
		hear(&talk, WELCOME);
		hear(&talk, C("Q", "select 1|"));
		hear(&talk, S("=", answers[i]));
		assert_int_equal(talk.call_count, 0);
		assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 1);
		hear(&talk, C("Q", "COMMIT|"));
		hear(&talk, S("C", "COMMIT|", "Z", "I"));
		assert_int_equal(talk.call_count, 1);
		talk_end(&talk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple), cmocka_unit_test(test_errors), cmocka_unit_test(test_several),
		cmocka_unit_test(test_extended), cmocka_unit_test(test_prepared), cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_skipped), cmocka_unit_test(test_parse_error), cmocka_unit_test(test_portals),
		cmocka_unit_test(test_copy), cmocka_unit_test(test_encryption_refused), cmocka_unit_test(test_encryption),
		cmocka_unit_test(test_login_fails), cmocka_unit_test(test_fatal), cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_replication), cmocka_unit_test(test_function_call), cmocka_unit_test(test_times),
		cmocka_unit_test(test_hidden_answer), cmocka_unit_test(test_hidden_middle),
		cmocka_unit_test(test_hidden_requests), cmocka_unit_test(test_late), cmocka_unit_test(test_loss),
		cmocka_unit_test(test_many_statements), cmocka_unit_test(test_others), cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
