/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's log: one line per message on stderr. Libraries return errors; commands log them. */
#ifndef HS_BASE_LOG_H
#define HS_BASE_LOG_H

enum hs_log_level { HS_LOG_ERROR_LEVEL, HS_LOG_WARN, HS_LOG_INFO, HS_LOG_DEBUG };

/* "error", "warn", "info", "debug"; -EINVAL for anything else. Sets what is printed. */
int hs_log_set_level(const char *name);
void hs_log(enum hs_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
