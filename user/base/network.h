/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address or a network in CIDR notation, IPv4 and IPv6 alike. */
#ifndef HS_BASE_NETWORK_H
#define HS_BASE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

struct hs_network {
	uint8_t address[16]; /* IPv4 as v4-mapped IPv6 */
	unsigned bits;       /* of the 128 that must match */
};

/* "10.0.0.0/8", "fd00::/8", "10.1.2.3". False: text is none of these. */
bool hs_network_parse(const char *text, struct hs_network *network);

/* False also when address is not an address (a name, ""). */
bool hs_network_has(const struct hs_network *network, const char *address);

#endif
