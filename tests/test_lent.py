"""Pools that raise as soon as they are empty: threads would empty them, where one coroutine at a time takes and gives back."""

from __future__ import annotations

import pytest
from fixing import findings, offered, refusal

RULE = "blocking-database-call"
WHY = "draws from a pool that raises as soon as it is empty, and threads would empty it"


def direct(arguments: str, before: str = "") -> dict[str, str]:
    code = f"""
import mysql.connector
{before}

async def run(params):
    connection = None
    try:
        connection = mysql.connector.connect({arguments})
        return connection.get_server_info()
    finally:
        if connection:
            connection.close()
"""
    return {"app.py": code}


@pytest.mark.parametrize(
    "arguments",
    ["pool_name='a', pool_size=5", "host='h', pool_size=5", "**params, pool_reset_session=True"],
)
def test_a_connection_of_a_pool(arguments: str) -> None:
    assert refusal(direct(arguments), RULE) == f"`run` {WHY}"


@pytest.mark.parametrize("word", ["{'pool_name': 'a'}", "dict(pool_size=5)"])
def test_arguments_that_may_name_a_pool(word: str) -> None:
    files = direct("**params", f"PARAMS = {word}\n")
    assert refusal(files, RULE) == f"`run` {WHY}"
    assert (
        refusal({**direct("**params"), "settings.py": f"PARAMS = {word}\n"}, RULE) == f"`run` {WHY}"
    )


@pytest.mark.parametrize("arguments", ["host='h'", "**params"])
def test_a_connection_of_its_own(arguments: str) -> None:
    assert offered(direct(arguments), RULE)
    tested = {**direct(arguments), "test_app.py": "POOL = {'pool_name': 'a'}\n"}
    assert offered(tested, RULE)


def test_a_helper_that_draws() -> None:
    code = """
    import mysql.connector


    def connect():
        return mysql.connector.connect(pool_name="a", pool_size=5)


    async def run():
        connection = connect()
        try:
            return connection.get_server_info()
        finally:
            connection.close()
    """
    assert refusal({"app.py": code}, RULE) == f"`connect` {WHY}"


def test_one_who_draws_under_a_lock() -> None:
    code = """
    import asyncio
    import mysql.connector

    lock = asyncio.Lock()


    async def run():
        async with lock:
            connection = mysql.connector.connect(pool_name="a", pool_size=5)
            connection.close()
    """
    assert offered({"app.py": code}, RULE)


def redis(pool: str) -> dict[str, str]:
    code = f"""
    import redis

    from settings import MOST

    client = redis.Redis({pool})


    def load(key):
        return client.get(key)


    def main():
        print(load("a"))


    async def run(key):
        return load(key)
    """
    return {"app.py": code, "settings.py": "MOST = 10\n"}


@pytest.mark.parametrize(
    "pool", ["max_connections=5", "connection_pool=redis.ConnectionPool(max_connections=MOST)"]
)
def test_a_client_of_redis_with_few_connections(pool: str) -> None:
    assert refusal(redis(pool), RULE).startswith(f"`load` {WHY}")


@pytest.mark.parametrize(
    "pool",
    [
        "host='h'",
        "max_connections=20",
        "max_connections=200",
        "connection_pool=redis.BlockingConnectionPool(max_connections=5)",
    ],
)
def test_a_client_of_redis_with_many(pool: str) -> None:
    assert offered(redis(pool), RULE)


@pytest.mark.parametrize(("most", "fixed"), [("5", False), ("500", True)])
def test_an_asynchronous_client_of_redis(most: str, fixed: bool) -> None:
    code = f"""
    import redis

    client = redis.Redis(max_connections={most})


    async def run(key):
        return client.get(key)
    """
    [found] = findings({"app.py": code}, RULE)
    assert bool(found.fixes) is fixed
    assert fixed or "its pool raises where all of its connections are in use" in found.refusal


@pytest.mark.parametrize(("most", "fixed"), [("8", False), ("20", True)])
def test_a_number_of_connections_by_default(most: str, fixed: bool) -> None:
    code = f"""
    from redis import ConnectionPool, Redis


    class Pool:
        def __init__(self, max_connections: int = {most}) -> None:
            self.pool = ConnectionPool.from_url("redis://", max_connections=max_connections)

        def client(self) -> Redis:
            return Redis(connection_pool=self.pool)


    class Cache:
        def __init__(self, pool: Pool) -> None:
            self.client = pool.client()

        def load(self, key):
            return self.client.get(key)


    async def run(cache: Cache, key):
        return cache.load(key)
    """
    assert offered({"app.py": code}, RULE) is fixed
