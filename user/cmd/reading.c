// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/reading.h"

#include <string.h>

#include "cmd/command.h"
#include "cmd/screen.h"

struct hs_source *hs_reading_open(const struct hs_args *args, int *status)
{
	const struct hs_source_options options = {
		.socket = hs_args_text(args, "socket"),
		.socket_given = hs_args_given(args, "socket"),
		.input = hs_args_text(args, "input"),
	};
	struct hs_source *source;
	char message[512] = "out of memory";

	*status = HS_EXIT_SOFTWARE;
	source = hs_source_open(&options, message, sizeof(message), status);
	if (!source)
		hs_complain("%s: %s", args->program, message);
	return source;
}

int hs_reading_failed(const struct hs_args *args, const struct hs_source *source)
{
	hs_complain("%s: %s", args->program, source->message);
	return !strcmp(source->kind, "agent")	  ? HS_EXIT_UNAVAILABLE :
	       !strcmp(source->kind, "recording") ? HS_EXIT_DATA :
						    HS_EXIT_FAILURE;
}
