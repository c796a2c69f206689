/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/interpreter.h"

#include <fnmatch.h>

#include "base/utf8.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Options are lists of words; a one-letter option is found in a cluster too ("-uc"). What is in
 * no list takes no value, or has it glued on ("-Wall", "--inspect=9229").
 */
struct hs_interpreter {
	const char *names;  /* shell wildcards */
	const char *value;  /* options whose value may be the next argument */
	const char *script; /* options whose value is the script */
	const char *code;   /* options after which there is no script: one-liners, standard input */
	const char *glued;  /* letters that end a cluster, because the rest of it is their value */
	const char *skip;   /* subcommands that stand before the script */
	const char *own;    /* subcommands that run no script */
	bool words;         /* one dash begins a word (-jar), not a cluster of letters */
	bool plus;          /* options begin with + too */
	bool argfiles;      /* @file stands for more options */
	bool assignments;   /* NAME=VALUE stands before the script */
	bool launcher;
	struct hs_text (*find)(struct hs_text *args); /* instead of all that */
};

static struct hs_text erlang_application(struct hs_text *args);

static const struct hs_interpreter interpreters[] = {
	{
		.names = "python python[0-9]* pypy pypy[0-9]*",
		.value = "-W -X --check-hash-based-pycs",
		.script = "-m",
		.code = "-c",
	},
	{
		.names = "node node[0-9]* nodejs",
		.value = "-r --require --import -C --conditions --loader --experimental-loader "
			 "--env-file --env-file-if-exists --title --watch-path --icu-data-dir "
			 "--openssl-config --redirect-warnings --diagnostic-dir --report-dir "
			 "--report-directory --input-type --disable-warning --dns-result-order",
		.code = "-e --eval -p --print --run",
		.skip = "inspect",
	},
	{
		.names = "ruby ruby[0-9]* truffleruby",
		.value = "-I -r -C -E --encoding --external-encoding --internal-encoding "
			 "--enable --disable",
		.code = "-e",
		.glued = "FKTWix",
	},
	{
		.names = "perl perl[0-9]*",
		.value = "-I",
		.code = "-e -E",
		.glued = "CDFMVdimx",
	},
	{
		.names = "php php[0-9]*",
		.value = "-c -d -t -z --php-ini --define --docroot --zend-extension",
		.script = "-f -F --file --process-file",
		.code = "-r -B -R -E -S --run --process-begin --process-code --process-end "
			"--server",
	},
	{
		.names = "sh bash dash ash zsh ksh ksh[0-9]* mksh rbash",
		.value = "-o -O --rcfile --init-file",
		.code = "-c -s",
		.plus = true,
	},
	{
		.names = "fish",
		.value = "-C --init-command -d --debug -o --debug-output -f --features",
		.code = "-c --command",
	},
	{
		.names = "lua lua[0-9]* luajit luajit-*",
		.value = "-e -l -j",
	},
	{
		.names = "tclsh tclsh[0-9]*",
		.value = "-encoding",
		.words = true,
	},
	{
		.names = "deno",
		.value = "-c --config --import-map -L --log-level --lock --cert --location --seed "
			 "--host --port --preload",
		.skip = "run serve test bench watch",
		.own = "eval task repl lsp compile install cache fmt lint check doc info upgrade",
	},
	{
		.names = "bun",
		.value = "-r --preload --require --import --cwd -c --config --env-file --port -l "
			 "--loader -d --define --conditions --tsconfig-override",
		.code = "-e --eval -p --print",
		.skip = "run test",
		.own = "add build create init install link pm remove repl update upgrade x",
	},
	{
		.names = "java",
		.value = "-cp -classpath --class-path -p --module-path --upgrade-module-path "
			 "--add-modules --limit-modules --add-exports --add-opens --add-reads "
			 "--patch-module --enable-native-access --source",
		.script = "-jar -m --module",
		.code = "-d --describe-module --list-modules",
		.words = true,
		.argfiles = true,
	},
	{
		.names = "dotnet",
		.value = "--fx-version --roll-forward --additionalprobingpath --additional-deps "
			 "--depsfile --runtimeconfig",
		.skip = "exec",
		.own = "build clean format fsi msbuild new nuget pack publish restore run test "
		       "tool vstest watch",
		.words = true,
	},
	{
		.names = "mono mono-sgen",
		.value = "--config",
		.words = true,
	},
	{
		.names = "beam.smp beam",
		.find = erlang_application,
	},
	{
		.names = "env",
		.value = "-u --unset -C --chdir",
		.code = "-S --split-string",
		.assignments = true,
		.launcher = true,
	},
	{
		.names = "ld-linux*.so.* ld-musl-*.so.* ld64.so.* ld-[0-9]*.so",
		.value = "--library-path --inhibit-rpath --audit --preload --argv0 "
			 "--glibc-hwcaps-prepend --glibc-hwcaps-mask",
		.words = true,
		.launcher = true,
	},
};

