/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE 1 /* unshare(), gettid() */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "meta/identity.h"
#include "meta/procfs.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ID "1111111111111111aaaaaaaaaaaaaaaa2222222222222222bbbbbbbbbbbbbbbb"
#define UID "0f3c5d6e-1b2a-4c3d-9e8f-a0b1c2d3e4f5"
#define PID 42
#define START_TICKS 123456789
#define BYTES(s) s, sizeof(s) /* with the NUL that ends them */

/* A record of a process, read and found to be in order. */
struct reading {
	union {
		struct hs_ev_process event;
		char bytes[HS_PROCFS_RECORD_MAX];
	};
	struct hs_process_facts facts;
	struct hs_identity identity;
};

static void read_process(const char *proc_root, uint32_t pid, struct reading *reading)
{
	int size;

	memset(reading, 0xa5, sizeof(*reading));
	size = hs_procfs_process(proc_root, pid, 99, reading->bytes, sizeof(reading->bytes));
	if (size < 0)
		fail_msg("pid %u: %s", pid, strerror(-size));
	assert_int_equal(reading->event.event.size, size);
	assert_int_equal(size % 8, 0);
	assert_int_equal(reading->event.event.kind, HS_EV_PROCESS);
	assert_int_equal(reading->event.event.time_ns, 99);
	assert_int_equal(reading->event.pid, pid);
	assert_true(hs_process_facts(&reading->event, &reading->facts));
	for (const char *pad = reading->facts.cgroup + reading->facts.cgroup_len;
	     pad < reading->bytes + size; pad++)
		assert_int_equal(*pad, 0);
	hs_identify(&reading->facts, NULL, &reading->identity);
}

/* ---- a made-up tree ---- */

static char root[] = "/tmp/hs-test-proc-XXXXXX";

static char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%d/%s", root, PID, name);
	return path;
}

static void put_bytes(const char *name, const char *data, size_t len)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	fclose(file);
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static void put_link(const char *name, const char *target)
{
	unlink(path_of(name));
	assert_int_equal(symlink(target, path_of(name)), 0);
}

static void put_stat(const char *comm)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%d (%s) S 17 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %d 1000 200 1 2\n",
		 PID, comm, START_TICKS);
	put("stat", text);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int fake_make(void **state)
{
	static const char *const directories[] = { "", "ns", "root", "root/etc" };

	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		assert_int_equal(mkdir(path_of(directories[i]), 0755), 0);
	put_stat("app");
	put("status", "Name:\tapp\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nNgid:\t0\n");
	put_bytes("cmdline", BYTES("app\0-x"));
	put("cgroup", "0::/system.slice/app.service\n");
	put_bytes("environ", BYTES("PATH=/bin\0HOSTNAME=web-0\0X=1"));
	put_link("exe", "/usr/bin/app");
	put_link("ns/uts", "uts:[1]");
	put("root/etc/hostname", "from-file\n");
	return 0;
}

static int fake_remove(void **state)
{
	(void)state;
	return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void reads_all_fields(void **state)
{
	struct reading reading;

	(void)state;
	read_process(root, PID, &reading);
	assert_string_equal(reading.event.comm, "app");
	assert_int_equal(reading.event.parent_pid, 17);
	assert_int_equal(reading.event.start_ns,
			 START_TICKS * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK)));
	assert_int_equal(reading.event.cgroup_id, 0);
	assert_string_equal(reading.event.hostname, "web-0");
	assert_string_equal(reading.facts.exe, "/usr/bin/app");
	assert_int_equal(reading.event.args_len, 7);
	assert_memory_equal(reading.facts.args, "app\0-x", 7);
	assert_int_equal(reading.event.cgroup_len, 25);
	assert_memory_equal(reading.facts.cgroup, "app.service\0system.slice", 25);
	assert_string_equal(reading.identity.name, "app");
}

static void comm_may_hold_anything(void **state)
{
	static const struct {
		const char *comm, *want;
	} comms[] = {
		{ "a) S 1 (b", "a) S 1 (b" },
		{ "", "" },
		{ "((", "((" },
		{ "))", "))" },
		{ "a b\nc", "a b\nc" },
		{ "kworker/u16:3-events_unbound", "kworker/u16:3-e" },
	};
	struct reading reading;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(comms); i++) {
		put_stat(comms[i].comm);
		read_process(root, PID, &reading);
		assert_string_equal(reading.event.comm, comms[i].want);
		assert_int_equal(reading.event.parent_pid, 17);
	}
}

