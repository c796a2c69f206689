/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all reading commands begin with. */
#ifndef HS_CMD_READING_H
#define HS_CMD_READING_H

#include "base/options.h"
#include "cmd/source.h"

/* The source that --socket and --input ask for; NULL: why is on stderr, and *status is set. */
struct hs_source *hs_reading_open(const struct hs_args *args, int *status);

/* Says on stderr why the source failed; the exit code. */
int hs_reading_failed(const struct hs_args *args, const struct hs_source *source);

#endif
