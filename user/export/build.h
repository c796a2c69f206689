/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was built: the Makefile gives both with -D. */
#ifndef HS_EXPORT_BUILD_H
#define HS_EXPORT_BUILD_H

#ifndef HS_VERSION
#define HS_VERSION "unknown"
#endif
#ifndef HS_REVISION
#define HS_REVISION "unknown"
#endif

#ifdef __clang__
#define HS_COMPILER __VERSION__ /* says "Clang" itself */
#else
#define HS_COMPILER "gcc " __VERSION__
#endif

#endif
