"""What members of enumerations stand for, decorators that are one of several, and what subclasses put in the place of None."""

from __future__ import annotations

import pytest
from fixing import findings

DRIVERS = """
import time
from enum import Enum, StrEnum


class Slow:
    def work(self) -> None:
        time.sleep(1)


class Slower(Slow):
    pass


class Quick:
    def work(self) -> None:
        pass


class Driver(Enum):
    _ignore_ = ["x"]
    SLOW = Slow
    SLOWER = Slower

    def title(self) -> str:
        return self.name.title()


class Either(Enum):
    SLOW = Slow
    QUICK = Quick


class Own(Enum):
    SLOW = Slow

    @property
    def value(self):
        return Quick


class Plain:
    SLOW = Slow
"""


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Driver.SLOW.value()", 1),
        ("Driver[name].value()", 1),
        ("Driver[name.upper()].value()", 1),
        ("Driver(name).value()", 1),
        ("driver.value()", 1),
        ("[d.value() for d in Driver][0]", 1),
        ("Either.SLOW.value()", 1),
        ("Either.QUICK.value()", 0),
        ("Either[name].value()", 0),
        ("either.value()", 0),
        ("Own.SLOW.value()", 0),
        ("Own[name].value()", 0),
        ("Plain.SLOW.value()", 0),
        ("Plain.SLOW()", 1),
    ],
)
def test_what_a_member_stands_for(expression: str, found: int) -> None:
    app = f"""
from drivers import Driver, Either, Own, Plain


async def run(name: str, driver: Driver, either: Either) -> None:
    {expression}.work()
"""
    assert len(findings({"drivers.py": DRIVERS, "app.py": app}, "blocking-sleep")) == found


def test_members_that_are_gone_through() -> None:
    app = """
from drivers import Driver


async def run() -> None:
    for driver in Driver:
        driver.value().work()
"""
    assert len(findings({"drivers.py": DRIVERS, "app.py": app}, "blocking-sleep")) == 1


DATABASE = """
from enum import Enum

from peewee import MySQLDatabase, PostgresqlDatabase


class Pool(Enum):
    MYSQL = MySQLDatabase
    {other}


DB = Pool[kind.upper()].value("users")
"""

SERVICE = """
import time

from database import DB


@DB.{decorator}
def work() -> None:
    time.sleep(1)


async def run() -> None:
    work()
"""


@pytest.mark.parametrize(
    ("other", "decorator", "found"),
    [
        ("POSTGRES = PostgresqlDatabase", "connection_context()", 1),
        ("POSTGRES = PostgresqlDatabase", "atomic()", 1),
        ("POSTGRES = PostgresqlDatabase", "bind", 0),
        ("OTHER = Unknown", "connection_context()", 0),
    ],
)
def test_a_decorator_of_one_of_several_classes(other: str, decorator: str, found: int) -> None:
    files = {
        "database.py": DATABASE.format(other=other),
        "service.py": SERVICE.format(decorator=decorator),
    }
    assert len(findings(files, "blocking-sleep")) == found


SERVICES = """
from drivers import Quick, Slow, Slower


class Service:
    driver = None

    @classmethod
    def run(cls) -> None:
        cls.driver().work()


class First(Service):
    driver = Slow


class Second(Service):
    driver = {second}
"""


@pytest.mark.parametrize(
    ("second", "found"), [("Slower", 1), ("None", 1), ("Quick", 0), ("unknown()", 0)]
)
def test_what_subclasses_put_in_the_place_of_none(second: str, found: int) -> None:
    app = "from services import First\n\n\nasync def run() -> None:\n    First.run()\n"
    services = SERVICES.format(second=second)
    files = {"drivers.py": DRIVERS, "services.py": services, "app.py": app}
    assert len(findings(files, "blocking-sleep")) == found


def test_a_subclass_of_a_test_says_nothing_of_the_others() -> None:
    test = """
from drivers import Slow
from services import Service


class Tested(Service):
    driver = Slow
"""
    services = SERVICES.partition("class First")[0]
    app = "from services import Service\n\n\nasync def run() -> None:\n    Service.run()\n"
    files = {"drivers.py": DRIVERS, "services.py": services, "tests/test_it.py": test}
    assert findings({**files, "app.py": app}, "blocking-sleep") == []
