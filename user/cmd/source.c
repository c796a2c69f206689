// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/source.h"

#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/screen.h"

/* CAP_BPF is younger than some kernels, where CAP_SYS_ADMIN stands for it. */
static bool may_load(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t effective;

	if (syscall(SYS_capget, &header, data))
		return geteuid() == 0;
	effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	return effective & (1ull << CAP_BPF | 1ull << CAP_SYS_ADMIN);
}

struct hs_source *hs_source_open(const struct hs_source_options *options, char *message,
				 size_t size, int *status)
{
	const char *socket = options->socket ? options->socket : HS_DEFAULT_SOCKET;
	char reason[400];
	struct hs_source *source;

	if (options->input)
		return hs_source_recording(options->input, message, size, status);
	source = hs_source_agent(socket, reason, sizeof(reason), status);
	if (source)
		return source;
	if (options->socket_given || *status != HS_EXIT_UNAVAILABLE) {
		snprintf(message, size, "%s", reason);
		return NULL;
	}
	if (!may_load()) {
		snprintf(message, size, "%s, and watching from here needs root (CAP_BPF)", reason);
		*status = HS_EXIT_NOPERM;
		return NULL;
	}
	hs_complain("hopscope: no agent at %s: watching from here while this command runs", socket);
	return hs_source_local(message, size, status);
}
