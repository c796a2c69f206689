// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/capability.h"

#include <cap-ng.h>

static const struct {
	unsigned number;
	const char *name, *why;
} wanted[HS_CAPABILITIES] = {
	{ CAP_BPF, "CAP_BPF", "load BPF programs and maps" },
	{ CAP_PERFMON, "CAP_PERFMON", "attach tracing programs and read kernel memory" },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "read executable and files of other users' processes in /proc" },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "read /proc entries of other users" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "attach to the root of cgroup v2: payload, or it is read at every system call; connect and accept without fexit" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
	  "mount tracefs privately where it is not mounted and connect or accept have only syscall tracepoints left; else not needed" },
};

size_t hs_capabilities(struct hs_capability *capabilities)
{
	capng_get_caps_process();
	for (size_t i = 0; i < HS_CAPABILITIES; i++) {
		capabilities[i].name = wanted[i].name;
		capabilities[i].why = wanted[i].why;
		capabilities[i].present = capng_have_capability(CAPNG_EFFECTIVE, wanted[i].number);
	}
	return HS_CAPABILITIES;
}
