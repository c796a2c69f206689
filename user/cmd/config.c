// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "probe/hooks.h"

/* libconfuse reports errors through a function without an argument of ours. */
static struct {
	char *text;
	size_t size;
} problem;

static void keep_problem(cfg_t *cfg, const char *format, va_list args)
{
	int used;

	if (*problem.text)
		return; /* the first is the cause */
	used = snprintf(problem.text, problem.size, "%s:%d: ", cfg->filename ? cfg->filename : "", cfg->line);
	if (used > 0 && (size_t)used < problem.size)
		vsnprintf(problem.text + used, problem.size - used, format, args);
}

static const struct {
	const char *name;
	long from, to;
} ranges[] = {
	{ "ring_kbytes", 64, 1048576 },
	{ "max_connections", 1024, 16777216 },
	{ "max_edges", 16, 1048576 },
	{ "max_workloads", 16, 1048576 },
	{ "max_processes", 64, 1048576 },
	{ "max_listeners", 16, 1048576 },
	{ "max_events", 16, 1048576 },
	{ "max_findings", 16, 65536 },
	{ "max_routes", 16, 1048576 },
	{ "max_requests", 16, 1048576 },
	{ "max_conversations", 16, 1048576 },
	{ "close_wait_seconds", 1, 86400 },
	{ "edge_ttl_seconds", 10, 31536000 },
	{ "snapshot_milliseconds", 100, 3600000 },
};

static int check_range(cfg_t *cfg, cfg_opt_t *opt)
{
	long value = cfg_opt_getnint(opt, cfg_opt_size(opt) - 1);

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		if (strcmp(ranges[i].name, cfg_opt_name(opt)) ||
		    (value >= ranges[i].from && value <= ranges[i].to))
			continue;
		cfg_error(cfg, "%s is %ld, expected a number from %ld to %ld", ranges[i].name, value,
			  ranges[i].from, ranges[i].to);
		return -1;
	}
	return 0;
}

static int check_level(cfg_t *cfg, cfg_opt_t *opt)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	const char *value = cfg_opt_getnstr(opt, 0);

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		if (!strcmp(levels[i], value))
			return 0;
	cfg_error(cfg, "log_level is '%s', expected error, warn, info or debug", value);
	return -1;
}

/* "accept" or "accept:fexit" */
static bool is_hook_or_rung(const char *word, size_t length)
{
	char full[64];

	for (const struct hs_hook_def *hook = hs_hook_defs; hook < hs_hook_defs + HS_HOOK_COUNT; hook++) {
		if (length == strlen(hook->name) && !strncmp(word, hook->name, length))
			return true;
		for (size_t i = 0; i < HS_HOOK_RUNGS && hook->ladder[i].name; i++) {
			snprintf(full, sizeof(full), "%s:%s", hook->name, hook->ladder[i].name);
			if (length == strlen(full) && !strncmp(word, full, length))
				return true;
		}
	}
	return false;
}

static int check_disable(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *word = cfg_opt_getnstr(opt, 0);
	size_t length;

	for (; *word; word += length + (word[length] == ',')) {
		length = strcspn(word, ",");
		if (is_hook_or_rung(word, length))
			continue;
		cfg_error(cfg, "disable names '%.*s', expected hooks of `hopscope check`: accept,connect:fexit",
			  (int)length, word);
		return -1;
	}
	return 0;
}

static int check_rule(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *rule = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);

	if (!cfg_title(rule) || !*cfg_title(rule)) {
		cfg_error(cfg, "a rule needs a name: rule \"orders\" { executable = \"java\" }");
		return -1;
	}
	return 0;
}

/* The one that came last. */
static int check_route(cfg_t *cfg, cfg_opt_t *opt)
{
	struct hs_route_patterns *patterns = hs_route_patterns_new();
	unsigned count = cfg_opt_size(opt);
	const char *text = cfg_opt_getnstr(opt, count - 1);
	int error = patterns ? hs_route_patterns_add(patterns, text) : -ENOMEM;

	hs_route_patterns_free(patterns);
	if (count > HS_ROUTE_PATTERNS_MAX)
		cfg_error(cfg, "there are more than %d routes", HS_ROUTE_PATTERNS_MAX);
	else if (error == -ENAMETOOLONG)
		cfg_error(cfg, "a route is longer than %d bytes: %.40s...", HS_ROUTE_LEN - 1, text);
	else if (error)
		cfg_error(cfg, "'%s' is no route, expected segments that are words, {name} or *: "
			  "\"/users/{id}/orders\"", text);
	else
		return 0;
	return -1;
}

