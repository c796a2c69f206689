/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes are introduced by the kernel side with their first socket event, while they live.
 * This program runs itself as the process that is watched: test_process child PORT WORDS...
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stand.h"

static int listener;
static uint16_t port;

struct name {
	uint32_t pid;
	const char *comm;
};

static bool is_named(const void *record, const void *arg)
{
	const struct hs_ev_process *process = record;
	const struct name *name = arg;

	return process->pid == name->pid && (!name->comm || !strcmp(process->comm, name->comm));
}

static bool is_of_pid(const void *record, const void *pid)
{
	return ((const struct hs_ev_connection *)record)->socket.pid == *(const uint32_t *)pid;
}

/* ---- the child ---- */

/* Its parent closes the pipe on standard input when it may end. */
static int child_main(int argc, char **argv)
{
	char again[] = "again", byte;
	int fd = connect_to(&v4, atoi(argv[2]));

	close(fd);
	if (argc > 3 && !strcmp(argv[3], "exec"))
		execl("/proc/self/exe", "second-name", "child", argv[2], again, NULL);
	return read(0, &byte, 1) != 0;
}

static pid_t spawn(const char *program, char *const *args, int *keep)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[0], 0);
		close(fds[0]);
		close(fds[1]);
		execv(program, args);
		_exit(127);
	}
	close(fds[0]);
	*keep = fds[1];
	return pid;
}

static void end(pid_t pid, int keep)
{
	int status;

	close(keep);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void begin(void)
{
	watch("connection,accept");
	listener = listen_on(&v4, &port, 64);
}

/* ---- what is told ---- */

static void check_start(uint64_t start_ns, pid_t pid)
{
	char path[64], text[1024], *after;
	unsigned long long ticks = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	after = strrchr(text, ')');
	assert_int_equal(sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
				"%*d %*d %*d %llu", &ticks), 1);
	assert_int_equal(start_ns / (SEC / sysconf(_SC_CLK_TCK)), ticks);
}

/* The cgroup's components, leaf first, must be one of the lines of /proc/PID/cgroup. */
static void check_cgroup(const struct hs_ev_process *process, pid_t pid)
{
	const char *part = process->text + process->exe_len + process->args_len;
	const char *stop = part + process->cgroup_len;
	char path[1024] = "", next[1024], file_name[64], line[1024];
	bool found = false;
	FILE *file;

	for (; part < stop; part += strlen(part) + 1) {
		snprintf(next, sizeof(next), "/%s%s", part, path);
		strcpy(path, next);
	}
	snprintf(file_name, sizeof(file_name), "/proc/%d/cgroup", pid);
	file = fopen(file_name, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *at = strchr(strchr(line, ':') + 1, ':') + 1;

		at[strcspn(at, "\n")] = '\0';
		found |= !strcmp(at, *path ? path : "/");
	}
	fclose(file);
	if (!found)
		fail_msg("no cgroup %s", path);
}

static void all_of_it(void **state)
{
	char number[8], exe[256], hostname[HS_HOSTNAME_LEN] = "", want[512];
	char *args[] = { "first name", "child", number, "", "last word", NULL };
	const struct hs_ev_process *process;
	const struct hs_ev_connection *opened;
	struct name name;
	size_t length = 0;
	int keep;

	(void)state;
	begin();
	snprintf(number, sizeof(number), "%u", port);
	name = (struct name){ .pid = spawn("/proc/self/exe", args, &keep) };
	process = await_record(HS_EV_PROCESS, is_named, &name);
	opened = await_record(HS_EV_CONNECTION, is_of_pid, &name.pid);
	assert_true(process->event.time_ns <= opened->socket.event.time_ns);
	assert_int_equal(process->parent_pid, getpid());
	assert_string_equal(process->comm, "exe"); /* the name it was started by, /proc/self/exe */

	exe[readlink("/proc/self/exe", exe, sizeof(exe) - 1)] = '\0';
	assert_string_equal(process->text, strrchr(exe, '/') + 1);
	assert_int_equal(process->exe_len, strlen(process->text) + 1);
	for (int i = 0; args[i]; i++) {
		strcpy(want + length, args[i]);
		length += strlen(args[i]) + 1;
	}
	assert_int_equal(process->args_len, length);
	assert_memory_equal(process->text + process->exe_len, want, length);
	gethostname(hostname, sizeof(hostname) - 1);
	assert_string_equal(process->hostname, hostname);
	check_start(process->start_ns, name.pid);
	check_cgroup(process, name.pid);
	assert_true(process->cgroup_id > 0);
	end(name.pid, keep);
	close(listener);
}

struct tally {
	uint32_t pid;
	unsigned count;
};

static bool add_up(const void *record, const void *arg)
{
	struct tally *tally = (struct tally *)arg;

	tally->count += ((const struct hs_ev_process *)record)->pid == tally->pid;
	return false;
}

