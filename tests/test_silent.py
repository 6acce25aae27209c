"""An edit of which no finding can depend is answered by what was printed before it; any other one is not."""

from __future__ import annotations

import ast
import importlib.util
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_cache import SETTINGS, replayed, run, tree, uncached

from asynclint import cache, inert, replay, silent
from asynclint.facts import program
from asynclint.facts.model import CallSite
from asynclint.facts.mute import Mute
from asynclint.facts.types import Lib
from asynclint.knowledge import Knowledge

__all__ = ["tree"]

APP = '''\
"""What is served."""

import time

from helpers import load


def plain(value, other=1):
    return value


TEXT = """
first
second
"""


async def handler():
    # The clock is read here.
    time.sleep(1)


class Store:
    def read(self):
        """Reads. All of it.

        Once (or 1.5 times), as
        it was said before.
        """
        return (
            1,
            2,
        )


NUMBER = 1 + \\
    2
'''

LIFESPAN = """\
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.counter = httpx.AsyncClient()
    yield


app = FastAPI(lifespan=lifespan)
"""

HELPERS = "def load():\n    return 1\n\n\ndef unused():\n    return None\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two files, the working directory, of which the output is known."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text(SETTINGS[0], "utf-8")
    (root / "app.py").write_text(APP, "utf-8")
    (root / "helpers.py").write_text(HELPERS, "utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(cache, "HOT", 0)
    monkeypatch.setattr(silent, "HOT", 0)
    run("--output-format", "concise")
    run()
    return root


def answered(*arguments: str) -> bool:
    """Whether a run prints what an earlier one did; it must be what a run without a cache prints."""
    replayed.clear()
    given = run(*arguments)
    known = replayed[0]
    assert given == uncached(*arguments)
    return known


def after(text: str, line: str, added: str) -> str:
    """A text with something put behind one of its lines."""
    assert f"{line}\n" in text
    return text.replace(f"{line}\n", f"{line}\n{added}", 1)


SILENT: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: text,
    "an empty line": lambda text: text + "\n",
    "empty lines between functions": lambda text: after(text, "        )", "\n\n\n"),
    "a comment": lambda text: after(text, "class Store:", "    # What is kept of the texts.\n"),
    "a comment in brackets": lambda text: after(text, "            1,", "            # Two.\n"),
    "a docstring": lambda text: text.replace("All of it.", "Everything there is."),
    "a longer docstring": lambda text: text.replace("Once (", "Twice.\n\n        Or (once "),
    "a shorter docstring": lambda text: text.replace("        it was said before.\n", ""),
    "a docstring of one line": lambda text: text + '\n\ndef added():\n    """One two."""\n',
    "a function": lambda text: text + "\n\ndef added(one, *, two=2):\n    return one + two\n",
    "a function between others": lambda text: after(
        text, "    time.sleep(1)", "\n\ndef added():\n    pass\n"
    ),
    "a constant": lambda text: text + "\nADDED = 3\n",
    "two of them": lambda text: text + "\nADDED = 'a few words'\n\n\ndef more():\n    return 1\n",
    "a call of a builtin": lambda text: text + "\n\ndef added():\n    return print()\n",
    "calls of builtins": lambda text: (
        text
        + "\n\ndef added(one):\n    if len(one) > 1:\n        print('long', one)\n    return str(one) + '1'\n"
    ),
}

