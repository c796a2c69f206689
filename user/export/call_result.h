/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a call went, in the words of the semantic conventions: the same in metrics and JSON. */
#ifndef HS_EXPORT_CALL_RESULT_H
#define HS_EXPORT_CALL_RESULT_H

#include "model/model.h"

#define HS_RESULT_LEN 40

struct hs_call_result {
	const struct hs_protocol *protocol;
	const char *error;
	int32_t status;
	enum hs_call_end end;
	enum hs_side seen_at;
	bool rpc, failed;
};

struct hs_call_result hs_result_of_calls(const struct hs_calls_key *key);
struct hs_call_result hs_result_of_request(const struct hs_request *request);

/* "200", "NOT_FOUND" of gRPC, "NXDOMAIN", an SQLSTATE; "" when the protocol did not say. */
void hs_result_status(const struct hs_call_result *result, char text[HS_RESULT_LEN]);

/*
 * error.type: "" when it went well; "unanswered" (the connection ended before the whole answer),
 * "cancelled" (by the client), else what the status is, "_OTHER" when there is none.
 */
void hs_result_error_type(const struct hs_call_result *result, char text[HS_RESULT_LEN]);

/*
 * Whether counters have something for that place in hs_protocols[] + 1: those of protocols that share a name are
 * where the first of them is. 0, not known which, has.
 */
bool hs_protocol_is_counted(size_t place);

extern const char *const hs_call_end_names[]; /* by enum hs_call_end: "answered" … */

#endif
