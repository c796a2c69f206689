/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/blob.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <zlib.h>

#define FIRST_CAPACITY ((size_t)64 << 10)

static int reserve(struct hs_blob *blob, size_t needed)
{
	size_t capacity = blob->capacity ? blob->capacity : FIRST_CAPACITY;
	void *data;

	if (needed <= blob->capacity)
		return 0;
	while (capacity < needed)
		capacity *= 2;
	if (blob->data)
		data = mremap(blob->data, blob->capacity, capacity, MREMAP_MAYMOVE);
	else
		data = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	if (data == MAP_FAILED)
		return -ENOMEM;
	blob->data = data;
	blob->capacity = capacity;
	return 0;
}

static ssize_t append(void *cookie, const char *bytes, size_t len)
{
	struct hs_blob *blob = cookie;

	if (reserve(blob, blob->size + len))
		return 0; /* an error, for stdio */
	memcpy(blob->data + blob->size, bytes, len);
	blob->size += len;
	return (ssize_t)len;
}

FILE *hs_blob_open(struct hs_blob *blob)
{
	return fopencookie(blob, "w", (cookie_io_functions_t){ .write = append });
}

/* 15: the largest window; 16: with gzip's header. */
int hs_blob_gzip(const struct hs_blob *raw, struct hs_blob *gzip)
{
	z_stream stream = { .next_in = (unsigned char *)raw->data,
			    .avail_in = (unsigned)raw->size };
	int end = Z_OK;

	if (raw->size > UINT32_MAX ||
	    deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	if (!reserve(gzip, deflateBound(&stream, raw->size))) {
		stream.next_out = (unsigned char *)gzip->data;
		stream.avail_out =
			(unsigned)(gzip->capacity < UINT32_MAX ? gzip->capacity : UINT32_MAX);
		end = deflate(&stream, Z_FINISH);
		gzip->size = stream.total_out;
	}
	deflateEnd(&stream);
	if (end == Z_STREAM_END)
		return 0;
	hs_blob_free(gzip);
	return -ENOMEM;
}

void hs_blob_free(struct hs_blob *blob)
{
	if (blob->data)
		munmap(blob->data, blob->capacity);
	*blob = (struct hs_blob){ 0 };
}
