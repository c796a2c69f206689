// SPDX-License-Identifier: GPL-2.0-or-later
/* The texts of a process record: its owner may have made them as he liked. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "meta/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_ev_process *process;
	struct hs_process_facts facts;
	struct hs_identity identity;

	if (size < sizeof(*process) || size > UINT16_MAX)
		return 0;
	process = malloc(size);
	memcpy(process, data, size);
	process->event.size = size;
	if (hs_process_facts(process, &facts)) {
		hs_identify(&facts, NULL, &identity);
		if (!*identity.name || strnlen(identity.name, sizeof(identity.name)) == sizeof(identity.name))
			abort();
	}
	free(process);
	return 0;
}