static int result(uint32_t pid)
{
	char buffer[HS_PROCFS_RECORD_MAX];

	return hs_procfs_process(root, pid, 0, buffer, sizeof(buffer));
}

static void malformed_stat_is_an_error(void **state)
{
	static const char *const texts[] = {
		"", "42", "42 (a", "42 a)", ")(", "42 (a)", "42 (a)S",
	};
	struct reading reading;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		put("stat", texts[i]);
		assert_int_equal(result(PID), -EBADMSG);
	}
	put("stat", "42 (a) S");
	read_process(root, PID, &reading);
	assert_int_equal(reading.event.start_ns, 0);
}

static void no_such_process(void **state)
{
	(void)state;
	assert_int_equal(result(43), -ESRCH);
	put("status", "Name:\tapp\nTgid:\t41\n"); /* a thread of another process */
	assert_int_equal(result(PID), -ESRCH);
	unlink(path_of("status"));
	assert_int_equal(result(PID), -ESRCH);
	unlink(path_of("stat"));
	assert_int_equal(result(PID), -ESRCH);
}

static void no_permission(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(seteuid(65534), 0); /* the tree is root's, mode 0700 */
	assert_int_equal(result(PID), -EACCES);
	assert_int_equal(seteuid(0), 0);
}

static void proc_root_too_long(void **state)
{
	char longest[5000], buffer[HS_PROCFS_RECORD_MAX];

	(void)state;
	memset(longest, '/', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(hs_procfs_process(longest, 1, 0, buffer, sizeof(buffer)), -ENAMETOOLONG);
}

static void small_buffer(void **state)
{
	char buffer[HS_PROCFS_RECORD_MAX];
	int size = hs_procfs_process(root, PID, 0, buffer, sizeof(buffer));
	char *exact = malloc((size_t)size);

	(void)state;
	assert_int_equal(hs_procfs_process(root, PID, 0, exact, (size_t)size), size);
	assert_int_equal(hs_procfs_process(root, PID, 0, exact, (size_t)size - 1), -ENOSPC);
	free(exact);
}

/* Kernel threads and zombies have neither executable nor arguments. */
static void reads_what_there_is(void **state)
{
	static const char *const gone[] = { "exe", "cmdline", "cgroup", "environ", "ns/uts" };
	struct reading reading;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		unlink(path_of(gone[i]));
	unlink(path_of("root/etc/hostname"));
	read_process(root, PID, &reading);
	assert_int_equal(reading.event.event.size, sizeof(reading.event));
	assert_string_equal(reading.event.hostname, "");
	assert_string_equal(reading.identity.name, "app");
}

static void long_paths_keep_their_end(void **state)
{
	static const struct {
		const char *exe, *want;
	} paths[] = {
		{ "/opt/0123456789/0123456789/0123456789/0123456789/0123456789/app",
		  "/opt/0123456789/0123456789/0123456789/0123456789/0123456789/app" },
		{ "/opt/0123456789/0123456789/0123456789/0123456789/0123456789/appl", "appl" },
		{ "/opt/0123456789/0123456789/0123456789/0123456789/0123456789/a (deleted)", "a" },
		{ "/app (deleted)", "/app (deleted)" },
		{ "/0123456789012345678901234567890123456789012345678901234567890123456789",
		  "012345678901234567890123456789012345678901234567890123456789012" },
	};
	struct reading reading;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		put_link("exe", paths[i].exe);
		read_process(root, PID, &reading);
		assert_string_equal(reading.facts.exe, paths[i].want);
	}
}

/* Of all lengths around the limit: cut, and then without a NUL. */
static void long_arguments_are_cut(void **state)
{
	char text[HS_PROCFS_ARGS_LEN + 10];
	struct reading reading;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t len = HS_PROCFS_ARGS_LEN - 2; len < sizeof(text); len++) {
		text[len - 1] = '\0';
		put_bytes("cmdline", text, len);
		read_process(root, PID, &reading);
		assert_int_equal(reading.facts.args_len, len < HS_PROCFS_ARGS_LEN ? len : HS_PROCFS_ARGS_LEN);
		assert_memory_equal(reading.facts.args, text, reading.facts.args_len);
		text[len - 1] = 'a';
	}
	put("cmdline", "a title");
	read_process(root, PID, &reading);
	assert_int_equal(reading.facts.args_len, 8);
	assert_memory_equal(reading.facts.args, "a title", 8);
}

