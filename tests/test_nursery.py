"""A forked program is a process like any other, and what it leaves open is noticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nursery
import pytest
from nursery import Program

pytestmark = pytest.mark.skipif(not nursery.forks(), reason="nothing can be forked here")

TELLER = """\
import importlib
import json
import os
import sys


def main():
    told = {
        "arguments": sys.argv,
        "directory": os.getcwd(),
        "variables": dict(os.environ),
        "path": [*sys.path],
        "names": [sys.stdin.encoding, sys.stdout.encoding, sys.stdout.seekable(), sys.stdout.isatty()],
        "warnings": sys.warnoptions,
        "here": sorted({"asynclint", "fractions", "pytest"} & {*sys.modules}),
        "read": sys.stdin.read(),
    }
    if "import" in sys.argv:
        importlib.import_module("fractions")
        os.environ["SET"] = "1"
        sys.path.insert(0, "nowhere")
    print(json.dumps(told))
    print("said", file=sys.stderr)


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Program]:
    """A program with a text."""

    def made(text: str) -> Program:
        path = tmp_path / "script" / "told.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(text), "utf-8")
        return Program((str(path),), "told:main")

    return made


def both(
    program: Program, *arguments: str, cwd: Path, env: dict[str, str], stdin: bytes = b""
) -> list[subprocess.CompletedProcess[bytes]]:
    """A program as a process, and forked."""
    line = program.line(arguments)
    return [
        subprocess.run(line, cwd=cwd, env=env, input=stdin, capture_output=True, check=False),
        nursery.run(program, arguments, cwd=cwd, env=env, stdin=stdin),
    ]


@pytest.mark.parametrize("flags", [(), ("-W", "error")])
def test_it_finds_what_a_process_finds(
    program: Callable[[str], Program], tmp_path: Path, flags: tuple[str, ...]
) -> None:
    told = replace(program(TELLER), flags=flags)
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    process, forked = both(told, "a", "b c", cwd=tmp_path, env=env, stdin="ä\n".encode())
    assert (forked.returncode, forked.stderr) == (process.returncode, process.stderr)
    assert json.loads(forked.stdout) == json.loads(process.stdout)


def test_nothing_of_one_reaches_the_next(program: Callable[[str], Program], tmp_path: Path) -> None:
    told = program(TELLER)
    said = []
    for number, argument in enumerate(("import", "import", "last")):
        env = {**os.environ, "NUMBER": str(number), f"ONLY_{number}": ""}
        done = nursery.run(told, [argument], cwd=tmp_path, env=env)
        said.append(json.loads(done.stdout))
        assert said[-1]["variables"] == env
    for one in said[1:]:
        assert one["here"] == said[0]["here"] == []
        assert one["path"] == said[0]["path"]


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        ("pass", 0, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('so')", 1, "so\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("os._exit(4)", 4, ""),
        ("os.kill(os.getpid(), 9)", -9, ""),
        # Who starts the tests in the background may have them ignore Ctrl-C.
        (
            "signal.signal(2, signal.default_int_handler); os.kill(os.getpid(), 2)",
            -2,
            "KeyboardInterrupt\n",
        ),
        ("atexit.register(lambda: print('late', file=sys.stderr))", 0, "late\n"),
    ],
)
def test_it_ends_as_a_process_ends(
    program: Callable[[str], Program], tmp_path: Path, end: str, code: int, says: str
) -> None:
    text = f"import atexit, os, signal, sys\n\ndef main():\n    {end}\n\nif __name__ == '__main__':\n    main()\n"
    for done in both(program(text), cwd=tmp_path, env=dict(os.environ)):
        assert done.returncode == code
        assert done.stderr.decode().endswith(says)
        assert bool(done.stderr) is bool(says)


