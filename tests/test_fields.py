"""What fields make anew for each object: `field(default_factory=load)` of dataclasses, attrs and pydantic."""

from __future__ import annotations

import pytest
from fixing import findings

APP = """
import dataclasses
import time
from dataclasses import dataclass, field

import attr
import attrs
import httpx
from fastapi import FastAPI
from openai import AsyncOpenAI
from pydantic import BaseModel, Field

app = FastAPI()


def load():
    time.sleep(1)
    return "loaded"


def make():
    return AsyncOpenAI()


{head}
    value: object = {field}


class Below({name}):
    pass


class Service:
    def __init__(self):
        self.parts = {built}


@app.get("/")
async def route():
    service = Service()
    return str(await service.parts.value.models.list())
"""

FORMS = {
    "@dataclass\nclass Parts:": "field(default_factory={})",
    "@dataclasses.dataclass\nclass Parts:": "dataclasses.field(default_factory={})",
    "@attrs.define\nclass Parts:": "attrs.field(factory={})",
    "@attr.s\nclass Parts:": "attr.ib(factory={})",
    "class Parts(BaseModel):": "Field(default_factory={})",
}


def found(head: str, field: str, built: str = "Parts()") -> list[tuple[str, str, str | None]]:
    """Rule, marked code and refusal of what is found."""
    code = APP.format(head=head, field=field, built=built, name="Parts").lstrip()
    lines = code.splitlines()
    return [
        (one.rule, lines[one.span.line - 1].strip(), one.refusal)
        for one in findings({"app.py": code})
    ]


@pytest.mark.parametrize("head", FORMS)
@pytest.mark.parametrize("built", ["Parts()", "Below()"])
def test_a_client_of_a_field_is_built_with_its_object(head: str, built: str) -> None:
    for made in ("AsyncOpenAI", "lambda: AsyncOpenAI()"):
        field = FORMS[head].format(made)
        assert found(head, field, built) == [
            (
                "client-per-request",
                f"value: object = {field}",
                "a field of its class builds it for each object",
            )
        ]


@pytest.mark.parametrize("head", FORMS)
def test_a_factory_of_a_field_runs_with_its_object(head: str) -> None:
    ((rule, marked, _),) = found(head, FORMS[head].format("load"))
    assert (rule, marked) == ("blocking-sleep", "service = Service()")
    ((rule, marked, _),) = found(head, FORMS[head].format("make"))
    assert (rule, marked) == ("client-per-request", "return AsyncOpenAI()")


@pytest.mark.parametrize("head", FORMS)
def test_a_default_is_made_once(head: str) -> None:
    field = FORMS[head].format("dict")
    default = (
        FORMS[head].format("AsyncOpenAI").replace("default_", "").replace("factory", "default")
    )
    both = f"{field}\n    other: object = {default.replace('AsyncOpenAI', 'AsyncOpenAI()')}"
    assert found(head, both) == []


@pytest.mark.parametrize("head", FORMS)
def test_nothing_is_made_for_objects_that_nobody_builds(head: str) -> None:
    assert found(head, FORMS[head].format("AsyncOpenAI"), "None") == []
