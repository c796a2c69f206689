# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL: every statement of real clients is counted, by operation and table, and nothing else."""
import glob
import re
import shutil
import socket
import threading

import psycopg2
import psycopg2.extras
import pytest

from kit.lab import make_lab
from kit.wait import becomes, fewer

DURATION = "db_client_operation_duration_seconds_count"


@pytest.fixture(scope="module")
def server():
    """The port of a server with pgbench's tables; the same for all tests here."""
    with make_lab() as lab:
        initdb = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1]
        port, as_postgres = lab.port(), ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        data = lab.folder / "data"
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        lab.start(*as_postgres, initdb, "-D", data, "-A", "trust", "-N", "-U", "postgres", "--no-locale").succeed(60)
        lab.start(*as_postgres, initdb.replace("initdb", "postgres"), "-D", data, "-p", port, "-h", "127.0.0.1",
                  "-k", "", "-F", "-c", "max_wal_senders=0", "-c", "wal_level=minimal").listening(port)
        pgbench(lab, port, "-i", "-q")
        yield port


def database(port):
    return f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable gssencmode=disable"


def pgbench(lab, port, *options):
    program, = sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))[-1:]
    return lab.start(program, *options, "-h", "127.0.0.1", "-p", port, "-U", "postgres", "postgres").succeed(120)


def psql(lab, port, *statements, **options):
    commands = [part for statement in statements for part in ("-c", statement)]
    return lab.start("psql", "-XAtq", database(port), *commands, **options)


def calls(agent, port):
    """How many there were of each operation, table and result; OPERATION[ table][ !code]."""
    found = {}
    for sample in agent.metrics().all(DURATION, server_port=port):
        labels = sample.labels
        assert labels["db_system_name"] == "postgresql"
        key = labels["db_operation_name"]
        key += f" {labels['db_collection_name']}" if "db_collection_name" in labels else ""
        key += f" !{labels['error_type']}" if "error_type" in labels else ""
        found[key] = found.get(key, 0) + int(sample.value)
    return found


def undecoded(agent):
    """What was given up or not understood of PostgreSQL."""
    return {sample.name: sample.value for sample in agent.metrics().samples
            if sample.name.startswith("hopscope_l7_undecoded_") and sample.labels.get("protocol") == "postgresql" and sample.value}


def check(agent, port, expected):
    """These calls, neither more nor less, and nothing unread."""
    becomes(lambda: calls(agent, port), expected)
    agent.settle()
    assert calls(agent, port) == expected
    assert undecoded(agent) == {}


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(lab, agent, server, mode):
    count, clients = fewer(300, 20), 4
    run = pgbench(lab, server, "-n", "-M", mode, "-c", clients, "-j", 2, "-t", count)
    assert int(re.search(r"actually processed: (\d+)", run.output)[1]) == count * clients
    total = count * clients
    check(agent, server, {
        "BEGIN": total, "UPDATE pgbench_accounts": total, "SELECT pgbench_accounts": total,
        "UPDATE pgbench_tellers": total, "UPDATE pgbench_branches": total, "INSERT pgbench_history": total, "END": total,
        "SELECT pgbench_branches": 1, "SELECT pg_catalog.pg_class": 1,  # how large, and partitioned how
    })


def test_select_only(lab, agent, server):
    """Many connections, a new one for each transaction."""
    count = fewer(100, 10)
    pgbench(lab, server, "-n", "-S", "-C", "-c", 4, "-t", count)
    check(agent, server, {"SELECT pgbench_accounts": 4 * count, "SELECT pgbench_branches": 1, "SELECT pg_catalog.pg_class": 1})


def test_errors(lab, agent, server):
    psql(lab, server, "select * from nope", "select 1/0", "selec", "begin; select 1; commit").succeed()
    for user in "nobody", "postgres":
        lab.start("psql", f"{database(server)} user={user} dbname=nope", "-c", "select 1").wait()
    check(agent, server, {"SELECT nope !42P01": 1, "SELECT !22012": 1, "_OTHER !42601": 1, "BEGIN": 1})


def test_literals_are_nowhere(lab, agent, server):
    psql(lab, server, "select 'topsecret1' from pg_class where relname = $$topsecret2$$ -- topsecret3",
         "create table if not exists private(a text)", "insert into private values (E'topsecret4')",
         "drop table private").succeed()
    check(agent, server, {"SELECT pg_class": 1, "CREATE TABLE private": 1, "INSERT private": 1, "DROP TABLE private": 1})
    for path in "/metrics", "/api/v1/graph", "/api/v1/requests", "/api/v1/connections":
        assert "topsecret" not in agent.request(path).text


