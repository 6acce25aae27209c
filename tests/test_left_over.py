"""Imports that fixes have left without use go with the last one of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace

import fixing
import pytest

from asynclint.fixes.left_over import without_left_over
from asynclint.testing import in_memory

BEFORE = """\
    import time


    async def poll():
        time.sleep(1)


    async def wait():
        time.sleep(2)
"""


def _text(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def _left(
    before: str, after: str, others: Mapping[str, str] | None = None, name: str = "app.py"
) -> str:
    """The text of `after` without the imports that it uses no more."""
    texts = {path: _text(text) for path, text in (others or {}).items()}
    project = in_memory({name: _text(before), **texts})
    found = without_left_over(project, {name: _text(before)}, {name: _text(after)})
    return found.get(name, _text(after))


def _same(after: str, others: Mapping[str, str] | None = None, used: str = "time.sleep(1)") -> None:
    """Assert that an import stays."""
    assert _left(f"{_text(after)}\n\n{used}\n", after, others) == _text(after)


def test_the_last_fix_takes_the_import() -> None:
    after = fixing.fixed({"app.py": BEFORE})["app.py"]
    assert after == _text("""
        import asyncio


        async def poll():
            await asyncio.sleep(1)


        async def wait():
            await asyncio.sleep(2)
        """)


def test_a_function_that_still_sleeps_keeps_the_import() -> None:
    after = fixing.fixed({"app.py": BEFORE + "\n\n    def slow():\n        time.sleep(3)\n"})
    assert "import time\n" in after["app.py"]


def test_an_import_in_a_function_goes_as_well() -> None:
    after = fixing.fixed(
        {
            "app.py": """
                async def poll():
                    import time

                    time.sleep(1)


                async def wait():
                    import time

                    time.sleep(2)
                    return time.monotonic()
            """
        }
    )["app.py"]
    assert after == _text("""
        import asyncio


        async def poll():
            await asyncio.sleep(1)


        async def wait():
            import time

            await asyncio.sleep(2)
            return time.monotonic()
        """)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import time\nimport os\n\nos\n", "import os\n\nos\n"),
        ("import os, time\n\nos\n", "import os\n\nos\n"),
        ("import time, os\n\nos\n", "import os\n\nos\n"),
        ("from os import (\n    path,\n    sep,\n)\n\nsep\n", "from os import (\n    sep,\n)\n\nsep\n"),
        ("from os import path, sep\n\nsep\n", "from os import sep\n\nsep\n"),
        ("from os import sep, \\\n    path\n\nsep\n", "from os import sep\n\nsep\n"),
        ('"""Doc."""\n\nimport time\n\nimport httpx\n\nhttpx\n', '"""Doc."""\n\nimport httpx\n\nhttpx\n'),
        ("import httpx\n\nimport time\n\n\nhttpx\n", "import httpx\n\n\nhttpx\n"),
        ("import time\n\n\nx = 1\n", "x = 1\n"),
        ("if x:\n    import time\n    x = 1\n", "if x:\n    x = 1\n"),
        ("import concurrent.futures\nx = 1\n", "x = 1\n"),
        ("import time as clock\nx = 1\n", "x = 1\n"),
        ("# The standard library\nimport time\nimport os\n\nos\n", "# The standard library\nimport os\n\nos\n"),
        ('import time\nx = {"time": 1}\nx.time = 2\n', 'x = {"time": 1}\nx.time = 2\n'),
        ("import json\nx(json=1)\n", "x(json=1)\n"),
        ('import time\n"""The time."""\n', '"""The time."""\n'),
        ("import time\r\nx = 'é'\r\n", "x = 'é'\r\n"),
        ("import time\nx = 1", "x = 1"),
    ],
)  # fmt: skip
def test_what_goes(before: str, after: str) -> None:
    used = before + "\nprint(time, path, concurrent, clock, json)\n"
    assert _left(used, before) == after


@pytest.mark.parametrize(
    "text",
    [
        "import time  # noqa: F401\n",
        "from os import (\n    path,  # here\n    sep,\n)\n\nsep\n",
        "# why\nimport time\n\nx = 1\n",
        "# time is needed\nimport time\nimport os\n\nos\n",
        "import time; x = 1\n",
        "try:\n    import time\n    import os\nexcept ImportError:\n    os = None\n",
        "if x:\n    import time\n",
        "def f():\n    import time\n",
        "class A:\n    import time\n    x = 1\n",
        "import httpx.thing\n",
        "from os import *\n",
        "import time as time\n",
        "from os import path as path\n",
        'from os import path\n\n__all__ = ["path"]\n',
        'import time\n\n__all__ = ["time"]\n',
        "import time\n\nx = []  # type: list[time.struct_time]\n",
        'import time\n\nx: "time.struct_time" = 1\n',
        'from os import path\n\nx: "path" = 1\n',
        'import time\n\nx: "list[time.struct_time]" = 1\n',
        'import time\n\n\ndef f():\n    """F.\n\n    >>> time.sleep(1)\n    """\n',
        'import time\n\nprint(globals()["time"])\n',
        'import time\n\neval("time.sleep(1)")\n',
        "import time\n\n\ndef f(time):\n    pass\n",
        "import time\n\n\ndef f():\n    global time\n",
        "if x:\n    import time\n    x = 1\nelse:\n    import json as time\n    x = 2\n",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import time\n",
        "from typing import TYPE_CHECKING\nimport time\n\nif TYPE_CHECKING:\n    time.x\n",
    ],
)
def test_what_stays(text: str) -> None:
    _same(text, used="print(time, path, httpx)")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("other.py", "from app import time\n"),
        ("other.py", "from app import (\n    x,\n    time,\n)\n"),
        ("other.py", "from app import *\n"),
        ("other.py", "import app\n\napp.time.sleep(1)\n"),
        ("other.py", "import app as service\n\nservice.time.sleep(1)\n"),
        ("test_app.py", 'mock.patch("app.time.sleep")\n'),
        ("test_app.py", 'NAME = "app"\nmock.patch(f"{NAME}.time.sleep")\n'),
        ("test_app.py", 'monkeypatch.setattr(app, "time", None)\n'),
        ("test_app.py", "monkeypatch.setattr(app_module().time, 'sleep', None)  # of app\n"),
        ("test_app.py", 'm = importlib.import_module("app")\nm.time.sleep = None\n'),
    ],
)
def test_what_others_use_stays(name: str, text: str) -> None:
    _same("import time\n\nx = 1\n", {name: text})


def test_what_others_do_not_use_goes() -> None:
    before, others = "import time\n\nx = 1\n", {"other.py": "import app, time\n\ntime.time(app)\n"}
    assert _left(before + "time.sleep(1)\n", before, others) == "x = 1\n"


def test_modules_of_the_project_are_still_imported() -> None:
    others = {"store.py": "def load():\n    pass\n", "pkg/__init__.py": "", "pkg/sub.py": ""}
    used = "load, sub, store\n"
    _same("from store import load\n\nx = 1\n", others, used)
    _same("import store\n\nx = 1\n", others, used)
    _same("from pkg import sub, other\n\nother\n", others, used)
    before, after = "from store import load, aload\n\naload\n", "from store import aload\n\naload\n"
    assert _left(before + used, before, others) == after


def test_packages_keep_what_they_import() -> None:
    text = "import time\n\nx = 1\n"
    assert _left(text + "time.sleep(1)\n", text, name="pkg/__init__.py") == text


def test_what_was_unused_before_stays() -> None:
    text = "import time\n\nx = 1\n"
    assert _left(text + "x = 2\n", text) == text
    assert _left("time = 1\n", text) == text


def test_nothing_goes_where_others_are_not_read() -> None:
    text = "import time\n\nx = 1\n"
    project = replace(in_memory({"app.py": text}), whole=False)
    assert without_left_over(project, {"app.py": text + "time.sleep(1)\n"}, {"app.py": text}) == {}
