/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meta/executable.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct want {
	const char *exe;
	const char *args; /* separated by '|', each ended by NUL; after a final '~' it is cut */
	const char *name;
};

/* The arguments in memory of just their length. */
static char *arguments(const char *text, size_t *len)
{
	char *out = strdup(text);

	*len = *text ? strlen(text) + 1 : 0;
	if (*len > 1 && text[*len - 2] == '~')
		*len -= 2;
	for (char *c = out; *c; c++) {
		if (*c == '|')
			*c = '\0';
	}
	return realloc(out, *len ? *len : 1);
}

static void check(const struct want *want)
{
	struct hs_process_facts facts = { .comm = "comm", .hostname = "", .exe = want->exe };
	char name[HS_NAME_LEN];
	char *args = arguments(want->args, &facts.args_len);

	facts.args = args;
	hs_executable_name(&facts, name, sizeof(name));
	free(args);
	if (strcmp(name, want->name))
		fail_msg("%s [%s]: %s, not %s", want->exe, want->args, name, want->name);
}

static const struct want plain[] = {
	{ "/usr/sbin/nginx", "nginx|-g|daemon off;", "nginx" },
	{ "nginx", "nginx", "nginx" },
	{ "/usr/sbin/nginx", "nginx: worker process", "nginx" },
	{ "/usr/sbin/nginx", "nginx: master process /usr/sbin/nginx -c /etc/x.conf||||", "nginx" },
	{ "/usr/lib/postgresql/15/bin/postgres", "postgres: app db [local] idle", "postgres" },
	{ "/usr/sbin/nginx (deleted)", "nginx", "nginx" },
	{ "nginx (deleted)", "", "nginx" },
	{ "/opt/My App/bin/my server", "x", "my server" },
	{ "/usr/bin/node_exporter", "node_exporter|--web.listen-address|:9100", "node_exporter" },
	{ "/usr/sbin/php-fpm8.2", "php-fpm: pool www", "php-fpm8.2" },
	{ "/usr/bin/uwsgi", "uwsgi|--ini|x.ini", "uwsgi" },
	{ "/memfd:runc_cloned:/proc/self/exe (deleted)", "runc|init", "runc_cloned" },
	{ "memfd:tool", "x", "tool" },
	{ "/", "", "comm" },
	{ "/opt/x/", "", "x" },
	{ "/usr/bin/javac", "javac|-cp|x|Y.java", "javac" },
	{ "/usr/bin/pythonic", "pythonic|x.py", "pythonic" },
};

static const struct want unknown_exe[] = {
	{ "", "/usr/sbin/sshd|-D", "sshd" },
	{ "", "sshd: root@pts/0", "sshd" },
	{ "", "nginx: worker process", "nginx" },
	{ "", "-bash", "bash" },
	{ "", "[celeryd: celery@host:MainProcess] -active-", "celeryd" },
	{ "", "[kworker]", "kworker" },
	{ "", "python3|/srv/app.py", "app.py" },
	{ "", "/usr/bin/env|python3|/srv/app.py", "app.py" },
	{ "", "", "comm" },
	{ "", "||", "comm" },
	{ "", "/usr/sbin/ssh~", "comm" },          /* cut: sshd, or another? */
	{ "", "nginx: worker proc~", "nginx" },
	{ "", "/", "comm" },
	{ "", "/usr/bin/foo bar", "foo" },
};

