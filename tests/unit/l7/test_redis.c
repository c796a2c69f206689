// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "l7/protocols.h"
#include "l7/redis_commands.h"
#include "talk.h"

#define C(TEXT) { HS_CLIENT, TEXT, sizeof(TEXT) - 1 }
#define S(TEXT) { HS_SERVER, TEXT, sizeof(TEXT) - 1 }
#define PING C("*1\r\n$4\r\nPING\r\n")
#define PONG S("+PONG\r\n")

static void say(struct talk *talk, enum hs_side from, const char *text)
{
	talk_segment(talk, from, text, strlen(text), strlen(text));
}

static void test_simple(void **state)
{
	(void)state;
	TALK("SET - -1 - 33 5 answered\nGET - -1 - 22 11 answered\nGET - -1 - 22 5 answered\nINCR - -1 - 23 4 answered\n",
	     C("*3\r\n$3\r\nset\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"), S("+OK\r\n"),
	     C("*2\r\n$3\r\nGeT\r\n$3\r\nkey\r\n"), S("$5\r\nvalue\r\n"),
	     C("*2\r\n$3\r\nGET\r\n$3\r\nnil\r\n"), S("$-1\r\n"),
	     C("*2\r\n$4\r\nINCR\r\n$3\r\nnum\r\n"), S(":7\r\n"));
}

static void test_pipelined(void **state)
{
	(void)state;
	TALK("PING - -1 - 14 7 answered\nGET - -1 - 20 7 answered\nGET - -1 WRONGTYPE 20 17 answered failed\n"
	     "MGET - -1 - 28 20 answered\n_OTHER - -1 ERR 15 22 answered failed\n",
	     C("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nl\r\n"
	       "*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$5\r\nBREWS\r\n"),
	     S("+PONG\r\n$1\r\n1\r\n-WRONGTYPE Oper\r\n*3\r\n$1\r\n1\r\n$-1\r\n:3\r\n"),
	     S("-ERR unknown command\r\n"));
}

/* An argument of any length is not looked at; one that is cut off never becomes a call. */
static void test_binary(void **state)
{
	(void)state;
	TALK("SET - -1 - 41 5 answered\nECHO - -1 - 25 12 answered\n",
	     C("*3\r\n$3\r\nSET\r\n$5\r\n*1\r\n$\r\n$10\r\n\r\n\0-ERR\r\n\r\r\n"), S("+OK\r\n"),
	     C("*2\r\n$4\r\nECHO\r\n$5\r\n\r\n+\r\n\r\n"), S("$6\r\n\r\n-A\r\n\r\n"),
	     C("*3\r\n$3\r\nSET\r\n$5\r\nabcde\r\n$10\r\n01234"));
}

static void test_containers(void **state)
{
	(void)state;
	TALK("CONFIG GET - -1 - 35 4 answered\nCLIENT SETNAME - -1 - 39 5 answered\nXGROUP CREATE - -1 - 28 5 answered\n"
	     "COMMAND - -1 - 17 4 answered\nCONFIG - -1 ERR 26 10 answered failed\nCLIENT - -1 ERR 97 8 answered failed\n",
	     C("*3\r\n$6\r\nconfig\r\n$3\r\nget\r\n$4\r\nsave\r\n"), S("*0\r\n"),
	     C("*3\r\n$6\r\nCLIENT\r\n$7\r\nsetname\r\n$4\r\nname\r\n"), S("+OK\r\n"),
	     C("*2\r\n$6\r\nXGROUP\r\n$6\r\nCREATE\r\n"), S("+OK\r\n"),
	     C("*1\r\n$7\r\nCOMMAND\r\n"), S("*0\r\n"),
	     C("*2\r\n$6\r\nCONFIG\r\n$4\r\nNONE\r\n"), S("-ERR nop\r\n"),
	     C("*2\r\n$6\r\nCLIENT\r\n$74\r\n"
	       "01234567890123456789012345678901234567890123456789012345678901234567890123\r\n"), S("-ERR x\r\n"));
}

