// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "base/node.h"
#include "base/record.h"

struct hs_recorder {
	gzFile file;
	int error;
};

static int gz_errno(gzFile file)
{
	int error;

	gzerror(file, &error);
	return error == Z_ERRNO && errno ? -errno : -EIO;
}

static void put(struct hs_recorder *recorder, const void *data, unsigned size)
{
	if (!recorder->error && gzwrite(recorder->file, data, size) != (int)size)
		recorder->error = gz_errno(recorder->file);
}

int hs_recorder_open(const char *path, struct hs_recorder **out)
{
	struct hs_recording_header header = {
		.magic = HS_RECORDING_MAGIC,
		.version = HS_RECORDING_VERSION,
		.size = sizeof(header),
		.realtime_offset_ns = hs_clock_now().realtime_offset_ns,
		.self_pid = getpid(),
	};
	struct hs_recorder *recorder = calloc(1, sizeof(*recorder));
	struct utsname uts;

	if (!recorder)
		return -ENOMEM;
	errno = 0;
	recorder->file = gzopen(path, "wb1e");
	if (!recorder->file) {
		free(recorder);
		return errno ? -errno : -ENOMEM;
	}
	uname(&uts);
	snprintf(header.node, sizeof(header.node), "%.63s", hs_node_name());
	snprintf(header.kernel, sizeof(header.kernel), "%.63s", uts.release);
	put(recorder, &header, sizeof(header));
	*out = recorder;
	return 0;
}

void hs_recorder_write(struct hs_recorder *recorder, const struct hs_event *event)
{
	put(recorder, event, event->size);
}

int hs_recorder_close(struct hs_recorder *recorder)
{
	int error = recorder->error;

	if (gzclose(recorder->file) != Z_OK && !error)
		error = errno ? -errno : -EIO;
	free(recorder);
	return error;
}

/* ---- playing ---- */

/* size bytes, all of them: 1; the end of the file before the first: 0; -EBADMSG else. */
static int take(gzFile file, void *data, unsigned size)
{
	int got = gzread(file, data, size), error;

	if (got == (int)size)
		return 1;
	gzerror(file, &error);
	return got || error != Z_OK ? -EBADMSG : 0;
}

static int check_header(gzFile file, struct hs_recording_header *header, char *message, size_t size)
{
	if (take(file, header, sizeof(*header)) != 1 || memcmp(header->magic, HS_RECORDING_MAGIC, 8)) {
		snprintf(message, size, "not a recording of hopscope (made by `hopscope record FILE`)");
		return -EBADMSG;
	}
	if (header->version != HS_RECORDING_VERSION || header->size != sizeof(*header)) {
		snprintf(message, size, "a recording of version %u, this hopscope reads version %u",
			 header->version, HS_RECORDING_VERSION);
		return -EBADMSG;
	}
	header->node[sizeof(header->node) - 1] = '\0';
	header->kernel[sizeof(header->kernel) - 1] = '\0';
	return 0;
}

static int next_record(gzFile file, void *buffer, size_t room)
{
	struct hs_event *event = buffer;
	int got = take(file, event, sizeof(*event));

	if (got <= 0)
		return got;
	if (event->size < sizeof(*event) || event->size > room)
		return -EBADMSG;
	if (event->size > sizeof(*event) && take(file, event + 1, event->size - sizeof(*event)) != 1)
		return -EBADMSG;
	return hs_record_check(event, event->size) ? -EBADMSG : 1;
}

static int play(gzFile file, void (*sink)(void *, const struct hs_event *), void *arg, char *message, size_t size)
{
	static char buffer[UINT16_MAX + 1] __attribute__((aligned(8)));
	unsigned long records = 0;
	int got;

	while ((got = next_record(file, buffer, sizeof(buffer))) > 0) {
		sink(arg, (const struct hs_event *)buffer);
		records++;
	}
	if (got < 0)
		snprintf(message, size, "damaged or cut off after %lu records", records);
	return got;
}

int hs_recording_play(const char *path, struct hs_recording_header *header,
		      void (*begin)(void *arg, const struct hs_recording_header *header),
		      void (*sink)(void *arg, const struct hs_event *event), void *arg, char *message,
		      size_t size)
{
	gzFile file = gzopen(path, "rbe");
	int error;

	if (!file) {
		error = errno ? -errno : -ENOMEM;
		snprintf(message, size, "%s", strerror(-error));
		return error;
	}
	error = check_header(file, header, message, size);
	if (!error) {
		begin(arg, header);
		error = play(file, sink, arg, message, size);
	}
	gzclose(file);
	return error;
}
