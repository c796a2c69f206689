// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/local_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static FILE *open_net(const char *proc, uint32_t pid, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%u/net/%s", proc, pid, name);
	return fopen(path, "re");
}

static void tell_v4(const char *text, hs_local_address_fn tell, void *arg)
{
	uint8_t address[16] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, address + 12) == 1 && address[12] != 127 &&
	    !(address[12] == 169 && address[13] == 254))
		tell(arg, address);
}

#define MAX_LINES 200000 /* of a router that knows the whole Internet we read a part only */

/* "|-- 10.0.0.1", and below it what the address is: "/32 host LOCAL". */
static void read_fib_trie(FILE *file, hs_local_address_fn tell, void *arg)
{
	char line[256], address[64] = "";

	for (int lines = 0; lines < MAX_LINES && fgets(line, sizeof(line), file); lines++) {
		if (sscanf(line, " |-- %63s", address) == 1)
			continue;
		if (strstr(line, "/32 host LOCAL"))
			tell_v4(address, tell, arg);
	}
}

/* 32 digits, interface, prefix length, scope, flags, name. */
static void read_if_inet6(FILE *file, hs_local_address_fn tell, void *arg)
{
	unsigned scope, part[16];
	uint8_t address[16];
	char line[256];

	while (fgets(line, sizeof(line), file)) {
		int end = 0;

		for (int i = 0; i < 16; i++) {
			if (sscanf(line + 2 * i, "%2x", &part[i]) != 1)
				end = -1;
			address[i] = part[i];
		}
		if (end || sscanf(line + 32, " %*x %*x %x", &scope) != 1 || scope)
			continue; /* only the global scope is 0 */
		tell(arg, address);
	}
}

int hs_local_addresses(const char *proc, uint32_t pid, hs_local_address_fn tell, void *arg)
{
	FILE *v4 = open_net(proc, pid, "fib_trie"), *v6 = open_net(proc, pid, "if_inet6");
	int error = v4 || v6 ? 0 : -errno;

	if (v4) {
		read_fib_trie(v4, tell, arg);
		fclose(v4);
	}
	if (v6) {
		read_if_inet6(v6, tell, arg);
		fclose(v6);
	}
	return error;
}
