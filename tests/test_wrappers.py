"""What decorators of the project, and of libraries, leave of a function: whether what it waits for is seen where it is called."""

from __future__ import annotations

import pytest
from fixing import findings

SLOW = """
import time

{imports}

{decorator}


@{used}
def work(name: str) -> None:
    time.sleep(1)
"""

APP = """
from slow import work


async def run() -> None:
    work("a")
"""

WRAPPER = """
def traced(f):
    @wraps(f)
    def wrapper(*args, **kwargs):
        {body}
    return {given}
"""

FACTORY = """
def limited(calls=1):
    def decorator(f):
        @wraps(f)
        def wrapper(*args, **kwargs):
            return f(*args, **kwargs)
        return {given}
    return decorator
"""

EITHER = """
def retrier(_func=None, *, retries=3):
    def decorator(f):
        @wraps(f)
        def wrapper(*args, **kwargs):
            try:
                return f(*args, **kwargs)
            except OSError:
                return wrapper(*args, **kwargs)
        return cast(F, wrapper)
    {end}
"""

ENDS = {
    "if": "if _func is None:\n        return decorator\n    return decorator(_func)",
    "else": "if _func is None:\n        return decorator\n    else:\n        return decorator(_func)",
}

CLASS = """
class Timed({base}):
    def __init__(self, name=""):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False
"""

BUILT = """
def retrying(times):
    return {given}
"""

IMPORTS = """
import contextlib
from contextlib import ContextDecorator
from functools import wraps
from typing import cast

import overrides
from deprecated import deprecated
from retry import retry
from tenacity import retry as again, stop_after_attempt
from unknown import odd
"""


@pytest.mark.parametrize(
    ("decorator", "used", "seen"),
    [
        (WRAPPER.format(body="return f(*args, **kwargs)", given="wrapper"), "traced", True),
        (
            WRAPPER.format(body="return f(*args, **kwargs)", given="cast(F, wrapper)"),
            "traced",
            True,
        ),
        (
            WRAPPER.format(body="return f(*args, **kwargs)", given='cast("F", wrapper)'),
            "traced",
            True,
        ),
        (
            WRAPPER.format(body="return f(*args, **kwargs)", given="odd(F, wrapper)"),
            "traced",
            False,
        ),
        (WRAPPER.format(body="return later(f)", given="cast(F, wrapper)"), "traced", False),
        (WRAPPER.format(body="return wrapper()", given="wrapper"), "traced", False),
        (FACTORY.format(given="cast(F, wrapper)"), "limited(2)", True),
        (FACTORY.format(given="cast(F, wrapper)"), "limited", False),
        (EITHER.format(end=ENDS["if"]), "retrier", True),
        (EITHER.format(end=ENDS["if"]), "retrier(retries=2)", True),
        (EITHER.format(end=ENDS["else"]), "retrier", True),
        (EITHER.format(end=ENDS["else"]), "retrier()", True),
        (CLASS.format(base="ContextDecorator"), "Timed('a')", True),
        (CLASS.format(base="contextlib.ContextDecorator"), "Timed()", True),
        (CLASS.format(base="ContextDecorator"), "Timed", False),
        (CLASS.format(base="object"), "Timed()", False),
        (BUILT.format(given="again(stop=stop_after_attempt(times))"), "retrying(2)", True),
        (BUILT.format(given="odd(stop=times)"), "retrying(2)", False),
        ("", "overrides.override", True),
        ("", "deprecated(version='1')", True),
        ("", "retry(tries=2)", True),
        ("", "odd", False),
    ],
)
def test_what_a_decorated_function_waits_for(decorator: str, used: str, seen: bool) -> None:
    slow = SLOW.format(imports=IMPORTS, decorator=decorator, used=used)
    found = findings({"slow.py": slow, "app.py": APP}, "blocking-sleep")
    assert [one.path for one in found] == (["app.py"] if seen else [])


CALLED = """
import time


class Slowly:
    def __init__(self, f):
        self.f = f

    def __call__(self, *args):
        time.sleep(1)
        return self.f(*args)


class Bound(Slowly):
    def __get__(self, instance, owner):
        return self.f


class Retry:
    def __init__(self, times):
        self.times = times

    def __call__(self, f):
        def inner(*args):
            time.sleep(self.times)
            return f(*args)

        return inner


class Later:
    def __init__(self, f):
        self.f = f

    async def __call__(self, *args):
        return await self.f(*args)


@{decorator}
{kind} work(name: str) -> str:
    return name
"""


@pytest.mark.parametrize(
    ("decorator", "kind", "rules"),
    [
        ("Slowly", "def", ["blocking-sleep"]),
        ("Bound", "def", []),
        ("Retry(2)", "def", ["blocking-sleep"]),
        ("Later", "async def", ["unawaited-coroutine"]),
        ("Slowly", "async def", ["blocking-sleep"]),
    ],
)
def test_an_object_is_called_in_the_place_of_the_function(
    decorator: str, kind: str, rules: list[str]
) -> None:
    found = findings({"slow.py": CALLED.format(decorator=decorator, kind=kind), "app.py": APP})
    assert [(one.path, one.rule) for one in found] == [("app.py", rule) for rule in rules]
