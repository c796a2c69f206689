/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ctrl-C for commands that must put the terminal in order first. Others just die of the signal. */
#ifndef HS_CMD_INTERRUPT_H
#define HS_CMD_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT, SIGTERM and SIGHUP only set a mark; blocking calls return EINTR. */
void hs_interrupt_catch(void);
bool hs_interrupted(void);

/* Puts the terminal's size change to work the same way: sleeps end early. */
void hs_interrupt_resize(void);

#endif