static const struct want python[] = {
	{ "/usr/bin/python3.11", "python3|/srv/app.py", "app.py" },
	{ "/usr/bin/python3.11", "python3|app.py|-c|x", "app.py" },
	{ "/usr/bin/python3.11", "python3|-u|app.py", "app.py" },
	{ "/usr/bin/python3.11", "python3|-W|ignore|-X|dev|app.py", "app.py" },
	{ "/usr/bin/python3.11", "python3|-Wignore|-Xdev|-OO|app.py", "app.py" },
	{ "/usr/bin/python3.11", "python3|-uBW|ignore|app.py", "app.py" },
	{ "/usr/bin/python3.11", "python3|--check-hash-based-pycs|never|app.py", "app.py" },
	{ "/usr/bin/python3.11", "python3|-m|http.server|8000", "http.server" },
	{ "/usr/bin/python3.11", "python3|-um|uvicorn|main:app", "uvicorn" },
	{ "/usr/bin/python3.11", "python3|-mflask|run", "flask" },
	{ "/usr/bin/python3.11", "python3|-c|import x|app.py", "python3.11" },
	{ "/usr/bin/python3.11", "python3|-Ic|import x", "python3.11" },
	{ "/usr/bin/python3.11", "python3|-", "python3.11" },
	{ "/usr/bin/python3.11", "python3", "python3.11" },
	{ "/usr/bin/python3.11", "python3|-m", "python3.11" },
	{ "/usr/bin/python3.11", "python3|-W", "python3.11" },
	{ "/usr/bin/python3.11", "python3|-i|--|-odd.py", "-odd.py" },
	{ "/usr/bin/python3.11", "python3|/srv/app/", "app" },
	{ "/usr/bin/python3.11", "python3|.", "python3.11" },
	{ "/usr/bin/python3.11", "python3||app.py", "app.py" },
	{ "/usr/bin/python3", "/usr/bin/python3|/usr/local/bin/gunicorn|app:app", "gunicorn" },
	{ "/usr/bin/python3.11", "gunicorn: master [app:app]||||", "gunicorn" },
	{ "/usr/bin/python3.11", "[celeryd: celery@w1:MainProcess] -active- (worker)", "celeryd" },
	{ "/usr/bin/python3.11", "/srv/venv/bin/python|app.py", "app.py" },
	{ "/usr/bin/python3.11", "/srv/venv/bin/python", "python3.11" },
	{ "/usr/bin/pypy3", "pypy3|app.py", "app.py" },
	{ "/usr/bin/python3.11", "python3|/srv/very/lo~", "python3.11" },
	{ "/usr/bin/python3.11", "python3|app.py|lo~", "app.py" },
	{ "/usr/bin/python3.11", "pytho~", "python3.11" },
	{ "/usr/bin/python3.11", "", "python3.11" },
	{ "/usr/bin/python3.11 (deleted)", "python3|app.py", "app.py" },
};

