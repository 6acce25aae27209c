"""Cancellations that are taken on purpose: they are not raised again."""

from __future__ import annotations

import textwrap

import pytest
from one_module import fixed, refusals

from asynclint import check
from asynclint.config import from_table
from asynclint.testing import in_memory


@pytest.mark.parametrize(
    ("handling", "after", "reason"),
    [
        ("print(isinstance(error, asyncio.CancelledError))", "await other()", "it asks whether it was cancelled"),
        ("print(error)", "await self._cancel_workers()", "`_cancel_workers` follows"),
        ("print(error)", "await self.cleanup()", "`cleanup` follows"),
        ("print(error)", "await other()  # A cancellation gives None.", "a comment says"),
        ("print(error)", "await other()", None),
        ("print(error)", "await self.closest()", None),
    ],
)  # fmt: skip
def test_what_follows_is_done_whatever_happens(
    handling: str, after: str, reason: str | None
) -> None:
    code = f"""
    import asyncio

    from other import other


    class Runner:
        async def run(self):
            try:
                await asyncio.sleep(1)
            except BaseException as error:
                {handling}
            {after}
            await other()
    """
    if reason is None:
        assert "except asyncio.CancelledError:" in fixed("swallowed-cancellation", code)
    else:
        assert reason in refusals("swallowed-cancellation", code)[0]


def test_a_class_that_cancels_its_own_task() -> None:
    code = """
    import asyncio


    class Syncer:
        def start(self):
            self.task = asyncio.create_task(self.run())

        def stop(self):
            self.task.cancel()

        async def run(self):
            try:
                await self.sync()
            except asyncio.CancelledError:
                print("stopped")
            await self.tell("stopped")

        async def sync(self):
            await asyncio.sleep(9)

        async def tell(self, what):
            await asyncio.sleep(0)
    """
    assert refusals("swallowed-cancellation", code) == [
        "`Syncer.stop` cancels its task, and what follows is meant to be done then"
    ]
    others = code.replace("self.task.cancel()", "pass")
    assert "raise\n" in fixed("swallowed-cancellation", others)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("except (asyncio.CancelledError, OSError):", "except asyncio.CancelledError:\n        raise\n    except OSError:"),
        ("except (Exception, asyncio.CancelledError) as error:  # noqa", "except asyncio.CancelledError:\n        raise\n    except Exception as error:  # noqa"),
        ("except (OSError, Stopped, KeyError,):", "except Stopped:\n        raise\n    except (OSError, KeyError,):"),
        ("except (asyncio.CancelledError, BaseException):", "except asyncio.CancelledError:\n        raise\n    except BaseException:"),
        ("except (OSError, Stopped, asyncio.CancelledError):", "except (Stopped, asyncio.CancelledError):\n        raise\n    except OSError:"),
        ("except (*ERRORS, Stopped):", "except Stopped:\n        raise\n    except (*ERRORS,):"),
        ("except (OSError, BaseException):", "except asyncio.CancelledError:\n        raise\n    except (OSError, BaseException):"),
        ("except(Stopped,OSError):", "except Stopped:\n        raise\n    except OSError:"),
        ("except (OSError, \\\n            Stopped):", "except Stopped:\n        raise\n    except OSError:"),
        ("except STOPS:", "except asyncio.CancelledError:\n        raise\n    except STOPS:"),
        (
            "except (\n        OSError,  # gone\n        asyncio.CancelledError,  # told to stop\n        KeyError,\n    ):",
            "except asyncio.CancelledError:  # told to stop\n        raise\n    except (\n        OSError,  # gone\n        KeyError,\n    ):",
        ),
        (
            "except (\n        asyncio.CancelledError,\n        # Gone.\n        OSError,\n    ):",
            "except asyncio.CancelledError:\n        raise\n    except (\n        # Gone.\n        OSError,\n    ):",
        ),
        (
            "except (\n        OSError,\n        asyncio.CancelledError\n    ):",
            "except asyncio.CancelledError:\n        raise\n    except OSError:",
        ),
        (
            "except (OSError, KeyError,  # gone\n            Stopped):",
            "except Stopped:\n        raise\n    except (OSError, KeyError,  # gone\n            ):",
        ),
    ],
)  # fmt: skip
def test_a_handler_of_several_errors_no_longer_names_the_cancellation(
    before: str, after: str
) -> None:
    code = f"""\
import asyncio
from asyncio import CancelledError as Stopped

ERRORS = (OSError, KeyError)
STOPS = (asyncio.CancelledError, OSError)


async def run() -> None:
    try:
        await asyncio.sleep(1)
    {before}
        print("failed")
    await asyncio.sleep(1)
    print("on")
"""
    assert fixed("swallowed-cancellation", code) == code.replace(before, after)


