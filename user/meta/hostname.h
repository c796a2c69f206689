/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hostname that a process sees. */
#ifndef HS_META_HOSTNAME_H
#define HS_META_HOSTNAME_H

#include <stddef.h>

/*
 * process_dir is the descriptor of its directory in procfs. Procfs does not tell the name of
 * another UTS namespace, so beyond our own it is what the runtime left: $HOSTNAME, or
 * /etc/hostname of its root. hostname gets "" when there is neither.
 */
void hs_procfs_hostname(int process_dir, char *hostname, size_t size);

#endif
