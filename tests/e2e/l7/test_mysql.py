# SPDX-License-Identifier: GPL-2.0-or-later
"""MariaDB: every statement of real clients is counted, by operation and table, and nothing else."""
import shutil

import MySQLdb
import pymysql
import pytest

from kit.lab import make_lab
from kit.wait import becomes, eventually, fewer

DURATION = "db_client_operation_duration_seconds_count"
LOGIN = {"host": "127.0.0.1", "user": "tester", "password": "topsecret0", "database": "shop"}

SCHEMA = """
CREATE DATABASE shop;
CREATE USER tester@'%' IDENTIFIED BY 'topsecret0';
GRANT ALL ON *.* TO tester@'%';
CREATE TABLE shop.things (id INT PRIMARY KEY, body TEXT);
INSERT INTO shop.things VALUES (1, 'one'), (2, 'two');
CREATE PROCEDURE shop.both_things() BEGIN SELECT 1; SELECT body FROM shop.things; END
"""


@pytest.fixture(scope="module")
def server():
    """The port of a server; the same for all tests here."""
    with make_lab() as lab:
        as_mysql = ["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", "--"]
        port, data, local = lab.port(), lab.folder / "data", lab.folder / "data" / "socket"
        data.mkdir()
        shutil.chown(data, "mysql", "mysql")
        lab.start(*as_mysql, "mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--tmpdir={data}",
                  "--auth-root-authentication-method=normal", "--skip-test-db").succeed(120)
        lab.start(*as_mysql, "mariadbd", "--no-defaults", f"--datadir={data}", f"--tmpdir={data}", f"--port={port}",
                  "--bind-address=127.0.0.1", f"--socket={local}", "--skip-name-resolve", "--local-infile=1",
                  "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0",
                  "--max-allowed-packet=64M").listening(port, 60)
        lab.start("mariadb", "--no-defaults", "-S", local, "-u", "root", stdin=open(schema(lab))).succeed()
        yield port


def schema(lab):
    """The schema as the client wants it: a procedure has semicolons of its own."""
    path = lab.folder / "schema"
    statements, procedure = SCHEMA.split("CREATE PROCEDURE")
    path.write_text(f"{statements}\nDELIMITER //\nCREATE PROCEDURE{procedure}//\n")
    return path


def mariadb(lab, port, text, *options):
    return lab.start("mariadb", "--no-defaults", "--skip-ssl", "-h", "127.0.0.1", "-P", port, "-u", LOGIN["user"],
                     f"-p{LOGIN['password']}", *options, LOGIN["database"], "-e", text)


def calls(agent, port):
    """How many there were of each operation, table and result; OPERATION[ table][ !code]."""
    found = {}
    for sample in agent.metrics().all(DURATION, server_port=port):
        labels = sample.labels
        key = labels["db_operation_name"]
        key += f" {labels['db_collection_name']}" if "db_collection_name" in labels else ""
        key += f" !{labels['error_type']}" if "error_type" in labels else ""
        found[key] = found.get(key, 0) + int(sample.value)
    return found


def undecoded(agent):
    """What was given up or not understood."""
    return {sample.name: sample.value for sample in agent.metrics().samples
            if sample.name.startswith("hopscope_l7_undecoded_") and sample.labels.get("protocol") in ("mysql", "mariadb") and sample.value}


def check(agent, port, expected, system="mariadb"):
    """These calls, neither more nor less, and nothing unread."""
    becomes(lambda: calls(agent, port), expected)
    agent.settle()
    assert calls(agent, port) == expected
    assert {sample.labels["db_system_name"] for sample in agent.metrics().all(DURATION, server_port=port)} == {system}
    assert undecoded(agent) == {}


def test_client(lab, agent, server):
    run = mariadb(lab, server, "SELECT * FROM things; UPDATE things SET body = 'topsecret1' WHERE id = 9; SELECT * FROM nope")
    assert run.wait() == 1 and "nope" in run.errors
    mariadb(lab, server, "SELECT 1").succeed()
    assert mariadb(lab, server, "SELEC").wait() == 1
    check(agent, server, {"SELECT things": 1, "UPDATE things": 1, "SELECT nope !1146": 1, "SELECT": 1, "_OTHER !1064": 1})
    for path in "/metrics", "/api/v1/graph", "/api/v1/requests", "/api/v1/connections":
        assert "topsecret" not in agent.request(path).text


