// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope record FILE: watches from this process and writes down what it sees. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/engine.h"
#include "cmd/interrupt.h"
#include "cmd/recorder.h"
#include "cmd/screen.h"

static void watch(struct hs_engine *engine, uint64_t duration_ns)
{
	uint64_t begin = hs_monotonic_ns();

	hs_engine_follow(engine, true); /* every record, when it happened */
	do {
		hs_engine_turn(engine);
		hs_engine_wait(engine);
	} while (!hs_interrupted() && (!duration_ns || hs_monotonic_ns() - begin < duration_ns));
	hs_engine_pass(engine); /* the last moments too */
}

/* A reader of the file could not know. */
static void tell_losses(struct hs_engine *engine)
{
	const struct hs_view *view = hs_engine_lock(engine, true);

	for (size_t i = 0; i < view->dropped_count; i++) {
		const struct hs_stage *stage = &view->dropped[i];

		if (stage->count && !strncmp(stage->stage, "ring_", 5))
			hs_complain("hopscope: %s: not in the recording: %" PRIu64 " records, the ring was full", stage->stage,
				    stage->count);
	}
	hs_engine_unlock(engine);
}

int hs_cmd_record(const struct hs_args *args)
{
	const char *path = args->operand;
	struct hs_engine_config config;
	struct hs_engine *engine;
	char message[512] = "out of memory";
	int error, written;

	hs_engine_defaults(&config);
	error = hs_recorder_open(path, &config.recorder);
	if (error) {
		hs_complain("hopscope: %s: %s", path, strerror(-error));
		return HS_EXIT_FAILURE;
	}
	hs_interrupt_catch();
	error = hs_engine_open(&config, &engine, message, sizeof(message));
	if (error) {
		hs_complain("hopscope: %s", message);
	} else {
		hs_complain("hopscope: recording to %s; Ctrl-C ends it", path);
		watch(engine, hs_args_duration_ns(args, "duration"));
		tell_losses(engine);
		hs_engine_close(engine);
	}
	written = hs_recorder_close(config.recorder);
	if (written)
		hs_complain("hopscope: %s: %s", path, strerror(-written));
	if (error)
		return error == -EPERM || error == -EACCES ? HS_EXIT_NOPERM : HS_EXIT_FAILURE;
	return written ? HS_EXIT_IO : HS_EXIT_OK;
}
