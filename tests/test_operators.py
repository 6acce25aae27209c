"""Methods that operators and builtins call: `cache[key]`, `key in cache`, `len(cache)`."""

from __future__ import annotations

import pytest
from fixing import findings

STORE = """
import requests


class Store:
    def __getitem__(self, key):
        return requests.get(f"http://store/{key}").text

    def __setitem__(self, key, value):
        requests.put(f"http://store/{key}", data=value)

    def __delitem__(self, key):
        requests.delete(f"http://store/{key}")

    def __contains__(self, key):
        return requests.head(f"http://store/{key}").ok

    def __len__(self):
        return int(requests.get("http://store/size").text)

    def __iter__(self):
        return iter(requests.get("http://store").json())

    def __str__(self):
        return requests.get("http://store").text


class Plain:
    def __init__(self):
        self.known = {}

    def __getitem__(self, key):
        return self.known.get(key)

    def __len__(self):
        return sum(map(len, self.known))


store = Store()
plain = Plain()
either = Store() if plain else {}
"""

APP = """
from stores import either, plain, store


class Service:
    def __init__(self):
        self.store = store
        self.plain = plain


service = Service()


async def run(key):
    {code}
"""

OPERATORS = {
    "print(store[key])": "`store[…]`",
    "store[key] = 1": "`store[…]`",
    "store[key] += 1": "`store[…]`",
    "del store[key]": "`store[…]`",
    "return key in store": "`in store`",
    "if key not in store:\n        return 1": "`in store`",
    "a, store[key] = 1, 2": "`store[…]`",
    "return [one for one in key if one in service.store]": "`in service.store`",
    "return service.store[key].lower()": "`service.store[…]`",
    "return len(store)": "`len`",
    "return str(store)": "`str`",
    "return list(store)": "`list`",
    "return sorted(service.store)": "`sorted`",
}

QUIET = [
    "return plain[key]",
    "return service.plain[key]",
    "return len(plain)",
    "either[key] = 1",
    "return key in either",
    "return store",
    "return {store: 1}[key]",
    "return lambda: store[key]",
    "def later():\n        return store[key]\n    return later",
]


def found(code: str) -> list[tuple[str, str]]:
    """Rule and message of what is found in a coroutine function with this body."""
    kept = findings({"stores.py": STORE, "app.py": APP.format(code=code)})
    return [(one.rule, one.message) for one in kept]


@pytest.mark.parametrize("code", OPERATORS)
def test_the_method_behind_an_operator_blocks(code: str) -> None:
    ((rule, message),) = found(code)
    assert rule == "blocking-http-call"
    assert message.startswith(f"{OPERATORS[code]} blocks the event loop through `requests.")


@pytest.mark.parametrize("code", QUIET)
def test_what_works_in_memory_or_may_be_a_dictionary_does_not(code: str) -> None:
    assert found(code) == []


def test_the_chain_goes_through_methods_behind_operators() -> None:
    code = """
from stores import store


class Cached:
    def look_up(self, key):
        return store[key]


async def run(key):
    return Cached().look_up(key)
"""
    (one,) = findings({"stores.py": STORE, "app.py": code})
    assert [link.text for link in one.because] == [
        "`Cached.look_up` calls `store[…]`",
        "`Store.__getitem__` calls `requests.get`",
    ]
    assert one.fixes, one.refusal


def test_an_operator_is_not_handed_to_a_thread() -> None:
    (one,) = findings({"stores.py": STORE, "app.py": APP.format(code="return store[key]")})
    assert not one.fixes
    assert one.refusal == "it is a method that a subscript calls"