def test_several_run_at_once_and_take_signals(
    program: Callable[[str], Program], tmp_path: Path
) -> None:
    told = program("import time\n\ndef main():\n    time.sleep(60)\n")
    env = dict(os.environ)
    with open(os.devnull, "r+b") as nothing:
        children = [
            nursery.nursery(told, env).start(
                [], cwd=tmp_path, env=env, stdin=nothing, stdout=nothing, stderr=nothing
            )
            for _ in range(3)
        ]
    assert [child.poll() for child in children] == [None] * 3
    with pytest.raises(TimeoutError):
        children[1].wait(0.01)
    children[1].send_signal(signal.SIGTERM)
    assert children[1].wait(60) == -signal.SIGTERM
    assert [child.poll() for child in children] == [None, -signal.SIGTERM, None]
    for child in children:
        child.kill()
    assert [child.wait(60) for child in children] == [-9, -signal.SIGTERM, -9]


LEAKS = {
    "a variable of the module": "left = open(__file__)",
    "a circle": "one = [open(__file__)]; one.append(one); del one",
    "something of a library": "import json; json.JSONDecoder.left = open(__file__)",
    "a thread's variable": "import threading; local = threading.local(); local.left = open(__file__)",
    "a warning at the end": "import atexit, warnings; atexit.register(warnings.warn, 'late')",
    "a coroutine": "async def wait(): ...\n    left = wait()",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_what_is_left_open_is_noticed(
    program: Callable[[str], Program], tmp_path: Path, leak: str
) -> None:
    """Where every warning is an error, at the latest when the interpreter ends."""
    text = f"import json\n\ndef main():\n    global left, local\n    {LEAKS[leak]}\n\nif __name__ == '__main__':\n    main()\n"
    strict = replace(program(text), flags=("-W", "error"))
    for done in both(strict, cwd=tmp_path, env=dict(os.environ)):
        assert b"Warning: " in done.stderr, done.stderr


def test_a_warning_of_an_import_is_an_error(program: Callable[[str], Program]) -> None:
    loud = program("import warnings\nwarnings.warn('loud')\n\ndef main(): ...\n")
    with pytest.raises(AssertionError, match="UserWarning: loud"):
        nursery.Nursery(loud, {})


SERVICE = """\
import contextlib
import os

import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/{name}")
async def ask(name: str) -> str:
    client = httpx.AsyncClient()
    KEEP
    return (await client.get(f"{os.environ['UPSTREAM_URL']}/{name}")).json()["path"]
"""


@pytest.mark.parametrize("keep", ["pass", "httpx.AsyncClient.left = client"])
@pytest.mark.parametrize("fresh", [True, False])
def test_a_client_that_a_service_leaves_open_is_noticed(
    keep: str, fresh: bool, tmp_path: Path
) -> None:
    from proof.service import running
    from proof.upstream import Authority, Upstream, environment, trusting

    (tmp_path / "app.py").write_text(SERVICE.replace("KEEP", keep), "utf-8")
    authority = Authority()
    upstream = Upstream(authority)
    with trusting(authority) as trusted, upstream.serving():
        variables = environment(upstream, trusted)
        with running(tmp_path, "app:app", variables, strict=True, fresh=fresh) as service:
            assert [answer.body for answer in service.ask(["/one", "/two"])] == [
                b'"/one"',
                b'"/two"',
            ]
    assert service.account.built() == {"httpx.AsyncClient": 2}
    assert [client["closes"] for client in service.account.clients] == [0, 0]
    assert "ResourceWarning: unclosed" in service.account.errors


def test_a_service_tells_how_long_its_loop_was_kept(tmp_path: Path) -> None:
    """What benchmarks/lifespan.py measures."""
    from proof.service import running

    kept = "import time\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/')\nasync def keep(): time.sleep(0.2)\n"
    (tmp_path / "app.py").write_text(kept, "utf-8")
    for fresh in (True, False):
        with running(tmp_path, "app:app", dict(os.environ), clock=True, fresh=fresh) as service:
            service.note_gap()
            service.ask(["/"])
            service.note_gap()
        assert service.account.gaps[1] >= 0.19
        assert len(service.account.gaps) == 2
