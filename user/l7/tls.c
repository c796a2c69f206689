// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TLS 1.0 to 1.3, what is in the clear of it: RFC 8446, 5246; server names RFC 6066, ALPN RFC 7301.
 *
 * A handshake is a call: from the client's hello to its Finished, and where the server's Finished comes
 * behind that (a full handshake before 1.3), to that. In 1.3 the Finished cannot be seen: it is in
 * the first encrypted record that the client sends behind the server's hello. Then nobody needs
 * to look any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "l7/protocols.h"

#define RECORD_HEAD 5
#define RECORD_MAX ((1 << 14) + 2048) /* RFC 5246, 6.2.3 */
#define MESSAGE_HEAD 4
#define HELLO_MAX (16 << 10)
#define HELLO_MIN 38   /* version, random, and the lengths of what may be empty */
#define ALERT_BYTES 2
#define CCM_8 0x1305   /* RFC 8446, B.4: the one with a short tag */

enum { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, APPLICATION_DATA };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2 };
enum { SERVER_NAME = 0, ALPN = 16, EARLY_DATA = 42, SUPPORTED_VERSIONS = 43 };
enum { CLOSE_NOTIFY = 0, WARNING = 1 };

/* A message that is put together from records. */
struct message {
	uint8_t *bytes;       /* NULL until its length is known */
	uint8_t head[MESSAGE_HEAD];
	uint32_t length, filled; /* with its head */
};

struct tls {
	struct hs_call *call;
	struct message hello[HS_SIDES];
	uint32_t left[HS_SIDES];     /* of the record that a hello is read from */
	bool has_hello[HS_SIDES];
	bool begun;
	bool answered;               /* by a hello that does not ask for another one */
	bool is_13, early_data;
	bool full;                   /* keys are exchanged: the client's Finished is not the last */
	bool ciphered[HS_SIDES];     /* ChangeCipherSpec was seen */
	uint16_t cipher;
};

/* ---- readers ---- */

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static const uint8_t *take(struct reader *reader, size_t length)
{
	const uint8_t *at = reader->at;

	if (reader->failed || (size_t)(reader->end - at) < length) {
		reader->failed = true;
		return NULL;
	}
	reader->at += length;
	return at;
}

static uint32_t take_number(struct reader *reader, size_t width)
{
	const uint8_t *at = take(reader, width);
	uint32_t number = 0;

	for (size_t i = 0; at && i < width; i++)
		number = number << 8 | at[i];
	return number;
}

/* What has its length before it, in `width` bytes. Failed: empty. */
static struct reader take_vector(struct reader *reader, size_t width)
{
	size_t length = take_number(reader, width);
	const uint8_t *at = take(reader, length);

	return at ? (struct reader){ at, at + length, false } : (struct reader){ reader->end, reader->end, true };
}

static bool is_left(const struct reader *reader)
{
	return !reader->failed && reader->at < reader->end;
}

/* ---- words ---- */

/* RFC 8446, 6; 5246, 7.2; 6066, 9; 7301, 3.2. */
static const char *const alerts[256] = {
	[0] = "close_notify", [10] = "unexpected_message", [20] = "bad_record_mac", [21] = "decryption_failed",
	[22] = "record_overflow", [30] = "decompression_failure", [40] = "handshake_failure",
	[41] = "no_certificate", [42] = "bad_certificate", [43] = "unsupported_certificate",
	[44] = "certificate_revoked", [45] = "certificate_expired", [46] = "certificate_unknown",
	[47] = "illegal_parameter", [48] = "unknown_ca", [49] = "access_denied", [50] = "decode_error",
	[51] = "decrypt_error", [60] = "export_restriction", [70] = "protocol_version",
	[71] = "insufficient_security", [80] = "internal_error", [86] = "inappropriate_fallback",
	[90] = "user_canceled", [100] = "no_renegotiation", [109] = "missing_extension",
	[110] = "unsupported_extension", [111] = "certificate_unobtainable", [112] = "unrecognized_name",
	[113] = "bad_certificate_status_response", [114] = "bad_certificate_hash_value",
	[115] = "unknown_psk_identity", [116] = "certificate_required", [120] = "no_application_protocol",
	[121] = "ech_required",
};

static const char *version_name(uint16_t version)
{
	static const char *const names[] = { "ssl3", "1.0", "1.1", "1.2", "1.3" };

	return version >= 0x0300 && version <= 0x0304 ? names[version & 7] : "";
}

