/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's own figures, process_* as all Prometheus clients give them. */
#include <dirent.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "export/build.h"
#include "export/prometheus_page.h"

#ifndef HS_REVISION
#define HS_REVISION "unknown"
#endif

const char *const hs_revision = HS_REVISION;

static double seconds_of(clockid_t id)
{
	struct timespec time;

	clock_gettime(id, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Once: a start that moves with every correction of the clock looks like a restart. */
static _Atomic double started;

/* proc(5): fields 14, 15 (CPU ticks), 22 (start, ticks since boot), 23 (bytes), 24 (pages). */
static void parse_stat(const char *stat, struct hs_self *self)
{
	double ticks = (double)sysconf(_SC_CLK_TCK);
	unsigned long long user, system, start, size, pages;
	const char *at = strrchr(stat, ')'); /* the name before it may hold anything */

	if (!at || sscanf(at,
			  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			  "%*d %*d %llu %llu %llu",
			  &user, &system, &start, &size, &pages) != 5)
		return;
	self->cpu_seconds = (double)(user + system) / ticks;
	self->virtual_bytes = (double)size;
	self->resident_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
	if (!started)
		started = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) +
			  (double)start / ticks;
	self->start_seconds = round(started * 100) / 100; /* the kernel knows no more digits */
}

static void read_stat(struct hs_self *self)
{
	char stat[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	size_t len;

	if (!file)
		return;
	len = fread(stat, 1, sizeof(stat) - 1, file);
	stat[len] = '\0';
	fclose(file);
	parse_stat(stat, self);
}

static void read_fds(struct hs_self *self)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	double count = 0;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	closedir(directory);
	self->open_fds = count - 1; /* the directory's own */
}

static void read_model(const struct hs_view *view, struct hs_self *self)
{
	self->accepts_unobserved = (double)hs_model_counters(view->model)->accepts_unobserved;
	self->connections = (double)hs_model_connection_count(view->model);
	self->snapshots = (double)view->pass_count;
	self->snapshot_seconds = view->pass_count ? view->pass_seconds : NAN;
	self->map_bytes = (double)view->map_bytes;
	self->ready = view->ready;
}

void hs_self_read(const struct hs_view *view, struct hs_self *self)
{
	struct rlimit limit;

	*self = (struct hs_self){
		.cpu_seconds = NAN, .resident_bytes = NAN, .virtual_bytes = NAN,
		.open_fds = NAN, .max_fds = NAN, .start_seconds = NAN,
	};
	read_model(view, self);
	read_stat(self);
	read_fds(self);
	if (!getrlimit(RLIMIT_NOFILE, &limit))
		self->max_fds = (double)limit.rlim_cur;
}
