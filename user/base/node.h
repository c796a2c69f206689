/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_BASE_NODE_H
#define HS_BASE_NODE_H

/* The node's name: $NODE_NAME (in a pod our own hostname is the pod's), else the hostname. */
const char *hs_node_name(void);

#endif
