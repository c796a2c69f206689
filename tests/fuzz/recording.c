// SPDX-License-Identifier: GPL-2.0-or-later
/* A recording that somebody sends us. Not compressed: zlib reads plain files as they are. */
#include <unistd.h>

#include "cmd/recorder.h"
#include "fuzz.h"

static void begin(void *arg, const struct hs_recording_header *header)
{
	(void)arg;
	hs_fuzz_use(header->version);
}

static void sink(void *arg, const struct hs_event *event)
{
	uint64_t *sum = arg;

	for (size_t i = 0; i < event->size; i++)
		*sum += ((const uint8_t *)event)[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_recording_header header;
	char path[32], message[256];
	uint64_t sum = 0;
	int fd = hs_fuzz_file(data, size, path);

	hs_recording_play(path, &header, begin, sink, &sum, message, sizeof(message));
	hs_fuzz_use(sum);
	close(fd);
	return 0;
}
