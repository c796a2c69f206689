/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recordings: the records as they went into the model, gzip-compressed, behind a header. Played
 * back through the same model they give the same documents: a bug report is a file.
 */
#ifndef HS_CMD_RECORDER_H
#define HS_CMD_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "hopscope/event.h"

#define HS_RECORDING_MAGIC "HOPSCOPE"
#define HS_RECORDING_VERSION 2

struct hs_recording_header {
	char magic[8];
	uint32_t version;
	uint32_t size;     /* of this header */
	int64_t realtime_offset_ns;
	uint32_t self_pid; /* of the process that recorded */
	uint32_t pad;
	char node[64];
	char kernel[64];
};

struct hs_recorder;

/* 0 with *recorder, or -errno. The file is made anew. */
int hs_recorder_open(const char *path, struct hs_recorder **recorder);
void hs_recorder_write(struct hs_recorder *recorder, const struct hs_event *event);
/* Ends the file. 0, or -errno of the first write that failed. */
int hs_recorder_close(struct hs_recorder *recorder);

/*
 * Reads a recording: header is filled, then sink gets every record. 0, or -errno with a line
 * that says what is wrong with the file and where.
 */
int hs_recording_play(const char *path, struct hs_recording_header *header,
		      void (*begin)(void *arg, const struct hs_recording_header *header),
		      void (*sink)(void *arg, const struct hs_event *event), void *arg, char *message,
		      size_t size);

#endif
