/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/executable.h"

#include "base/utf8.h"
#include "meta/interpreter.h"
#include "meta/text.h"

#define LAUNCHERS_MAX 4 /* env that starts ld.so that starts … */

/* Without the argument that was cut: half a name is another name. */
static struct hs_text whole_args(struct hs_text args)
{
	while (args.len && args.data[args.len - 1])
		args.len--;
	return args;
}

/* "/memfd:runc_cloned:/proc/self/exe (deleted)" is no path, whatever it looks like. */
static struct hs_text exe_base(struct hs_text exe)
{
	struct hs_text inner = hs_text_skip(hs_text_without(exe, " (deleted)"), "/");
	struct hs_text memfd = hs_text_skip(inner, "memfd:");

	if (memfd.len < inner.len)
		return hs_text_first(memfd, hs_text_find(memfd, ':'));
	return hs_text_base(inner);
}

/*
 * argv[0] as a path ("/usr/sbin/nginx"), a login shell's ("-bash"), or a title ("sshd: root@pts/0",
 * "[celeryd: w1]", "puma 6.4 (tcp://…) [app]"): its first word. "" when that may have been cut.
 */
static struct hs_text title_name(struct hs_text args)
{
	struct hs_text title = hs_text_first(args, hs_text_find(args, '\0'));
	struct hs_text word = hs_text_first(title, hs_text_find(title, ' '));

	if (word.len == args.len)
		return hs_text_first(args, 0);
	word = hs_text_skip(hs_text_skip(hs_text_without(word, ":"), "-"), "[");
	return hs_text_base(hs_text_without(word, "]"));
}

/* BusyBox acts as what it is called, or as its first argument. args begins with argv[0]. */
static struct hs_text applet(struct hs_text program, struct hs_text *args)
{
	struct hs_text called, arg;

	if (!hs_text_in(program, "busybox toybox busybox.static"))
		return program;
	called = title_name(*args);
	if (!hs_text_in(called, "busybox toybox busybox.static"))
		return called.len ? called : program;
	hs_text_next(args, &arg);
	called = title_name(*args);
	return called.len && !hs_text_starts(called, "-") ? called : program;
}

/* What is left of the arguments is empty: a title was written over them, or there are none. */
static bool only_title(struct hs_text args)
{
	struct hs_text arg;

	while (hs_text_next(&args, &arg)) {
		if (arg.len)
			return false;
	}
	return true;
}

/* An interpreter without a script may have a title: "next-server (v14)" of node. */
static struct hs_text script_title(struct hs_text program, struct hs_text all, struct hs_text args)
{
	struct hs_text title = title_name(all);

	if (!title.len || !only_title(args) || hs_interpreter_find(title))
		return program;
	return title;
}

static struct hs_text script_of(struct hs_text program, struct hs_text all, struct hs_text args)
{
	struct hs_text arg0, script;

	hs_text_next(&args, &arg0);
	for (int i = 0; i < LAUNCHERS_MAX; i++) {
		const struct hs_interpreter *interpreter = hs_interpreter_find(program);
		struct hs_text given = args;

		if (!interpreter)
			return program;
		script = hs_interpreter_script(interpreter, &args);
		if (!script.len)
			return script_title(program, all, given);
		program = script;
		if (!hs_interpreter_is_launcher(interpreter))
			return program;
	}
	return program;
}

/* Of kernel threads only the first part: "kworker/0:1" is on another CPU a moment later. */
static struct hs_text comm_name(struct hs_text comm)
{
	size_t slash = hs_text_find(comm, '/');

	return slash ? hs_text_first(comm, slash) : comm;
}

/*
 * What the program was started as, where that is a link to another name (Debian's redis-server
 * is redis-check-rdb): the kernel takes comm from the name that was executed, and a program that
 * did not change argv[0] has the same there.
 */
static struct hs_text started_as(struct hs_text program, struct hs_text args, struct hs_text comm)
{
	struct hs_text called = title_name(args);
	bool linked = hs_text_equal(comm, hs_text_first(called, HS_COMM_LEN - 1)) &&
		      !hs_text_equal(comm, hs_text_first(program, HS_COMM_LEN - 1));

	return called.len && linked && !hs_interpreter_find(program) ? called : program;
}

void hs_executable_name(const struct hs_process_facts *facts, char *name, size_t size)
{
	struct hs_text all = hs_text_bytes(facts->args, facts->args_len), args = whole_args(all);
	struct hs_text program = exe_base(hs_text_of(facts->exe));

	program = program.len ? started_as(program, all, hs_text_of(facts->comm)) : title_name(all);
	if (!program.len)
		program = comm_name(hs_text_of(facts->comm));
	program = script_of(applet(program, &args), all, args);
	if (!program.len)
		program = hs_text_of("unknown");
	hs_utf8_copy(name, size, program.data, program.len);
}
