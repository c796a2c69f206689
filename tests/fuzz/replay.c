// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a target over the files named on the command line, each cut at every length too where it
 * is short: what a fuzzer found once is tried for ever, without a fuzzer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define CUT_AT_EVERY_LENGTH 4096

static void run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1); /* reading beyond the end is noticed */

	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static int replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	run(data, size);
	for (size_t cut = 0; size <= CUT_AT_EVERY_LENGTH && cut < size; cut++)
		run(data, cut);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed += replay(argv[i]);
	return failed != 0;
}
