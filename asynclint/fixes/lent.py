"""What a pool lends that raises as soon as it is empty: a coroutine that takes and gives back in one step has one out at a time.

mysql-connector 26.10 asks its queue without waiting, psycopg2 2.9 counts what is used, and redis 8 what it has opened. Who is
cancelled while a thread takes something out gives nothing back, too. Pools of SQLAlchemy, psycopg, pymongo and oracledb wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from asynclint.facts.model import CallSite
from asynclint.facts.program import Function
from asynclint.facts.types import Lib, LibMethod, members
from asynclint.findings import Refused
from asynclint.fixes.effects import effects
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import refuse_any

POOLED = frozenset({"pool_name", "pool_size", "pool_reset_session"})
"""Arguments of `mysql.connector.connect` by which it takes a connection out of a pool."""

DRAWS = re.compile(
    r"mysql\.connector\.pooling\.MySQLConnectionPool\.get_connection|psycopg2\.pool\.\w+\.getconn"
)

REDIS = re.compile(r"redis\.(?!asyncio\.)(?:\w+\.)*(?:Redis|RedisCluster|Pipeline|PubSub)")

MOST = re.compile(r"max_connections[\"']?\s*(?::\s*[\w| ]+)?[:=]\s*(\d+)", re.IGNORECASE)
"""`max_connections=5`, and a parameter or a setting of that name: `max_connections: int = 20`."""

WORKERS = 16
"""Threads that a loop has where there are twelve processors: four more than those."""


def refuse(place: Place) -> None:
    """Raise Refused where the call itself draws from such a pool."""
    if _may_empty(place) and _draws(place.workshop, place.function, place.site):
        raise Refused(_reason(place.function))


def refuse_below(place: Place, functions: Iterable[Function]) -> None:
    """Raise Refused where one of the functions that a thread comes to does."""
    if _may_empty(place):
        refuse_any(place.workshop, functions, _drawn)


def _may_empty(place: Place) -> bool:
    """Whether several may be at a place at once."""
    return not place.is_locked and place.function not in place.workshop.facts.runs.once


def _drawn(workshop: Workshop, function: Function) -> str | None:
    draws = any(_draws(workshop, function, site) for site in function.sites)
    return _reason(function) if draws else None


def _reason(function: Function) -> str:
    return f"`{function.name}` draws from a pool that raises as soon as it is empty, and threads would empty it"


def _draws(workshop: Workshop, function: Function, site: CallSite) -> bool:
    if site.kind != "call":
        return False
    for member in members(workshop.facts.graph.evaluator.callee(function.module, site)):
        drawn = False
        if isinstance(member, Lib) and member.path == "mysql.connector.connect":
            given = {keyword for _, keyword in site.args}
            drawn = bool(given & POOLED) or ("**" in given and workshop.once(_names_pool))
        elif isinstance(member, LibMethod):
            drawn = bool(DRAWS.fullmatch(f"{member.cls}.{member.name}")) or (
                bool(REDIS.fullmatch(member.cls)) and workshop.once(_has_few)
            )
        if drawn and not workshop.once(effects).is_locked(function, site):
            return True
    return False


def _names_pool(workshop: Workshop) -> bool:
    """Whether the project names such an argument anywhere, tests aside."""
    return any(not file.is_test for word in POOLED for file in workshop.saying(word))


def _has_few(workshop: Workshop) -> bool:
    """Whether the project builds clients of Redis with fewer connections than there are threads, or does not show how many."""
    files = [one for one in workshop.saying("max_connections", "redis") if not one.is_test]
    texts = [one.text or "" for one in files if "BlockingConnectionPool" not in (one.text or "")]
    named = [int(one) for text in texts for one in MOST.findall(text)]
    return bool(texts) and min(named, default=0) < WORKERS
