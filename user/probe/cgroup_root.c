// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/cgroup_root.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ROOT_INODE 1 /* of kernfs, and so of cgroup v2: fs/kernfs/dir.c */

static bool is_root(const char *path)
{
	struct stat directory;

	return !stat(path, &directory) && directory.st_ino == ROOT_INODE;
}

bool hs_cgroup_root(char *path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	bool found = false;

	path[0] = '\0';
	while (mounts && !found && (mount = getmntent(mounts))) {
		if (strcmp(mount->mnt_type, "cgroup2"))
			continue;
		found = is_root(mount->mnt_dir);
		if (found || !path[0])
			snprintf(path, size, "%s", mount->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}
