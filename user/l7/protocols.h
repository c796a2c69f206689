/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every parser there is. */
#ifndef HS_L7_PROTOCOLS_H
#define HS_L7_PROTOCOLS_H

#include "l7/protocol.h"

extern const struct hs_protocol hs_protocol_http1;
extern const struct hs_protocol hs_protocol_postgresql;
extern const struct hs_protocol hs_protocol_mysql;
extern const struct hs_protocol hs_protocol_mariadb;
extern const struct hs_protocol hs_protocol_http2;
extern const struct hs_protocol hs_protocol_redis;
extern const struct hs_protocol hs_protocol_tls;
extern const struct hs_protocol hs_protocol_dns;

#endif
