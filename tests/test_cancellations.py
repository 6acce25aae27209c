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