static const struct {
	const char *lines;
	const char *leaf; /* of the line that wins */
} cgroups[] = {
	{ "0::/a/b\n", "b" },
	{ "0::/a/b", "b" },
	{ "0::/\n", NULL },
	{ "", NULL },
	{ "\n\n", NULL },
	{ ":::::\n::\n", ":::" },
	{ "nonsense\n", NULL },
	{ "0::/system.slice/x.service (deleted)\n", "x.service" },
	{ "0::/a:b/c:d\n", "c:d" },
	{ "2:cpu:/a\n1:name=systemd:/b\n0::/c\n", "c" },
	{ "0::/\n2:cpu:/a\n1:name=systemd:/b\n", "b" },
	{ "2:cpu:/docker/" ID "\n1:name=systemd:/system.slice/x.service\n0::/y.service\n", ID },
	{ "1:name=systemd:/system.slice/x.service\n0::/y.service\n", "y.service" },
	{ "3:cpu:/\n1:name=systemd:/system.slice/x.service\n0::/\n", "x.service" },
	{ "3:cpu:/docker/" ID "\n2:pids:/kubepods/pod" UID "/" ID "/sub\n0::/\n", "sub" },
	{ "3:cpu:/kubepods/pod" UID "\n2:pids:/docker/" ID "\n", ID },
};

static void best_cgroup_wins(void **state)
{
	struct reading reading;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cgroups); i++) {
		put("cgroup", cgroups[i].lines);
		read_process(root, PID, &reading);
		if (!cgroups[i].leaf)
			assert_int_equal(reading.facts.cgroup_len, 0);
		else
			assert_string_equal(reading.facts.cgroup, cgroups[i].leaf);
	}
}

/* Whole components, from the leaf on. */
static void long_cgroups_lose_their_root(void **state)
{
	char text[5000] = "0::";
	struct reading reading;

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(text, "/0123456789012345678901234567890123456789");
	strcat(text, "/leaf\n");
	put("cgroup", text);
	read_process(root, PID, &reading);
	assert_string_equal(reading.facts.cgroup, "leaf");
	assert_int_equal(reading.facts.cgroup_len, 5 + 41 * ((HS_CGROUP_LEN - 5) / 41));
	memset(text + 3, 'x', 600);
	put("cgroup", text);
	read_process(root, PID, &reading);
	assert_string_equal(reading.facts.cgroup, "leaf");
}

/* All texts as long as they can be fill the longest record. */
static void longest_record(void **state)
{
	char text[HS_PROCFS_ARGS_LEN + 100];
	struct reading reading;

	(void)state;
	memset(text, 'a', sizeof(text));
	put_bytes("cmdline", text, sizeof(text));
	memcpy(text, "0::/", 4);
	text[4 + HS_CGROUP_LEN - 1] = '\0';
	put("cgroup", text);
	text[HS_EXE_LEN - 1] = '\0';
	put_link("exe", text);
	read_process(root, PID, &reading);
	assert_int_equal(reading.event.event.size, HS_PROCFS_RECORD_MAX);
}

static void hostname_is(const char *want)
{
	struct reading reading;

	read_process(root, PID, &reading);
	assert_string_equal(reading.event.hostname, want);
}

static void hostname_of_our_namespace(void **state)
{
	char target[64] = "";
	struct utsname name;

	(void)state;
	assert_true(readlink("/proc/self/ns/uts", target, sizeof(target) - 1) > 0);
	uname(&name);
	name.nodename[HS_HOSTNAME_LEN - 1] = '\0';
	put_link("ns/uts", target);
	hostname_is(name.nodename);
}

static void hostname_of_the_environment(void **state)
{
	char text[200] = "HOSTNAME=";

	(void)state;
	put_bytes("environ", BYTES("XHOSTNAME=a\0HOSTNAMES=b\0HOSTNAME=c\0HOSTNAME=d"));
	hostname_is("c");
	put("environ", "HOSTNAME=unended");
	hostname_is("unended");
	memset(text + 9, 'h', 100);
	put("environ", text);
	text[9 + HS_HOSTNAME_LEN - 1] = '\0';
	hostname_is(text + 9);
}