/* Applications whose first module has another name than the people who run them use. */
static const struct {
	const char *module;
	const char *name; /* NULL: starts others */
} erlang_modules[] = {
	{ "rabbit", "rabbitmq" },
	{ "elixir", NULL },
	{ "init", NULL },
};

/* What an argument means. */
enum meaning {
	OPTION,      /* go on with the next one */
	OPTION_NEXT, /* its value is the next one: skip that */
	SCRIPT,      /* the script is here */
	SCRIPT_NEXT, /* the script is the next one */
	NO_SCRIPT,
};

/* name fits one of the wildcards of a list. */
static bool fits(const char *name, const char *list)
{
	struct hs_text rest = hs_text_of(list);
	char pattern[32];

	while (rest.len) {
		size_t len = hs_text_find(rest, ' ');

		hs_utf8_copy(pattern, sizeof(pattern), rest.data, len);
		if (!fnmatch(pattern, name, 0))
			return true;
		rest = hs_text_from(rest, len + 1);
	}
	return false;
}

const struct hs_interpreter *hs_interpreter_find(struct hs_text executable)
{
	char name[64];

	if (executable.len >= sizeof(name))
		return NULL;
	hs_utf8_copy(name, sizeof(name), executable.data, executable.len);
	for (size_t i = 0; i < ARRAY_LEN(interpreters); i++) {
		if (fits(name, interpreters[i].names))
			return &interpreters[i];
	}
	return NULL;
}

bool hs_interpreter_is_launcher(const struct hs_interpreter *interpreter)
{
	return interpreter->launcher;
}

/* option has no "=value" on it. */
static enum meaning option_meaning(const struct hs_interpreter *interpreter, struct hs_text option)
{
	if (hs_text_in(option, interpreter->code))
		return NO_SCRIPT;
	if (hs_text_in(option, interpreter->script))
		return SCRIPT_NEXT;
	if (hs_text_in(option, interpreter->value))
		return OPTION_NEXT;
	return OPTION;
}

/* The same when the value is glued to the option. */
static enum meaning with_value(enum meaning meaning)
{
	static const enum meaning glued[] = {
		[OPTION] = OPTION,
		[OPTION_NEXT] = OPTION,
		[SCRIPT] = SCRIPT,
		[SCRIPT_NEXT] = SCRIPT,
		[NO_SCRIPT] = NO_SCRIPT,
	};

	return glued[meaning];
}

/* "-uBm": letters up to the first that has a value; what follows that one is in *value. */
static enum meaning cluster_meaning(const struct hs_interpreter *interpreter, struct hs_text arg,
				    struct hs_text *value)
{
	for (size_t i = 1; i < arg.len; i++) {
		const char option[] = { '-', arg.data[i] };
		enum meaning meaning;

		*value = hs_text_from(arg, i + 1);
		meaning = option_meaning(interpreter, hs_text_bytes(option, sizeof(option)));
		if (meaning != OPTION)
			return value->len ? with_value(meaning) : meaning;
		if (interpreter->glued && strchr(interpreter->glued, arg.data[i]))
			return OPTION;
	}
	return OPTION;
}

