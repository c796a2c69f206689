// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"

static const char *const formats[] = { "table", "json", "close-wait", NULL };
static const char *const topics[] = { "graph", "observe", NULL };

#define LONG_WORD "a_word_that_is_there_to_make_the_list_longer_than_anybody_wants_to_read"
static const char *const causes[] = { "accept_queue_full", "syn_queue_full", LONG_WORD "_1", LONG_WORD "_2",
				      LONG_WORD "_3", LONG_WORD "_4", NULL };

static const struct hs_option table[] = {
	{ .name = "output",
	  .letter = 'o',
	  .kind = HS_OPTION_CHOICE,
	  .preset = "table",
	  .choices = formats },
	{ .name = "watch", .letter = 'w', .kind = HS_OPTION_FLAG },
	{ .name = "follow", .letter = 'f', .kind = HS_OPTION_FLAG },
	{ .name = "interval", .kind = HS_OPTION_DURATION, .preset = "2s" },
	{ .name = "last", .kind = HS_OPTION_COUNT, .preset = "20" },
	{ .name = "name", .kind = HS_OPTION_TEXT, .filter = true },
	{ .name = "namespace", .letter = 'n', .kind = HS_OPTION_TEXT, .filter = true },
	{ .name = "port", .kind = HS_OPTION_PORT, .filter = true },
	{ .name = "ip", .kind = HS_OPTION_NETWORK, .filter = true },
	{ .name = "since", .kind = HS_OPTION_SINCE },
	{ .name = "listen", .kind = HS_OPTION_LISTEN },
	{ .name = "socket", .kind = HS_OPTION_FILE },
	{ .name = "cause", .kind = HS_OPTION_CHOICE, .choices = causes },
	{ .name = "not", .kind = HS_OPTION_NOT },
	{ .name = "help", .letter = 'h', .kind = HS_OPTION_FLAG },
	{ 0 },
};

static const struct hs_operand no_operand = { 0 };
static struct hs_args args;
static char message[256];

/* Splits at spaces; "''" is an empty argument. */
static int parse(const char *line, const struct hs_operand *operand)
{
	static char copy[512];
	char *argv[32] = { "hopscope test" }, *rest = copy, *word;
	int argc = 1;

	hs_args_free(&args);
	snprintf(copy, sizeof(copy), "%s", line);
	while (*line && (word = strsep(&rest, " ")))
		argv[argc++] = strcmp(word, "''") ? word : (char *)"";
	args = (struct hs_args){ .program = "hopscope test", .options = table };
	*message = '\0';
	return hs_args_parse(&args, argc, argv, operand, message, sizeof(message));
}

static void assert_refused(const char *line, const char *want)
{
	assert_int_equal(parse(line, &no_operand), -EINVAL);
	assert_string_equal(message, want);
}

static void presets_hold_until_given(void **state)
{
	(void)state;
	assert_int_equal(parse("", &no_operand), 0);
	assert_string_equal(hs_args_text(&args, "output"), "table");
	assert_null(hs_args_text(&args, "name"));
	assert_int_equal(hs_args_duration_ns(&args, "interval"), 2000000000);
	assert_int_equal(hs_args_count(&args, "last"), 20);
	assert_false(hs_args_given(&args, "output"));
	assert_false(hs_args_flag(&args, "watch"));
	assert_null(hs_args_text(&args, "of-another-command"));
	assert_false(hs_args_flag(&args, "of-another-command"));
}

static void takes_every_spelling(void **state)
{
	static const char *const lines[] = { "-o json -w --last 5",
					     "--output=json --watch --last=5", "--last 5 -wojson",
					     "--out json --wat --la 5",
					     "-o table -w -o json --last 5" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i], &no_operand), 0);
		assert_string_equal(hs_args_text(&args, "output"), "json");
		assert_true(hs_args_flag(&args, "watch"));
		assert_int_equal(hs_args_count(&args, "last"), 5);
	}
}

static void choices_come_out_as_in_the_table(void **state)
{
	(void)state;
	assert_int_equal(parse("-o close_wait", &no_operand), 0);
	assert_string_equal(hs_args_text(&args, "output"), "close-wait");
}

static void not_turns_the_next_filter(void **state)
{
	(void)state;
	assert_int_equal(parse("--name a --not --port 80 -n b", &no_operand), 0);
	assert_int_equal(args.count, 4);
	assert_false(args.values[0].negated);
	assert_true(args.values[2].negated);
	assert_false(args.values[3].negated);
	assert_refused("--not --watch",
		       "hopscope test: --not stands before a filter, and --watch is none");
	assert_refused("--not --not --name a",
		       "hopscope test: --not stands before a filter, and --not is none");
	assert_refused("--not",
		       "hopscope test: --not stands before a filter, and nothing follows it");
}

static void a_cluster_of_flags_is_many_values(void **state)
{
	(void)state;
	assert_int_equal(parse("-wfwfwfwfwfwfwfwfwfwfwfwfwfwfwfwf", &no_operand), 0);
	assert_int_equal(args.count, 32);
}

