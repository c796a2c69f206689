// SPDX-License-Identifier: GPL-2.0-or-later
/* The command lines of agent and record; agent.c and record.c run them. */
#include "cmd/command.h"

static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };

static const struct hs_option agent_options[] = {
	{ .name = "listen", .kind = HS_OPTION_LISTEN, .value = "ADDR:PORT",
	  .preset = "127.0.0.1:9464",
	  .help = "serve metrics and the API here; :9464 is every address" },
	{ .name = "no-listen", .kind = HS_OPTION_FLAG, .help = "serve on the unix socket only" },
	{ .name = "socket", .kind = HS_OPTION_FILE, .value = "PATH", .preset = HS_DEFAULT_SOCKET,
	  .help = "serve the API on this unix socket too" },
	{ .name = "config", .kind = HS_OPTION_FILE, .value = "FILE",
	  .help = "read settings from this file, see hopscope.conf(5)" },
	{ .name = "log-level", .kind = HS_OPTION_CHOICE, .value = "LEVEL", .preset = "info",
	  .choices = log_levels, .help = "how much to say on stderr" },
	HS_OPTION_HELP,
	{ 0 },
};

static const struct hs_example agent_examples[] = {
	{ "agent", "metrics on http://127.0.0.1:9464/metrics" },
	{ "agent --listen :9464", "metrics for a Prometheus on another machine" },
	{ NULL },
};

const struct hs_command hs_agent_command = {
	.name = "agent",
	.summary = "Run the agent: metrics, the API, and what other commands ask",
	.details = "It stays in the foreground and ends on SIGTERM or Ctrl-C.",
	.run = hs_cmd_agent,
	.options = agent_options,
	.examples = agent_examples,
};

static const struct hs_option record_options[] = {
	{ .name = "duration", .kind = HS_OPTION_DURATION, .value = "TIME",
	  .help = "end after this time; without it at Ctrl-C" },
	HS_OPTION_HELP,
	{ 0 },
};

static const struct hs_example record_examples[] = {
	{ "record bug.hops --duration 30s", "half a minute of events" },
	{ "graph --input bug.hops", "look at it, on any machine" },
	{ NULL },
};

const struct hs_command hs_record_command = {
	.name = "record",
	.group = "Run",
	.summary = "Write events to a file, for --input of the other commands",
	.run = hs_cmd_record,
	.options = record_options,
	.operand = { "FILE", true, NULL },
	.examples = record_examples,
};
