// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;

static void mark(int signal_number)
{
	interrupted = interrupted || signal_number != SIGWINCH;
}

static void catch_signal(int signal_number, int flags)
{
	struct sigaction action = { .sa_handler = mark, .sa_flags = flags };

	sigaction(signal_number, &action, NULL);
}

void hs_interrupt_catch(void)
{
	/* Without SA_RESTART, so that what waits comes back. */
	catch_signal(SIGINT, 0);
	catch_signal(SIGTERM, 0);
	catch_signal(SIGHUP, 0);
}

void hs_interrupt_resize(void)
{
	catch_signal(SIGWINCH, SA_RESTART); /* nanosleep() ends all the same, write() must not */
}

bool hs_interrupted(void)
{
	return interrupted;
}
