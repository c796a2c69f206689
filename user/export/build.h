/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was built. The Makefile gives HS_VERSION to all files with -D. */
#ifndef HS_EXPORT_BUILD_H
#define HS_EXPORT_BUILD_H

#ifndef HS_VERSION
#define HS_VERSION "unknown"
#endif

#ifdef __clang__
#define HS_COMPILER __VERSION__ /* says "Clang" itself */
#else
#define HS_COMPILER "gcc " __VERSION__
#endif

/* HS_REVISION, in one file: the Makefile builds prometheus_self.c with it, and no other again. */
extern const char *const hs_revision;

#endif