/* A name of a host and nothing else: what is not one may be anything. */
static void set_name(struct hs_call *call, struct reader name)
{
	size_t length = name.end - name.at;

	if (length >= sizeof(call->target))
		return;
	for (size_t i = 0; i < length; i++) {
		uint8_t letter = name.at[i] >= 'A' && name.at[i] <= 'Z' ? name.at[i] | 0x20 : name.at[i];

		if (!(letter >= 'a' && letter <= 'z') && !(letter >= '0' && letter <= '9') &&
		    (!letter || !strchr(".-_", letter))) {
			call->target[0] = '\0';
			return;
		}
		call->target[i] = letter;
	}
	call->target[length] = '\0';
}

/* ---- hellos ---- */

static void take_server_name(struct hs_call *call, struct reader extension)
{
	struct reader list = take_vector(&extension, 2);

	while (is_left(&list)) {
		uint32_t type = take_number(&list, 1);
		struct reader name = take_vector(&list, 2);

		if (!type && !name.failed) { /* host_name */
			set_name(call, name);
			return;
		}
	}
}

/* Version, random and session, which both hellos begin with. */
static uint16_t take_beginning(struct reader *reader, const uint8_t **random)
{
	uint16_t version = take_number(reader, 2);

	*random = take(reader, 32);
	take_vector(reader, 1);
	return version;
}

static bool take_client_hello(struct tls *tls, struct reader reader)
{
	const uint8_t *random;
	struct reader extensions;

	take_beginning(&reader, &random);
	take_vector(&reader, 2); /* ciphers */
	take_vector(&reader, 1); /* compressions */
	if (!is_left(&reader))
		return !reader.failed; /* an old one has no extensions */
	extensions = take_vector(&reader, 2);
	while (is_left(&extensions)) {
		uint32_t type = take_number(&extensions, 2);
		struct reader extension = take_vector(&extensions, 2);

		if (type == SERVER_NAME && tls->call)
			take_server_name(tls->call, extension);
		if (type == EARLY_DATA && !extension.failed)
			tls->early_data = true;
	}
	return !reader.failed && !extensions.failed;
}

/* The protocol that the server has chosen. In 1.3 it says so encrypted. */
static void take_alpn(struct hs_call *call, struct reader extension)
{
	struct reader list = take_vector(&extension, 2), name = take_vector(&list, 1);

	if (!name.failed)
		hs_call_text(call->operation, sizeof(call->operation), name.at, name.end - name.at);
}

/* RFC 8446, 4.1.3: a hello that asks for another one of the client. */
static bool is_retry(const uint8_t *random)
{
	static const uint8_t retry[32] = {
		0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
		0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
	};

	return random && !memcmp(random, retry, sizeof(retry));
}

static bool take_server_hello(struct tls *tls, struct reader reader)
{
	const uint8_t *random;
	uint16_t version = take_beginning(&reader, &random);
	struct reader extensions;

	tls->cipher = take_number(&reader, 2);
	take_number(&reader, 1); /* compression */
	if (reader.failed)
		return false;
	extensions = is_left(&reader) ? take_vector(&reader, 2) : reader;
	while (is_left(&extensions)) {
		uint32_t type = take_number(&extensions, 2);
		struct reader extension = take_vector(&extensions, 2);

		if (type == SUPPORTED_VERSIONS && !extension.failed)
			version = take_number(&extension, 2);
		else if (type == ALPN && tls->call)
			take_alpn(tls->call, extension);
	}
	tls->answered = !is_retry(random);
	tls->is_13 = version >= 0x0304;
	if (tls->call)
		strcpy(tls->call->version, version_name(version));
	return !reader.failed && !extensions.failed;
}

/* ---- the end of a handshake ---- */

static void finish(struct hs_conversation *c, struct tls *tls, const char *error, uint64_t time_ns)
{
	struct hs_call *call = tls->call;

	hs_conversation_ignore(c);
	if (!call)
		return;
	tls->call = NULL;
	call->failed = error != NULL;
	call->error[0] = '\0'; /* a warning that nobody minded */
	if (error)
		strcpy(call->error, error);
	if (!call->response_ns)
		call->response_ns = time_ns;
	call->response_end_ns = time_ns;
	hs_call_done(c, call);
}

static void take_alert(struct hs_conversation *c, struct tls *tls, const uint8_t *alert, uint64_t time_ns)
{
	const char *name = alerts[alert[1]] ? alerts[alert[1]] : "_OTHER";

	if (alert[0] != WARNING || alert[1] == CLOSE_NOTIFY || tls->is_13)
		finish(c, tls, name, time_ns);
	else if (tls->call)
		strcpy(tls->call->error, name); /* should it come to nothing, that is why */
}

/* RFC 8446, 5.2: an alert, its type, and the tag. No message of a handshake is as short. */
static bool is_encrypted_alert(const struct tls *tls, uint32_t length)
{
	return !tls->early_data && length == ALERT_BYTES + 1 + (tls->cipher == CCM_8 ? 8u : 16u);
}

