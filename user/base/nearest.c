// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

#define MAX_LEN 32 /* longer words are no option or command of ours */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance, in a table of rows by letters of a, columns of b. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned table[MAX_LEN + 1][MAX_LEN + 1];

	for (size_t i = 0; i <= a_len; i++)
		table[i][0] = (unsigned)i;
	for (size_t j = 0; j <= b_len; j++)
		table[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = least(best, table[i - 1][j] + 1);
			best = least(best, table[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, table[i - 2][j - 2] + 1);
			table[i][j] = best;
		}
	}
	return table[a_len][b_len];
}

/* A third of the letters may be wrong; a beginning ("conn") counts as one slip. */
static unsigned slips(const char *word, const char *candidate)
{
	size_t len = strlen(word), candidate_len = strlen(candidate);
	unsigned found;

	if (len > MAX_LEN || candidate_len > MAX_LEN)
		return ~0u;
	if (len >= 2 && !strncmp(word, candidate, len))
		return 1;
	found = distance(word, len, candidate, candidate_len);
	return found <= (len < 4 ? 1 : (len + 1) / 3) && found < candidate_len ? found : ~0u;
}

const char *hs_nearest(const char *word, const char *const *list, size_t count)
{
	const char *nearest = NULL;
	unsigned fewest = ~0u;

	for (size_t i = 0; i < count; i++) {
		unsigned now = slips(word, list[i]);

		if (now < fewest) {
			fewest = now;
			nearest = list[i];
		}
	}
	return nearest;
}
