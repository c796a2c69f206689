/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a record must look like, and the names of the kernel's loss counters. */
#ifndef HS_BASE_RECORD_H
#define HS_BASE_RECORD_H

#include <stddef.h>

#include "hopscope/event.h"

/* Does the record's size fit its kind? size: the bytes that are there. 0 or -EBADMSG. */
int hs_record_check(const struct hs_event *event, size_t size);

const char *hs_loss_name(enum hs_loss loss); /* "ring_connection" */

#endif