static const struct want scripts[] = {
	{ "/usr/bin/node", "node|/srv/server.js", "server.js" },
	{ "/usr/bin/node", "node|--require|./t.js|--max-old-space-size=4|server.js", "server.js" },
	{ "/usr/bin/node", "node|-r|dotenv/config|--inspect=0.0.0.0:9229|dist/main.js", "main.js" },
	{ "/usr/bin/node", "node|--import|tsx|src/app.ts", "app.ts" },
	{ "/usr/bin/node", "node|-e|code()|x", "node" },
	{ "/usr/bin/node", "node|--eval=code()", "node" },
	{ "/usr/bin/node", "node|-pe|1+1", "node" },
	{ "/usr/bin/node", "node|.", "node" },
	{ "/usr/bin/node", "node|inspect|app.js", "app.js" },
	{ "/usr/bin/node", "next-server (v14.1.0)|||", "next-server" },
	{ "/usr/bin/node", "npm start", "npm" },
	{ "/usr/bin/nodejs", "nodejs|x.js", "x.js" },
	{ "/usr/bin/node18", "node|x.js", "x.js" },
	{ "/usr/bin/ruby3.1", "ruby|-I|lib|-rbundler/setup|-W0|bin/puma|-p|80", "puma" },
	{ "/usr/bin/ruby3.1", "puma 6.4.2 (tcp://0.0.0.0:3000) [app]", "puma" },
	{ "/usr/bin/ruby3.1", "puma: cluster worker 0: 7 [app]||", "puma" },
	{ "/usr/bin/ruby", "ruby|-e|puts 1", "ruby" },
	{ "/usr/bin/ruby", "ruby|-r|json|-C|/srv|app.rb", "app.rb" },
	{ "/usr/bin/perl", "perl|-I|/srv/lib|-wT|/srv/d.pl", "d.pl" },
	{ "/usr/bin/perl", "perl|-MPOSIX|-i.bak|d.pl", "d.pl" },
	{ "/usr/bin/perl", "perl|-lne|print", "perl" },
	{ "/usr/bin/perl", "perl|-we|print", "perl" },
	{ "/usr/bin/perl", "perl|-Mre=eval|d.pl", "d.pl" },
	{ "/usr/bin/perl", "/usr/sbin/munin-node", "munin-node" },
	{ "/usr/bin/php8.2", "php|artisan|serve", "artisan" },
	{ "/usr/bin/php8.2", "php|-d|memory_limit=1G|-c|/etc/php.ini|-f|/srv/w.php", "w.php" },
	{ "/usr/bin/php", "php|-S|0.0.0.0:80|-t|public", "php" },
	{ "/usr/bin/php", "php|-r|echo 1;", "php" },
	{ "/usr/bin/php", "php|--file=/srv/w.php", "w.php" },
	{ "/usr/bin/lua5.4", "lua|-e|x=1|-l|socket|srv.lua", "srv.lua" },
	{ "/usr/bin/luajit", "luajit|-O3|srv.lua", "srv.lua" },
	{ "/usr/bin/tclsh8.6", "tclsh|-encoding|utf-8|srv.tcl", "srv.tcl" },
	{ "/usr/bin/deno", "deno|run|--allow-net|-c|deno.json|/srv/main.ts", "main.ts" },
	{ "/usr/bin/deno", "deno|run|https://deno.land/std/http/file_server.ts", "file_server.ts" },
	{ "/usr/bin/deno", "deno|--quiet|serve|--port|80|srv.ts", "srv.ts" },
	{ "/usr/bin/deno", "deno|task|start", "deno" },
	{ "/usr/bin/deno", "deno|main.ts", "main.ts" },
	{ "/usr/bin/deno", "deno|run|run", "run" },
	{ "/usr/bin/bun", "bun|run|index.ts", "index.ts" },
	{ "/usr/bin/bun", "bun|--watch|--preload|p.ts|index.ts", "index.ts" },
	{ "/usr/bin/bun", "bun|install", "bun" },
};

static const struct want shells[] = {
	{ "/usr/bin/bash", "bash|/srv/run.sh", "run.sh" },
	{ "/usr/bin/bash", "/bin/bash|-euo|pipefail|/srv/run.sh", "run.sh" },
	{ "/usr/bin/bash", "bash|+x|+o|posix|run.sh", "run.sh" },
	{ "/usr/bin/bash", "bash|--rcfile|x|-O|extglob|run.sh", "run.sh" },
	{ "/usr/bin/bash", "bash|-c|sleep 1", "bash" },
	{ "/usr/bin/bash", "bash|-lc|sleep 1", "bash" },
	{ "/usr/bin/bash", "bash|-s|arg", "bash" },
	{ "/usr/bin/bash", "bash|/dev/fd/63", "bash" },
	{ "/usr/bin/bash", "bash|/proc/self/fd/3", "bash" },
	{ "/usr/bin/bash", "bash|/dev/stdin", "bash" },
	{ "/usr/bin/bash", "-bash", "bash" },
	{ "/usr/bin/bash", "bash|-C|run.sh", "run.sh" },
	{ "/usr/bin/fish", "fish|-C|true|run.fish", "run.fish" },
	{ "/usr/bin/dash", "sh|/srv/run.sh", "run.sh" },
	{ "/usr/bin/dash", "/bin/sh|-e|./run.sh", "run.sh" },
	{ "/bin/busybox", "sh|/srv/run.sh", "run.sh" },
	{ "/bin/busybox", "/bin/sh|-c|x", "sh" },
	{ "/bin/busybox", "-sh", "sh" },
	{ "/bin/busybox", "httpd|-f|-p|80", "httpd" },
	{ "/bin/busybox", "busybox|httpd|-f", "httpd" },
	{ "/bin/busybox", "/bin/busybox|sh|run.sh", "run.sh" },
	{ "/bin/busybox", "busybox", "busybox" },
	{ "/bin/busybox", "busybox|--list", "busybox" },
	{ "/bin/busybox", "", "busybox" },
	{ "/bin/busybox", "bu~", "busybox" },
};