SPEAKING: dict[str, Callable[[str], str]] = {
    "a call": lambda text: text + "\n\ndef added():\n    return load()\n",
    "a docstring that speaks of the loop": lambda text: text.replace("All of it", "It is async"),
    "a docstring with code": lambda text: text.replace("All of it", "Then store.close it"),
    "a docstring that looks like an import": lambda text: text.replace("it was", "from it was"),
    "a docstring that is no longer one": lambda text: text.replace(
        '        """Reads', '        f"""Reads'
    ),
    "a docstring that ends": lambda text: text.replace("Once (", 'Once.""" + """('),
    "a docstring and a line more": lambda text: text.replace(
        'before.\n        """', 'before."""; load()'
    ),
    "a string that is no docstring": lambda text: text.replace("first", "third"),
    "a line further left": lambda text: text.replace("        it was", "   it was"),
    "a call of a builtin that is none": lambda text: (
        text + "\n\ndef added():\n    return len('one')\n\n\nlen = load\n"
    ),
    "a call of a name that a loop binds": lambda text: (
        text
        + "\n\ndef added():\n    return print('one')\n\n\ndef more():\n    [print for print in '12']\n"
    ),
    "a call of what may be imported": lambda text: (
        text + "\nfrom helpers import *\n\n\ndef added():\n    return print(1)\n"
    ),
    "a call of a parameter": lambda text: text + "\n\ndef added(print):\n    return print(1)\n",
    "a call that hands on another": lambda text: (
        text + "\n\ndef added(one):\n    return print(len(one))\n"
    ),
    "a call with a keyword": lambda text: (
        text + "\n\ndef added(one):\n    return print(1, file=one)\n"
    ),
    "a call of another builtin": lambda text: text + "\n\ndef added(one):\n    return open(one)\n",
    "a finding": lambda text: text + "\n\nasync def added():\n    time.sleep(1)\n",
    "a name that is mentioned": lambda text: text + "\n\ndef load():\n    return 1\n",
    "an attribute": lambda text: text + "\n\ndef added(one):\n    return one.close\n",
    "a decorator": lambda text: text + "\n\n@plain\ndef added():\n    return 1\n",
    "an annotation": lambda text: text + "\n\ndef added(one: Store):\n    return 1\n",
    "a global": lambda text: text + "\n\ndef added():\n    return NUMBER\n",
    "a hook of the module": lambda text: text + "\n\ndef __getattr__(name):\n    return 1\n",
    "a coroutine function": lambda text: text + "\n\nasync def added():\n    return 1\n",
    "a class": lambda text: text + "\n\nclass Added:\n    pass\n",
    "code in a string": lambda text: text + "\nADDED = 'store.close()'\n",
    "a line above a finding": lambda text: after(text, "import time", "\n"),
    "a function above a finding": lambda text: after(
        text, "    return value", "\n\ndef added():\n    pass\n"
    ),
    "what looks like a comment in a string": lambda text: after(text, "first", "# Something.\n"),
    "an empty line in a string": lambda text: after(text, "first", "\n"),
    "a comment behind a backslash": lambda text: after(text, "NUMBER = 1 + \\", "# Two.\n"),
    "an empty line behind a backslash": lambda text: after(text, "NUMBER = 1 + \\", "\n"),
    "a comment to asynclint": lambda text: text + "\n# asynclint: ignore-file\n",
    "a comment that reads like code": lambda text: text + "\n# store.close()\n",
    "a comment about the loop": lambda text: text + "\n# This is async\n",
    "a syntax error": lambda text: text + "\ndef added(:\n    pass\n",
    "a syntax error of indentation": lambda text: text + "\n\ndef added():\nreturn 1\n",
    "another value": lambda text: text.replace("time.sleep(1)", "time.sleep(2)"),
    "another end of lines": lambda text: text + "\r\n",
    "a mark at the beginning": lambda text: f"\ufeff{text}",
    "the first line": lambda text: f"\n{text}",
    "a name twice": lambda text: text + "\nADDED = 1\nADDED = 2\n\n\ndef more():\n    return 1\n",
}


@pytest.mark.parametrize("what", SILENT)
def test_a_silent_edit_is_answered(project: Path, what: str) -> None:
    (project / "app.py").write_text(SILENT[what](APP), "utf-8")
    assert answered("--output-format", "concise")
    assert answered("--output-format", "concise")


@pytest.mark.parametrize("what", SPEAKING)
def test_any_other_edit_is_not(project: Path, what: str) -> None:
    (project / "app.py").write_bytes(SPEAKING[what](APP).encode())
    assert not answered("--output-format", "concise") or what == "a name twice"
    assert answered("--output-format", "concise")


def test_one_silent_edit_after_another_is_answered(project: Path) -> None:
    for number in range(2 * replay.MAX_CHANGED):
        path = project / ("app.py" if number % 2 else "helpers.py")
        path.write_text(f"{path.read_text('utf-8')}\n\ndef added_{number}():\n    pass\n", "utf-8")
        assert answered("--output-format", "concise")


