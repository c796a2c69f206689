// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/call_result.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

const char *const hs_call_end_names[] = {
	[HS_CALL_ANSWERED] = "answered",
	[HS_CALL_CANCELLED] = "cancelled",
	[HS_CALL_UNANSWERED] = "unanswered",
};

/* https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
static const char *const grpc_names[] = {
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
};

/* IANA, DNS RCODEs */
static const char *const rcode_names[] = {
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
	"NOTZONE",
};

struct hs_call_result hs_result_of_calls(const struct hs_calls_key *key)
{
	return (struct hs_call_result){
		.protocol = key->protocol, .error = key->error, .status = key->status, .end = key->end,
		.seen_at = key->seen_at, .rpc = key->rpc, .failed = key->failed,
	};
}

struct hs_call_result hs_result_of_request(const struct hs_request *request)
{
	const struct hs_call *call = &request->call;

	return (struct hs_call_result){
		.protocol = request->protocol, .error = call->error, .status = call->status, .end = call->end,
		.seen_at = request->seen_at, .rpc = call->rpc, .failed = call->failed,
	};
}

static void put_name(char text[HS_RESULT_LEN], const char *const *names, size_t count, int32_t status)
{
	if ((size_t)status < count)
		snprintf(text, HS_RESULT_LEN, "%s", names[status]);
	else
		snprintf(text, HS_RESULT_LEN, "%d", status);
}

/* A status of 0 says nothing beyond that there was an answer, but for gRPC and DNS, which name it. */
void hs_result_status(const struct hs_call_result *result, char text[HS_RESULT_LEN])
{
	*text = '\0';
	if (result->rpc && result->status >= 0)
		put_name(text, grpc_names, ARRAY_LEN(grpc_names), result->status);
	else if (result->protocol->kind == HS_PROTOCOL_DNS && result->status >= 0)
		put_name(text, rcode_names, ARRAY_LEN(rcode_names), result->status);
	else if (result->protocol->kind != HS_PROTOCOL_HTTP && *result->error)
		snprintf(text, HS_RESULT_LEN, "%s", result->error);
	else if (result->status > 0)
		snprintf(text, HS_RESULT_LEN, "%d", result->status);
}

/* To a client an answer of 4xx is an error, too; to the server it is the client's. */
static bool is_error(const struct hs_call_result *result)
{
	if (result->failed)
		return true;
	if (result->protocol->kind == HS_PROTOCOL_DNS)
		return result->status > 0;
	if (result->protocol->kind != HS_PROTOCOL_HTTP || result->seen_at == HS_SERVER)
		return false;
	return result->rpc ? result->status > 0 : result->status >= 400;
}

void hs_result_error_type(const struct hs_call_result *result, char text[HS_RESULT_LEN])
{
	*text = '\0';
	if (result->end != HS_CALL_ANSWERED) {
		bool dns = result->protocol->kind == HS_PROTOCOL_DNS && *result->error; /* "timeout" */

		snprintf(text, HS_RESULT_LEN, "%s", dns ? result->error : hs_call_end_names[result->end]);
		return;
	}
	if (!is_error(result))
		return;
	hs_result_status(result, text);
	if (!*text)
		strcpy(text, "_OTHER");
	else if (result->protocol->kind == HS_PROTOCOL_DNS)
		for (char *c = text; *c; c++)
			*c = (char)tolower((unsigned char)*c);
}

bool hs_protocol_is_counted(size_t place)
{
	for (size_t i = 1; i < place; i++)
		if (!strcmp(hs_protocols[i - 1]->name, hs_protocols[place - 1]->name))
			return false;
	return true;
}