static const struct want java[] = {
	{ "/usr/lib/jvm/17/bin/java", "java|-jar|/opt/app/x.jar", "x.jar" },
	{ "/usr/lib/jvm/17/bin/java", "java|-Xmx1g|-Dk=v|-jar|x.jar|-cp|y", "x.jar" },
	{ "/usr/lib/jvm/17/bin/java", "java|-cp|a:b|-Xmx1g|com.example.Main|args",
	  "com.example.Main" },
	{ "/usr/lib/jvm/17/bin/java", "java|-classpath|a:b|com.example.Main", "com.example.Main" },
	{ "/usr/lib/jvm/17/bin/java", "java|--class-path|a|com.example.Main", "com.example.Main" },
	{ "/usr/lib/jvm/17/bin/java", "java|--class-path=a|com.example.Main", "com.example.Main" },
	{ "/usr/lib/jvm/17/bin/java",
	  "java|-p|mods|--add-modules|x|--add-opens|java.base/java.lang=ALL-UNNAMED|"
	  "--add-exports=java.base/sun=ALL-UNNAMED|-m|mod/com.example.Main",
	  "com.example.Main" },
	{ "/usr/lib/jvm/17/bin/java", "java|--module-path|mods|--module=com.x", "com.x" },
	{ "/usr/lib/jvm/17/bin/java", "java|@/etc/opts|@more|-ea|org.Main", "org.Main" },
	{ "/usr/lib/jvm/17/bin/java", "java|-javaagent:/a.jar=x=y|-XX:+UseG1GC|org.Main",
	  "org.Main" },
	{ "/usr/lib/jvm/17/bin/java", "java|--source|21|/srv/Hello.java", "Hello.java" },
	{ "/usr/lib/jvm/17/bin/java", "java|-version", "java" },
	{ "/usr/lib/jvm/17/bin/java", "java|-cp|/opt/kafka/libs/a.jar:/opt/ka~", "java" },
	{ "/usr/lib/jvm/17/bin/java", "java|-cp|a:b|com.exam~", "java" },
	{ "/usr/lib/jvm/17/bin/java", "java|-cp|a:b~", "java" },
	{ "/usr/lib/jvm/17/bin/java", "java|-jar", "java" },
	{ "/usr/lib/jvm/17/bin/java", "java|-jar|x.j~", "java" },
};

static const struct want others[] = {
	{ "/usr/bin/dotnet", "dotnet|/app/app.dll|--urls|x", "app.dll" },
	{ "/usr/bin/dotnet", "dotnet|exec|--runtimeconfig|r.json|app.dll", "app.dll" },
	{ "/usr/bin/dotnet", "dotnet|--roll-forward|Major|app.dll", "app.dll" },
	{ "/usr/bin/dotnet", "dotnet|run|--project|x", "dotnet" },
	{ "/usr/bin/mono-sgen", "mono|--debug|--config|x|app.exe", "app.exe" },
	{ "/usr/lib/erlang/erts-13/bin/beam.smp",
	  "beam.smp|-W|w|--|-root|/usr/lib/erlang|-sbwt|none|-noinput|-s|rabbit|boot|-boot|x",
	  "rabbitmq" },
	{ "/usr/lib/erlang/erts-13/bin/beam.smp", "beam.smp|--|-s|ejabberd|-extra", "ejabberd" },
	{ "/usr/lib/erlang/erts-13/bin/beam.smp", "beam.smp|-s|elixir|start_cli", "beam.smp" },
	{ "/usr/lib/erlang/erts-13/bin/beam.smp", "beam.smp|-s|rab~", "beam.smp" },
	{ "/usr/lib/erlang/erts-13/bin/beam.smp", "beam.smp|--", "beam.smp" },
	{ "/usr/bin/env", "env|-i|A=b|-u|X|python3|-u|app.py", "app.py" },
	{ "/usr/bin/env", "env|nginx|-g|x", "nginx" },
	{ "/usr/bin/env", "env|-S|python3 -u|app.py", "env" },
	{ "/usr/bin/env", "env|-|env|env|env|env|env|env", "env" },
	{ "/lib64/ld-linux-x86-64.so.2", "ld.so|--library-path|/l|/opt/x/srv|a", "srv" },
	{ "/lib/ld-musl-x86_64.so.1", "ld|./python3|app.py", "app.py" },
};