/* ---- records ---- */

static void drop_message(struct message *message)
{
	free(message->bytes);
	*message = (struct message){};
}

static void end_hello(struct hs_conversation *c, enum hs_side from, uint64_t time_ns)
{
	struct tls *tls = hs_conversation_state(c);
	struct message *hello = &tls->hello[from];
	struct reader reader = { hello->bytes + MESSAGE_HEAD, hello->bytes + hello->length, false };

	if (from == HS_CLIENT && tls->call) {
		tls->call->request_end_ns = time_ns;
		tls->call->request_bytes += hello->length;
	} else if (from == HS_SERVER && tls->call) {
		tls->call->response_bytes += hello->length;
	}
	if (from == HS_CLIENT ? !take_client_hello(tls, reader) : !take_server_hello(tls, reader))
		hs_conversation_undecoded(c);
	drop_message(hello);
	tls->has_hello[from] = true;
	if (from == HS_SERVER && !tls->answered) /* both once more */
		tls->has_hello[HS_CLIENT] = tls->has_hello[HS_SERVER] = false;
}

/* Bytes of a message, within their record. How many were taken, or -EBADMSG. */
static ssize_t fill(struct message *message, uint8_t type, const uint8_t *bytes, size_t length)
{
	size_t taken = 0;

	while (!message->bytes && taken < length) {
		message->head[message->filled++] = bytes[taken++];
		if (message->filled < MESSAGE_HEAD)
			continue;
		message->length = MESSAGE_HEAD + (message->head[1] << 16 | message->head[2] << 8 | message->head[3]);
		if (message->head[0] != type || message->length > HELLO_MAX || message->length < HELLO_MIN)
			return -EBADMSG;
		message->bytes = malloc(message->length);
		if (!message->bytes)
			return -EBADMSG;
		memcpy(message->bytes, message->head, MESSAGE_HEAD);
	}
	if (length - taken > message->length - message->filled)
		length = taken + message->length - message->filled;
	if (message->bytes) {
		memcpy(message->bytes + message->filled, bytes + taken, length - taken);
		message->filled += length - taken;
	}
	return length;
}

static ssize_t feed_hello(struct hs_conversation *c, struct tls *tls, enum hs_side from, const struct hs_slice *slice)
{
	struct message *hello = &tls->hello[from];
	size_t length = slice->length < tls->left[from] ? slice->length : tls->left[from];
	ssize_t taken = fill(hello, from == HS_CLIENT ? CLIENT_HELLO : SERVER_HELLO, slice->bytes, length);

	if (taken < 0)
		return taken;
	tls->left[from] -= taken;
	if (!hello->bytes || hello->filled < hello->length)
		return taken;
	end_hello(c, from, slice->last_ns);
	if (from == HS_SERVER && tls->answered)
		hs_conversation_skip(c, from, tls->is_13 ? UINT64_MAX : HS_SKIP_TURN);
	else if (tls->left[from])
		hs_conversation_skip(c, from, tls->left[from]);
	tls->left[from] = 0;
	return taken;
}

/* What the client's hello begins, and the server's answers. */
static void begin_hello(struct hs_conversation *c, struct tls *tls, enum hs_side from, const struct hs_slice *slice)
{
	if (from == HS_CLIENT && !tls->begun) {
		tls->begun = true;
		tls->call = hs_call_begin(c, 0, slice->first_ns);
	} else if (from == HS_SERVER && tls->call && !tls->call->response_ns) {
		tls->call->response_ns = slice->first_ns;
	}
}

/* Behind the server's hello, up to 1.2: the end of it is encrypted, and comes behind ChangeCipherSpec. */
static void take_handshake(struct hs_conversation *c, struct tls *tls, enum hs_side from, uint64_t time_ns)
{
	if (!tls->ciphered[from])
		tls->full |= from == HS_CLIENT;
	else if (from == HS_SERVER || !tls->full)
		finish(c, tls, NULL, time_ns);
}

/* In 1.3 all that is encrypted looks like data of the application. */
static void take_data(struct hs_conversation *c, struct tls *tls, enum hs_side from, uint32_t length, uint64_t time_ns)
{
	if (!tls->begun)
		hs_conversation_ignore(c); /* older than the agent: its handshake is over */
	else if (from == HS_CLIENT && tls->answered && tls->is_13)
		finish(c, tls, is_encrypted_alert(tls, length) ? "encrypted_alert" : NULL, time_ns);
}

