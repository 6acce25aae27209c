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