static void operands_stand_anywhere(void **state)
{
	static const struct hs_operand file = { "FILE", true, NULL, false };
	static const char *const lines[] = { "x.rec -w", "-w x.rec", "-w -- x.rec" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i], &file), 0);
		assert_string_equal(args.operand, "x.rec");
		assert_true(hs_args_flag(&args, "watch"));
	}
	assert_int_equal(parse("-- -w", &file), 0);
	assert_string_equal(args.operand, "-w");
	assert_int_equal(parse("", &file), -EINVAL);
	assert_string_equal(message, "hopscope test: FILE is missing; see hopscope test --help");
	assert_int_equal(parse("--help", &file), 0);
	assert_int_equal(parse("a b", &file), -EINVAL);
	assert_string_equal(message,
			    "hopscope test: unexpected argument \"b\"; see hopscope test --help");
}

static void operands_may_be_a_choice(void **state)
{
	static const struct hs_operand topic = { "COMMAND", false, topics, false };

	(void)state;
	assert_int_equal(parse("observe", &topic), 0);
	assert_int_equal(parse("", &topic), 0);
	assert_int_equal(parse("obsrve", &topic), -EINVAL);
	assert_string_equal(message,
			    "hopscope test: unknown COMMAND \"obsrve\"; did you mean observe?");
	assert_int_equal(parse("tcsh", &topic), -EINVAL);
	assert_string_equal(message,
			    "hopscope test: COMMAND is one of graph, observe, not \"tcsh\"");
}

static void names_the_nearest_option(void **state)
{
	(void)state;
	assert_refused("--intervall 3",
		       "hopscope test: unknown option --intervall; did you mean --interval?");
	assert_refused("--prot=80", "hopscope test: unknown option --prot; did you mean --port?");
	assert_refused("--xyzzy",
		       "hopscope test: unknown option --xyzzy; see hopscope test --help");
	assert_refused("-x", "hopscope test: unknown option -x; see hopscope test --help");
	assert_refused("-wx", "hopscope test: unknown option -x; see hopscope test --help");
	assert_refused("--\033[31m",
		       "hopscope test: unknown option --?[31m; see hopscope test --help");
}

static void says_what_a_value_should_be(void **state)
{
	(void)state;
	assert_refused(
		"-o yaml",
		"hopscope test: --output takes one of table, json, close-wait, not \"yaml\"");
	assert_refused("--port http",
		       "hopscope test: --port takes a port from 1 to 65535, not \"http\"");
	assert_refused("--last -5", "hopscope test: --last takes a whole number, not \"-5\"");
	assert_refused(
		"--interval 0",
		"hopscope test: --interval takes a duration such as 500ms, 2s, 5m or 1h30m, not \"0\"");
	assert_refused("--name ''",
		       "hopscope test: --name takes a text that is not empty, not \"\"");
	assert_refused(
		"--ip 10/8",
		"hopscope test: --ip takes an address or a network such as 10.0.0.0/8, not \"10/8\"");
	assert_refused("--since monday",
		       "hopscope test: --since takes a duration such as 5m or a time such as "
		       "2026-01-31T12:00:00Z, not \"monday\"");
	assert_refused("--interval", "hopscope test: --interval needs a value");
	assert_refused("-o", "hopscope test: --output needs a value");
	assert_refused("--watch=yes", "hopscope test: --watch takes no value");
}

static void names_the_nearest_of_many(void **state)
{
	(void)state;
	assert_refused("--cause acept_queue_full", "hopscope test: --cause takes no \"acept_queue_full\"; "
						   "did you mean accept_queue_full?");
	assert_refused("--cause queue", "hopscope test: --cause takes no \"queue\"; "
					"did you mean accept_queue_full or syn_queue_full?");
	assert_refused("--cause xyz", "hopscope test: --cause takes no \"xyz\"; "
				      "hopscope test --help lists what it takes");
}

static void knows_ports_and_addresses(void **state)
{
	static const char *const good[] = { "--port 1",
					    "--port 65535",
					    "--listen :9464",
					    "--listen 127.0.0.1:0",
					    "--listen [::1]:9464",
					    "--listen localhost:80" };
	static const char *const bad[] = {
		"--port 0",	     "--port 65536",	  "--port 999999999999",   "--listen 9464",
		"--listen ::1:9464", "--listen 1.2.3.4:", "--listen 1.2.3.4:99999"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(parse(good[i], &no_operand), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &no_operand), -EINVAL);
}

static int free_args(void **state)
{
	(void)state;
	hs_args_free(&args);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_hold_until_given),
		cmocka_unit_test(takes_every_spelling),
		cmocka_unit_test(choices_come_out_as_in_the_table),
		cmocka_unit_test(not_turns_the_next_filter),
		cmocka_unit_test(a_cluster_of_flags_is_many_values),
		cmocka_unit_test(operands_stand_anywhere),
		cmocka_unit_test(operands_may_be_a_choice),
		cmocka_unit_test(names_the_nearest_option),
		cmocka_unit_test(says_what_a_value_should_be),
		cmocka_unit_test(names_the_nearest_of_many),
		cmocka_unit_test(knows_ports_and_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, free_args);
}
