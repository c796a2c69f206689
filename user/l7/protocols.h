/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every parser there is. */
#ifndef HS_L7_PROTOCOLS_H
#define HS_L7_PROTOCOLS_H

#include "l7/protocol.h"

extern const struct hs_protocol hs_protocol_http1;
extern const struct hs_protocol hs_protocol_dns;

#endif
