// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Writes the address and how many leading bits its family takes for itself. */
static bool parse_address(const char *text, uint8_t address[16], unsigned *family_bits)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, address + 12) == 1) {
		memcpy(address, mapped, sizeof(mapped));
		*family_bits = 96;
		return true;
	}
	*family_bits = 0;
	return inet_pton(AF_INET6, text, address) == 1;
}

static bool parse_bits(const char *text, unsigned max, unsigned *bits)
{
	size_t len = strlen(text);

	if (!len || len > 3 || text[strspn(text, "0123456789")])
		return false;
	*bits = (unsigned)strtoul(text, NULL, 10);
	return *bits <= max;
}

bool hs_network_parse(const char *text, struct hs_network *network)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(text, '/');
	size_t len = (size_t)(slash - text);
	struct hs_network parsed = { .bits = 128 };
	unsigned family_bits;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!parse_address(address, parsed.address, &family_bits))
		return false;
	if (*slash) {
		if (!parse_bits(slash + 1, 128 - family_bits, &parsed.bits))
			return false;
		parsed.bits += family_bits;
	}
	*network = parsed;
	return true;
}

bool hs_network_has(const struct hs_network *network, const char *text)
{
	uint8_t address[16];
	unsigned family_bits, bytes = network->bits / 8, rest = network->bits % 8;

	if (!parse_address(text, address, &family_bits))
		return false;
	if (memcmp(address, network->address, bytes))
		return false;
	return !rest || !((address[bytes] ^ network->address[bytes]) >> (8 - rest));
}
