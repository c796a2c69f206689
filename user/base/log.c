// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = { "error", "warn", "info", "debug" };
static enum hs_log_level limit = HS_LOG_INFO;

int hs_log_set_level(const char *name)
{
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(name, names[i])) {
			limit = i;
			return 0;
		}
	}
	return -EINVAL;
}

void hs_log(enum hs_log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (level > limit)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "hopscope: %s: %s\n", names[level], line); /* one write: lines stay whole */
}
