/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages (RFC 1035, 4), whatever carries them. Pure; nothing on the wire is believed. */
#ifndef HS_L7_DNS_MESSAGE_H
#define HS_L7_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HS_DNS_HEADER_BYTES 12
#define HS_DNS_NAME_BYTES 255                                     /* on the wire: RFC 1035, 2.3.4 */
#define HS_DNS_QUESTION_BYTES (HS_DNS_NAME_BYTES + 4)
#define HS_DNS_NAME_LEN 256                                       /* as text, with its NUL */
#define HS_DNS_TYPE_LEN 16

enum { HS_DNS_NOERROR = 0, HS_DNS_NXDOMAIN = 3 };
enum { HS_DNS_TYPE_A = 1, HS_DNS_TYPE_CNAME = 5, HS_DNS_TYPE_AAAA = 28 };
enum { HS_DNS_OPCODE_QUERY = 0 };

struct hs_dns_message {
	uint16_t id;
	bool answer, truncated;
	uint8_t opcode, rcode;
	uint16_t questions, answers, authorities, additionals; /* as it says itself */
	/* The question, where there is one: an answer without it has name "" and type 0. */
	uint16_t type, class_;
	char name[HS_DNS_NAME_LEN]; /* lower case, without the dot at its end; "." is the root */
	size_t question_end;        /* where the answers begin */
};

/*
 * Header and question. 0; -EAGAIN: bytes end before the question does; -EBADMSG: this is no DNS
 * message, or none with one question. message is untouched on failure.
 */
int hs_dns_read(const uint8_t *bytes, size_t length, struct hs_dns_message *message);

struct hs_dns_address {
	uint8_t address[16];
	uint32_t ttl; /* seconds: the least on the way to it */
};

/*
 * The addresses that an answer gives for the name that was asked for, through its aliases
 * (CNAME). At most max of them; those behind a place that cannot be read are left out. How many.
 */
size_t hs_dns_addresses(const uint8_t *bytes, size_t length, const struct hs_dns_message *message,
			struct hs_dns_address *addresses, size_t max);

/* "A", "SRV"; "TYPE64" (RFC 3597) for what has no name here. */
void hs_dns_type_text(uint16_t type, char text[HS_DNS_TYPE_LEN]);

/* "nxdomain", "servfail"; "" for no error, "rcode12" for what has no name. */
void hs_dns_rcode_text(uint8_t rcode, char text[HS_DNS_TYPE_LEN]);

/* The server did not do its part: to be told that there is no such name is an answer. */
bool hs_dns_rcode_is_failure(uint8_t rcode);

#endif
