"""Cancellations that are taken on purpose: they are not raised again."""

from __future__ import annotations

import pytest
from test_local_fixes import fixed, refusals


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