def test_what_is_taken_away_is_looked_at(project: Path) -> None:
    path = project / "helpers.py"
    for taken, silent_too in (
        ("# Words.\n", True),
        ("# async words.\n", False),
        ("# noqa\n# asynclint: ignore-file\n", False),
    ):
        path.write_text(f"import asyncio\n\nONE = 1\n{taken}", "utf-8")
        run("--output-format", "concise")
        run("--output-format", "concise")
        path.write_text("import asyncio\n\nONE = 1\n", "utf-8")
        assert answered("--output-format", "concise") is silent_too, taken


def test_a_docstring_is_not_silent_where_something_is_looked_for_in_it(project: Path) -> None:
    (project / "more.py").write_text(LIFESPAN, "utf-8")
    run("--output-format", "concise")
    assert replay.read(str(project / cache.FOLDER))[0][4][-1][0] == ["counter"]
    path = project / "app.py"
    path.write_text(APP.replace("All of it", "All"), "utf-8")
    assert answered("--output-format", "concise")
    path.write_text(APP.replace("All of it", "All that the counter says"), "utf-8")
    assert not answered("--output-format", "concise")
    path.write_text(APP.replace("All of it", "All that is said"), "utf-8")
    assert not answered("--output-format", "concise")


def test_a_docstring_is_not_silent_where_nobody_read_the_code_around_it(project: Path) -> None:
    path = project / "more.py"
    path.write_text('def more():\n    """One.\n\n    Two.\n    """\n', "utf-8")
    run("--output-format", "concise")
    path.write_text('def more():\n    """One.\n\n    Three.\n    """\n', "utf-8")
    assert not answered("--output-format", "concise")


def test_calls_of_builtins_come_and_go(project: Path) -> None:
    for called in ("len('one')", "None", "print(1)", "", "len('two')"):
        added = f"\n\ndef added():\n    return {called}\n" if called else ""
        (project / "helpers.py").write_text(HELPERS + added, "utf-8")
        assert answered("--output-format", "concise")


@pytest.mark.parametrize("kind", ["def len(self, one)", "def  \\\n len(self, one)", "class len"])
def test_a_call_of_a_builtin_is_not_silent_where_the_project_has_one_of_its_name(
    project: Path, kind: str
) -> None:
    (project / "more.py").write_text(
        f"import asyncio\n\n\nclass More:\n    {kind}:\n        pass\n", "utf-8"
    )
    run("--output-format", "concise")
    (project / "app.py").write_text(SILENT["calls of builtins"](APP), "utf-8")
    assert not answered("--output-format", "concise")


def test_a_call_is_not_silent_where_the_project_says_what_calls_do(project: Path) -> None:
    settings = (
        '[tool.asynclint.knowledge.modules.builtins]\nfunctions = { len = { blocks = "wait" } }\n'
    )
    (project / "pyproject.toml").write_text(SETTINGS[0] + settings, "utf-8")
    run("--output-format", "concise")
    (project / "app.py").write_text(SILENT["calls of builtins"](APP), "utf-8")
    assert not answered("--output-format", "concise")


def test_the_builtins_give_a_value_and_do_nothing_else() -> None:
    site = CallSite(0, "call", 0, None, (), ("stmt",), 0, 1, 0, 1, 1)
    mute = Mute(Knowledge())
    for name in inert.BUILTINS:
        assert name in program.BUILTINS
        assert mute.is_mute(Lib(f"builtins.{name}"), site), name


def test_what_is_taken_away_again_was_never_there(project: Path) -> None:
    (project / "helpers.py").write_text(HELPERS.replace("unused", "needless"), "utf-8")
    assert answered("--output-format", "concise")
    (project / "helpers.py").write_text(HELPERS, "utf-8")
    assert answered("--output-format", "concise") in (True, False)
    (project / "helpers.py").write_text("def load():\n    return 1\n", "utf-8")
    answered("--output-format", "concise")


def test_what_two_files_say_is_told_apart(project: Path) -> None:
    (project / "app.py").write_text(f"{APP}\nADDED = 1\n", "utf-8")
    (project / "helpers.py").write_text(f"{HELPERS}\n# ADDED elsewhere\n", "utf-8")
    assert not answered("--output-format", "concise")


def test_where_nothing_is_found_there_are_no_fixes(project: Path) -> None:
    (project / "app.py").write_text(APP.replace("time.sleep(1)", "pass"), "utf-8")
    run()
    for what in ("a function", "two of them", "calls of builtins"):
        given = SILENT[what](APP).removeprefix(APP)
        (project / "helpers.py").write_text(f"{HELPERS}\n# Something.\n{given}", "utf-8")
        assert answered(), what


