/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gRPC over HTTP/2: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md and doc/statuscodes.md. */
#ifndef HS_L7_GRPC_H
#define HS_L7_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HS_GRPC_DEADLINE_EXCEEDED 4

/* Does this content-type make it gRPC? grpc-web does not: its status is in the body. */
bool hs_grpc_is_type(const uint8_t *type, size_t length);

/* Value of grpc-timeout; 0: it is none. */
uint64_t hs_grpc_timeout_ns(const uint8_t *value, size_t length);

/* Value of grpc-status; -1: it is none. */
int hs_grpc_status(const uint8_t *value, size_t length);

/* What a client makes of a response without grpc-status: doc/http-grpc-status-mapping.md. */
int hs_grpc_status_of_http(int status);

/* "NOT_FOUND"; "UNKNOWN" for a number that has no name. */
const char *hs_grpc_status_name(int status);

/* Is it the server's fault? As the semantic conventions for RPC have it. */
bool hs_grpc_is_failure(int status);

#endif
