/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How Redis is told from other protocols. */
#ifndef HS_L7_REDIS_MATCH_H
#define HS_L7_REDIS_MATCH_H

#include "l7/protocol.h"

#define HS_REDIS_ARGS_MAX (1 << 24) /* of a command */

enum hs_match hs_redis_match(enum hs_side from, const uint8_t *bytes, size_t length);
enum hs_match hs_redis_boundary(enum hs_side from, const uint8_t *bytes, size_t length);

#endif