/* Its payload, but that of a hello, need not be seen. How many bytes to take; 0: more is needed; -EBADMSG. */
static ssize_t feed_record(struct hs_conversation *c, struct tls *tls, enum hs_side from, const struct hs_slice *slice)
{
	const uint8_t *head = slice->bytes;
	uint32_t length;

	if (slice->length < RECORD_HEAD)
		return 0;
	length = head[3] << 8 | head[4];
	if (head[1] != 3 || length > RECORD_MAX)
		return -EBADMSG;
	if (head[0] == HANDSHAKE && !tls->has_hello[from] && length) {
		if (from == HS_SERVER && !tls->begun)
			return -EBADMSG;
		begin_hello(c, tls, from, slice);
		tls->left[from] = length;
		return RECORD_HEAD;
	}
	if (head[0] == ALERT && length == ALERT_BYTES) {
		if (slice->length < RECORD_HEAD + ALERT_BYTES)
			return 0;
		take_alert(c, tls, head + RECORD_HEAD, slice->last_ns);
		return RECORD_HEAD + ALERT_BYTES;
	}
	if (head[0] == ALERT)
		finish(c, tls, "encrypted_alert", slice->last_ns);
	else if (head[0] == HANDSHAKE)
		take_handshake(c, tls, from, slice->last_ns);
	else if (head[0] == APPLICATION_DATA)
		take_data(c, tls, from, length, slice->last_ns);
	else if (head[0] == CHANGE_CIPHER_SPEC)
		tls->ciphered[from] = tls->answered && !tls->is_13;
	else
		return -EBADMSG;
	hs_conversation_skip(c, from, length);
	return RECORD_HEAD;
}

/* ---- the protocol ---- */

static ssize_t feed(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct tls *tls = hs_conversation_state(c);

	return tls->left[from] ? feed_hello(c, tls, from, slice) : feed_record(c, tls, from, slice);
}

/* A handshake with a hole in it: what came of it is not known. */
static void lost(struct hs_conversation *c, enum hs_side from)
{
	struct tls *tls = hs_conversation_state(c);

	(void)from;
	if (tls->call) {
		hs_call_forget(c, tls->call);
		hs_conversation_undecoded(c);
	}
	tls->call = NULL;
	hs_conversation_ignore(c);
}

static void end(struct hs_conversation *c, uint64_t time_ns)
{
	struct tls *tls = hs_conversation_state(c);

	(void)time_ns;
	if (tls->call)
		tls->call->failed = true;
}

static void free_state(void *state)
{
	struct tls *tls = state;

	free(tls->hello[HS_CLIENT].bytes);
	free(tls->hello[HS_SERVER].bytes);
}

/* A record with the beginning of a client's hello, and lengths that can be true. */
static enum hs_match match(enum hs_side from, const uint8_t *bytes, size_t length)
{
	static const struct {
		uint8_t least, most;
	} head[] = {
		{ HANDSHAKE, HANDSHAKE }, { 3, 3 }, { 0, 4 }, { 0, RECORD_MAX >> 8 }, { 0, 255 },
		{ CLIENT_HELLO, CLIENT_HELLO }, { 0, 0 }, { 0, HELLO_MAX >> 8 }, { 0, 255 }, { 3, 3 }, { 0, 4 },
	};
	size_t count = sizeof(head) / sizeof(*head);
	uint32_t record, hello;

	if (from == HS_SERVER)
		return HS_MATCH_NO;
	for (size_t i = 0; i < count && i < length; i++)
		if (bytes[i] < head[i].least || bytes[i] > head[i].most)
			return HS_MATCH_NO;
	if (length < count)
		return HS_MATCH_MORE;
	record = bytes[3] << 8 | bytes[4];
	hello = bytes[7] << 8 | bytes[8];
	return hello >= HELLO_MIN && record <= hello + MESSAGE_HEAD && record >= count - RECORD_HEAD ? HS_MATCH_YES :
												       HS_MATCH_NO;
}

/* A connection whose handshake is over: nothing is to be seen of it. */
static enum hs_match boundary(enum hs_side from, const uint8_t *bytes, size_t length)
{
	enum hs_match hello = match(from, bytes, length);

	if (hello != HS_MATCH_NO || bytes[0] != APPLICATION_DATA || (length > 1 && bytes[1] != 3) ||
	    (length > 2 && bytes[2] != 3 && bytes[2] != 1) || (length > 3 && bytes[3] > RECORD_MAX >> 8))
		return hello;
	return length < RECORD_HEAD ? HS_MATCH_MORE : HS_MATCH_YES;
}

const struct hs_protocol hs_protocol_tls = {
	.name = "tls",
	.kind = HS_PROTOCOL_TLS,
	.state_size = sizeof(struct tls),
	.resumes_by_side = true,
	.match = match,
	.boundary = boundary,
	.feed = feed,
	.lost = lost,
	.end = end,
	.free = free_state,
};
