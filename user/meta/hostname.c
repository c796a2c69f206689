/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE 1 /* O_PATH */
#include "meta/hostname.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "meta/procfile.h"
#include "meta/text.h"

#define ENVIRON_MAX (256 * 1024) /* bytes; a process may have megabytes of it, to keep us busy */

static bool is_ours(int process_dir)
{
	char ours[64], theirs[64];

	return hs_procfile_link(AT_FDCWD, "/proc/self/ns/uts", ours, sizeof(ours)) > 0 &&
	       hs_procfile_link(process_dir, "ns/uts", theirs, sizeof(theirs)) > 0 &&
	       !strcmp(ours, theirs);
}

static void hostname_set(struct hs_text text, char *hostname, size_t size)
{
	text = hs_text_first(text, size - 1);
	memcpy(hostname, text.data, text.len);
	hostname[text.len] = '\0';
}

static void from_uname(char *hostname, size_t size)
{
	struct utsname name;

	if (!uname(&name))
		hostname_set(hs_text_of(name.nodename), hostname, size);
}

static void from_environment(int process_dir, char *hostname, size_t size)
{
	FILE *file = hs_procfile_open(process_dir, "environ");
	char *line = NULL;
	size_t room = 0, total = 0;
	ssize_t len;

	if (!file)
		return;
	while (!hostname[0] && total < ENVIRON_MAX && (len = getdelim(&line, &room, 0, file)) > 0) {
		struct hs_text value = hs_text_skip(hs_text_of(line), "HOSTNAME=");

		if (value.data != line)
			hostname_set(value, hostname, size);
		total += (size_t)len;
	}
	free(line);
	fclose(file);
}

/*
 * The file system is the container's: a link in it must not lead out into ours, and what is
 * opened must be a plain file, or reading it could wait for ever.
 */
static int open_in_root(int process_dir, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int root = openat(process_dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

static void from_file(int process_dir, char *hostname, size_t size)
{
	int path = open_in_root(process_dir, "etc/hostname"), len;
	char self[64], text[256];
	struct stat st;

	if (path < 0)
		return;
	if (!fstat(path, &st) && S_ISREG(st.st_mode)) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
		len = hs_procfile_read(AT_FDCWD, self, text, sizeof(text));
		if (len > 0)
			hostname_set(hs_text_bytes(text, strcspn(text, " \t\r\n")), hostname, size);
	}
	close(path);
}

void hs_procfs_hostname(int process_dir, char *hostname, size_t size)
{
	hostname[0] = '\0';
	if (is_ours(process_dir)) {
		from_uname(hostname, size);
		return;
	}
	from_environment(process_dir, hostname, size);
	if (!hostname[0])
		from_file(process_dir, hostname, size);
}