static cfg_opt_t rule_options[] = {
	CFG_STR("executable", NULL, CFGF_NONE),
	CFG_STR("arguments", NULL, CFGF_NONE),
	CFG_STR("cgroup", NULL, CFGF_NONE),
	CFG_STR("container", NULL, CFGF_NONE),
	CFG_STR("unit", NULL, CFGF_NONE),
	CFG_STR("namespace", NULL, CFGF_NONE),
	CFG_END(),
};

static cfg_t *make_parser(void)
{
	const struct hs_model_config *model = &hs_model_defaults;
	cfg_opt_t options[] = {
		CFG_STR("listen", NULL, CFGF_NONE),
		CFG_STR("socket", NULL, CFGF_NONE),
		CFG_STR("log_level", NULL, CFGF_NONE),
		CFG_STR("disable", NULL, CFGF_NONE),
		CFG_INT("ring_kbytes", 0, CFGF_NONE),
		CFG_INT("snapshot_milliseconds", 1000, CFGF_NONE),
		CFG_INT("max_connections", model->max_connections, CFGF_NONE),
		CFG_INT("max_edges", model->max_edges, CFGF_NONE),
		CFG_INT("max_workloads", model->max_workloads, CFGF_NONE),
		CFG_INT("max_processes", model->max_processes, CFGF_NONE),
		CFG_INT("max_listeners", model->max_listeners, CFGF_NONE),
		CFG_INT("max_events", model->max_events, CFGF_NONE),
		CFG_INT("max_findings", model->max_findings, CFGF_NONE),
		CFG_INT("max_routes", model->max_routes, CFGF_NONE),
		CFG_INT("max_requests", model->max_requests, CFGF_NONE),
		CFG_INT("max_conversations", model->max_conversations, CFGF_NONE),
		CFG_STR_LIST("routes", "{}", CFGF_NONE),
		CFG_INT("close_wait_seconds", model->close_wait_ns / HS_NS_PER_SEC, CFGF_NONE),
		CFG_INT("edge_ttl_seconds", model->edge_ttl_ns / HS_NS_PER_SEC, CFGF_NONE),
		CFG_BOOL("dns_names", model->dns_names ? cfg_true : cfg_false, CFGF_NONE),
		CFG_SEC("rule", rule_options, CFGF_MULTI | CFGF_TITLE),
		CFG_END(),
	};
	cfg_t *parser = cfg_init(options, CFGF_NONE);

	cfg_set_error_function(parser, keep_problem);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		cfg_set_validate_func(parser, ranges[i].name, check_range);
	cfg_set_validate_func(parser, "log_level", check_level);
	cfg_set_validate_func(parser, "disable", check_disable);
	cfg_set_validate_func(parser, "rule", check_rule);
	cfg_set_validate_func(parser, "routes", check_route);
	return parser;
}

static char *copy(cfg_t *parser, const char *name)
{
	const char *text = cfg_getstr(parser, name);

	return text ? strdup(text) : NULL;
}

static int take_rules(cfg_t *parser, struct hs_config *config)
{
	int error = 0;

	config->rules = hs_rules_new();
	if (!config->rules)
		return -ENOMEM;
	for (unsigned i = 0; i < cfg_size(parser, "rule") && !error; i++) {
		cfg_t *rule = cfg_getnsec(parser, "rule", i);

		error = hs_rules_add(config->rules, &(struct hs_rule){
			.name = cfg_title(rule),
			.executable = cfg_getstr(rule, "executable"),
			.arguments = cfg_getstr(rule, "arguments"),
			.cgroup = cfg_getstr(rule, "cgroup"),
			.container = cfg_getstr(rule, "container"),
			.unit = cfg_getstr(rule, "unit"),
			.namespace_ = cfg_getstr(rule, "namespace"),
		});
	}
	return error;
}

static int take_routes(cfg_t *parser, struct hs_config *config)
{
	int error = 0;

	config->routes = hs_route_patterns_new();
	if (!config->routes)
		return -ENOMEM;
	for (unsigned i = 0; i < cfg_size(parser, "routes") && !error; i++)
		error = hs_route_patterns_add(config->routes, cfg_getnstr(parser, "routes", i));
	return error;
}

