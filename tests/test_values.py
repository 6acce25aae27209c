"""What values are: of parameters, containers, iterators, helpers and fields, with annotations and without."""

from __future__ import annotations

from pathlib import Path

from fixing import findings

CODE = Path(__file__).parent / "fixtures" / "values" / "app.py"


def test_each_value_is_known_for_what_it_is() -> None:
    code = CODE.read_text("utf-8")
    lost = [number for number, line in enumerate(code.splitlines(), 1) if line.endswith("# lost")]
    assert len(lost) > 100
    assert [one.span.line for one in findings({"app.py": code}, "unawaited-coroutine")] == lost