def test_with_fixes_only_what_no_fix_reads_is_silent(project: Path) -> None:
    for what, silent_too in (
        ("an empty line", True),
        ("two of them", False),
        ("a comment", False),
        ("a function", False),
        ("a call of a builtin", False),
    ):
        (project / "helpers.py").write_text(HELPERS, "utf-8")
        run()
        run()
        given = SILENT[what](APP).removeprefix(APP) or "\n# Something.\n"
        (project / "helpers.py").write_text(HELPERS + given, "utf-8")
        assert answered() is silent_too, what


def test_many_files_at_once_are_not_looked_into(project: Path) -> None:
    for number in range(replay.MAX_CHANGED + 1):
        (project / f"more_{number}.py").write_text("import asyncio\n\n\nONE = 1\n", "utf-8")
    run("--output-format", "concise")
    run("--output-format", "concise")
    for number in range(replay.MAX_CHANGED + 1):
        (project / f"more_{number}.py").write_text("import asyncio\n\n\nONE = 1\n\n", "utf-8")
    assert not answered("--output-format", "concise")


def test_a_file_that_was_written_just_now_is_compared(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time.sleep(0.3)
    monkeypatch.setattr(cache, "HOT", 200_000_000)
    monkeypatch.setattr(silent, "HOT", 1 << 40)
    (project / "helpers.py").write_text("def load():\n    return 2\n", "utf-8")
    run("--output-format", "concise")
    assert answered("--output-format", "concise")
    assert [file[1] for file in replay.read(str(project / cache.FOLDER))[0][1]].count(None) == 1
    (project / "helpers.py").write_text("def load():\n    return 3\n", "utf-8")
    assert not answered("--output-format", "concise")


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "nonsense"])
def test_without_the_texts_nothing_is_silent(project: Path, damage: str) -> None:
    path = project / cache.FOLDER / silent.NAME
    data = bytearray(path.read_bytes())
    middle = data.index(b"unused")
    if damage == "cut":
        path.write_bytes(data[:-3])
    elif damage == "flipped":
        data[middle] ^= 1
        path.write_bytes(data)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"nonsense")
    (project / "app.py").write_text(APP + "\n", "utf-8")
    assert not answered("--output-format", "concise")
    assert answered("--output-format", "concise")


# -- what prints ----------------------------------------------------------------------------------

LOGS = '''\
"""What is served."""

import logging

log = logging.getLogger(__name__)


def plain(value, other):
    """Says."""
    if value == other:
        other(value)
    else:
        return other
    made = other(value)
    return made


async def handler(request):
    try:
        plain(request, 1)
    except ValueError:
        plain(request, 2)
    await request.body()
    return request


class Store:
    size = 1

    def read(self, key):
        return open(key)

    def unwritten(self, key):
        raise NotImplementedError
'''

PRINTS: dict[str, Callable[[str], str]] = {
    "a message": lambda text: after(text, "        other(value)", "        log.info('It is so')\n"),
    "a parameter": lambda text: after(text, '    """Says."""', "    print('It is', value)\n"),
    "an f-string": lambda text: after(
        text, '    """Says."""', "    print(f'It is {value!r:>10} of')\n"
    ),
    "several lines": lambda text: after(
        text,
        '    """Says."""',
        "    # Again.\n    log.debug(\n        'One %s',\n        value,\n    )\n\n",
    ),
    "in a coroutine": lambda text: after(
        text, "        plain(request, 1)", "        print('so', flush=True)\n"
    ),
    "in a handler": lambda text: after(
        text, "        plain(request, 2)", "        log.warning('No', exc_info=True)\n"
    ),
    "two of them": lambda text: after(
        text, "    await request.body()", "    print(1)\n    log.error(request)\n"
    ),
    "in a method": lambda text: after(text, "    def read(self, key):", "        print(key)\n"),
}