static bool is_option(const struct hs_interpreter *interpreter, struct hs_text arg)
{
	return hs_text_starts(arg, "-") || (interpreter->plus && hs_text_starts(arg, "+"));
}

/* What stands for options, or does not count. */
static bool is_filler(const struct hs_interpreter *interpreter, struct hs_text arg)
{
	return !arg.len || (interpreter->argfiles && hs_text_starts(arg, "@")) ||
	       (interpreter->assignments && hs_text_find(arg, '=') < arg.len);
}

/* An argument that stands before the script. SCRIPT leaves that in *script. */
static enum meaning argument_meaning(const struct hs_interpreter *interpreter, struct hs_text arg,
				     struct hs_text *script)
{
	size_t equals = hs_text_find(arg, '=');
	enum meaning meaning;

	*script = arg;
	if (hs_text_is(arg, "--"))
		return SCRIPT_NEXT;
	if (hs_text_is(arg, "-"))
		return interpreter->launcher ? OPTION : NO_SCRIPT;
	if (!is_option(interpreter, arg))
		return is_filler(interpreter, arg) ? OPTION : SCRIPT;
	if (!interpreter->words && !hs_text_starts(arg, "--"))
		return cluster_meaning(interpreter, arg, script);
	*script = hs_text_from(arg, equals + 1);
	meaning = option_meaning(interpreter, hs_text_first(arg, equals));
	return equals < arg.len ? with_value(meaning) : meaning;
}

/* The first word may be a subcommand, and not yet the script. */
static enum meaning subcommand_meaning(const struct hs_interpreter *interpreter,
				       struct hs_text word)
{
	if (hs_text_in(word, interpreter->own))
		return NO_SCRIPT;
	return hs_text_in(word, interpreter->skip) ? OPTION : SCRIPT;
}

/* "." names nothing, and what came through a descriptor has no name. */
static struct hs_text script_base(struct hs_text script)
{
	struct hs_text base = hs_text_base(script);

	if (hs_text_in(base, ". ..") || hs_text_is(script, "/dev/stdin") ||
	    hs_text_starts(script, "/dev/fd/") || hs_text_starts(script, "/proc/self/fd/"))
		return hs_text_first(base, 0);
	return base;
}

struct hs_text hs_interpreter_script(const struct hs_interpreter *interpreter,
				     struct hs_text *args)
{
	struct hs_text arg, script, none = hs_text_bytes(NULL, 0);
	bool subcommand = false;

	if (interpreter->find)
		return interpreter->find(args);
	while (hs_text_next(args, &arg)) {
		enum meaning meaning = argument_meaning(interpreter, arg, &script);

		if (meaning == SCRIPT && !subcommand) {
			subcommand = true;
			meaning = subcommand_meaning(interpreter, script);
		}
		if (meaning == SCRIPT)
			return script_base(script);
		if (meaning == SCRIPT_NEXT)
			return hs_text_next(args, &arg) ? script_base(arg) : none;
		if (meaning == NO_SCRIPT || (meaning == OPTION_NEXT && !hs_text_next(args, &arg)))
			return none;
	}
	return none;
}

static struct hs_text erlang_name(struct hs_text module)
{
	for (size_t i = 0; i < ARRAY_LEN(erlang_modules); i++) {
		if (hs_text_is(module, erlang_modules[i].module))
			return hs_text_of(erlang_modules[i].name);
	}
	return module;
}

/* "-s MODULE [FUNCTION]" calls it at the start: the application, as a rule. */
static struct hs_text erlang_application(struct hs_text *args)
{
	struct hs_text arg, name = hs_text_bytes(NULL, 0);

	while (!name.len && hs_text_next(args, &arg)) {
		if (hs_text_is(arg, "-s") && hs_text_next(args, &arg))
			name = erlang_name(arg);
	}
	return name;
}
