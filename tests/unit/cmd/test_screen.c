// SPDX-License-Identifier: GPL-2.0-or-later
/* When there is colour: NO_COLOR, FORCE_COLOR, TERM, --color. Tests have no terminal on stdout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/fixture.h"
#include "cmd/screen.h"

/* Environment as "NAME=VALUE NAME=VALUE"; what is not named is not set. */
static void set_environment(const char *environment)
{
	static char copy[128];
	char *rest = copy, *word;

	unsetenv("NO_COLOR");
	unsetenv("FORCE_COLOR");
	setenv("TERM", "xterm", 1);
	snprintf(copy, sizeof(copy), "%s", environment);
	while (*environment && (word = strsep(&rest, " "))) {
		char *value = strchr(word, '=');

		*value = '\0';
		setenv(word, value + 1, 1);
	}
}

static bool colored(const char *environment, const char *line)
{
	struct hs_args args;
	bool color;

	set_environment(environment);
	fixture_args(&args, &hs_graph_command, line);
	color = hs_screen_now(&args).color;
	hs_args_free(&args);
	return color;
}

/* Runs with stdout on a terminal of 97 columns, or on a pipe; the output of the test is back then.
 */
static int redirect(bool terminal)
{
	struct winsize size = { .ws_col = 97, .ws_row = 31 };
	int saved = dup(STDOUT_FILENO), master, fds[2];

	fflush(stdout);
	if (terminal)
		assert_int_equal(openpty(&master, &fds[1], NULL, NULL, &size), 0);
	else
		assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDOUT_FILENO);
	return saved;
}

static void restore(int saved)
{
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

static void a_pipe_gets_none_unless_asked_for(void **state)
{
	int saved = redirect(false);
	bool plain = colored("", ""), forced = colored("FORCE_COLOR=1", "");
	bool not_forced = colored("FORCE_COLOR=0", ""),
	     asked = colored("NO_COLOR=1", "--color always");
	bool both = colored("NO_COLOR=1 FORCE_COLOR=1", "");

	(void)state;
	restore(saved);
	assert_false(plain);
	assert_true(forced);
	assert_false(not_forced);
	assert_true(asked);
	assert_false(both);
}

static void a_terminal_gets_it_unless_refused(void **state)
{
	int saved = redirect(true);
	bool plain = colored("", ""), none = colored("NO_COLOR=1", ""),
	     empty = colored("NO_COLOR=", "");
	bool dumb = colored("TERM=dumb", ""), no_term = colored("TERM=", "");
	bool never = colored("FORCE_COLOR=1", "--color=never"),
	     no_color = colored("", "--no-color");
	bool last_word = colored("", "--color always --no-color");

	(void)state;
	restore(saved);
	assert_true(plain);
	assert_false(none);
	assert_true(empty); /* https://no-color.org: when present and not empty */
	assert_false(dumb);
	assert_false(no_term);
	assert_false(never);
	assert_false(no_color);
	assert_false(last_word);
}

static void only_a_terminal_has_a_width(void **state)
{
	struct hs_screen pipe_screen, terminal_screen;
	struct hs_args args;
	int saved;

	(void)state;
	fixture_args(&args, &hs_graph_command, "");
	saved = redirect(false);
	pipe_screen = hs_screen_now(&args);
	restore(saved);
	saved = redirect(true);
	terminal_screen = hs_screen_now(&args);
	restore(saved);
	hs_args_free(&args);
	assert_int_equal(pipe_screen.width, 0);
	assert_false(pipe_screen.tty);
	assert_int_equal(terminal_screen.width, 97);
	assert_int_equal(terminal_screen.height, 31);
	assert_true(terminal_screen.tty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipe_gets_none_unless_asked_for),
		cmocka_unit_test(a_terminal_gets_it_unless_refused),
		cmocka_unit_test(only_a_terminal_has_a_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