static unsigned introduced(uint32_t pid)
{
	struct tally tally = { .pid = pid };

	find_record(HS_EV_PROCESS, add_up, &tally);
	return tally.count;
}

static bool introduced_twice(const void *pid)
{
	return introduced(*(const uint32_t *)pid) >= 2;
}

static void once_however_much_it_does(void **state)
{
	uint64_t cookie = 0;

	(void)state;
	begin();
	for (int i = 0; i < 20; i++) {
		int fd = connect_to(&v4, port);

		cookie = cookie_of(fd);
		close(fd);
	}
	await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(introduced(getpid()), 1);
	close(listener);
}

/* exec in the same pid is somebody else. */
static void again_after_exec(void **state)
{
	char number[8], *args[] = { "first", "child", number, "exec", NULL };
	const struct hs_ev_process *process;
	struct name name;
	int keep;

	(void)state;
	begin();
	snprintf(number, sizeof(number), "%u", port);
	name.pid = spawn("/proc/self/exe", args, &keep);
	name.comm = NULL;
	process = await_record(HS_EV_PROCESS, is_named, &name);
	assert_string_equal(process->text + process->exe_len, "first");
	wait_until(introduced_twice, &name.pid);
	end(name.pid, keep);
	assert_int_equal(introduced(name.pid), 2);
	close(listener);
}

static void long_arguments_are_cut(void **state)
{
	static char word[3000];
	char number[8], *args[] = { "long", "child", number, word, NULL };
	const struct hs_ev_process *process;
	struct name name;
	int keep;

	(void)state;
	begin();
	memset(word, 'w', sizeof(word) - 1);
	snprintf(number, sizeof(number), "%u", port);
	name = (struct name){ .pid = spawn("/proc/self/exe", args, &keep) };
	process = await_record(HS_EV_PROCESS, is_named, &name);
	assert_in_range(process->args_len, HS_ARGS_LEN - 1, HS_ARGS_LEN);
	assert_memory_equal(process->text + process->exe_len, "long\0child", 11);
	assert_int_equal(process->text[process->exe_len + process->args_len - 1], 'w');
	end(name.pid, keep);
	close(listener);
}

/* Gone before anybody could look it up. */
static void short_lived(void **state)
{
	const struct hs_ev_process *process;
	struct name name;
	int status;

	(void)state;
	begin();
	name.pid = fork();
	name.comm = "so short";
	if (!name.pid) {
		prctl(PR_SET_NAME, "so short");
		_exit(try_connect(make_socket(&v4), &v4, port));
	}
	assert_int_equal(waitpid(name.pid, &status, 0), name.pid);
	process = await_record(HS_EV_PROCESS, is_named, &name);
	assert_int_equal(process->parent_pid, getpid());
	close(listener);
}

/* A closing socket whose last reference a kernel worker drops has no process that closed it. */
static void kernel_threads_close_nothing(void **state)
{
	const struct hs_ev_connection *record;
	uint64_t cookie;
	int pipe_fds[2], status;
	pid_t pid;

	(void)state;
	begin();
	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (!pid) { /* the socket ends in a cycle of unix sockets: collected by the kernel */
		char control[CMSG_SPACE(2 * sizeof(int))] = "", byte = 'x';
		struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
		struct msghdr message = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
		};
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		int fds[2], sent[2] = { connect_to(&v4, port) };

		cookie = cookie_of(sent[0]);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
			_exit(1);
		sent[1] = fds[1];
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(sent));
		memcpy(CMSG_DATA(header), sent, sizeof(sent));
		if (sendmsg(fds[0], &message, 0) != 1 || write(pipe_fds[1], &cookie, sizeof(cookie)) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(pipe_fds[0], &cookie, sizeof(cookie)), sizeof(cookie));
	/* Whatever makes the kernel look for garbage: more unix sockets that close. */
	for (int i = 0; i < 10; i++) {
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		close(fds[0]);
		close(fds[1]);
	}
	close(listener); /* with the child unaccepted: the connection is reset, if it lives still */
	record = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record->socket.pid, pid);
	assert_true(!record->closer_pid || record->closer_pid == (uint32_t)pid);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(all_of_it, unwatch),
		cmocka_unit_test_teardown(once_however_much_it_does, unwatch),
		cmocka_unit_test_teardown(again_after_exec, unwatch),
		cmocka_unit_test_teardown(long_arguments_are_cut, unwatch),
		cmocka_unit_test_teardown(short_lived, unwatch),
		cmocka_unit_test_teardown(kernel_threads_close_nothing, unwatch),
	};

	if (argc > 2 && !strcmp(argv[1], "child"))
		return child_main(argc, argv);
	return cmocka_run_group_tests_name("process", tests, own_network, unwatch);
}