/* Without openat2() (a kernel before 5.6, valgrind) the file is not read. */
static void skip_without_openat2(void)
{
	if (syscall(SYS_openat2, -1, NULL, NULL, 0) < 0 && errno == ENOSYS)
		skip();
}

static void hostname_of_the_file(void **state)
{
	(void)state;
	skip_without_openat2();
	put_bytes("environ", BYTES("HOSTNAME=\0X="));
	hostname_is("from-file");
	put("root/etc/hostname", "bare");
	hostname_is("bare");
	put("root/etc/hostname", "  \n");
	hostname_is("");
	put("root/etc/hostname", "");
	hostname_is("");
}

/* The container writes its own root: no way out, nothing that blocks. */
static void hostname_file_is_not_trusted(void **state)
{
	char outside[512];

	(void)state;
	skip_without_openat2();
	put("environ", "");
	put("root/real", "inside\n");
	put("secret", "outside\n");
	put_link("root/etc/hostname", "/real");
	hostname_is("inside");
	put_link("root/etc/hostname", "../../../../../real");
	hostname_is("inside");
	snprintf(outside, sizeof(outside), "%s", path_of("secret"));
	put_link("root/etc/hostname", outside);
	hostname_is("");
	put_link("root/etc/hostname", "../../secret");
	hostname_is("");
	unlink(path_of("root/etc/hostname"));
	assert_int_equal(mkfifo(path_of("root/etc/hostname"), 0600), 0);
	hostname_is("");
	unlink(path_of("root/etc/hostname"));
	assert_int_equal(mkdir(path_of("root/etc/hostname"), 0700), 0);
	hostname_is("");
}

/* A huge environment is not read to its end. */
static void environment_is_bounded(void **state)
{
	FILE *file = fopen(path_of("environ"), "w");

	(void)state;
	put("root/etc/hostname", "");
	for (int i = 0; i < 300 * 1024; i++)
		fputc(i % 16 ? 'x' : '\0', file);
	fputs("HOSTNAME=late", file);
	fclose(file);
	hostname_is("");
}

/* ---- real processes ---- */

/* Forks; the child runs body and then sleeps, or executes. Returns when it has. */
static pid_t child_start(void (*body)(void))
{
	int done[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body();
		close(done[0]);
		close(done[1]);
		for (;;)
			pause();
	}
	close(done[1]);
	assert_int_equal(read(done[0], &byte, 1), 0);
	close(done[0]);
	return pid;
}

static void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void reads_itself(void **state)
{
	struct reading reading;
	struct timespec now;
	struct utsname name;
	char comm[17] = "", exe[512] = "";
	int dir;

	(void)state;
	read_process("/proc", (uint32_t)getpid(), &reading);
	prctl(PR_GET_NAME, comm);
	assert_string_equal(reading.event.comm, comm);
	assert_int_equal(reading.event.parent_pid, getppid());
	clock_gettime(CLOCK_BOOTTIME, &now);
	assert_in_range(reading.event.start_ns, 1, (uint64_t)(now.tv_sec + 1) * 1000000000ull);
	dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
	assert_true(readlinkat(dir, "exe", exe, sizeof(exe) - 1) > 0);
	close(dir);
	assert_string_equal(strrchr(exe, '/') + 1, reading.identity.executable);
	uname(&name);
	assert_memory_equal(reading.event.hostname, name.nodename,
			    strnlen(name.nodename, HS_HOSTNAME_LEN - 1));
}

static void become_sleep(void)
{
	char *const argv[] = { "python3: worker process", "30", NULL };

	execv("/bin/sleep", argv);
	_exit(1);
}

static void argv_does_not_disturb(void **state)
{
	struct reading reading;
	pid_t pid = child_start(become_sleep);

	(void)state;
	read_process("/proc", (uint32_t)pid, &reading);
	child_end(pid);
	assert_int_equal(reading.event.parent_pid, getpid());
	assert_string_equal(reading.event.comm, "sleep");
	assert_string_equal(reading.facts.args, "python3: worker process");
	assert_string_equal(reading.identity.executable, "sleep");
}

static void become_script(void)
{
	char *const argv[] = { "sh", "-eu", path_of("run.sh"), "x", NULL };

	execv("/bin/sh", argv);
	_exit(1);
}

