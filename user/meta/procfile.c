/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int read_whole(int fd, char *buffer, size_t size)
{
	size_t used = 0;

	while (used < size - 1) {
		ssize_t got = read(fd, buffer + used, size - 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		used += (size_t)got;
	}
	buffer[used] = '\0';
	return (int)used;
}

int hs_procfile_read(int dir, const char *name, char *buffer, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), len;

	if (fd < 0)
		return -errno;
	len = read_whole(fd, buffer, size);
	close(fd);
	return len;
}

int hs_procfile_link(int dir, const char *name, char *buffer, size_t size)
{
	ssize_t len = readlinkat(dir, name, buffer, size - 1);

	if (len < 0)
		return -errno;
	buffer[len] = '\0';
	return (int)len;
}

FILE *hs_procfile_open(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}
