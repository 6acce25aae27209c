"""For each library one file of code: what is known of it is flagged in the one half and quiet in the other.

Every `tests/fixtures/knowledge_*/<library>.py` is checked alone, with all rules. Comments say what is expected of
their line, and every line without one must be silent:

`# flagged: rule-name`
    An error or warning of this rule.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from pathlib import Path

import pytest

from asynclint.knowledge.index import FILES as INDEX
from asynclint.testing import check_files

FIXTURES = Path(__file__).parent / "fixtures"
FILES = sorted(FIXTURES.glob("knowledge_*/*.py"))
APART = [path for path in FILES if path.parent.name != "knowledge_services"]
"""Files that keep what is flagged and what is quiet in functions of their own; services have both in one."""
FILES_OF = {stem: roots for stem, (_, _, roots) in INDEX.items() if stem not in ("builtins",)}
MARK = re.compile(r"# flagged: ([\w-]+)")


def expected(text: str) -> Counter[tuple[int, str]]:
    """(line, rule) of each comment."""
    found: Counter[tuple[int, str]] = Counter()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            found.update((token.start[0], name) for name in MARK.findall(token.string))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_library(path: Path) -> None:
    text = path.read_text("utf-8")
    findings = check_files({"app.py": text}, {"extend-select": ["all"]})
    found = Counter((f.span.line, f.rule) for f in findings if f.level != "note")
    wanted = expected(text)
    said = {f.span.line: f"{f.rule}: {f.message}" for f in findings}
    assert found == wanted, "\n".join(
        [f"missed alarm at {path}:{line}: {rule}" for line, rule in sorted(wanted - found)]
        + [f"false alarm at {path}:{line}: {said[line]}" for line, _ in sorted(found - wanted)]
    )


@pytest.mark.parametrize("stem", sorted(FILES_OF))
def test_each_file_of_knowledge_has_an_example(stem: str) -> None:
    names = "|".join(re.escape(root) for root in FILES_OF[stem])
    imported = re.compile(rf"(?m)^\s*(?:import|from) (?:{names})\b")
    namespaces = [root.rpartition(".")[::2] for root in FILES_OF[stem] if "." in root]
    texts = [path.read_text("utf-8") for path in FILES]
    assert any(imported.search(text) for text in texts) or any(
        re.search(rf"(?m)^from {re.escape(above)} import .*\b{name}\b", text)
        for above, name in namespaces
        for text in texts
    )


@pytest.mark.parametrize("path", APART, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_there_is_a_flagged_and_a_quiet_example(path: Path) -> None:
    text = path.read_text("utf-8")
    marked = {line for line, _ in expected(text)}
    assert marked, "nothing is flagged"
    quiet = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef))
        and not marked & set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    ]
    waits = (ast.Await, ast.AsyncWith, ast.AsyncFor)
    assert any(isinstance(inner, waits) for node in quiet for inner in ast.walk(node)), (
        "no coroutine is quiet"
    )