static void test_inline(void **state)
{
	(void)state;
	TALK("PING - -1 - 6 7 answered\nCONFIG GET - -1 - 19 4 answered\nGET - -1 - 11 5 answered\n_OTHER - -1 ERR 5 9 answered failed\n",
	     C("PING\r\n"), PONG, C("\r\nconfig  get  save\r\n"), S("*0\r\n"), C("get secret\n"), S("$-1\r\n"),
	     C("Zap\r\n"), S("-ERR no\r\n"));
}

/* Before anything is answered, what is asked in words may be of other protocols, however much it is. */
static void test_inline_pipeline(void **state)
{
	char pings[300 * 6 + 1] = "", pongs[300 * 7 + 1] = "";
	struct talk talk;

	(void)state;
	for (int i = 0; i < 300; i++) {
		strcat(pings, "PING\r\n");
		strcat(pongs, "+PONG\r\n");
	}
	talk_begin(&talk, false);
	say(&talk, HS_CLIENT, pings);
	say(&talk, HS_SERVER, pongs);
	talk_end(&talk);
	assert_int_equal(talk.call_count, 300);
}

/* All there is in RESP3, one behind the other. */
static void test_types(void **state)
{
	(void)state;
	TALK("HELLO - -1 - 22 31 answered\nHGETALL - -1 - 26 20 answered\nSMEMBERS - -1 - 27 12 answered\n"
	     "ZSCORE - -1 - 25 7 answered\nEXISTS - -1 - 25 4 answered\nGET - -1 - 22 3 answered\nGET - -1 - 22 19 answered\n"
	     "EVAL - -1 - 23 39 answered\nEVAL - -1 SYNTAX 23 27 answered failed\nINFO - -1 - 14 14 answered\n"
	     "EVAL - -1 - 23 46 answered\nGET - -1 - 22 25 answered\nEVAL - -1 - 23 41 answered\nPING - -1 - 14 7 answered\n",
	     C("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"), S("%2\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:8\r\n"),
	     C("*2\r\n$7\r\nHGETALL\r\n$3\r\nkey\r\n"), S("%1\r\n$1\r\nf\r\n$3\r\nval\r\n"),
	     C("*2\r\n$8\r\nSMEMBERS\r\n$3\r\nkey\r\n"), S("~2\r\n+a\r\n+b\r\n"),
	     C("*2\r\n$6\r\nZSCORE\r\n$3\r\nkey\r\n"), S(",1.25\r\n"),
	     C("*2\r\n$6\r\nEXISTS\r\n$3\r\nkey\r\n"), S("#t\r\n"),
	     C("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), S("_\r\n"),
	     C("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), S("(3492890328409238\r\n"),
	     C("*2\r\n$4\r\nEVAL\r\n$3\r\nkey\r\n"), S("*3\r\n*2\r\n:1\r\n*0\r\n*-1\r\n%1\r\n+k\r\n*1\r\n-ERR\r\n"),
	     C("*2\r\n$4\r\nEVAL\r\n$3\r\nkey\r\n"), S("!20\r\nSYNTAX invalid synta\r\n"),
	     C("*1\r\n$4\r\nINFO\r\n"), S("=8\r\ntxt:abcd\r\n"),
	     C("*2\r\n$4\r\nEVAL\r\n$3\r\nkey\r\n"), S("|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n*2\r\n|1\r\n+a\r\n%0\r\n:1\r\n:2\r\n"),
	     C("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), S("$?\r\n;4\r\nab\r\n\r\n;1\r\n+\r\n;0\r\n"),
	     C("*2\r\n$4\r\nEVAL\r\n$3\r\nkey\r\n"), S("*?\r\n:1\r\n*2\r\n:2\r\n:3\r\n%?\r\n+a\r\n~?\r\n.\r\n.\r\n.\r\n"),
	     PING, PONG);
}

static void test_transaction(void **state)
{
	(void)state;
	TALK("MULTI - -1 - 15 5 answered\nSET - -1 - 27 9 answered\nINCR - -1 - 21 9 answered\nEXEC - -1 WRONGTYPE 14 24 answered failed\n"
	     "EXEC - -1 EXECABORT 14 14 answered failed\nEXEC - -1 - 14 5 answered\n",
	     C("*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n"),
	     S("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-WRONGTYPE no\r\n"),
	     C("*1\r\n$4\r\nEXEC\r\n"), S("-EXECABORT x\r\n"), C("*1\r\n$4\r\nEXEC\r\n"), S("*-1\r\n"));
}

#define MESSAGE S("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhello\r\n")

static void test_subscribed(void **state)
{
	(void)state;
	TALK("SUBSCRIBE - -1 - 33 60 answered\nPSUBSCRIBE - -1 - 28 32 answered\nPING - -1 - 14 20 answered\n"
	     "UNSUBSCRIBE - -1 - 22 66 answered\nPUNSUBSCRIBE - -1 - 30 34 answered\nUNSUBSCRIBE - -1 - 22 31 answered\n"
	     "LRANGE - -1 - 25 28 answered\n",
	     C("*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n"),
	     S("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"), MESSAGE, S("*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"), MESSAGE,
	     C("*2\r\n$10\r\nPSUBSCRIBE\r\n$1\r\n*\r\n"), MESSAGE, S("*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:3\r\n"),
	     S("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$5\r\nhello\r\n"),
	     PING, MESSAGE, S("*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
	     C("*1\r\n$11\r\nUNSUBSCRIBE\r\n"), S("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n"),
	     C("*2\r\n$12\r\nPUNSUBSCRIBE\r\n$1\r\n*\r\n"), S("*3\r\n$12\r\npunsubscribe\r\n$1\r\n*\r\n:0\r\n"),
	     C("*1\r\n$11\r\nUNSUBSCRIBE\r\n"), S("*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"),
	     C("*2\r\n$6\r\nLRANGE\r\n$3\r\nkey\r\n"), S("*4\r\n$7\r\nmessage\r\n:1\r\n:2\r\n+\r\n"));
}

static void test_pushed(void **state)
{
	(void)state;
	TALK("HELLO - -1 - 22 4 answered\nSUBSCRIBE - -1 - 26 30 answered\nGET - -1 - 20 7 answered\nSSUBSCRIBE - -1 - 28 32 answered\n"
	     "SUNSUBSCRIBE - -1 - 30 34 answered\nSUBSCRIBE - -1 NOPERM 33 15 answered failed\nPING - -1 - 14 7 answered\n",
	     C("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"), S("%0\r\n"),
	     C("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"), S(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"),
	     S(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhello\r\n"), C("*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"),
	     S(">2\r\n+invalidate\r\n*1\r\n+x\r\n>2\r\n+invalidate\r\n_\r\n$1\r\n1\r\n"), S(">2\r\n+invalidate\r\n_\r\n"),
	     C("*2\r\n$10\r\nSSUBSCRIBE\r\n$1\r\ns\r\n"), S(">3\r\n$10\r\nssubscribe\r\n$1\r\ns\r\n:1\r\n"),
	     C("*2\r\n$12\r\nSUNSUBSCRIBE\r\n$1\r\ns\r\n"), S(">3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n"),
	     S(">3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n"),
	     C("*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n$1\r\nd\r\n"), S("-NOPERM c no.\r\n"), PING, PONG);
}

/* What follows is for somebody else. */
static void test_streams(void **state)
{
	(void)state;
	TALK("REPLCONF - -1 - 18 5 answered\nPSYNC - -1 - 30 0 answered\n",
	     C("*1\r\n$8\r\nREPLCONF\r\n"), S("+OK\r\n"), C("*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"),
	     S("+FULLRESYNC 0123 0\r\n$4\r\nREDIxyz\0\x01garbage"));
	TALK("SYNC - -1 - 14 0 answered\n", C("*1\r\n$4\r\nSYNC\r\n"), S("$EOF:0123\r\n"));
	TALK("MONITOR - -1 - 17 0 answered\n",
	     C("*1\r\n$7\r\nMONITOR\r\n"), S("+OK\r\n+1.2 [0 127.0.0.1:5] \"GET\" \"a\"\r\n"), PING);
	TALK("PSYNC - -1 NOMASTERLINK 30 17 answered failed\nPING - -1 - 14 7 answered\n",
	     C("*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"), S("-NOMASTERLINK x\r\n"), PING, PONG);
}

static void test_unanswered(void **state)
{
	(void)state;
	TALK("PING - -1 - 14 7 answered\nBLPOP - -1 - 30 0 unanswered\nPING - -1 - 14 0 unanswered\n",
	     PING, PONG, C("*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$2\r\n10\r\n"), PING);
}

/* Codes are words in capitals; an error of a script may hold anything. */
static void test_errors(void **state)
{
	(void)state;
	TALK("EVAL - -1 _OTHER 14 12 answered failed\nEVAL - -1 _OTHER 14 3 answered failed\nEVAL - -1 MOVED 14 8 answered failed\n"
	     "EVAL - -1 _OTHER 14 43 answered failed\n",
	     C("*1\r\n$4\r\nEVAL\r\n"), S("-user:1234\r\n"), C("*1\r\n$4\r\nEVAL\r\n"), S("-\r\n"),
	     C("*1\r\n$4\r\nEVAL\r\n"), S("-MOVED\r\n"), C("*1\r\n$4\r\nEVAL\r\n"),
	     S("-ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN\r\n"));
}

static void expect(struct talk *talk, const char *expected)
{
	char text[TALK_CALLS_MAX * 400];

	talk_write(talk, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_times(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	say(&talk, HS_CLIENT, "*2\r\n$3\r\nGET\r\n$1");
	say(&talk, HS_CLIENT, "\r\na\r\n*1\r\n$4\r\nPING\r\n");
	say(&talk, HS_SERVER, "$5\r\nab");
	say(&talk, HS_SERVER, "cde\r\n+PO");
	say(&talk, HS_SERVER, "NG\r\n");
	talk_end(&talk);
	assert_int_equal(talk.call_count, 2);
	assert_int_equal(talk.calls[0].request_ns, TALK_START_NS);
	assert_int_equal(talk.calls[0].request_end_ns, TALK_START_NS + TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_ns, TALK_START_NS + 2 * TALK_STEP_NS);
	assert_int_equal(talk.calls[0].response_end_ns, TALK_START_NS + 3 * TALK_STEP_NS);
	assert_int_equal(talk.calls[1].request_ns, TALK_START_NS + TALK_STEP_NS);
	assert_int_equal(talk.calls[1].response_ns, TALK_START_NS + 3 * TALK_STEP_NS);
	assert_int_equal(talk.calls[1].response_end_ns, TALK_START_NS + 4 * TALK_STEP_NS);
}

/* Of values nothing needs to be seen. */
static void test_values_not_captured(void **state)
{
	static const char set[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n", list[] = "*2\r\n$70000\r\n";
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	talk_segment(&talk, HS_CLIENT, set, sizeof(set) - 1 + 60000, sizeof(set) - 1);
	talk_segment(&talk, HS_CLIENT, "", 40002, 0);
	say(&talk, HS_SERVER, "+OK\r\n");
	say(&talk, HS_CLIENT, "*1\r\n$4\r\nMGET\r\n");
	talk_segment(&talk, HS_SERVER, list, sizeof(list) - 1 + 70002, sizeof(list) - 1);
	say(&talk, HS_SERVER, "$1\r\nx\r\n");
	talk_end(&talk);
	expect(&talk, "SET - -1 - 100031 5 answered\nMGET - -1 - 14 70021 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_BYTES], 0);
}

/* Nobody can tell how they went, and that is said. */
static void test_replies_off(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	say(&talk, HS_CLIENT, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nskip\r\n*1\r\n$4\r\nINCR\r\n*1\r\n$4\r\nPING\r\n");
	say(&talk, HS_SERVER, "+PONG\r\n");
	say(&talk, HS_CLIENT, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$4\r\nINCR\r\n*1\r\n$4\r\nINCR\r\n");
	say(&talk, HS_CLIENT, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n*1\r\n$3\r\nGET\r\n");
	say(&talk, HS_SERVER, "+OK\r\n$-1\r\n");
	say(&talk, HS_CLIENT, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$5\r\nRESET\r\n");
	say(&talk, HS_SERVER, "+RESET\r\n");
	talk_end(&talk);
	expect(&talk, "PING - -1 - 14 7 answered\nCLIENT REPLY - -1 - 35 5 answered\nGET - -1 - 13 5 answered\n"
		      "RESET - -1 - 15 8 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 6);
}

/* More than may be calls at one time; each gets its own answer. */
static void test_deep(void **state)
{
	enum { DEPTH = 100000 };
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	for (int i = 0; i < DEPTH; i++)
		say(&talk, HS_CLIENT, i % 2 ? "*1\r\n$4\r\nPING\r\n" : "*1\r\n$4\r\nINCR\r\n");
	for (int i = 0; i < DEPTH; i++) {
		char number[32];

		snprintf(number, sizeof(number), i % 2 ? "+PONG\r\n" : ":%d\r\n", i);
		say(&talk, HS_SERVER, number);
		if (i < TALK_CALLS_MAX)
			assert_int_equal(talk.calls[i].response_bytes, strlen(number));
	}
	assert_int_equal(talk.call_count, DEPTH);
	for (int i = 0; i < TALK_CALLS_MAX; i++) {
		assert_string_equal(talk.calls[i].operation, i % 2 ? "PING" : "INCR");
		assert_int_equal(talk.calls[i].request_ns, TALK_START_NS + i * TALK_STEP_NS);
	}
	for (int i = 0; i < 6000; i++)
		say(&talk, HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
	talk_end(&talk); /* all of them unanswered */
	assert_int_equal(talk.call_count, DEPTH + 6000);
	for (int i = 0; i < HS_L7_LOSS_MAX; i++)
		assert_int_equal(talk.losses[i], 0);
}

/* A client that never reads answers: bounded, and counted. */
static void test_too_deep(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	for (int i = 0; i < 200000 && !talk.losses[HS_L7_LOSS_CALLS]; i++)
		say(&talk, HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 4096);
	assert_true(talk.losses[HS_L7_LOSS_BYTES] > 0);
	say(&talk, HS_SERVER, "+PONG\r\n");
	say(&talk, HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
	say(&talk, HS_SERVER, "+PONG\r\n");
	talk_end(&talk);
	assert_int_equal(talk.call_count, 1);
}

/* Answers to what was asked before: they belong to nobody, and then the place is found. */
static void test_late(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	say(&talk, HS_SERVER, "lue\r\n");
	say(&talk, HS_CLIENT, "*1\r\n$3\r\nGET\r\n");
	say(&talk, HS_SERVER, "$1\r\nx\r\n$2\r\nxy\r\n");
	say(&talk, HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
	say(&talk, HS_SERVER, "+PONG\r\n");
	talk_end(&talk);
	expect(&talk, "GET - -1 - 13 7 answered\nPING - -1 - 14 7 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 1);
}

static void test_late_subscriber(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, true);
	say(&talk, HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
	say(&talk, HS_SERVER, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
	say(&talk, HS_SERVER, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n");
	talk_end(&talk);
	expect(&talk, "PING - -1 - 14 20 answered\n");
	assert_int_equal(talk.losses[HS_L7_LOSS_MESSAGES], 0);
}

static void test_loss(void **state)
{
	for (enum hs_side from = HS_CLIENT; from < HS_SIDES; from++) {
		struct talk talk;

		(void)state;
		talk_begin(&talk, false);
		say(&talk, HS_CLIENT, "*1\r\n$4\r\nINCR\r\n");
		say(&talk, HS_SERVER, ":1\r\n");
		talk_lose(&talk, from, 300);
		talk.now_ns += 4000000000ull;
		for (int i = 0; i < 3; i++) {
			say(&talk, HS_CLIENT, "*1\r\n$3\r\nGET\r\n");
			say(&talk, HS_SERVER, "$3\r\nabc\r\n");
			talk.now_ns += 4000000000ull;
		}
		say(&talk, HS_CLIENT, "*1\r\n$4\r\nINCR\r\n");
		say(&talk, HS_SERVER, ":1\r\n");
		talk_end(&talk);
		assert_true(talk.call_count > 0);
		assert_true(talk.losses[HS_L7_LOSS_BYTES] >= 300);
		for (size_t i = 0; i < talk.call_count; i++)
			assert_int_equal(talk.calls[i].response_bytes, *talk.calls[i].operation == 'G' ? 9 : 4);
	}
}

/* Where the place is lost, a segment of which nothing was recorded says nothing. */
static void test_lost_and_hidden(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, false);
	say(&talk, HS_CLIENT, "*1\r\n$4\r\nINCR\r\n");
	say(&talk, HS_SERVER, ":1\r\n");
	talk_lose(&talk, HS_CLIENT, 300);
	talk.now_ns += 4000000000ull;
	for (int i = 0; i < 3; i++) {
		talk_segment(&talk, HS_CLIENT, "", 500, 0);
		talk.now_ns += 4000000000ull;
		talk_segment(&talk, HS_SERVER, "", 500, 0);
	}
	say(&talk, HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
	say(&talk, HS_SERVER, "+PONG\r\n");
	talk_end(&talk);
	expect(&talk, "INCR - -1 - 14 4 answered\nPING - -1 - 14 7 answered\n");
}

static void test_lies(void **state)
{
	static const char *const requests[] = {
		"*99999999\r\n$4\r\nPING\r\n", "*1\r\n$-1\r\n", "*1\r\n$99999999999999999999\r\n", "*1\r\n+PING\r\n",
		"*1\r\n$4\r\nPINGxx", "*1\r\n$9999999999999\r\n", "\x16\x03\x01", "*x\r\n", "*1\n",
	}, *const answers[] = {
		"?", "*99999999999999\r\n", "$x\r\n", "$1\r\nabc", "+\n", ".\r\n", "*?\rx", "|?\r\n", ":1\r\n:2\r\n\x01",
		"*?\r\n*?\r\n*?\r\n*?\r\n*?\r\n*?\r\n*?\r\n*?\r\n*?\r\n", ">1\r\n-ERR\r\n\x80", ",\n",
		"*9999999999\r\n*9999999999\r\n*9999999999\r\n*999999999999\r\n*999999999999\r\n*999999999999\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct talk talk;

		talk_begin(&talk, false);
		say(&talk, HS_CLIENT, "*1\r\n$3\r\nGET\r\n");
		say(&talk, HS_CLIENT, requests[i]);
		assert_int_equal(talk.losses[HS_L7_LOSS_CALLS], 1);
		say(&talk, HS_SERVER, "$1\r\nx\r\n");
		say(&talk, HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
		say(&talk, HS_SERVER, "+PONG\r\n");
		talk_end(&talk);
		expect(&talk, "PING - -1 - 14 7 answered\n");
	}
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct talk talk;

		talk_begin(&talk, false);
		say(&talk, HS_CLIENT, "*1\r\n$3\r\nGET\r\n");
		say(&talk, HS_SERVER, answers[i]);
		assert_true(talk.losses[HS_L7_LOSS_BYTES] > 0);
		talk_end(&talk);
	}
}

static enum hs_match match(enum hs_side from, const char *bytes)
{
	return hs_protocol_redis.match(from, (const uint8_t *)bytes, strlen(bytes));
}

static void test_others(void **state)
{
	static const char *const first[] = {
		"SSH-2.0-OpenSSH\r\n", "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "EHLO x\r\n", "\x16\x03\x01\x02\x01",
		"*", "*1\r\n", "*1\r\n$4\r\n", "*1\r\n$4\r\nPIN", "*1\r\n$4\r\nPI\x01\x02\r\n", "*1\r\n*1\r\n", "get key\r\n",
		"USER x\r\n", "CAPABILITY\r\n", "*0\r\n", "*2\r\n$100\r\n",
	}, *const greetings[] = {
		"SSH-2.0-OpenSSH\r\n", "+OK POP3 ready\r\n", "-ERR sorry\r\n", "220 mail\r\n", "* OK IMAP\r\n", ":irc.net NOTICE\r\n",
		"+OK\r\n", "J\x01\x01\x01\n8.0.1", "HTTP/1.1 200 OK\r\n", "$", "VALUE key 0 1\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		assert_int_not_equal(match(HS_CLIENT, first[i]), HS_MATCH_YES);
	for (size_t i = 0; i < sizeof(greetings) / sizeof(*greetings); i++)
		assert_int_not_equal(match(HS_SERVER, greetings[i]), HS_MATCH_YES);
	assert_int_equal(match(HS_CLIENT, "*2\r\n$3\r\nGET\r\n"), HS_MATCH_YES);
	assert_int_equal(match(HS_CLIENT, "SSH-2.0-OpenSSH\r\n"), HS_MATCH_NO);
	assert_int_equal(match(HS_CLIENT, "GET / HTTP/1.1\r\n"), HS_MATCH_MORE); /* HTTP is sure of it */
	srand(1);
	for (int i = 0; i < 100000; i++) {
		char bytes[33] = "";

		for (int at = 0; at < 32; at++)
			bytes[at] = rand() % 255 + 1;
		assert_int_not_equal(match(i % 2, bytes), HS_MATCH_YES);
	}
}

static void test_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < hs_redis_command_count; i++) {
		const struct hs_redis_command *command = &hs_redis_commands[i], *found;
		const uint8_t *name = (const uint8_t *)command->name, *space = memchr(name, ' ', strlen(command->name));

		assert_true(!i || strcmp(hs_redis_commands[i - 1].name, command->name) < 0);
		assert_true(strlen(command->name) < HS_OPERATION_LEN);
		if (space) {
			found = hs_redis_command(name, space - name);
			assert_int_equal(found->role, HS_REDIS_CONTAINER);
			found = hs_redis_subcommand(found, space + 1, strlen((const char *)space + 1));
		} else {
			found = hs_redis_command(name, strlen(command->name));
		}
		assert_ptr_equal(found, command);
	}
	assert_string_equal(hs_redis_command((const uint8_t *)"CONFIG GET", 10)->name, "_OTHER");
	assert_string_equal(hs_redis_command((const uint8_t *)"GETT", 4)->name, "_OTHER");
	assert_string_equal(hs_redis_command((const uint8_t *)"", 0)->name, "_OTHER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple), cmocka_unit_test(test_pipelined), cmocka_unit_test(test_binary),
		cmocka_unit_test(test_containers), cmocka_unit_test(test_inline), cmocka_unit_test(test_inline_pipeline), cmocka_unit_test(test_types),
		cmocka_unit_test(test_transaction), cmocka_unit_test(test_subscribed), cmocka_unit_test(test_pushed),
		cmocka_unit_test(test_streams), cmocka_unit_test(test_unanswered), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_times), cmocka_unit_test(test_values_not_captured),
		cmocka_unit_test(test_replies_off), cmocka_unit_test(test_deep), cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_late), cmocka_unit_test(test_late_subscriber), cmocka_unit_test(test_loss),
		cmocka_unit_test(test_lost_and_hidden),
		cmocka_unit_test(test_lies), cmocka_unit_test(test_others), cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
