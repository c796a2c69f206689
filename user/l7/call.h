/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call: one request and its response, whatever the protocol. Parsers fill it in, the model
 * counts it. Times are those of the segments that carried the bytes, at the end that was watched:
 * when they were sent there, or when they had arrived at its socket.
 */
#ifndef HS_L7_CALL_H
#define HS_L7_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HS_OPERATION_LEN 32
#define HS_TARGET_LEN 256
#define HS_CALL_ERROR_LEN 32
#define HS_VERSION_LEN 8

enum hs_call_end {
	HS_CALL_ANSWERED,
	HS_CALL_CANCELLED,  /* the client withdrew it: a stream reset, a cancel request */
	HS_CALL_UNANSWERED, /* the connection ended, or the server withdrew it, before the whole answer */
};

struct hs_call {
	uint64_t request_ns, request_end_ns;   /* first and last byte of the request */
	uint64_t response_ns, response_end_ns; /* … of the response; 0: none came */
	uint64_t read_ns;                  /* the server's application began to read the request; 0: not known */
	uint32_t rtt_us;                   /* a round trip between the two, smoothed; 0: not known */
	uint64_t request_bytes, response_bytes; /* bodies where the protocol has such, else whole messages */
	uint64_t timeout_ns;               /* how long the client said it would wait (grpc-timeout); 0: it did not say */
	uint32_t id;                       /* by which the protocol names it; 0 where answers come in order */
	int32_t status;                    /* HTTP status, gRPC status, DNS rcode; -1: none */
	enum hs_call_end end;
	bool failed;                       /* by the protocol's own rules, seen from the server: HTTP 5xx, an SQL error */
	bool counted;                      /* the kernel followed it: target is its route */
	bool rpc;                          /* gRPC over HTTP/2: target is package.Service/Method, status the gRPC one */
	char operation[HS_OPERATION_LEN];  /* HTTP method, SQL operation, Redis command; upper case. "" not known */
	char target[HS_TARGET_LEN];        /* path without query, table, RPC method, DNS name; never a value. "" not known */
	char error[HS_CALL_ERROR_LEN];     /* what the protocol says went wrong: SQLSTATE, "WRONGTYPE"; "" nothing */
	char version[HS_VERSION_LEN];      /* of the protocol where there are several: HTTP "1.0", "1.1", "2", TLS "1.3". "" not known */
	/* private to the parser, and to the conversation */
	uint64_t parser[2];
	struct hs_call *prev, *next;
	struct hs_call *same; /* in a bucket of struct hs_call_table */
};

#endif
