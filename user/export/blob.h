/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing piece of memory of its own mapping. Documents of megabytes come and go: from the
 * heap they would stay in it as holes; here they are given back to the last page when done, and
 * doubling costs no memory until it is written.
 */
#ifndef HS_EXPORT_BLOB_H
#define HS_EXPORT_BLOB_H

#include <stddef.h>
#include <stdio.h>

struct hs_blob { /* all zero: empty */
	char *data;
	size_t size;
	size_t capacity;
};

/* A stream that appends to blob; close it before reading. NULL: no memory. */
FILE *hs_blob_open(struct hs_blob *blob);

/* The gzip form of raw into an empty blob. 0 or -ENOMEM. */
int hs_blob_gzip(const struct hs_blob *raw, struct hs_blob *gzip);

/* Leaves it empty. */
void hs_blob_free(struct hs_blob *blob);

#endif
