/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "meta/cgroup.h"
#include "meta/hostname.h"
#include "meta/procfile.h"
#include "meta/text.h"

#define NS_PER_S 1000000000ull

/* The longest record there can be, under construction. bytes comes first: {0} clears all of it. */
union record {
	char bytes[HS_PROCFS_RECORD_MAX];
	struct hs_ev_process event;
};

static char *texts_end(union record *record)
{
	struct hs_ev_process *event = &record->event;

	return event->text + event->exe_len + event->args_len + event->cgroup_len;
}

/* The number in a field of stat; fields are counted from the state, which is 0. */
static uint64_t stat_number(const char *fields, int index)
{
	while (index-- && *fields) {
		fields += strcspn(fields, " ");
		fields += strspn(fields, " ");
	}
	return strtoull(fields, NULL, 10);
}

/* "PID (COMM) STATE PPID …", proc_pid_stat(5). COMM holds any bytes, parentheses too. */
static int read_stat(int dir, struct hs_ev_process *event)
{
	char text[1024], *open, *close;
	int len = hs_procfile_read(dir, "stat", text, sizeof(text));
	size_t comm_len;

	if (len < 0)
		return len;
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ')
		return -EBADMSG;
	comm_len = (size_t)(close - open - 1);
	if (comm_len > sizeof(event->comm) - 1) /* of kernel workers it may be longer */
		comm_len = sizeof(event->comm) - 1;
	memcpy(event->comm, open + 1, comm_len);
	event->parent_pid = (uint32_t)stat_number(close + 2, 1);
	event->start_ns = stat_number(close + 2, 19) * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}

/* PROC_ROOT/TID opens too, though it is not listed: a pid may have come back as a thread's id. */
static int check_leader(int dir, uint32_t pid)
{
	char text[1024], *tgid;
	int len = hs_procfile_read(dir, "status", text, sizeof(text));

	if (len < 0)
		return len;
	tgid = strstr(text, "\nTgid:");
	if (tgid && strtoul(tgid + strlen("\nTgid:"), NULL, 10) != pid)
		return -ESRCH;
	return 0;
}

/* The path, or its last part when it is too long. Kernel threads have none. */
static void read_exe(int dir, union record *record)
{
	char path[PATH_MAX], *to = texts_end(record);
	int len = hs_procfile_link(dir, "exe", path, sizeof(path));
	struct hs_text exe = hs_text_bytes(path, len > 0 ? (size_t)len : 0);

	if (exe.len >= HS_EXE_LEN)
		exe = hs_text_base(hs_text_without(exe, " (deleted)"));
	exe = hs_text_first(exe, HS_EXE_LEN - 1);
	if (!exe.len)
		return;
	memcpy(to, exe.data, exe.len);
	record->event.exe_len = (uint16_t)(exe.len + 1);
}

/* An argument without its NUL is one that was cut, so a title that has none gets one. */
static void read_args(int dir, union record *record)
{
	char text[HS_PROCFS_ARGS_LEN + 2], *to = texts_end(record);
	int len = hs_procfile_read(dir, "cmdline", text, sizeof(text));
	size_t used = len > 0 ? (size_t)len : 0;

	if (used && used < HS_PROCFS_ARGS_LEN && text[used - 1])
		used++;
	if (used > HS_PROCFS_ARGS_LEN)
		used = HS_PROCFS_ARGS_LEN;
	memcpy(to, text, used);
	record->event.args_len = (uint16_t)used;
}

/* Components leaf first, as many whole ones as there is room for. */
static size_t split_path(struct hs_text path, char *out, size_t size)
{
	size_t used = 0;

	path = hs_text_without(path, " (deleted)");
	while (path.len) {
		struct hs_text leaf = hs_text_after_last(path, '/');

		if (leaf.len >= size - used)
			break;
		path = hs_text_without(hs_text_first(path, path.len - leaf.len), "/");
		if (!leaf.len)
			continue;
		memcpy(out + used, leaf.data, leaf.len);
		used += leaf.len;
		out[used++] = '\0';
	}
	return used;
}

/* How much a line tells; of equal ones v2 wins, then systemd's own hierarchy. */
static int line_score(const char *components, size_t len, struct hs_text controllers)
{
	struct hs_cgroup cgroup;

	hs_cgroup_parse(components, len, &cgroup);
	return 32 * !!cgroup.container_id[0] + 16 * !!cgroup.pod_uid[0] + 8 * !!cgroup.unit[0] +
	       4 * (len > 0) + 2 * !controllers.len + hs_text_is(controllers, "name=systemd");
}

/* "ID:CONTROLLERS:PATH". Keeps it when it tells more than best, and returns the better score. */
static int take_line(struct hs_text line, int best, union record *record)
{
	char components[HS_CGROUP_LEN];
	struct hs_text controllers = hs_text_from(line, hs_text_find(line, ':') + 1);
	struct hs_text path = hs_text_from(controllers, hs_text_find(controllers, ':') + 1);
	size_t len = split_path(path, components, sizeof(components));
	int score;

	controllers = hs_text_first(controllers, hs_text_find(controllers, ':'));
	score = line_score(components, len, controllers);
	if (score <= best)
		return best;
	record->event.cgroup_len = 0;
	memset(texts_end(record), 0, HS_CGROUP_LEN);
	memcpy(texts_end(record), components, len);
	record->event.cgroup_len = (uint16_t)len;
	return score;
}

static int read_cgroup(int dir, union record *record)
{
	FILE *file = hs_procfile_open(dir, "cgroup");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int best = -1, err = 0;

	if (!file && errno == ENOENT) /* the process is gone, or the kernel has no control groups */
		return faccessat(dir, "stat", F_OK, 0) ? -ESRCH : 0;
	if (!file)
		return -errno;
	while ((len = getline(&line, &room, file)) > 0) {
		struct hs_text text = hs_text_bytes(line, (size_t)len);

		best = take_line(hs_text_without(text, "\n"), best, record);
	}
	if (ferror(file))
		err = -errno;
	free(line);
	fclose(file);
	return err;
}

/* The cgroup comes last: a process that ended meanwhile fails it, so no record is half true. */
static int fill(int dir, uint32_t pid, union record *record)
{
	int err = read_stat(dir, &record->event);

	if (!err)
		err = check_leader(dir, pid);
	if (err)
		return err;
	record->event.pid = pid;
	hs_procfs_hostname(dir, record->event.hostname, sizeof(record->event.hostname));
	read_exe(dir, record);
	read_args(dir, record);
	return read_cgroup(dir, record);
}

/* Close the record; the texts are followed by zeroes already. */
static int finish(union record *record, uint64_t time_ns, void *buffer, size_t size)
{
	size_t len = ((size_t)(texts_end(record) - record->bytes) + 7) & ~(size_t)7;

	if (size < len)
		return -ENOSPC;
	record->event.event = (struct hs_event){
		.kind = HS_EV_PROCESS,
		.size = (uint16_t)len,
		.time_ns = time_ns,
	};
	memcpy(buffer, record, len);
	return (int)len;
}

int hs_procfs_process(const char *proc_root, uint32_t pid, uint64_t time_ns, void *buffer,
		      size_t size)
{
	union record record = { 0 };
	char path[PATH_MAX];
	int dir, err;

	if (snprintf(path, sizeof(path), "%s/%u", proc_root, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = dir < 0 ? -errno : fill(dir, pid, &record);
	if (dir >= 0)
		close(dir);
	if (err == -ENOENT)
		return -ESRCH;
	if (err == -EPERM)
		return -EACCES;
	return err ? err : finish(&record, time_ns, buffer, size);
}
