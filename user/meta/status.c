/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "meta/procfile.h"

/* What follows KEY at the beginning of a line; NULL where there is none. */
static const char *field(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, key, length))
			return text + length + strspn(text + length, " \t");
	}
	return NULL;
}

static uint32_t number(const char *text)
{
	unsigned long long value = text ? strtoull(text, NULL, 10) : 0;

	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* "Name:\tNAME\n…State:\tS (sleeping)\nTgid:\t…", proc_pid_status(5); a name has no bare newline. */
static int read_status(int dir, uint32_t pid, struct hs_ev_status *status)
{
	char text[4096];
	const char *state;
	int len = hs_procfile_read(dir, "status", text, sizeof(text));

	if (len < 0)
		return len == -ENOENT ? -ESRCH : len;
	state = field(text, "State:");
	if (!state)
		return -EBADMSG;
	if (field(text, "Tgid:") && number(field(text, "Tgid:")) != pid)
		return -ESRCH;
	if (*state >= 'A' && *state <= 'z')
		status->state = (uint8_t)*state;
	status->threads = number(field(text, "Threads:"));
	return 0;
}

/* The soft limit: "Max open files            1024                 4096                 files" */
static void read_limit(int dir, struct hs_ev_status *status)
{
	char text[4096];
	const char *limit;

	if (hs_procfile_read(dir, "limits", text, sizeof(text)) < 0)
		return;
	limit = field(text, "Max open files");
	status->fd_limit = limit && !strncmp(limit, "unlimited", 9) ? UINT32_MAX : number(limit);
}

/* Since 6.2 the directory's size is their number; before, it was 0. */
static uint32_t told_by_procfs(int fd)
{
	struct statfs system;
	struct stat file;

	if (fstatfs(fd, &system) || system.f_type != PROC_SUPER_MAGIC || fstat(fd, &file))
		return 0;
	return file.st_size > UINT32_MAX ? UINT32_MAX : (uint32_t)file.st_size;
}

static uint32_t count_fds(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *entries = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	uint32_t count = 0;

	if (copy >= 0 && !entries)
		close(copy);
	while (entries && (entry = readdir(entries)))
		count += entry->d_name[0] != '.';
	if (entries)
		closedir(entries);
	return count;
}

static void read_fds(int dir, struct hs_ev_status *status)
{
	int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	status->fds = told_by_procfs(fd);
	if (!status->fds)
		status->fds = count_fds(fd);
	close(fd);
}

int hs_status_read(const char *proc_root, uint32_t pid, uint64_t time_ns, struct hs_ev_status *status)
{
	struct hs_ev_status record = {
		.event = { .kind = HS_EV_STATUS, .size = sizeof(record), .time_ns = time_ns },
		.pid = pid,
	};
	char path[PATH_MAX];
	int dir, err;

	if (snprintf(path, sizeof(path), "%s/%u", proc_root, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = read_status(dir, pid, &record);
	if (!err) {
		read_limit(dir, &record);
		read_fds(dir, &record);
		*status = record;
	}
	close(dir);
	return err;
}
