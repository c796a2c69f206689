/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files of procfs, by their directory's descriptor: a pid may change hands meanwhile. */
#ifndef HS_META_PROCFILE_H
#define HS_META_PROCFILE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Read a file's beginning: size - 1 bytes at most, then a NUL. Returns how many, or -errno:
 * -ENOENT when there is no such file, -ESRCH when its process is gone.
 */
int hs_procfile_read(int dir, const char *name, char *buffer, size_t size);

/* The same for the target of a link. */
int hs_procfile_link(int dir, const char *name, char *buffer, size_t size);

/* To read it line by line; NULL with errno. fclose() it. */
FILE *hs_procfile_open(int dir, const char *name);

#endif
