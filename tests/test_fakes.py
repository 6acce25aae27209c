"""Services that a test replaces are not waited for; those that it asks are."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from fixing import findings

STORE = """
import boto3
import redis
import requests


class Store:
    def put(self, key: str, text: str) -> None:
        redis.Redis().set(key, text)

    def send(self, url: str) -> None:
        requests.post(url, timeout=5)

    def upload(self, key: str) -> None:
        boto3.client("s3").put_object(Bucket="b", Key=key)
"""

TEST = """
{imported}
from store import Store


async def test_store() -> None:
    Store().{call}
"""

RULES = ("blocking-database-call", "blocking-http-call", "blocking-sdk-call")


@pytest.mark.parametrize(
    ("imported", "call", "beside", "found"),
    [
        ("", "put('a', 'b')", {}, 1),
        ("import fakeredis", "put('a', 'b')", {}, 0),
        ("import fakeredis", "send('a')", {}, 1),
        ("from moto import mock_aws", "upload('a')", {}, 0),
        ("from moto import mock_aws", "put('a', 'b')", {}, 1),
        ("import responses", "send('a')", {}, 0),
        ("from .responses import responses", "send('a')", {}, 1),
        ("", "put('a', 'b')", {"conftest.py": "import fakeredis\n"}, 0),
        ("", "put('a', 'b')", {"tests/conftest.py": "import fakeredis\n"}, 0),
        ("", "put('a', 'b')", {"others/conftest.py": "import fakeredis\n"}, 1),
        ("", "put('a', 'b')", {"other.py": "import fakeredis\n"}, 1),
    ],
)
def test_what_a_test_replaces(
    imported: str, call: str, beside: Mapping[str, str], found: int
) -> None:
    test = TEST.format(imported=imported, call=call)
    files = {"store.py": STORE, "tests/test_store.py": test, **beside}
    assert len(findings(files, *RULES)) == found


def test_code_that_is_no_test_asks_the_service() -> None:
    code = TEST.format(imported="import fakeredis", call="put('a', 'b')")
    assert len(findings({"store.py": STORE, "app.py": code}, *RULES)) == 1


@pytest.mark.parametrize(
    ("imported", "code", "level"),
    [
        ("import time", "time.sleep(1)", "error"),
        ("import time", "monkeypatch.setattr(time, 'sleep', print)\n    time.sleep(1)", "note"),
        ("import time", "monkeypatch.setattr('time.sleep', print)\n    time.sleep(1)", "note"),
        ("import time", "with patch('store.time.sleep'):\n        time.sleep(1)", "note"),
        ("import time", "with patch.object(time, 'sleep'):\n        time.sleep(1)", "note"),
        ("import time", "with patch('asyncio.sleep'):\n        time.sleep(1)", "error"),
        ("import time", "mocker.patch('time.sleep')\n    time.sleep(1)", "note"),
        ("", "mocker.patch('builtins.input')\n    input()", "note"),
        ("import requests", "mocker.patch('requests.get')\n    requests.post('u')", "error"),
        ("from store import Store", "Store().send('u')", "note"),
    ],
)
def test_what_a_test_calls_itself(imported: str, code: str, level: str) -> None:
    test = f"{imported}\n\n\nasync def test_it(monkeypatch, mocker) -> None:\n    {code}\n"
    rules = (*RULES, "blocking-sleep", "blocking-wait")
    files = {"store.py": STORE, "tests/test_it.py": test}
    assert [one.level for one in findings(files, *rules)] == [level]
    elsewhere = {"store.py": STORE, "app.py": test}
    assert [one.level for one in findings(elsewhere, *rules)] == ["error"]


@pytest.mark.parametrize(
    ("imported", "code", "title"),
    [
        ("import requests", 'requests.post("u")', None),
        ("import subprocess", 'subprocess.run(["make"])', None),
        ("import time", "time.sleep(1)", "await `asyncio.sleep` instead"),
    ],
)
def test_no_thread_is_made_in_a_test(imported: str, code: str, title: str | None) -> None:
    text = f"import asyncio\n{imported}\n\n\nasync def test_it() -> None:\n    {code}\n"
    [found] = findings({"tests/test_it.py": text})
    assert [one.title for one in found.fixes][:1] == ([title] if title else [])
    reason = "nobody else waits for the event loop of a test, and a thread would gain nothing"
    assert (found.refusal or "").partition(";")[0] == ("" if title else reason)
    [elsewhere] = findings({"app.py": text})
    assert elsewhere.fixes
