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