def test_several_cancellations_alone_are_raised_again() -> None:
    code = """\
import asyncio
import trio


async def run() -> None:
    while True:
        try:
            await asyncio.sleep(1)
        except (asyncio.CancelledError, trio.Cancelled):
            print("on")
"""
    assert fixed("swallowed-cancellation", code) == f"{code}            raise\n"


def test_a_comment_above_the_name_that_goes() -> None:
    code = """\
import asyncio


async def run() -> None:
    while True:
        try:
            await asyncio.sleep(1)
        except (
            OSError,
            # Told to stop.
            asyncio.CancelledError,
        ):
            print("on")
"""
    assert refusals("swallowed-cancellation", code) == ["a comment stands among the exceptions"]


@pytest.mark.parametrize(
    "tried",
    [
        "await part.shutdown()",
        "await asyncio.wait_for(part.shutdown(), 5)",
        "if part.open:\n                await asyncio.wait_for(part.stop(), timeout=5)\n            await part.aclose()",
    ],
)
def test_the_others_are_closed_all_the_same(tried: str) -> None:
    code = f"""\
import asyncio


async def run(parts) -> None:
    for part in parts:
        try:
            {tried}
        except (Exception, asyncio.CancelledError) as error:
            print(error)
    await asyncio.sleep(1)
"""
    [reason] = refusals("swallowed-cancellation", code)
    assert reason.startswith("what follows `") and reason.endswith("would not be cleaned up")
    worked = code.replace("part.shutdown()", "part.work()").replace("part.aclose()", "part.work()")
    assert "raise\n" in fixed("swallowed-cancellation", worked)


def _found(code: str) -> list[str]:
    project = in_memory({"app.py": textwrap.dedent(code)})
    config = from_table({"select": ["swallowed-cancellation"]}, project.root)
    return [finding.message for finding in check.check(project, config).findings]


@pytest.mark.parametrize(
    "handling",
    [
        "loop.call_soon_threadsafe(maybe_set_exception, promise, error)",
        "loop.call_soon(partial(promise.set_exception, error))",
        "promise.set_exception(RuntimeError('stopped'))",
        "promise.set_result(None)",
        "promise.cancel()",
        "fail(promise, error)",
        "outcome = None",
    ],
)
@pytest.mark.parametrize("caught", ["BaseException", "asyncio.CancelledError"])
def test_whoever_waits_for_a_promise_is_told(handling: str, caught: str) -> None:
    code = f"""
    import asyncio
    from functools import partial


    def maybe_set_exception(promise, error):
        if not promise.done():
            promise.set_exception(error)


    def fail(promise, cause):
        if not promise.done():
            promise.set_exception(cause)


    async def work(queue, loop):
        while True:
            promise, method = await queue.get()
            outcome = promise
            try:
                result = await method()
            except {caught} as error:
                {handling}
            else:
                promise.set_result(result)
            if outcome is None:
                promise.set_result(None)
    """
    assert _found(code) == []
    if "promise" in handling:
        told = code.replace(handling, "print(error)").replace(
            "if outcome", "while False and outcome"
        )
        assert len(_found(told.replace("promise.set_result(None)", "print(None)"))) == 1


