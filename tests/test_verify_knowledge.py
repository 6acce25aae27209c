"""The verifier: a table that says what an installed package does not is a problem, which names the path and what is wrong."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from asynclint.knowledge import Knowledge
from asynclint.knowledge.compiled import parse
from asynclint.knowledge.load import library

SCRIPTS = Path(__file__).parent.parent / "scripts"

PACKAGE = """
class Stream:
    async def __aiter__(self):
        yield 1

class Both:
    def __enter__(self): ...
    def __exit__(self, *error): ...
    async def __aenter__(self): ...
    async def __aexit__(self, *error): ...

class Shop:
    def __enter__(self): ...
    def __exit__(self, *error): ...
    def buy(self, name): ...
    def close(self): ...

class AsyncShop:
    def __enter__(self):
        raise TypeError("use async with")
    async def __aenter__(self): ...
    async def __aexit__(self, *error): ...
    async def buy(self, name): ...
    async def close(self): ...
    async def rows(self):
        yield 1

class Caller:
    def __call__(self): ...

def fetch(url): ...
async def afetch(url): ...
"""

RIGHT = """
library = "shopkit"
roots = ["shopkit"]
[modules.shopkit]
http = "fetch"
coroutines = "afetch"
[classes."shopkit.Shop"]
enter = "sync"
http = "buy"
plain = "close"
[classes."shopkit.AsyncShop"]
enter = "async"
coroutines = "buy close"
methods.rows = { returns = "AsyncIterator[Any]" }
[classes."shopkit.Stream"]
iter = "async"
[classes."shopkit.Both"]
enter = "both"
[classes."shopkit.Caller"]
called = true
"""


@pytest.fixture(scope="module")
def verify() -> ModuleType:
    path = SCRIPTS / "verify_knowledge.py"
    spec = importlib.util.spec_from_file_location("verify_knowledge", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["verify_knowledge"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shopkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "shopkit.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("shopkit", None)


def problems(verify: ModuleType, text: str) -> list[tuple[str, str]]:
    checker = verify.Checker(Knowledge(), library(parse(text), "shopkit", "shopkit.toml"))
    checker.run()
    found: list[tuple[str, str]] = checker.problems
    return found


@pytest.mark.usefixtures("shopkit")
def test_what_is_right_is_no_problem(verify: ModuleType) -> None:
    assert problems(verify, RIGHT) == []


@pytest.mark.usefixtures("shopkit")
@pytest.mark.parametrize(
    ("right", "wrong", "path", "problem"),
    [
        ('http = "fetch"', 'http = "fetch fetsh"', "shopkit.fetsh", "does not exist"),
        ('http = "buy"', 'http = "buy sell"', "shopkit.Shop.sell", "does not exist"),
        ('coroutines = "afetch"', 'coroutines = "fetch"', "shopkit.fetch", "said to be a coroutine function and is none"),
        ('coroutines = "afetch"', 'plain = "afetch"', "shopkit.afetch", "is a coroutine function and is not said to be one"),
        ('coroutines = "buy close"', 'coroutines = "buy"\nplain = "close"', "shopkit.AsyncShop.close", "is a coroutine function"),
        ('methods.rows = { returns = "AsyncIterator[Any]" }', 'plain = "rows"', "shopkit.AsyncShop.rows", "is an async generator"),
        ('"shopkit.Stream"]\niter = "async"', '"shopkit.Stream"]\niter = "sync"', "shopkit.Stream", "cannot be iterated"),
        ('"shopkit.Both"]\nenter = "both"', '"shopkit.Both"]\nenter = "async"', "shopkit.Both", "is a context manager for `with`, too"),
        ('"shopkit.Stream"]\niter = "async"', '"shopkit.Stream"]\nenter = "async"', "shopkit.Stream", "is no async context manager"),
        ("called = true", 'plain = ""', "shopkit.Caller", "has objects that can be called"),
        (
            'plain = "close"',
            'plain = "close"\nclient = { twin = "shopkit.AsyncShop", close = "shut" }',
            "shopkit.Shop",
            "shut",
        ),
        (
            'plain = "close"',
            'plain = "close"\nclient = { twin = "shopkit.AioShop", close = "close" }',
            "shopkit.Shop",
            "AioShop",
        ),
        (
            'plain = "close"',
            'plain = "close"\nclient = { twin = "shopkit.AsyncShop", close = "close", close_async = true }',
            "shopkit.Shop",
            "close",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_problem(
    verify: ModuleType, right: str, wrong: str, path: str, problem: str
) -> None:
    if right == 'http = "fetch"':
        text = RIGHT.replace(right, wrong)
    elif wrong.startswith("coroutines") and "afetch" in right:
        text = RIGHT.replace('http = "fetch"\n', "").replace(right, wrong)
    else:
        text = RIGHT.replace(right, wrong)
    assert text != RIGHT
    found = problems(verify, text)
    assert any(p == path and problem in said for p, said in found), found


def test_a_wrong_name_fails_the_run_and_is_named_with_its_file(tmp_path: Path) -> None:
    """The whole script, on a table of the standard library with a name that is not there."""
    for folder in ("asynclint", "scripts"):
        (tmp_path / folder).symlink_to(SCRIPTS.parent / folder)
    program = """
import sys
sys.path[:0] = ["scripts", "."]
import verify_knowledge as verify
text = verify.read("threads")
tables = {**text, "modules": {"time": {"sleep": "sleep doze"}}, "classes": {}, "aliases": {}}
verify.read = lambda stem: tables
sys.argv = ["verify_knowledge.py", "threads"]
sys.exit(verify.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "threads.toml: time.doze: does not exist" in done.stdout