#define TABLE(name)                                                                                \
	static void names_##name(void **state)                                                     \
	{                                                                                          \
		(void)state;                                                                       \
		for (size_t i = 0; i < ARRAY_LEN(name); i++)                                       \
			check(&name[i]);                                                           \
	}
TABLE(plain)
TABLE(unknown_exe)
TABLE(python)
TABLE(scripts)
TABLE(shells)
TABLE(java)
TABLE(others)

static void falls_back_to_comm(void **state)
{
	struct hs_process_facts facts = { .comm = "kworker/0:1", .exe = "" };
	char name[HS_NAME_LEN];

	(void)state;
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "kworker");
	facts.comm = "/odd";
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "/odd");
	facts.comm = "";
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "unknown");
	facts.comm = facts.exe = NULL;
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "unknown");
}

static void is_clean_and_cut(void **state)
{
	struct hs_process_facts facts = { .comm = "", .exe = "/x/ev\x1b[il\xff\xc3\xbc" };
	char name[HS_NAME_LEN], small[9];

	(void)state;
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "ev?[il?\xc3\xbc");
	hs_executable_name(&facts, small, sizeof(small));
	assert_string_equal(small, "ev?[il?");
}

/* Each prefix of the arguments: never a name that only the cut made. */
static void survives_every_cut(void **state)
{
	static const char args[] = "java\0-Xmx1g\0-cp\0a:b\0@f\0com.example.Main\0x";

	(void)state;
	for (size_t len = 0; len <= sizeof(args); len++) {
		char *exact = malloc(len ? len : 1), name[HS_NAME_LEN];
		struct hs_process_facts facts = {
			.comm = "java", .exe = "java", .args = exact, .args_len = len
		};

		memcpy(exact, args, len);
		hs_executable_name(&facts, name, sizeof(name));
		if (strcmp(name, "java") && strcmp(name, "com.example.Main"))
			fail_msg("%zu: %s", len, name);
		free(exact);
	}
}

static void started_by_a_link(void **state)
{
	static const char args[] = "/usr/bin/redis-server 127.0.0.1:6379";
	struct hs_process_facts facts = { .comm = "redis-server", .hostname = "",
		.exe = "/usr/bin/redis-check-rdb", .args = args, .args_len = sizeof(args) };
	char name[HS_NAME_LEN];

	(void)state;
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "redis-server");
	facts.comm = "bio_close_file"; /* a thread's, or changed: then it says nothing */
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "redis-check-rdb");
	facts.comm = "python3"; /* a link too, but an interpreter is named by its script */
	facts.exe = "/usr/bin/python3.11";
	facts.args = "python3\0/srv/app.py";
	facts.args_len = sizeof("python3\0/srv/app.py");
	hs_executable_name(&facts, name, sizeof(name));
	assert_string_equal(name, "app.py");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(started_by_a_link),
		cmocka_unit_test(names_plain),
		cmocka_unit_test(names_unknown_exe),
		cmocka_unit_test(names_python),
		cmocka_unit_test(names_scripts),
		cmocka_unit_test(names_shells),
		cmocka_unit_test(names_java),
		cmocka_unit_test(names_others),
		cmocka_unit_test(falls_back_to_comm),
		cmocka_unit_test(is_clean_and_cut),
		cmocka_unit_test(survives_every_cut),
	};

	return cmocka_run_group_tests_name("executable", tests, NULL, NULL);
}
