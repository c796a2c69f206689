// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/node.h"

#include <stdlib.h>
#include <sys/utsname.h>

const char *hs_node_name(void)
{
	static struct utsname uts;
	const char *given = getenv("NODE_NAME");

	if (given && *given)
		return given;
	return uname(&uts) ? "" : uts.nodename;
}
