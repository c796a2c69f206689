/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_FUZZ_H
#define HS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps the compiler from leaving out what made value. */
static inline void hs_fuzz_use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

/* A file descriptor of a file in memory with these bytes; path gets a name for it. */
int hs_fuzz_file(const uint8_t *data, size_t size, char path[32]);

#endif
