// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/display.h"
#include "cmd/command.h"

static const char *const sequences[HS_STYLES] = {
	[HS_PLAIN] = "",	   [HS_HEADING] = "\033[1m",  [HS_DIM] = "\033[2m",
	[HS_GOOD] = "\033[32m",	   [HS_WARNING] = "\033[33m", [HS_BAD] = "\033[1;31m",
};

const char *hs_style_on(enum hs_style style, bool color)
{
	return color ? sequences[style] : "";
}

const char *hs_style_off(enum hs_style style, bool color)
{
	return color && style != HS_PLAIN ? "\033[0m" : "";
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value && strcmp(value, "0") != 0;
}

/* What was asked for on the command line wins, then https://no-color.org, then what fits. */
static bool wants_color(const struct hs_args *args, bool tty)
{
	const char *when = hs_args_text(args, "color"), *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	if (hs_args_flag(args, "no-color"))
		return false;
	if (when && strcmp(when, "auto") != 0)
		return !strcmp(when, "always");
	if (no_color && *no_color)
		return false;
	if (is_set("FORCE_COLOR"))
		return true;
	return tty && term && *term && strcmp(term, "dumb") != 0;
}

struct hs_screen hs_screen_now(const struct hs_args *args)
{
	struct hs_screen screen = { .tty = isatty(STDOUT_FILENO) };
	struct winsize size = { 0 };

	screen.color = wants_color(args, screen.tty);
	if (!screen.tty)
		return screen;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen.width = size.ws_col ? size.ws_col : 80;
	screen.height = size.ws_row ? size.ws_row : 24;
	return screen;
}

void hs_complain(const char *format, ...)
{
	char line[1024], clean[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	hs_display_clean(line, clean, sizeof(clean));
	fprintf(stderr, "%s\n", clean);
}

/* A pipe tells that its reader has gone even while there is nothing to write. */
static bool reader_gone(void)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };

	return poll(&reader, 1, 0) > 0 && reader.revents & POLLERR;
}

int hs_output_end(int status)
{
	bool failed = fflush(stdout) || ferror(stdout);
	int error = errno;

	if (reader_gone())
		return HS_EXIT_OK;
	if (!failed)
		return status;
	hs_complain("hopscope: cannot write the output: %s", strerror(error));
	return HS_EXIT_IO;
}

bool hs_output_alive(void)
{
	return !fflush(stdout) && !ferror(stdout) && !reader_gone();
}