def test_pymysql(lab, agent, server):
    """Text, transactions, several results, an unbuffered cursor, commands that are not SQL."""
    count = fewer(500, 50)
    flags = pymysql.constants.CLIENT.MULTI_STATEMENTS
    connection = pymysql.connect(port=server, client_flag=flags, local_infile=True, **LOGIN)
    with connection.cursor() as cursor:
        for i in range(count):
            cursor.execute("INSERT INTO `shop`.`things` VALUES (%s, %s)", (1000 + i, "from nowhere '\" \\ x"))
            cursor.execute("SELECT body FROM things WHERE id = %s", (1000 + i,))
            assert cursor.fetchone() == ("from nowhere '\" \\ x",)
        cursor.execute("SELECT 1; SELECT * FROM things WHERE id < 3")
        while cursor.nextset():
            pass
        cursor.callproc("both_things")
        while cursor.nextset():
            pass
        with pytest.raises(pymysql.err.IntegrityError):
            cursor.execute("INSERT INTO things VALUES (1, '')")
        (lab.folder / "rows").write_text("".join(f"{i}\t{'y' * 100}\n" for i in range(5000, 9000)))
        cursor.execute(f"LOAD DATA LOCAL INFILE '{lab.folder}/rows' INTO TABLE things")
        cursor.execute("DELETE FROM things WHERE id >= 1000")
    connection.ping()
    connection.select_db("mysql")
    connection.rollback()
    connection.close()
    check(agent, server, {
        "SET": 1, "INSERT shop.things": count, "SELECT things": count, "SELECT": 1, "CALL": 1, "INSERT things !1062": 1,
        "LOAD things": 1, "DELETE things": 1, "PING": 1, "USE": 1, "ROLLBACK": 1,
    })


PREPARED = """
use DBI;
my ($port, $count) = @ARGV;
my $db = DBI->connect("DBI:mysql:database=shop;host=127.0.0.1;port=$port;mysql_server_prepare=1", "tester", "topsecret0",
                      { PrintError => 0, RaiseError => 0 }) or die;
my $insert = $db->prepare("INSERT INTO things VALUES (?, ?)") or die;
my $select = $db->prepare("SELECT body FROM things WHERE id = ?") or die;
for my $i (1 .. $count) {
    $insert->execute(20000 + $i, "body $i") or die;
    $select->execute(20000 + $i) or die;
    ($select->fetchrow_array)[0] eq "body $i" or die;
    $select->finish;
}
$insert->execute(1, "again") and die;
$db->prepare("SELECT * FROM nope") and die;
my $delete = $db->prepare("DELETE FROM things WHERE id > ?") or die;
$delete->execute(20000) == $count or die;
undef $_ for $insert, $select, $delete;
$db->disconnect;
"""


def test_prepared(lab, agent, server):
    count = fewer(500, 50)
    lab.start("perl", lab.script("prepared.pl", PREPARED), server, count).succeed(60)
    check(agent, server, {"INSERT things": count, "SELECT things": count, "INSERT things !1062": 1, "SELECT nope !1146": 1,
                          "DELETE things": 1, "STMT_RESET": 1})


def test_large(lab, agent, server):
    """Results and statements beyond what is recorded, and beyond one packet of 16 MB; also of a new connection."""
    rows = "SELECT repeat('x', 100) FROM seq_1_to_100000"
    for _ in range(3):
        assert len(mariadb(lab, server, rows, "-N").succeed().output) == 101 * 100000
    connection = pymysql.connect(port=server, max_allowed_packet=1 << 26, **LOGIN)
    with connection.cursor() as cursor:
        cursor.execute("SELECT length(%s) FROM things LIMIT 1", ("z" * 17_000_000,))
        assert cursor.fetchone() == (17_000_000,)
        cursor.execute("SELECT repeat('z', 17000000) FROM things LIMIT 1")
        assert len(cursor.fetchone()[0]) == 17_000_000
    connection.close()
    # Of the longest one the table comes behind what is read of a text.
    check(agent, server, {"SELECT seq_1_to_100000": 3, "SET": 1, "SELECT": 1, "SELECT things": 1})


def test_cursor_of_server(lab, agent, server):
    """libmariadb, by its C API, as MySQLdb uses it: rows as they are asked for."""
    connection = MySQLdb.connect(port=server, passwd=LOGIN["password"], db=LOGIN["database"], user=LOGIN["user"], host="127.0.0.1")
    cursor = connection.cursor(MySQLdb.cursors.SSCursor)
    cursor.execute("SELECT repeat('x', 1000) FROM seq_1_to_20000")
    assert len(cursor.fetchall()) == 20000
    cursor.close()
    connection.query("SELECT id FROM things")
    assert len(connection.store_result().fetch_row(0)) >= 2
    connection.close()

    def found():
        seen = calls(agent, server)
        return seen if seen.get("SELECT things") else None
    seen = eventually(found)
    assert seen["SELECT seq_1_to_20000"] == seen["SELECT things"] == 1
    assert undecoded(agent) == {}


def test_compressed(lab, agent, server):
    """It cannot be read, and that is said; other connections are."""
    mariadb(lab, server, "SELECT * FROM things", "--compress").succeed()
    mariadb(lab, server, "SELECT id FROM things").succeed()
    becomes(lambda: calls(agent, server), {"SELECT things": 1})
    assert undecoded(agent) == {"hopscope_l7_undecoded_messages_total": 1}


def test_older_connection(lab, server):
    """A connection that is older than the agent is read from its next statement on; nobody knows that it is MariaDB."""
    connection = pymysql.connect(port=server, autocommit=True, **LOGIN)
    with connection.cursor() as cursor:
        agent = lab.agent()
        for _ in range(20):
            cursor.execute("SELECT * FROM things WHERE id = 1")
        check(agent, server, {"SELECT things": 20}, system="mysql")
        agent.stop()
    connection.close()