static void script_of_a_shell(void **state)
{
	struct reading reading;
	pid_t pid;

	(void)state;
	put("run.sh", "read line < \"${0%.sh}.fifo\"\n"); /* waits for ever */
	assert_int_equal(mkfifo(path_of("run.fifo"), 0600), 0);
	pid = child_start(become_script);
	read_process("/proc", (uint32_t)pid, &reading);
	child_end(pid);
	assert_string_equal(reading.identity.executable, "run.sh");
}

static void rename_itself(void)
{
	prctl(PR_SET_NAME, "a) R 1 (\nb");
}

static void comm_of_a_child(void **state)
{
	struct reading reading;
	pid_t pid = child_start(rename_itself);

	(void)state;
	read_process("/proc", (uint32_t)pid, &reading);
	child_end(pid);
	assert_string_equal(reading.event.comm, "a) R 1 (\nb");
	assert_int_equal(reading.event.parent_pid, getpid());
}

static void become_host(void)
{
	char *const argv[] = { "sleep", "30", NULL };
	char *const envp[] = { "PATH=/bin", "HOSTNAME=web-0", NULL };

	if (unshare(CLONE_NEWUTS) || sethostname("web-0", 5))
		_exit(1);
	execve("/bin/sleep", argv, envp);
	_exit(1);
}

static void hostname_of_a_namespace(void **state)
{
	struct reading reading;
	pid_t pid;

	(void)state;
	if (geteuid())
		skip();
	pid = child_start(become_host);
	if (waitpid(pid, NULL, WNOHANG) == pid)
		skip();
	read_process("/proc", (uint32_t)pid, &reading);
	child_end(pid);
	assert_string_equal(reading.event.hostname, "web-0");
}

static void do_nothing(void)
{
}

static void zombie(void **state)
{
	struct reading reading;
	siginfo_t info;
	pid_t pid = child_start(do_nothing);

	(void)state;
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	read_process("/proc", (uint32_t)pid, &reading);
	assert_string_equal(reading.facts.exe, "");
	assert_int_equal(reading.facts.args_len, 0);
	assert_true(reading.event.comm[0] != '\0');
	waitpid(pid, NULL, 0);
	assert_int_equal(hs_procfs_process("/proc", (uint32_t)pid, 0, reading.bytes,
					   sizeof(reading.bytes)),
			 -ESRCH);
}

static void *thread_result(void *result_out)
{
	char buffer[HS_PROCFS_RECORD_MAX];

	*(int *)result_out = hs_procfs_process("/proc", (uint32_t)gettid(), 0, buffer,
					       sizeof(buffer));
	return NULL;
}

static void thread_is_no_process(void **state)
{
	pthread_t thread;
	int err = 0;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, thread_result, &err), 0);
	pthread_join(thread, NULL);
	assert_int_equal(err, -ESRCH);
}

static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void leaks_no_descriptor(void **state)
{
	int before = open_files();

	(void)state;
	for (int i = 0; i < 3; i++)
		result(PID);
	put("environ", "");
	result(PID);
	put("stat", "");
	result(PID);
	result(PID + 1);
	assert_int_equal(open_files(), before);
}

#define FAKE(test) cmocka_unit_test_setup_teardown(test, fake_make, fake_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(reads_all_fields),
		FAKE(comm_may_hold_anything),
		FAKE(malformed_stat_is_an_error),
		FAKE(no_such_process),
		FAKE(no_permission),
		cmocka_unit_test(proc_root_too_long),
		FAKE(small_buffer),
		FAKE(reads_what_there_is),
		FAKE(long_paths_keep_their_end),
		FAKE(long_arguments_are_cut),
		FAKE(best_cgroup_wins),
		FAKE(long_cgroups_lose_their_root),
		FAKE(longest_record),
		FAKE(hostname_of_our_namespace),
		FAKE(hostname_of_the_environment),
		FAKE(hostname_of_the_file),
		FAKE(hostname_file_is_not_trusted),
		FAKE(environment_is_bounded),
		FAKE(leaks_no_descriptor),
		cmocka_unit_test(reads_itself),
		cmocka_unit_test(argv_does_not_disturb),
		FAKE(script_of_a_shell),
		cmocka_unit_test(comm_of_a_child),
		cmocka_unit_test(hostname_of_a_namespace),
		cmocka_unit_test(zombie),
		cmocka_unit_test(thread_is_no_process),
	};

	return cmocka_run_group_tests_name("procfs", tests, NULL, NULL);
}
