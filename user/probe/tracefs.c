// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/tracefs.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

static const char *mounted(void)
{
	struct statfs fs;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (!statfs(places[i], &fs) && fs.f_type == TRACEFS_MAGIC)
			return places[i];
	return NULL;
}

static int read_id(const char *root, const char *event)
{
	char path[256];
	int id = -1;
	FILE *file;

	snprintf(path, sizeof(path), "%s/events/%s/id", root, event);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%d", &id) != 1)
		id = -1;
	fclose(file);
	return id;
}

/* In the child: its mount namespace dies with it. Exits with errno. */
static void child(const char *const *events, size_t count, int out)
{
	const char *root = "/sys/kernel/tracing";

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tracefs", root, "tracefs", MS_RDONLY, NULL))
		_exit(errno);
	for (size_t i = 0; i < count; i++) {
		int id = read_id(root, events[i]);

		if (write(out, &id, sizeof(id)) != sizeof(id))
			_exit(EIO);
	}
	_exit(0);
}

static const char *ask_child(const char *const *events, int *ids, size_t count)
{
	ssize_t wanted = count * sizeof(*ids);
	int fds[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe(fds))
		return NULL;
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return NULL;
	}
	if (!pid)
		child(events, count, fds[1]);
	close(fds[1]);
	if (waitpid(pid, &status, 0) != pid) /* the ids fit into the pipe: it does not block */
		status = EIO << 8;
	got = read(fds[0], ids, wanted);
	close(fds[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) || got != wanted) {
		errno = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EIO;
		return NULL;
	}
	return "private mount";
}

const char *hs_tracefs_event_ids(const char *const *events, int *ids, size_t count)
{
	const char *root = mounted();

	if (!root)
		return ask_child(events, ids, count);
	for (size_t i = 0; i < count; i++)
		ids[i] = read_id(root, events[i]);
	return "mounted";
}
