"""Handlers that become calls in a lifespan: what runs, in which order, before and after; and what is left alone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest

from asynclint import check, fix
from asynclint.config import from_table
from asynclint.findings import Finding, Safety
from asynclint.testing import in_memory

RULE = "startup-event-handler"


def _fixed(files: dict[str, str]) -> tuple[Sequence[Finding], fix.Outcome]:
    project = in_memory(files)
    config = from_table({"select": [RULE]}, project.root)

    def again(project: object) -> Sequence[Finding]:
        return check.check(project, config).kept  # type: ignore[arg-type]

    found = check.check(project, config).findings
    outcome = fix.run(project, found, again, fix.allowed(False), check.yields(config))
    assert outcome.problems == []
    return found, outcome


def _text(code: str) -> str:
    return textwrap.dedent(code).lstrip("\n")


def _log(code: str) -> tuple[list[str], str]:
    """What an application does between its start and its end, an error at its start among it."""
    testclient = pytest.importorskip("fastapi.testclient")
    scope: dict[str, object] = {"__name__": "app"}
    log: list[str] = []
    scope["log"] = log.append
    error = ""
    exec(compile(code, "app.py", "exec"), scope)  # noqa: S102 - the example itself
    try:
        with testclient.TestClient(scope["app"]):
            log.append("serving")
    except Exception as raised:  # noqa: BLE001 - compared as it is
        error = repr(raised)
    return log, error


APP = """
from fastapi import FastAPI

app = FastAPI(
    title="Shop",
)

@app.on_event("startup")  # first
async def one() -> None:
    log("one")
    {}

@app.on_event("shutdown")
async def two() -> None:
    log("two")

def three() -> None:
    log("three")
    {}

app.add_event_handler("shutdown", three)  # third
app.router.add_event_handler("startup", three)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "bodies", [("pass", "pass"), ("raise ValueError(1)", "pass"), ("pass", "raise ValueError(3)")]
)
def test_the_same_runs_in_the_same_order(bodies: tuple[str, str]) -> None:
    before = _text(APP.format(*bodies)).replace("app.router.add", "app.add")
    before = before.replace("app.add_event_handler", "app.router.add_event_handler")
    code = before.replace("app.router.add_event_handler", "app.add_event_handler")
    found, outcome = _fixed({"app.py": code})
    assert len(found) == 4
    assert {f.fixes[0].safety for f in found} == {Safety.SAFE}
    after = outcome.after["app.py"]
    assert "on_event" not in after
    assert "# first" in after
    assert "# third" in after
    assert _log(after) == _log(before)


def _refusals(code: str, **files: str) -> set[str]:
    texts = {f"{name}.py": _text(text) for name, text in files.items()}
    found, _ = _fixed({**texts, "app.py": _text(code)})
    assert found
    assert not any(f.fixes for f in found)
    return {f.refusal or "" for f in found}


HEAD = """\
from fastapi import FastAPI

app = FastAPI()
"""

HANDLER = """
@app.on_event("startup")
async def start() -> None:
    print(1)
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (HEAD + HANDLER + HANDLER, "`start` does not mean one function only"),
        (HEAD + HANDLER.replace("start()", "start(x)"), "`start` cannot be called without arguments"),
        (HEAD + HANDLER.replace('"startup"', "EVENT"), "handlers are registered in a way that could not be read"),
        (HEAD + HANDLER.replace("async", "@retry\nasync"), "handlers are registered in a way that could not be read"),
        (HEAD + HANDLER + "\napp.router.on_startup.clear()\n", "startup handlers are also used by hand"),
        (HEAD + HANDLER + '\napp.add_event_handler("startup", make())\n', "a handler is not the name of a function"),
        (HEAD + HANDLER + "\nif start:\n    app = FastAPI()\n", "where the application is built is not certain"),
        (HEAD.replace("()", "(on_startup=[])") + HANDLER, "the application has startup handlers, which a lifespan would switch off"),
    ],
)  # fmt: skip
def test_handlers_that_stay(code: str, reason: str) -> None:
    assert _refusals(code) == {reason}


def test_handlers_of_another_module() -> None:
    other = "from app import app\n\n\n" + HANDLER
    reason = "startup handlers are registered in another module"
    assert reason in _refusals(HEAD + HANDLER, other=other)


def test_a_library_may_register_handlers_of_its_own() -> None:
    code = HEAD.replace("from", "import metrics\nfrom") + "metrics.expose(app)\n" + HANDLER
    found, outcome = _fixed({"app.py": code})
    assert [f.fixes[0].safety for f in found] == [Safety.UNSAFE]
    assert "lifespan=lifespan" in outcome.after["app.py"]
