// SPDX-License-Identifier: GPL-2.0-or-later
/* A configuration file. Every refusal comes with a message. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_config config;
	char path[32], message[512] = "";
	int fd;

	if (memmem(data, size, "include", 7) || memmem(data, size, "${", 2))
		return 0; /* the library would read other files, and the environment */
	fd = hs_fuzz_file(data, size, path);
	if (hs_config_read(path, &config, message, sizeof(message)) && !*message)
		abort();
	hs_config_free(&config);
	close(fd);
	return 0;
}
