/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_CMD_ROUTES_H
#define HS_CMD_ROUTES_H

#include "cmd/listing.h"

extern const struct hs_listing hs_routes_listing;

#endif
