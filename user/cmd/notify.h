/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_CMD_NOTIFY_H
#define HS_CMD_NOTIFY_H

/* Tells the service manager, if there is one ($NOTIFY_SOCKET): sd_notify(3), "READY=1". */
void hs_notify(const char *state);

#endif
