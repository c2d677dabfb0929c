"""What untrusted SQL, JSON and Python can do: compute, and nothing else."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.execution.code import Interpreter
from stillhouse.execution.json_schema import Checked, Validator, equal_json
from stillhouse.execution.sandbox import Limits, Outcome, Sandbox
from stillhouse.execution.sql import Database, Result, equal_results, is_ordered
from stillhouse.execution.tables import Column, Table, load_tables, name_sql

LIMITS = Limits(seconds=3, memory_mb=768)
LATEST = 30  # seconds in which whatever is limited to 3 has surely ended, on a busy machine too
BOATS = Table(
    "boats",
    "tables/boats.csv",
    (Column("name", "VARCHAR"), Column("length_m", "DOUBLE"), Column("built", "DATE")),
    (("Tern", "7.5", "2019-04-01"), ("Skua", None, "2021-02-03"), ("Knot", "9.25", "2015-11-30")),
)


@pytest.fixture(scope="module")
def database():
    with Database([BOATS], LIMITS) as opened:
        yield opened


# SQL


def test_a_query_returns_its_rows_as_plain_values(database: Database) -> None:
    found = database.query(
        "SELECT name, length_m, built, length_m > 8 AS long FROM boats ORDER BY 1"
    )
    assert found == Result(
        ("name", "length_m", "built", "long"),
        (
            ("Knot", 9.25, "2015-11-30", True),
            ("Skua", None, "2021-02-03", None),
            ("Tern", 7.5, "2019-04-01", False),
        ),
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("COPY boats TO '{place}'", "one SELECT is allowed, this is COPY"),
        ("COPY (SELECT 1) TO '{place}'", "one SELECT is allowed, this is COPY"),
        ("EXPORT DATABASE '{place}'", "this is EXPORT"),
        ("ATTACH '{place}' AS other", "this is ATTACH"),
        ("INSTALL httpfs", "this is LOAD"),
        ("LOAD httpfs", "this is LOAD"),
        ("SET enable_external_access = true", "this is SET"),
        ("RESET lock_configuration", "this is SET"),
        ("PRAGMA database_list", "this is PRAGMA"),
        ("CALL enable_logging()", "this is CALL"),
        ("SELECT * FROM enable_logging()", "locked"),
        ("CREATE TABLE more (a INTEGER)", "this is CREATE"),
        ("INSERT INTO boats VALUES ('Rail', 1.0, NULL)", "this is INSERT"),
        ("DELETE FROM boats", "this is DELETE"),
        ("DROP TABLE boats", "this is DROP"),
        ("SELECT 1; COPY boats TO '{place}'", "here are 2 statements"),
        ("SELECT * FROM query('COPY boats TO ''{place}''')", "single SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
        ("SELECT * FROM read_text('/etc/passwd')", "disabled by configuration"),
        ("SELECT * FROM read_blob('/etc/passwd')", "disabled by configuration"),
        ("SELECT * FROM '/etc/passwd'", "does not exist"),
        ("SELECT * FROM 'https://127.0.0.1/x.parquet'", "127.0.0.1"),
        ("SELECT * FROM sniff_csv('/etc/passwd')", "disabled by configuration"),
        ("SELECT * FROM glob('/etc/*')", "disabled by configuration"),
        ("SELECT getenv('HOME')", "getenv does not exist"),
        ("SELECT random()", "a second run gives another result"),
        ("SELECT now()", "now reads the clock"),
        ("SELECT count(*) FROM boats WHERE built < current_date", "current_date reads the clock"),
        ('SELECT count(*) FROM boats WHERE built < "today"()', "today reads the clock"),
        ("SELECT age(built) FROM boats", "age reads the clock"),
        ("SELECT repeat('x', 2000000000)", "MemoryError"),
        ("SELECT list(range) FROM range(1000000000)", "MemoryError"),
        ("SELECT * FROM range(5000)", "more than 1000 rows"),
        ("SELECT " + "(" * 1500 + "1" + ")" * 1500, "Max expression depth"),
        ("SELECT " + "1+" * 9000 + "1", "more than 5000 characters"),
        ("SELECT naem FROM boats", 'Referenced column "naem" not found'),
        ("SELEC name FROM boats", "Parser Error"),
        ("", "here are 0 statements"),
    ],
)
def test_a_hostile_or_broken_query_has_no_effect(
    database: Database, tmp_path: Path, query: str, said: str
) -> None:
    place = tmp_path / "out"
    found = database.query(query.replace("{place}", str(place)))
    assert found.rows == ()
    assert said in found.error
    assert list(tmp_path.iterdir()) == []
    assert database.query("SELECT count(*) FROM boats").rows == ((3,),)


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT count(*) FROM range(100000000) a, range(100000000) b, range(1000000) c",
        "SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b",
    ],
)
def test_a_query_without_end_is_ended(database: Database, query: str) -> None:
    begin = time.monotonic()
    found = database.query(query)
    assert found.error in (
        "not done after 3 seconds",
        "MemoryError: the memory that is allowed was not enough",
    )
    assert time.monotonic() - begin < LATEST
    assert database.query("SELECT count(*) FROM boats").rows == ((3,),)


def test_the_query_process_is_confined_beside_duckdb_s_own_locks() -> None:
    with Sandbox("sql", {"tables": [], "rows": 5}, LIMITS, strict=True) as sandbox:
        assert sandbox.run("SELECT 1 AS one") == Outcome({"columns": ["one"], "rows": [[1]]})


def test_results_are_equal_by_rows_and_not_by_names_or_notation() -> None:
    one = Result(("a", "b"), (("x", 3), ("y", 0.1 + 0.2)))
    other = Result(("c", "d"), (("y", 0.3), ("x", 3.0)))
    assert equal_results(one, other, ordered=False)
    assert not equal_results(one, other, ordered=True)
    near = [Result(("a",), ((number,),)) for number in (1234567891, 1234567892, 1234567891.0)]
    assert not equal_results(near[0], near[1], ordered=True)
    assert equal_results(near[0], near[2], ordered=True)
    assert not equal_results(one, Result(("c",), (("y",), ("x",))), ordered=False)
    assert not equal_results(one, Result(("c", "d"), (*other.rows, ("x", 3))), ordered=False)
    assert not equal_results(Result(error="no"), Result(error="no"), ordered=False)
    assert not equal_results(Result(("a",), ((True,),)), Result(("a",), (("true",),)), ordered=True)


def test_only_an_order_of_the_outermost_rows_counts() -> None:
    assert is_ordered("SELECT a FROM t ORDER  BY a")
    assert is_ordered("SELECT a FROM (SELECT 1 AS a) t order by a LIMIT 3")
    assert not is_ordered("SELECT a FROM (SELECT a FROM t ORDER BY a) u")
    assert not is_ordered("SELECT 'order by' FROM t -- order by a")


# Tables


def test_a_csv_file_becomes_a_table_with_typed_columns(tmp_path: Path) -> None:
    text = (
        "Name,Length (m),Built,Order,Sold\nTern,7.5,2019-04-01,1,true\nSkua,,2021-02-03,02,false\n"
    )
    (tmp_path / "Boats 2.csv").write_text(text)
    assert load_tables(tmp_path) == [
        Table(
            "boats_2",
            "tables/Boats 2.csv",
            (
                Column("name", "VARCHAR"),
                Column("length_m", "DOUBLE"),
                Column("built", "DATE"),
                Column("c_order", "VARCHAR"),
                Column("sold", "BOOLEAN"),
            ),
            (
                ("Tern", "7.5", "2019-04-01", "1", "true"),
                ("Skua", None, "2021-02-03", "02", "false"),
            ),
        )
    ]
    assert load_tables(tmp_path / "none") == []
    assert name_sql("2024 (net)") == "c_2024_net"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "it holds no rows"),
        ("a,b\n1\n", "row 2 has 1 cells; expected 2"),
        ("a,A\n1,2\n", "two columns are named `a`"),
        ('a,b\n1,"x\n', "it is no CSV"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        load_tables(tmp_path)


# JSON

SCHEMA = {
    "type": "object",
    "properties": {"price": {"type": "number"}, "name": {"type": "string", "pattern": "^(a+)+$"}},
    "required": ["price"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"price": 3.5}', Checked({"price": 3.5})),
        ('```json\n{"price": 3}\n```', Checked({"price": 3})),
        ('{"price": "3"}', Checked(error="ValueError: price: '3' is not of type 'number'")),
        ("{}", Checked(error="ValueError: the whole: 'price' is a required property")),
        ('{"price": NaN}', Checked(error="ValueError: NaN is no JSON")),
        ('{"price": 1, "price": 2}', Checked(error="ValueError: the key 'price' is there twice")),
        ("[" * 15000, Checked(error="RecursionError: nested too deep")),
        (
            '{"price": 1, "name": "' + "a" * 60 + '!"}',
            Checked(error="not done after 3 seconds"),
        ),
    ],
)
def test_a_text_is_checked_against_its_schema(text: str, expected: Checked) -> None:
    with Validator(SCHEMA, LIMITS) as validator:
        assert validator.check(text) == expected
        assert validator.check('{"price": 1}') == Checked({"price": 1})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "http://127.0.0.1:9/x.json"}, "leads out of the schema"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "leads out of the schema"),
        ({"type": "nonsense"}, "no JSON Schema"),
        ({"$ref": "#"}, "nested too deep"),
    ],
)
def test_a_schema_that_leads_elsewhere_or_is_none_is_refused(schema: object, said: str) -> None:
    with Validator(schema, LIMITS) as validator, pytest.raises(InputError, match=said):
        validator.check("{}")


def test_json_is_equal_whatever_the_order_of_its_keys() -> None:
    assert equal_json('{"a": 1, "b": [2, "x"]}', '```json\n{"b": [2.0, "x"], "a": 1.0}\n```')
    assert not equal_json('{"a": 1}', '{"a": true}')
    assert not equal_json('{"a": 1}', '{"a": 1, "b": null}')
    assert not equal_json("{", "{")


# Python

FINE = "def twice(x):\n    return 2 * x\n\n\nassert twice(4) == 8\n"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (FINE, ""),
        (f"```python\n{FINE}```", ""),
        ("import json, math, re, statistics\nassert json.dumps([1]) == '[1]'", ""),
        ("def f(:", "SyntaxError"),
        ("", "there is no statement"),
        ("assert 1 == 2, 'one is not two'", "AssertionError: one is not two"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os; os._exit(0)", "the process ended"),
        ("raise ValueError(chr(0xd800))", "ValueError: ?"),
        ("raise type('A\\n' * 5000, (Exception,), {})('x')", "A A A A"),
        ("print('{\"value\": 1}')\nassert False", "AssertionError"),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("open('/proc/1/environ').read()", "PermissionError"),
        ("open('/proc/self/mem', 'r+b')", "PermissionError"),
        ("import os; os.listdir('/root')", "PermissionError"),
        ("open('{place}', 'w').write('x')", "PermissionError"),
        ("import os; os.mkdir('{place}')", "PermissionError"),
        ("import os; os.symlink('/etc', '{place}')", "PermissionError"),
        ("import os; os.chmod('{folder}', 0o777)", "PermissionError"),
        ("import os; os.utime('{folder}')", "PermissionError"),
        ("import os; os.unlink('{kept}')", "PermissionError"),
        ("import os; os.rename('{kept}', '{place}')", "PermissionError"),
        ("import os; os.truncate('{kept}', 0)", "PermissionError"),
        ("import socket; socket.socket()", "PermissionError"),
        ("import socket; socket.socketpair()", "PermissionError"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "PermissionError"),
        ("import os; os.fork()", "PermissionError"),
        ("import os; os.execv('/bin/sh', ['sh', '-c', 'true'])", "PermissionError"),
        ("import subprocess; subprocess.run(['true'])", "PermissionError"),
        ("import os; assert os.system('touch {place}') == 0", "AssertionError"),
        ("import threading; threading.Thread(target=print).start()", "can't start new thread"),
        ("import os; os.kill(os.getppid(), 9)", "PermissionError"),
        ("import os; os.setuid(1)", "PermissionError"),
        ("import os; os.memfd_create('x')", "PermissionError"),
        ("x = [0] * 10**10", "MemoryError"),
        ("x = []\nwhile True:\n    x.append('a' * 10**6)", "MemoryError"),
        ("import mmap; mmap.mmap(-1, 10**10)", "Cannot allocate memory"),
        ("import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))", "not allowed to raise"),
        ("while True: pass", "not done after 3 seconds"),
        ("import time; time.sleep(60)", "not done after 3 seconds"),
        ("import ctypes\nassert ctypes.CDLL(None).syscall(41, 2, 1, 0) >= 0", "AssertionError"),
        ("import os; assert os.environ.get('HOME')", "AssertionError"),
    ],
)
def test_a_program_computes_and_does_nothing_else(tmp_path: Path, program: str, said: str) -> None:
    kept = tmp_path / "kept"
    kept.write_text("here")
    for name, path in (("place", tmp_path / "new"), ("folder", tmp_path), ("kept", kept)):
        program = program.replace("{" + name + "}", str(path))
    before = tmp_path.stat()
    with Interpreter(runs=True, limits=LIMITS) as interpreter:
        error = interpreter.check(program)
        assert said in error if said else error == ""
        assert len(error.encode()) < 500
        assert "\n" not in error
        assert interpreter.check(FINE) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "here"
    assert (tmp_path.stat().st_mode, tmp_path.stat().st_mtime_ns) == (
        before.st_mode,
        before.st_mtime_ns,
    )


def test_the_same_program_would_do_harm_outside_of_the_sandbox(tmp_path: Path) -> None:
    place = tmp_path / "new"
    subprocess.run(
        [sys.executable, "-I", "-c", f"open({str(place)!r}, 'w').write('x')"], check=True
    )
    assert place.read_text() == "x"


def test_programs_are_only_parsed_unless_they_may_run(tmp_path: Path) -> None:
    with Interpreter(runs=False, limits=LIMITS) as interpreter:
        assert interpreter.check("assert 1 == 2") == ""
        assert interpreter.check(f"open({str(tmp_path / 'new')!r}, 'w')") == ""
        assert "SyntaxError" in interpreter.check("def f(:")
        assert "MemoryError" in interpreter.check("-" * 19000 + "1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", [["files"], ["calls"], ["files", "calls"]])
def test_no_program_runs_where_the_kernel_cannot_confine_it(
    missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillhouse.execution.sandbox._ask", lambda *_: {"missing": missing})
    said = "cannot confine a program: " + " and ".join(missing)
    runs = Interpreter(runs=True, limits=LIMITS)
    with runs as interpreter, pytest.raises(InputError, match=said):
        interpreter.check(FINE)


def test_a_child_that_says_nothing_of_its_confinement_runs_no_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stillhouse.execution.sandbox._ask", lambda *_: {})
    with Interpreter(runs=True, limits=LIMITS) as interpreter, pytest.raises(InputError):
        interpreter.check(FINE)


def test_the_child_ends_with_its_sandbox() -> None:
    with Interpreter(runs=False, limits=LIMITS) as interpreter:
        interpreter.check("x = 1")
        child = interpreter._sandbox._child
        assert child is not None
    assert child.poll() is not None