SPEAKS: dict[str, Callable[[str], str]] = {
    "a local variable": lambda text: after(text, "    made = other(value)", "    print(made)\n"),
    "what is read nowhere else": lambda text: after(
        text, "    def unwritten(self, key):", "        print(key)\n"
    ),
    "an attribute": lambda text: after(text, '    """Says."""', "    print(value.close)\n"),
    "a call": lambda text: after(text, '    """Says."""', "    print(other(value))\n"),
    "a walrus": lambda text: after(text, '    """Says."""', "    print(value := 1)\n"),
    "what is handed on": lambda text: after(text, '    """Says."""', "    print(**value)\n"),
    "a value": lambda text: after(text, '    """Says."""', "    one = print(value)\n"),
    "a test": lambda text: after(text, '    """Says."""', "    if value:\n        print(value)\n"),
    "behind a return": lambda text: after(text, "    return made", "    print(value)\n"),
    "all of a block": lambda text: text.replace("        other(value)", "        print(value)"),
    "in a class": lambda text: after(text, "    size = 1", "    print(1)\n"),
    "in the module": lambda text: after(text, "log = logging.getLogger(__name__)", "print(1)\n"),
    "in what is not written yet": lambda text: text.replace(
        "raise NotImplementedError", "print(1)"
    ),
    "beside something else": lambda text: after(
        text, '    """Says."""', "    print(1); other(value)\n"
    ),
    "with the end of something else": lambda text: text.replace(
        "other(value)\n    return", "other(\n    value)\n    print(1)\n    return"
    ),
    "a logger that is another one": lambda text: (
        after(text, '    """Says."""', "    log.info(value)\n") + "\n\nfor log in ():\n    pass\n"
    ),
    "a logger that a function sets": lambda text: (
        after(text, '    """Says."""', "    log.info(value)\n")
        + "\n\ndef more():\n    global log\n    log = open('log')\n"
    ),
    "another logger": lambda text: after(
        text.replace("logging.getLogger(__name__)", "open('log')"),
        '    """Says."""',
        "    log.info(value)\n",
    ),
    "another method": lambda text: after(text, '    """Says."""', "    log.exception(value)\n"),
    "code": lambda text: after(text, '    """Says."""', "    print('value.close()')\n"),
    "a word": lambda text: after(text, '    """Says."""', "    print('async')\n"),
}


@pytest.fixture
def logs(project: Path) -> Path:
    (project / "logs.py").write_text(LOGS, "utf-8")
    run("--output-format", "concise")
    return project / "logs.py"


@pytest.mark.parametrize("what", PRINTS)
def test_what_prints_comes_and_goes(logs: Path, what: str) -> None:
    for text in (PRINTS[what](LOGS), PRINTS[what](LOGS).replace("It is", "That is"), LOGS):
        logs.write_text(text, "utf-8")
        assert answered("--output-format", "concise")


@pytest.mark.parametrize("what", SPEAKS)
def test_what_does_more_than_print_is_not_silent(logs: Path, what: str) -> None:
    for text in (SPEAKS[what](LOGS), LOGS):
        logs.write_text(text, "utf-8")
        assert not answered("--output-format", "concise")


@pytest.mark.parametrize(
    "more",
    [
        "def info(self):\n    pass\n",
        "from logs import *\n",
        "async def more(one):\n    try:\n        await one()\n    except BaseException:\n        print(1)\n",
    ],
)
def test_what_prints_is_not_silent_everywhere(logs: Path, more: str) -> None:
    text = f"{LOGS}\n\n{more}"
    logs.write_text(text, "utf-8")
    run("--output-format", "concise")
    logs.write_text(PRINTS["a message"](text), "utf-8")
    assert not answered("--output-format", "concise")


def test_a_logger_of_the_project_may_do_anything(logs: Path) -> None:
    (logs.parent / "logging.py").write_text("def getLogger(name):\n    return name\n", "utf-8")
    run("--output-format", "concise")
    logs.write_text(PRINTS["a message"](LOGS), "utf-8")
    assert not answered("--output-format", "concise")


def printed(text: str, chance: random.Random) -> str:
    """A text with a line more that prints something, or without one."""
    lines = text.splitlines(keepends=True)
    there = [i for i, line in enumerate(lines) if line.lstrip().startswith(("print(", "log.info("))]
    if there and chance.random() < 0.3:
        del lines[chance.choice(there)]
        return "".join(lines)
    begins = ("return", "if ", "for ", "raise ", "self.", "await ", "async ", "yield")
    inside = [
        i for i, line in enumerate(lines) if line[:4] == "    " and line.lstrip().startswith(begins)
    ] or [len(lines)]
    at = chance.choice(inside)
    before = lines[at] if at < len(lines) else ""
    indent = before[: len(before) - len(before.lstrip())]
    given = chance.choice(("'one'", "'two words', 2", "'one'", "scope", "f'{request} is'", "1"))
    lines.insert(at, f"{indent}{chance.choice(('print', 'print', 'log.info', 'open'))}({given})\n")
    return "".join(lines)