static int take(cfg_t *parser, struct hs_config *config)
{
	struct hs_engine_config *engine = &config->engine;

	config->listen = copy(parser, "listen");
	config->socket = copy(parser, "socket");
	config->log_level = copy(parser, "log_level");
	config->disable = copy(parser, "disable");
	engine->probe.ring_bytes = cfg_getint(parser, "ring_kbytes") * 1024;
	engine->probe.disabled = config->disable;
	engine->snapshot_seconds = cfg_getint(parser, "snapshot_milliseconds") / 1e3;
	engine->model.max_connections = cfg_getint(parser, "max_connections");
	engine->model.max_edges = cfg_getint(parser, "max_edges");
	engine->model.max_workloads = cfg_getint(parser, "max_workloads");
	engine->model.max_processes = cfg_getint(parser, "max_processes");
	engine->model.max_listeners = cfg_getint(parser, "max_listeners");
	engine->model.max_events = cfg_getint(parser, "max_events");
	engine->model.max_findings = cfg_getint(parser, "max_findings");
	engine->model.max_routes = cfg_getint(parser, "max_routes");
	engine->model.max_requests = cfg_getint(parser, "max_requests");
	engine->model.max_conversations = cfg_getint(parser, "max_conversations");
	engine->model.close_wait_ns = cfg_getint(parser, "close_wait_seconds") * HS_NS_PER_SEC;
	engine->model.edge_ttl_ns = cfg_getint(parser, "edge_ttl_seconds") * HS_NS_PER_SEC;
	engine->model.dns_names = cfg_getbool(parser, "dns_names");
	return take_rules(parser, config) ?: take_routes(parser, config);
}

/* libconfuse's scanner ends the process when it cannot read what it could open. */
static int check_readable(const char *path)
{
	struct stat file;

	if (access(path, R_OK) || stat(path, &file))
		return -errno;
	return S_ISDIR(file.st_mode) ? -EISDIR : 0;
}

/* How the comment that begins here ends, or NULL. Within a word these characters are its own. */
static const char *comment_end(const char *text, char before)
{
	if (!strchr(" \t\r\n={}()+,\"'", before))
		return NULL;
	if (*text == '#' || !strncmp(text, "//", 2))
		return "\n";
	return strncmp(text, "/*", 2) ? NULL : "*/";
}

/* Blanks the comments: libconfuse loses count of the lines over them. */
static void blank_comments(char *text)
{
	char quote = '\0', before = '\n';

	while (*text) {
		const char *end = quote ? NULL : comment_end(text, before), *stop;

		stop = end ? strstr(text + 1, end) : NULL;
		if (end && !stop)
			stop = text + strlen(text);
		else if (end && *end != '\n')
			stop += strlen(end);
		for (; text < stop; text++)
			if (*text != '\n')
				*text = ' ';
		before = end ? ' ' : *text;
		if (end)
			continue;
		if (quote && *text == '\\' && text[1])
			text++;
		else if (quote ? *text == quote : *text == '"' || *text == '\'')
			quote = quote ? '\0' : *text;
		text++;
	}
}

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;

	if (file && getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = strdup("\n"); /* it is empty */
	}
	if (file)
		fclose(file);
	return text;
}

static int parse_file(cfg_t *parser, const char *path)
{
	char *text = read_all(path);
	FILE *file;
	int result = CFG_FILE_ERROR;

	if (!text)
		return result;
	blank_comments(text);
	file = fmemopen(text, strlen(text), "r");
	if (file) {
		free(parser->filename);
		parser->filename = strdup(path);
		result = cfg_parse_fp(parser, file);
		fclose(file);
	}
	free(text);
	return result;
}

/* The line is the file's last then, wherever the mistake is. */
static void explain_end(char *message, size_t size)
{
	static const char end[] = "premature end of file", why[] = ": a value or a closing quote is missing";
	size_t length = strlen(message);

	if (length >= strlen(end) && !strcmp(message + length - strlen(end), end))
		snprintf(message + length, size - length, "%s", why);
}

static int parse(cfg_t *parser, const char *path, char *message, size_t size)
{
	int error = path ? check_readable(path) : 0;

	if (error)
		snprintf(message, size, "%s: %s", path, strerror(-error));
	if (error || !path)
		return error;
	problem.text = message;
	problem.size = size;
	*message = '\0';
	if (parse_file(parser, path) == CFG_SUCCESS)
		return 0;
	if (!*message)
		snprintf(message, size, "%s: cannot be read", path);
	explain_end(message, size);
	return -EINVAL;
}

int hs_config_read(const char *path, struct hs_config *config, char *message, size_t size)
{
	cfg_t *parser = make_parser();
	int error;

	memset(config, 0, sizeof(*config));
	hs_engine_defaults(&config->engine);
	error = parse(parser, path, message, size);
	if (!error)
		error = take(parser, config);
	config->engine.model.rules = config->rules;
	config->engine.model.routes = config->routes;
	cfg_free(parser);
	return error;
}

void hs_config_free(struct hs_config *config)
{
	free(config->listen);
	free(config->socket);
	free(config->log_level);
	free(config->disable);
	hs_rules_free(config->rules);
	hs_route_patterns_free(config->routes);
}