@pytest.mark.parametrize(
    ("handling", "behind", "quiet"),
    [
        ("watcher.err(error)", "watcher.done()", True),
        ("watcher.err(error)", "print('done')", True),
        ("print(error)", "watcher.done()", True),
        ("self.fail()", "print('done')", True),
        ("print(error)", "print('done')", False),
        ("self.log.error('failed: %s', error)", "print('done')", False),
        ("self.log.error('failed: %s', error)", "await watcher.work()", False),
    ],
)
def test_what_ends_behind_its_report_swallows_nothing(
    handling: str, behind: str, quiet: bool
) -> None:
    code = f"""
    class App:
        async def watch(self, watcher):
            try:
                await self.inner(watcher.scope)
            except BaseException as error:
                {handling}
            {behind}
    """
    assert (_found(code) == []) is quiet


def test_what_a_handler_does_for_others_is_done_for_cancellations_too() -> None:
    code = """
    async def work(jobs, client):
        for job in jobs:
            try:
                await job.run()
            except BaseException as error:
                {handling}
    """
    for handling, reason in {
        "await client.report(job, error)": "`client.report` would be left out",
        "job.failed = True": "`job.failed` would not be set",
        "await client.forget(job)": "`client.forget` would be left out",
    }.items():
        [said] = refusals("swallowed-cancellation", code.format(handling=handling))
        assert said == reason
    for handling in ("print(error)", "logger.warning('%s', error)", "continue", "failures = 1"):
        assert "raise\n" in fixed("swallowed-cancellation", code.format(handling=handling))


@pytest.mark.parametrize(
    ("within", "behind", "name"),
    [
        ("pass", "for part in reversed(parts):\n            await part.stop()", "stop"),
        ("pass", "if parts:\n            parts.close()", "close"),
        ("pass", "await self.send_answer()", "send_answer"),
        ("pass", "return await self.finish(parts)", "finish"),
        ("pass", "self.finished.set()", "set"),
        ("parts.task_done()", "print('done')", "task_done"),
        ("pass", "await self.closest()", None),
        ("pass", "print('done')", None),
    ],
)
def test_what_follows_a_loop_would_be_left_out(within: str, behind: str, name: str | None) -> None:
    code = f"""
    class Runner:
        async def run(self, parts):
            for part in parts:
                try:
                    await part.start()
                except BaseException as error:
                    print(error)
                {within}
            {behind.replace(chr(10), chr(10) + "    ")}
    """
    if name is None:
        assert "raise\n" in fixed("swallowed-cancellation", code)
    else:
        reason = f"`{name}` follows, and would be left out"
        assert refusals("swallowed-cancellation", code) == [reason]


@pytest.mark.parametrize(
    ("then", "name"),
    [
        ("self.post_call(url, started)", "post_call"),
        ("await self._disconnected()", "_disconnected"),
        ("print(answer)", None),
        ("await self.fetch(url)", None),
    ],
)
def test_what_callers_do_then_would_be_left_out(then: str, name: str | None) -> None:
    code = f"""
    import asyncio


    class Proxy:
        async def fetch(self, url):
            try:
                return await self.session.read(url)
            except (OSError, asyncio.CancelledError) as error:
                print(error)
                return ""

        async def complete(self, url, started):
            answer = await self.fetch(url)
            {then}
            await asyncio.sleep(1)
    """
    if name is None:
        assert "raise\n" in fixed("swallowed-cancellation", code)
    else:
        reason = f"`{name}` follows in `Proxy.complete`, and would be left out"
        assert refusals("swallowed-cancellation", code) == [reason]


@pytest.mark.parametrize(
    ("around", "left_out"),
    [
        ("if True:\n                await self.record()", False),
        ("try:\n                await self.record()\n            except Exception:\n                print('failed')", True),
        ("try:\n                await self.record()\n            except Exception:\n                raise ValueError", False),
        ("try:\n                await self.record()\n            except ValueError:\n                print('failed')", False),
    ],
)  # fmt: skip
def test_callers_that_a_cancellation_reaches_anyhow(around: str, left_out: bool) -> None:
    code = f"""
    class Metric:
        async def record(self):
            async with self.lock:
                for _ in range(3):
                    try:
                        await self.write()
                        return
                    except:
                        continue

        async def closed(self):
            {around}
            await self.session.close()
    """
    if left_out:
        [reason] = refusals("swallowed-cancellation", code)
        assert reason == "`close` follows in `Metric.closed`, and would be left out"
    else:
        assert "raise\n" in fixed("swallowed-cancellation", code)
