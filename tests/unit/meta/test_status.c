/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "meta/status.h"

#define PID 42
#define STATUS(state) "Name:\tnginx\nUmask:\t0022\nState:\t" state "\nTgid:\t42\nPid:\t42\nFDSize:\t64\nThreads:\t7\n"
#define LIMITS(soft)                                                                                       \
	"Limit                     Soft Limit           Hard Limit           Units     \n"                 \
	"Max processes             96365                96365                processes \n"                 \
	"Max open files            " soft "                 4096                 files     \n"             \
	"Max locked memory         8388608              8388608              bytes     \n"

static char root[64];
static struct hs_ev_status status;

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int make_tree(void **state)
{
	(void)state;
	strcpy(root, "/tmp/hs-test-status-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(mkdir(path_of("/42"), 0700), 0);
	put("/42/status", STATUS("S (sleeping)"));
	memset(&status, 0xa5, sizeof(status));
	return 0;
}

static int remove_tree(void **state)
{
	static const char *const names[] = {
		"/42/fd/0", "/42/fd/1", "/42/fd/17", "/42/fd", "/42/status", "/42/limits", "/42", "",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		remove(path_of(names[i]));
	return 0;
}

static int get(void)
{
	return hs_status_read(root, PID, 77, &status);
}

static void whole(void **state)
{
	(void)state;
	put("/42/limits", LIMITS("1024"));
	assert_int_equal(mkdir(path_of("/42/fd"), 0700), 0);
	put("/42/fd/0", "");
	put("/42/fd/1", "");
	put("/42/fd/17", "");
	assert_int_equal(get(), 0);
	assert_int_equal(status.event.kind, HS_EV_STATUS);
	assert_int_equal(status.event.size, sizeof(status));
	assert_int_equal(status.event.time_ns, 77);
	assert_int_equal(status.event.cpu, 0);
	assert_int_equal(status.pid, PID);
	assert_int_equal(status.fds, 3);
	assert_int_equal(status.fd_limit, 1024);
	assert_int_equal(status.threads, 7);
	assert_int_equal(status.state, 'S');
	for (size_t i = 0; i < sizeof(status.pad); i++)
		assert_int_equal(status.pad[i], 0);
}

static void states(void **state)
{
	(void)state;
	put("/42/status", STATUS("T (stopped)"));
	assert_int_equal(get(), 0);
	assert_int_equal(status.state, 'T');
	put("/42/status", STATUS("\x01"));
	assert_int_equal(get(), 0);
	assert_int_equal(status.state, 0);
	put("/42/status", STATUS(""));
	assert_int_equal(get(), 0);
	assert_int_equal(status.state, 0);
}

static void limits(void **state)
{
	(void)state;
	put("/42/limits", LIMITS("unlimited"));
	assert_int_equal(get(), 0);
	assert_int_equal(status.fd_limit, UINT32_MAX);
	put("/42/limits", LIMITS("99999999999999999999999"));
	assert_int_equal(get(), 0);
	assert_int_equal(status.fd_limit, UINT32_MAX);
	put("/42/limits", "Max open files");
	assert_int_equal(get(), 0);
	assert_int_equal(status.fd_limit, 0);
}

/* Of other users, without capabilities: the rest is told. */
static void what_we_may_not_see(void **state)
{
	(void)state;
	assert_int_equal(get(), 0);
	assert_int_equal(status.fds + status.fd_limit, 0);
	assert_int_equal(status.threads, 7);
}

static void nonsense(void **state)
{
	static char text[100000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	put("/42/limits", text);
	put("/42/status", text);
	assert_int_equal(get(), -EBADMSG);
	put("/42/status", "");
	assert_int_equal(get(), -EBADMSG);
	put("/42/status", "Name:\tState:\nxState:\tS\n");
	assert_int_equal(get(), -EBADMSG);
	put("/42/status", "State:\tR");
	assert_int_equal(get(), 0);
	assert_int_equal(status.threads, 0);
}

static void no_such_process(void **state)
{
	(void)state;
	assert_int_equal(hs_status_read(root, 43, 77, &status), -ESRCH);
	put("/42/status", "State:\tS\nTgid:\t41\n");
	assert_int_equal(get(), -ESRCH); /* a thread */
	unlink(path_of("/42/status"));
	assert_int_equal(get(), -ESRCH);
	assert_int_equal(((const uint8_t *)&status)[0], 0xa5); /* untouched */
}

static void *rest(void *arg)
{
	pause();
	return arg;
}

/* A real one, that is stopped, has four threads and some files. */
static void of_a_child(void **state)
{
	int told[2], result;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (!pid) {
		struct rlimit limit = { .rlim_cur = 300, .rlim_max = 300 };
		pthread_t thread;

		dup2(told[1], 3);
		closefrom(4);
		setrlimit(RLIMIT_NOFILE, &limit);
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, rest, NULL);
		for (int i = 0; i < 50; i++)
			(void)!open("/dev/null", O_RDONLY);
		(void)!write(3, "x", 1);
		rest(NULL);
	}
	assert_int_equal(read(told[0], &byte, 1), 1);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &result, WUNTRACED), pid);
	assert_int_equal(hs_status_read("/proc", (uint32_t)pid, 77, &status), 0);
	assert_int_equal(status.state, 'T');
	assert_true(status.threads >= 4); /* the sanitizers may have one of their own */
	assert_int_equal(status.fd_limit, 300);
	assert_in_range(status.fds, 51, 54); /* standard ones, if we have them */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &result, 0), pid);
	assert_int_equal(hs_status_read("/proc", (uint32_t)pid, 77, &status), -ESRCH);
	close(told[0]);
	close(told[1]);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_tree, remove_tree)
	const struct CMUnitTest tests[] = {
		TEST(whole),
		TEST(states),
		TEST(limits),
		TEST(what_we_may_not_see),
		TEST(nonsense),
		TEST(no_such_process),
		TEST(of_a_child),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
