"""What a thread would leave open or half made while other tasks run: transactions, and what is made where it is missing."""

from __future__ import annotations

import pytest
from one_module import judged


def reasons(rule: str, code: str, **files: str) -> list[str | None]:
    """Why each finding of a module is not handed to a thread; None where it is."""
    found = judged(rule, code, **files)
    assert found
    return [None if one.fixes else (one.refusal or "").partition(";")[0] for one in found]


# -- transactions -------------------------------------------------------------------------------------

ORDER = """
import asyncio

import requests
from sqlalchemy import update
from sqlalchemy.orm import Session


async def order(db: Session, item: object) -> None:
    {before}
    requests.post("https://shop.example/orders")
    db.commit()
"""

OPEN = "the transaction of `{name}` would stay open while other tasks run"


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("db.add(item)\n    db.flush()", "db.flush"),
        ("db.merge(item)", "db.merge"),
        ("db.execute(update(item))", "db.execute"),
        ('db.execute("DELETE FROM orders")', "db.execute"),
        ("await asyncio.sleep(1)\n    db.flush()", "db.flush"),
        ('db.execute("SELECT * FROM orders")', None),
        ("db.query(item).all()", None),
        ("db.flush()\n    db.commit()", None),
        ("db.flush()\n    await asyncio.sleep(1)", None),
        ("db.add(item)", None),
        ("with Session() as other:\n        other.flush()", None),
        ("pass", None),
    ],
)
def test_rows_that_are_changed_before_a_call(before: str, name: str | None) -> None:
    code = ORDER.format(before=before)
    assert reasons("blocking-http-call", code) == [OPEN.format(name=name) if name else None]


@pytest.mark.parametrize(("last", "open_"), [("flush", True), ("commit", False), ("query", False)])
def test_rows_that_a_helper_changes_before_a_call(last: str, open_: bool) -> None:
    code = """
    import requests
    from sqlalchemy.orm import Session
    from crud import store


    async def order(db: Session, item: object) -> None:
        store(db, item)
        requests.post("https://shop.example/orders")
    """
    crud = f"""
from sqlalchemy.orm import Session


def store(db: Session, item: object) -> None:
    db.add(item)
    kept(db)


def kept(db: Session) -> None:
    db.{last}()
"""
    refused = OPEN.format(name="store") if open_ else None
    assert reasons("blocking-http-call", code, crud=crud) == [refused]


@pytest.mark.parametrize(
    ("decorator", "refused"),
    [
        ("managed_tx_method(FLUSH)", True),
        ("transactional", True),
        ("db.atomic()", True),
        ("in_tx", True),
        ("logged", False),
        ("next_page(context)", False),
    ],
)
def test_a_decorator_that_keeps_a_transaction(decorator: str, refused: bool) -> None:
    code = f"""
    import requests
    from sqlalchemy.orm import Session
    from deco import *


    class Orders:
        db: Session

        @{decorator}
        async def order(self) -> None:
            self.db.query("orders").all()
            requests.post("https://shop.example/orders")
    """
    reason = f"`@{decorator}` would keep a transaction open while other tasks run"
    assert reasons("blocking-http-call", code) == [reason if refused else None]


def test_a_decorator_of_a_function_without_a_synchronous_database() -> None:
    code = """
    import requests
    from tortoise.transactions import atomic


    @atomic()
    async def order(orders) -> None:
        await orders.all()
        requests.post("https://shop.example/orders")
    """
    assert reasons("blocking-http-call", code) == [None]


# -- what is made where it is missing -----------------------------------------------------------------

BUILD = """
import asyncio
import os
import shutil
import subprocess
from pathlib import Path


async def start(folder: Path, lock: asyncio.Lock) -> None:
    {code}
"""

MISSING = "where `{asked}` says that it is missing, two tasks would make it at once"


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("if not folder.exists():\n        subprocess.run(['make'])", "folder.exists()"),
        (
            "if not os.path.isdir('node') or not os.listdir('node'):\n        subprocess.run(['npm', 'install'])",
            "os.path.isdir('node')",
        ),
        (
            "if folder.is_dir():\n        return\n    subprocess.check_call(['git', 'clone', 'x'])",
            "folder.is_dir()",
        ),
        (
            "if folder.is_dir():\n        print()\n    else:\n        subprocess.check_call(['make'])",
            "folder.is_dir()",
        ),
        ("if shutil.which('npx') is None:\n        subprocess.run(['npm'])", "shutil.which('npx')"),
        ("if folder.exists():\n        subprocess.run(['make'])", None),
        ("if not folder.exists():\n        return\n    subprocess.run(['make'])", None),
        (
            "if shutil.which('make') is None:\n        raise OSError\n    subprocess.run(['make'])",
            None,
        ),
        (
            "if not folder.exists():\n        await asyncio.sleep(1)\n        subprocess.run(['make'])",
            None,
        ),
        (
            "async with lock:\n        if not folder.exists():\n            subprocess.run(['make'])",
            None,
        ),
    ],
)
def test_a_program_that_makes_what_is_missing(code: str, asked: str | None) -> None:
    refused = MISSING.format(asked=asked) if asked else None
    assert reasons("blocking-subprocess", BUILD.format(code=code)) == [refused]


def test_a_helper_that_installs_what_is_missing() -> None:
    code = """
    import subprocess


    class Tool:
        async def start(self) -> None:
            if not self.is_installed():
                self.install()

        def is_installed(self) -> bool:
            return False

        def install(self) -> None:
            subprocess.run(["npm", "install"])
    """
    assert reasons("blocking-subprocess", code) == [MISSING.format(asked="self.is_installed()")]
