// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/grpc.h"

#include <string.h>
#include <strings.h>

#define TYPE "application/grpc"
#define TIMEOUT_DIGITS_MAX 8
#define STATUS_DIGITS_MAX 3

enum status { /* those that are spoken of here */
	UNKNOWN = 2, PERMISSION_DENIED = 7, UNIMPLEMENTED = 12, INTERNAL = 13, UNAVAILABLE = 14, DATA_LOSS = 15,
	UNAUTHENTICATED = 16,
};

static const char *const names[] = {
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
};

static const struct {
	char name;
	uint64_t ns;
} units[] = {
	{ 'H', 3600000000000 }, { 'M', 60000000000 }, { 'S', 1000000000 }, { 'm', 1000000 }, { 'u', 1000 }, { 'n', 1 },
};

static const struct {
	int http, grpc;
} mapping[] = {
	{ 400, INTERNAL }, { 401, UNAUTHENTICATED }, { 403, PERMISSION_DENIED }, { 404, UNIMPLEMENTED },
	{ 429, UNAVAILABLE }, { 502, UNAVAILABLE }, { 503, UNAVAILABLE }, { 504, UNAVAILABLE },
};

bool hs_grpc_is_type(const uint8_t *type, size_t length)
{
	size_t end = strlen(TYPE);

	if (length < end || strncasecmp((const char *)type, TYPE, end))
		return false;
	return length == end || type[end] == '+' || type[end] == ';';
}

static bool parse_decimal(const uint8_t *text, size_t length, size_t most, uint32_t *number)
{
	*number = 0;
	if (!length || length > most)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*number = *number * 10 + (text[i] - '0');
	}
	return true;
}

uint64_t hs_grpc_timeout_ns(const uint8_t *value, size_t length)
{
	uint32_t number;

	if (!length || !parse_decimal(value, length - 1, TIMEOUT_DIGITS_MAX, &number))
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (value[length - 1] == units[i].name)
			return number > UINT64_MAX / units[i].ns ? UINT64_MAX : number * units[i].ns;
	return 0;
}

int hs_grpc_status(const uint8_t *value, size_t length)
{
	uint32_t number;

	return parse_decimal(value, length, STATUS_DIGITS_MAX, &number) ? (int)number : -1;
}

int hs_grpc_status_of_http(int status)
{
	for (size_t i = 0; i < sizeof(mapping) / sizeof(*mapping); i++)
		if (mapping[i].http == status)
			return mapping[i].grpc;
	return UNKNOWN;
}

const char *hs_grpc_status_name(int status)
{
	return status >= 0 && (size_t)status < sizeof(names) / sizeof(*names) ? names[status] : names[UNKNOWN];
}

bool hs_grpc_is_failure(int status)
{
	switch (status) {
	case UNKNOWN:
	case HS_GRPC_DEADLINE_EXCEEDED:
	case UNIMPLEMENTED:
	case INTERNAL:
	case UNAVAILABLE:
	case DATA_LOSS:
		return true;
	}
	return status > UNAUTHENTICATED; /* not defined: a client takes it for UNKNOWN */
}
