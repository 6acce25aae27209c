"""What every rule looks like, so that nobody has to ask for it in review."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from asynclint import testing
from asynclint.findings import Finding

RULES = Path(__file__).resolve().parent.parent / "rules"

STEMS = sorted({path.stem for path in RULES.iterdir() if path.suffix in (".py", ".md")})

BLOCKING = (
    "blocking-sleep",
    "blocking-sdk-call",
    "blocking-http-call",
    "blocking-subprocess",
    "blocking-wait",
)
CLIENTS = ("client-per-request", "client-per-item", "client-per-call")

# The "Quiet" lists of the catalogue: (rules, item) → headings, on any of those rules' pages, whose examples show it.
# "Not flagged" alone means the first examples of that section.
QUIET: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {
    # Group `blocking`
    (BLOCKING, "what runs in a thread or process"): (
        "Own offloaders",
        "Threads of their own",
        "Requests in a thread",
        "Run in a thread",
        "Waited for in a thread",
        "Streams consumed in a thread",
    ),
    (BLOCKING, "plain functions that the framework runs in threads"): (
        "Plain functions of FastAPI",
    ),
    (BLOCKING, "a lambda or nested def merely passed on"): ("Passed on, not called", "Passed on"),
    (BLOCKING, "awaited dual APIs"): ("Awaited dual APIs",),
    (BLOCKING, "user functions that share a name"): (
        "The same name, another function",
        "A module of the same name",
        "The same name, another thing",
        "A class of the same name",
        "Another run, another wait",
        "Other joins, gets, waits and results",
    ),
    (("blocking-sleep",), "time.sleep in sync code nothing async calls"): ("Not flagged",),
    (BLOCKING, "startup is only a note"): ("Startup",),
    (BLOCKING, "lazy iterators consumed in a thread"): (
        "Lazy iterators consumed in a thread",
        "Streams consumed in a thread",
    ),
    (BLOCKING, "code before the loop starts"): ("Before the loop starts", "Plain code"),
    (BLOCKING, "tests' sync fixtures"): (
        "Synchronous fixtures and tests",
        "Tests",
        "Tests of the service",
    ),
    (("blocking-wait",), "a short lock without an await inside"): ("A short lock",),
    (("blocking-wait",), "results of finished tasks"): ("Results that are there",),
    (("blocking-sleep",), "an abstract method with a harmless implementation"): (
        "One harmless implementation",
    ),
    # Group `clients`
    (CLIENTS, "module level"): ("Not flagged",),
    (CLIENTS, "lifespan"): ("Lifespan", "Called once", "Clients that are kept"),
    (("client-per-request",), "startup"): ("Startup handlers",),
    (("client-per-request",), "lru_cache"): ("Cached factories",),
    (("client-per-item",), "lru_cache and guards"): ("Cached factories and guards",),
    (("client-per-request",), "guarded singletons"): ("Guarded globals", "Guarded attributes"),
    (("client-per-call",), "behind a guard"): ("Guarded",),
    (("client-per-call",), "returned, stored or yielded"): (
        "Stored",
        "Returned, yielded or handed over",
    ),
    (("client-per-request",), "class-level singletons built once"): ("Class-level singletons",),
    (CLIENTS, "scripts' main and CLI commands"): ("Scripts and commands",),
    (CLIENTS, "tests and fixtures, ASGITransport"): ("Tests and fixtures", "Tests"),
    (CLIENTS, "factories called only from once code"): ("Built once, used often", "Called once"),
    (CLIENTS, "arguments of the request or tenant are a note"): (
        "Depends on the request",
        "Depends on the item",
        "Depends on the caller",
    ),
    (CLIENTS, "someone else's pool is cheap"): (
        "A cheap handle over a shared pool",
        "A cheap handle, another class",
    ),
    # Group `coroutines`
    (("unawaited-coroutine",), "returned to be awaited by the caller"): (
        "Returned to be awaited by the caller",
    ),
    (("unawaited-coroutine",), "stored in a list that is later gathered"): ("Gathered later",),
    (("unawaited-coroutine",), "passed to anything that may run them"): (
        "Passed to what may run it",
    ),
    (("unawaited-coroutine",), "asyncio.run(coro()) and TaskGroup"): ("Run by someone else",),
    (("unawaited-coroutine",), "decorators that change what a call returns"): (
        "Decorators that change what a call returns",
    ),
    (("unawaited-coroutine",), "functions with the same name"): ("Functions with the same name",),
    (("lost-task",), "TaskGroup.create_task"): ("Kept by a group",),
    (("lost-task",), "tasks kept in attributes"): ("Kept in an attribute",),
    (("lost-task",), "tasks kept in sets and dicts"): ("Kept in a collection",),
    (("lost-task",), "tasks returned"): ("Returned, yielded or handed over",),
    (("lost-task",), "helpers known to keep tasks"): ("Helpers that keep tasks",),
    # Group `concurrency`
    (("unbounded-gather",), "a bound inside the coroutine, also in another module"): (
        "A bound further down",
        "A decorator with a bound",
        "A helper that bounds what it is given",
    ),
    (("unbounded-gather",), "a queue"): ("Workers and queues",),
    (("unbounded-gather",), "chunked slices, iterables the code limits"): (
        "Chunks",
        "Refused when too long",
    ),
    (("unbounded-gather",), "limiters of aiolimiter and anyio"): ("Limiters of other libraries",),
    (("unbounded-gather",), "literal or fixed-size iterables"): ("Fixed numbers",),
    (("unbounded-gather",), "tests"): ("Tests",),
}


@pytest.mark.parametrize("stem", STEMS)
def test_rule_follows_conventions(stem: str) -> None:
    report = testing.conventions(RULES / f"{stem}.py")
    assert not report, "\n".join(report)


def test_rules_stay_small() -> None:
    sizes = {
        path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in RULES.glob("*.py")
    }
    assert sizes, "there are no rules"
    assert statistics.median(sizes.values()) <= 80, sizes
    assert max(sizes.values()) <= 200, sizes


@pytest.mark.parametrize("example", testing.examples(RULES), ids=str)
def test_messages(
    example: testing.Example, findings_of: Callable[[testing.Example], Sequence[Finding]]
) -> None:
    report = [
        sentence
        for finding in findings_of(example)
        if finding.rule == example.rule
        for sentence in testing.message_problems(finding.message)
    ]
    assert not report, "\n".join(report)


@pytest.mark.parametrize(("rules", "item"), QUIET, ids=[item for _, item in QUIET])
def test_quiet_items_have_examples(rules: tuple[str, ...], item: str) -> None:
    headings = QUIET[rules, item]
    shown = {
        name
        for rule in rules
        for example in testing.examples(RULES / f"{rule.replace('-', '_')}.md")
        for name in (example.section, example.heading)
    }
    assert [heading for heading in headings if heading not in shown] == []


def test_quiet_sections_hold_no_alarm() -> None:
    flagged = [
        f"{example}: {mark.kind}"
        for example in testing.examples(RULES)
        if example.section == "Not flagged"
        for block in example.blocks
        for mark in testing.marks(block)
        if mark.kind in ("flagged", "note")
    ]
    assert not flagged, "\n".join(flagged)
