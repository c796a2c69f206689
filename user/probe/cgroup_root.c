// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/cgroup_root.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>

void hs_cgroup_root(char *path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;

	path[0] = '\0';
	while (mounts && (mount = getmntent(mounts)))
		if (!path[0] && !strcmp(mount->mnt_type, "cgroup2"))
			snprintf(path, size, "%s", mount->mnt_dir);
	if (mounts)
		endmntent(mounts);
}
