// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;

static void mark(int signal_number)
{
	interrupted = interrupted || signal_number != SIGWINCH;
}

/* Without SA_RESTART, so that what sleeps or waits comes back. */
static void catch_signal(int signal_number)
{
	struct sigaction action = { .sa_handler = mark };

	sigaction(signal_number, &action, NULL);
}

void hs_interrupt_catch(void)
{
	catch_signal(SIGINT);
	catch_signal(SIGTERM);
	catch_signal(SIGHUP);
}

void hs_interrupt_resize(void)
{
	catch_signal(SIGWINCH);
}

bool hs_interrupted(void)
{
	return interrupted;
}