@pytest.mark.parametrize("name", ["starlette", "httpcore"])
def test_nothing_that_prints_makes_a_difference(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _cooled(name, tmp_path, monkeypatch)
    chance = random.Random(f"prints of {name}")
    files = [p for p in sorted(root.rglob("*.py")) if "    def " in p.read_text("utf-8")]
    for path in files:
        text = path.read_text("utf-8")
        logger = "import logging\n\nlog = logging.getLogger(__name__)\n\n\nclass "
        path.write_text(text.replace("\nclass ", f"\n{logger}", 1), "utf-8")
    run("--output-format", "concise")
    known = 0
    for _ in range(16):
        path = chance.choice(files)
        path.write_text(printed(path.read_text("utf-8"), chance), "utf-8")
        replayed.clear()
        assert run("--output-format", "concise") == uncached("--output-format", "concise"), path
        known += replayed[0]
        time.sleep(0.02)
    assert known


# -- any edit -------------------------------------------------------------------------------------

WORDS = (
    "value",
    "client",
    "note",
    "two words",
    "async",
    "store.close()",
    "asynclint: ignore",
    "x = 1",
)


CALLED = ("print", "len", "str", "sorted", "open", "handler")


def changed(text: str, chance: random.Random, number: int) -> str:
    """A text with an edit that is silent more often than not."""
    lines = text.splitlines(keepends=True)
    at = chance.randint(0, len(lines))
    indent = " " * 4 * chance.randint(0, 3)
    name = chance.choice((f"added_{number}", "handler", "main", "added"))
    new = chance.choice(
        (
            ["\n"],
            ["\n", "\n"],
            [f"{indent}# {chance.choice(WORDS)}\n"],
            [f"def {name}():\n", "    return None\n"],
            [f"def {name}(one):\n", f"    return one{chance.choice(('', '.close()', ' + 1'))}\n"],
            [f"{name} = {chance.choice(('1', 'None', 'print'))}\n"],
            [f"def {name}(one):\n", f"    return {chance.choice(CALLED)}(one)\n"],
            [
                f"def {name}():\n",
                f"    {chance.choice(CALLED)}(1)\n",
                "    return len('two words')\n",
            ],
        )
    )
    if chance.random() < 0.5:
        at = len(lines)
        new = ["\n", "\n", *new]
    if chance.random() < 0.2:
        quiet = [i for i, line in enumerate(lines) if not line.strip() or line.strip()[:1] == "#"]
        if quiet:
            del lines[chance.choice(quiet)]
            return "".join(lines)
    lines[at:at] = new
    return "".join(lines)


@pytest.mark.parametrize("style", ["concise", "full", "json"])
def test_no_edit_makes_a_difference(
    tree: Path, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "HOT", 0)
    monkeypatch.setattr(silent, "HOT", 0)
    _edited(tree, random.Random(style), style, 14)


@pytest.mark.parametrize("name", ["starlette", "httpcore"])
def test_no_edit_of_a_real_package_makes_a_difference(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _cooled(name, tmp_path, monkeypatch)
    _edited(root, random.Random(name), "concise", 12)


BODIES = (
    ["return {called}({given})"],
    ["{called}({given})"],
    ["if {called}({given}) == {given}:", "    return {called}({given})", "return one"],
    ['"""Two words."""', "{called}({given}, {given})", "return [{called}({given}), {given}]"],
    ["return {called}({called}({given}))"],
    ["{called}({given}).close()"],
)


def calling(text: str, chance: random.Random, number: int) -> str:
    """A text with a function that calls something, at its end or in place of the one that was put there before."""
    lines = "\n".join(chance.choice(BODIES)).format(
        called=chance.choice((*sorted(inert.BUILTINS), "sorted", "open", "handler")),
        given=chance.choice(("one", "one", "1", "'two words'", "other")),
    )
    function = f"def added_{number}(one):\n" + "".join(
        f"    {line}\n" for line in lines.split("\n")
    )
    kept, mark, _ = text.partition("\n\ndef added_")
    return f"{kept if mark and chance.random() < 0.7 else text.rstrip()}\n\n{function}"


@pytest.mark.parametrize("seed", range(3))
def test_no_function_that_calls_makes_a_difference(
    tree: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "HOT", 0)
    monkeypatch.setattr(silent, "HOT", 0)
    chance = random.Random(f"calls {seed}")
    files = sorted(p for p in tree.rglob("*.py") if cache.FOLDER not in p.parts)
    asked: list[set[str]] = []

    def are_builtins(names: set[str], text: str) -> bool:
        asked.append(names)
        return inert.are_builtins(names, text)

    monkeypatch.setattr(silent, "are_builtins", are_builtins)
    run("--output-format", "concise")
    done: list[str] = []
    silent_calls = 0
    for _ in range(16):
        number = chance.randrange(len(files))
        path = files[number]
        path.write_text(calling(path.read_text("utf-8"), chance, number), "utf-8")
        done.append(path.read_text("utf-8")[-80:])
        asked.clear()
        replayed.clear()
        assert run("--output-format", "concise") == uncached("--output-format", "concise"), done
        silent_calls += replayed[0] and any(asked)
        time.sleep(0.02)
    assert silent_calls > 1


SAID = (
    "It waits.",
    "Two words",
    "The pool. It is",
    "async",
    "self.client.close()",
    "from here",
    "(self)",
)


def documented(text: str, chance: random.Random) -> str:
    """A text in which one docstring says something else, or a little more."""
    found = [
        node.body[0].value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and ast.get_docstring(node) is not None
    ]
    if not found:
        return text
    one = chance.choice(found)
    lines = text.split("\n")
    indent = " " * one.col_offset
    words = chance.choice(SAID)
    if one.lineno == one.end_lineno or chance.random() < 0.3:
        lines[one.lineno - 1 : one.end_lineno] = [f'{indent}"""{words}', f'{indent}"""']
    else:
        lines.insert(chance.randint(one.lineno, one.end_lineno - 1), f"{indent}{words}")
    return "\n".join(lines)


@pytest.mark.parametrize("name", ["starlette", "httpcore"])
def test_no_docstring_makes_a_difference(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _cooled(name, tmp_path, monkeypatch)
    chance = random.Random(f"docstrings of {name}")
    files = [p for p in sorted(root.rglob("*.py")) if '    """' in p.read_text("utf-8")]
    run("--output-format", "concise")
    known = 0
    for _ in range(12):
        path = chance.choice(files)
        path.write_text(documented(path.read_text("utf-8"), chance), "utf-8")
        replayed.clear()
        assert run("--output-format", "concise") == uncached("--output-format", "concise"), path
        known += replayed[0]
        time.sleep(0.02)
    assert known > 1


def _copied(name: str, folder: Path) -> Path:
    """A project with the code of an installed package."""
    found = importlib.util.find_spec(name)
    assert found is not None and found.origin is not None
    root = folder / "package"
    shutil.copytree(
        Path(found.origin).parent, root / name, ignore=shutil.ignore_patterns("__pycache__")
    )
    (root / "pyproject.toml").write_text(SETTINGS[0], "utf-8")
    return root


def _cooled(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy in which to work, where no file is too fresh to be believed."""
    root = _copied(name, tmp_path)
    monkeypatch.chdir(root)
    monkeypatch.setattr(cache, "HOT", 0)
    monkeypatch.setattr(silent, "HOT", 0)
    return root


def _edited(root: Path, chance: random.Random, style: str, edits: int) -> None:
    files = sorted(p for p in root.rglob("*.py") if cache.FOLDER not in p.parts)
    done: list[str] = []
    known = 0
    for number in range(edits):
        for _ in range(chance.choice((1, 1, 2))):
            path = chance.choice(files)
            text = path.read_text("utf-8")
            path.write_text(changed(text, chance, number), "utf-8")
            done.append(str(path.relative_to(root)))
        replayed.clear()
        assert run("--output-format", style) == uncached("--output-format", style), done
        known += replayed[0]
        time.sleep(0.02)
    assert known
