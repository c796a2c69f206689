// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A conversation of two hostile ends, for every parser there is. The first byte: bit 0 the connection
 * is older than the agent. Then segments, each a head of three bytes and its payload: bit 7 of the first
 * who speaks, bit 6 its last byte was not captured, bit 5 a hole before it, the rest and the
 * second byte its length; the third byte how much time goes by.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "l7/conversation.h"

static void on_call(void *arg, const struct hs_protocol *protocol, const struct hs_call *call)
{
	(void)arg;
	hs_fuzz_use(strlen(protocol->name) + strlen(call->operation) + strlen(call->target) + strlen(call->error) +
		    strlen(call->version) + call->status);
}

static void on_loss(void *arg, const struct hs_protocol *protocol, enum hs_l7_loss loss, uint64_t count)
{
	(void)arg;
	hs_fuzz_use((uintptr_t)protocol + loss + count);
}

static const struct hs_conversation_events events = { on_call, on_loss };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_conversation *c;
	uint32_t position[HS_SIDES] = { 0xffffff00, 1 };
	uint64_t now_ns = 1000000000;

	if (!size)
		return 0;
	c = hs_conversation_new(data[0] & 1, &events, NULL);
	data++, size--;
	while (size > 3) {
		enum hs_side from = data[0] >> 7 ? HS_SERVER : HS_CLIENT;
		size_t length = (data[0] & 31u) << 8 | data[1];
		struct hs_segment segment = { .from = from };
		uint8_t *bytes;

		now_ns += (uint64_t)data[2] * data[2] * 100000;
		if (length > size - 3)
			length = size - 3;
		position[from] += data[0] & 32 ? 100 : 0;
		bytes = malloc(length + 1); /* its own: a read beyond it is seen */
		memcpy(bytes, data + 3, length);
		segment.position = position[from];
		segment.length = length;
		segment.captured = length && data[0] & 64 ? length - 1 : length;
		segment.bytes = bytes;
		segment.time_ns = now_ns;
		hs_conversation_feed(c, &segment);
		free(bytes);
		position[from] += length;
		data += 3 + length;
		size -= 3 + length;
	}
	hs_conversation_end(c, now_ns);
	hs_conversation_free(c);
	return 0;
}
