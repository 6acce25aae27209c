"""Tests that always hold, because the class of what they ask has the method."""

from __future__ import annotations

import pytest
from fixing import findings

APP = """
import time

from elsewhere import Unknown


class Base:
    async def aload(self):
        return 1

    def load(self):
        time.sleep(1)


class Client(Base):
    pass


class Plain:
    def load(self):
        time.sleep(1)


async def run(client: Client, base: Base, plain: Plain, either: Base | Plain, unknown: Unknown):
    {code}
"""

NEVER = [
    "if hasattr(client, 'aload'):\n        await client.aload()\n    else:\n        client.load()",
    "if not hasattr(base, 'aload'):\n        base.load()",
    "client = Client()\n    if hasattr(client, 'aload'):\n        pass\n    elif plain:\n        plain.load()",
]

REACHED = [
    "if hasattr(client, 'aload'):\n        client.load()",
    "if hasattr(plain, 'aload'):\n        pass\n    else:\n        plain.load()",
    "if hasattr(either, 'aload'):\n        pass\n    else:\n        plain.load()",
    "if hasattr(unknown, 'aload'):\n        pass\n    else:\n        plain.load()",
    "if not hasattr(client, 'aload'):\n        pass\n    else:\n        client.load()",
    "if hasattr(client, 'aload') and plain:\n        pass\n    else:\n        client.load()",
]


@pytest.mark.parametrize("code", NEVER)
def test_what_would_need_it_to_fail_is_never_reached(code: str) -> None:
    assert findings({"app.py": APP.format(code=code)}) == []


@pytest.mark.parametrize("code", REACHED)
def test_other_tests_settle_nothing(code: str) -> None:
    (one,) = findings({"app.py": APP.format(code=code)})
    assert one.rule == "blocking-sleep"