def test_large_results(lab, agent, server):
    """The end of an answer is far behind its beginning, and may be an error: also of a new connection."""
    rows = "select repeat('x', 100) from generate_series(1, 100000) g"
    for _ in range(3):
        assert len(psql(lab, server, rows).succeed().output) == 101 * 100000
    failing = psql(lab, server, "select repeat('x', 1000) || 1 / (9000 - g) from generate_series(1, 10000) g")
    assert failing.wait() == 1
    assert psql(lab, server, "copy pgbench_accounts to stdout").succeed().output.count("\n") == 100000
    check(agent, server, {"SELECT": 3, "SELECT !22012": 1, "COPY pgbench_accounts": 1})


def test_copy(lab, agent, server):
    lines = "".join(f"{i}\tname {i}\n" for i in range(20000))
    (lab.folder / "lines").write_text(lines)
    psql(lab, server, "create table copied(a int, b text)", rf"\copy copied from {lab.folder}/lines",
         rf"\copy copied to {lab.folder}/back", rf"\copy (select b from copied) to {lab.folder}/names",
         "drop table copied").succeed()
    assert (lab.folder / "back").read_text() == lines
    check(agent, server, {"CREATE TABLE copied": 1, "COPY copied": 3, "DROP TABLE copied": 1})


def test_psycopg2(lab, agent, server):
    """Transactions, a cursor of the server's, large parameters, several statements at once."""
    with psycopg2.connect(database(server)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE things (id int PRIMARY KEY, body text)")
        psycopg2.extras.execute_values(cursor, "INSERT INTO things VALUES %s", [(i, "x" * 2000) for i in range(500)])
        cursor.execute("SELECT count(*) FROM things WHERE body <> %s", ("y" * 300000,))
        assert cursor.fetchone() == (500,)
        with connection.cursor("portions") as portions:
            portions.itersize = 200
            portions.execute("SELECT body FROM things")
            assert len(list(portions)) == 500
        connection.commit()
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("INSERT INTO things VALUES (1)")
    connection.close()
    check(agent, server, {
        "BEGIN": 2, "CREATE TABLE things": 1, "INSERT things": 5, "SELECT things": 1, "DECLARE things": 1, "FETCH": 4,
        "CLOSE": 1, "COMMIT": 2, "INSERT things !23505": 1,  # the second COMMIT of a transaction that has failed
    })


def test_while_others_wait(lab, agent, server):
    """A cancelled statement, and one whose server goes away."""
    with psycopg2.connect(database(server)) as connection:
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        with connection.cursor() as cursor, pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("SELECT pg_sleep(60)")
        timer.join()
        connection.rollback()
    connection.close()
    other = psycopg2.connect(database(server))
    other.autocommit = True
    with other.cursor() as cursor, pytest.raises(psycopg2.OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    other.close()
    check(agent, server, {"BEGIN": 1, "SELECT !57014": 1, "ROLLBACK": 1, "SELECT !57P01": 1})


def test_older_connection(lab, server):
    """A connection that is older than the agent is read from its next statement on."""
    with psycopg2.connect(database(server)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            agent = lab.agent()
            for _ in range(20):
                cursor.execute("SELECT * FROM pgbench_branches")
            check(agent, server, {"SELECT pgbench_branches": 20})
            agent.stop()


def test_pipeline(lab, agent, server):
    """Bytes that no library here would send: batches of executions, of which some never run."""
    def message(kind, body=b""):
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    def execution(value):
        return message(b"B", b"\0s\0\0\0\0\1\0\0\0\1" + value + b"\0\0") + message(b"E", b"\0\0\0\0\0")

    with socket.create_connection(("127.0.0.1", server)) as client:
        client.sendall(message(b"", b"\0\3\0\0user\0postgres\0\0"))
        wait_ready(client, 1)
        sync = message(b"S")
        batch = message(b"P", b"s\0SELECT 1 / $1::int FROM pgbench_branches\0\0\0")
        client.sendall(batch + execution(b"1") + execution(b"0") + execution(b"2") + sync + execution(b"3") * 100 + sync)
        wait_ready(client, 2)
    check(agent, server, {"SELECT pgbench_branches": 101, "SELECT pgbench_branches !22012": 1,
                          "SELECT pgbench_branches !unanswered": 1})


def wait_ready(client, count):
    answer = b""
    while len(re.findall(rb"Z\x00\x00\x00\x05[ITE]", answer)) < count:
        data = client.recv(65536)
        assert data, answer
        answer += data
