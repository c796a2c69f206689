/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event ids with and without a mounted tracefs; the host's mounts stay as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/tracefs.h"

#define TRACEFS "/sys/kernel/tracing"

static const char *const events[] = {
	"syscalls/sys_enter_connect", "syscalls/sys_exit_accept4", "no/such_event",
};

static size_t read_mounts(char *text, size_t size)
{
	FILE *file = fopen("/proc/self/mounts", "re");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, size - 1, file);
	fclose(file);
	text[length] = '\0';
	return length;
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++) {
		char path[32];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		count += !access(path, F_OK);
	}
	return count;
}

/* In a mount namespace of its own, with or without tracefs. Exits with 0 when all is as it should be. */
static int ask(bool mounted)
{
	int ids[3] = { 0, 0, 0 };
	const char *how;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 2;
	while (!umount2("/sys/kernel/debug/tracing", MNT_DETACH) || !umount2(TRACEFS, MNT_DETACH))
		;
	umount2("/sys/kernel/debug", MNT_DETACH); /* going there would mount tracefs again */
	if (mounted && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		return 2;
	how = hs_tracefs_event_ids(events, ids, 3);
	if (!how || strcmp(how, mounted ? "mounted" : "private mount"))
		return 3;
	return ids[0] > 0 && ids[1] > 0 && ids[0] != ids[1] && ids[2] == -1 ? 0 : 4;
}

static int in_child(int (*what)(bool), bool mounted)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(what(mounted));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool as_root(void)
{
	if (!geteuid())
		return true;
	print_message("skip: mounting tracefs needs root\n");
	return false;
}

static void where_it_is_not_mounted(void **state)
{
	(void)state;
	if (!as_root())
		skip();
	assert_int_equal(in_child(ask, false), 0);
}

static void where_it_is_mounted(void **state)
{
	(void)state;
	if (!as_root())
		skip();
	assert_int_equal(in_child(ask, true), 0);
}

static void the_host_sees_nothing_of_it(void **state)
{
	static char before[65536], after[65536];
	int ids[3], descriptors = open_descriptors();

	(void)state;
	if (!as_root())
		skip();
	read_mounts(before, sizeof(before));
	assert_non_null(hs_tracefs_event_ids(events, ids, 3));
	assert_true(ids[0] > 0);
	read_mounts(after, sizeof(after));
	assert_string_equal(before, after);
	assert_int_equal(open_descriptors(), descriptors);
}

/* Whoever may not mount gets NULL and no ids, and is not stopped. */
static int ask_unprivileged(bool unused)
{
	int ids[3] = { -7, -7, -7 };

	(void)unused;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 2;
	while (!umount2("/sys/kernel/debug/tracing", MNT_DETACH) || !umount2(TRACEFS, MNT_DETACH))
		;
	umount2("/sys/kernel/debug", MNT_DETACH);
	if (setgid(65534) || setuid(65534))
		return 2;
	return hs_tracefs_event_ids(events, ids, 3) || ids[0] != -7 ? 3 : 0;
}

static void where_it_may_not_be_mounted(void **state)
{
	(void)state;
	if (!as_root())
		skip();
	assert_int_equal(in_child(ask_unprivileged, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_it_is_not_mounted),
		cmocka_unit_test(where_it_is_mounted),
		cmocka_unit_test(the_host_sees_nothing_of_it),
		cmocka_unit_test(where_it_may_not_be_mounted),
	};

	return cmocka_run_group_tests_name("tracefs", tests, NULL, NULL);
}
