/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_CMD_CONNECTIONS_H
#define HS_CMD_CONNECTIONS_H

#include "cmd/listing.h"

/* Connections as rows of sockets, a new array. */
json_t *hs_connections_rows(const json_t *items);

extern const struct hs_listing hs_connections_listing;

#endif
