"""Runs the examples on a rule's page: the page is documentation and test suite in one.

A pack tests itself with::

    @pytest.mark.parametrize("example", asynclint.testing.examples("tools/lint"), ids=str)
    def test_page(example):
        asynclint.testing.verify(example)

A fenced ``python`` block is an example. A line naming a file before it (`` `store.py`: ``) joins it to the named
blocks before it under the same heading: together they are one project, which the last of them completes.
A heading, an unnamed block or a ``toml`` block starts a new one. A ``toml`` block holds the configuration of the
project that follows; a ``diff`` block shows what the rule's fixes, safe and unsafe, change in the project before it. An
example that a fix changes must have one; `pytest --update-pages` writes them.

Comments in an example say what is expected of their line, and every line without one must be silent:

``# flagged`` or ``# flagged: text``
    The page's rule reports here, and its message contains the text.
``# note`` or ``# note: text``
    The same, at level "note".
``# missed`` or ``# missed: reason``
    A known missed alarm. The example fails when the line is reported after all.
``# also: other-rule``
    An error of another default rule is expected here and not judged.
``# fact: blocks``
    On the line of a `def`: the engine infers this fact of the function.
"""

from __future__ import annotations

import ast
import difflib
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from asynclint.findings import LEVELS, Finding
from asynclint.project import Project, SourceFile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MarkKind = Literal["flagged", "note", "missed", "also", "fact"]

Checker = Callable[[Mapping[str, str], Mapping[str, Any]], Sequence[Finding]]
"""Files (relative POSIX path → text) and the content of `[tool.asynclint]` → findings, with those paths."""

FactsOf = Callable[[Mapping[str, str], str, int], Collection[str]]
"""Files, path and 1-based line of a `def` → names of the facts inferred of that function."""

UNNAMED = "example.py"
"""What an unnamed block is called in its project."""

PLACEHOLDER = "FILL IN"
"""Stands in a new rule wherever its author has to write; conventions fail while it does."""

_BUILTIN = (
    Path(__file__).resolve().parent / "rules",
    Path(__file__).resolve().parent.parent / "rules",
)
"""Where the built-in pack lies: when installed, and in a checkout."""

_FENCE = re.compile(r"^(?P<fence>`{3,})\s*(?P<language>[\w-]*)\s*$")
_HEADING = re.compile(r"^(?P<level>#{1,6})\s+(?P<text>.*\S)\s*$")
_FILE_NAME = re.compile(r"^`(?P<path>[^`]+\.pyi?)`:?\s*$")
_MARK = re.compile(r"^(?P<kind>flagged|note|missed|also|fact)(?::\s*(?P<text>.*\S))?\s*$")
_RULE_NAME = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
_BACKTICKED = re.compile(r"`[^`]*`")
_ADVICE = re.compile(
    r"\b(use|should|consider|please|must|instead|prefer|avoid|try|recommend\w*|replace)\b",
    re.IGNORECASE,
)


class PageError(ValueError):
    """A page that cannot be read as examples; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What one comment in an example expects of its line."""

    path: str
    line: int
    """1-based, in the example's file."""
    kind: MarkKind
    text: str
    """What follows the colon; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of code."""

    path: str
    """The file's path in its project."""
    text: str
    line: int
    """1-based line of the page on which the code begins, the one after the fence."""


@dataclass(frozen=True, slots=True)
class Example:
    """One project on a page, with what is expected of it."""

    page: Path
    line: int
    """1-based line of the page where its first block's fence opens."""
    heading: str
    """The nearest heading above."""
    section: str
    """The nearest heading of level 2 above."""
    blocks: tuple[Block, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    """Content of `[tool.asynclint]`."""
    diff: str | None = None
    """What fixing changes, as shown on the page."""
    diff_line: int = 0
    """1-based line on which the diff begins, the one after the fence."""

    @property
    def rule(self) -> str:
        """The name of the rule whose page this is."""
        return self.page.stem.replace("_", "-")

    @property
    def files(self) -> dict[str, str]:
        """Relative path → text."""
        return {block.path: block.text for block in self.blocks}

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Heading:
    """One heading of a page."""

    level: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Page:
    """A rule's page, taken apart."""

    path: Path
    text: str
    headings: tuple[Heading, ...]
    examples: tuple[Example, ...]


class _Reader:
    """Collects the examples of one page, top to bottom."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.headings: list[Heading] = []
        self.examples: list[Example] = []
        self._run: list[Block] = []
        self._config: dict[str, Any] | None = None
        self._run_config: dict[str, Any] = {}
        self._section = ""

    def error(self, line: int, reason: str) -> PageError:
        return PageError(f"{self.path}:{line}: {reason}")

    def end(self, line: int) -> None:
        """End what belongs together: at a heading and at the end of the page."""
        self.complete()
        if self._config is not None:
            raise self.error(line, "the toml block above belongs to no example")

    def heading(self, heading: Heading) -> None:
        self.end(heading.line)
        self.headings.append(heading)
        if heading.level <= 2:
            self._section = heading.text

    def complete(self) -> None:
        """End the run of named blocks, if there is one."""
        if self._run:
            self._add(tuple(self._run), self._run_config)
        self._run = []
        self._run_config = {}

    def _add(self, blocks: tuple[Block, ...], config: Mapping[str, Any]) -> None:
        heading = self.headings[-1].text if self.headings else ""
        first = blocks[0].line - 1
        self.examples.append(Example(self.path, first, heading, self._section, blocks, config))

    def python(self, block: Block) -> None:
        config, self._config = self._config, None
        if block.path == UNNAMED:
            self.complete()
            self._add((block,), config or {})
            return
        if not self._run:
            self._run_config = config or {}
        if any(block.path == other.path for other in self._run):
            raise self.error(
                block.line, f"`{block.path}` is there already: a new project needs a heading"
            )
        self._run.append(block)

    def toml(self, line: int, text: str) -> None:
        self.complete()
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self.error(line, f"the toml block does not parse: {error}") from error
        self._config = table.get("tool", {}).get("asynclint", table)

    def diff(self, line: int, text: str) -> None:
        self.complete()
        if not self.examples or self.examples[-1].diff is not None:
            raise self.error(line, "the diff block follows no example")
        self.examples[-1] = replace(self.examples[-1], diff=text, diff_line=line)


def read_page(path: str | Path) -> Page:
    """Take a page apart. Raises PageError where its blocks make no sense."""
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    reader = _Reader(path)
    lines = text.splitlines()
    number, before = 0, ""
    while number < len(lines):
        line = lines[number]
        number += 1
        if heading := _HEADING.match(line):
            reader.heading(Heading(len(heading["level"]), heading["text"], number))
        if not (fence := _FENCE.match(line)):
            before = line if line.strip() else before
            continue
        start = number
        while number < len(lines) and lines[number].rstrip() != fence["fence"]:
            number += 1
        if number == len(lines):
            raise reader.error(start, "the block is never closed")
        body = "\n".join(lines[start:number]) + "\n"
        number += 1
        named = _FILE_NAME.match(before)
        before = ""
        if fence["language"] == "python":
            reader.python(Block(named["path"] if named else UNNAMED, body, start + 1))
        elif fence["language"] == "toml":
            reader.toml(start + 1, body)
        elif fence["language"] == "diff":
            reader.diff(start + 1, body)
    reader.end(len(lines))
    return Page(path, text, tuple(reader.headings), tuple(reader.examples))


def examples(*places: str | Path) -> list[Example]:
    """The examples of all pages in these files and directories, in order."""
    found: list[Example] = []
    for place in map(Path, places):
        pages = sorted(place.glob("*.md")) if place.is_dir() else [place]
        for page in pages:
            found.extend(read_page(page).examples)
    return found


def marks(block: Block) -> list[Mark]:
    """What the comments of a block expect."""
    found: list[Mark] = []
    for token in tokenize.generate_tokens(io.StringIO(block.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        for part in token.string.split("# "):
            if match := _MARK.match(part.lstrip("#").strip()):
                kind: Any = match["kind"]
                found.append(Mark(block.path, token.start[0], kind, match["text"] or ""))
    return found


def run(example: Example, checker: Checker | None = None) -> list[Finding]:
    """Check an example's project: the default rules and the page's own, notes shown."""
    return list((checker or check_files)(example.files, _configuration(example)))


def _configuration(example: Example) -> dict[str, Any]:
    """The example's configuration, with the page's rule selected and its pack loaded."""
    config = dict(example.config)
    selected = [example.rule, *config.get("extend-select", [])]
    config["extend-select"] = list(dict.fromkeys(selected))
    folder = example.page.resolve().parent
    if folder not in _BUILTIN:
        config["rules"] = [*config.get("rules", []), str(folder)]
    return config


def problems(example: Example, findings: Iterable[Finding]) -> list[str]:
    """How the findings differ from what the example's comments expect, a sentence each."""
    report: list[str] = []
    expected = [mark for block in example.blocks for mark in marks(block)]
    left = list(findings)
    for mark in expected:
        if mark.kind not in ("flagged", "note"):
            continue
        here = [f for f in left if f.rule == example.rule and _at(f, mark)]
        right = [f for f in here if mark.text in f.message and _is_note(f) == (mark.kind == "note")]
        where = _where(example, mark.path, mark.line)
        if right:
            left.remove(right[0])
        elif not here:
            report.append(f"missed alarm at {where}")
        else:
            left.remove(here[0])
            report.append(_difference(mark, here[0], where))
    missed = {(mark.path, mark.line) for mark in expected if mark.kind == "missed"}
    also = {(mark.path, mark.line, mark.text) for mark in expected if mark.kind == "also"}
    for finding in left:
        where = _where(example, finding.path, finding.span.line)
        if finding.rule != example.rule:
            if (
                finding.level == "error"
                and (finding.path, finding.span.line, finding.rule) not in also
            ):
                report.append(f"false alarm at {where}: {finding.rule}: {finding.message}")
        elif (finding.path, finding.span.line) in missed:
            report.append(f"repaired at {where}: change # missed to # flagged")
        else:
            report.append(f"false alarm at {where}: {finding.message}")
    return report


def fixed(example: Example) -> dict[str, str]:
    """Path → text of the files that the fixes of the page's rule change, as they are then.

    Raises AssertionError where fixing what is fixed would change it again, where a fix was refused by the engine, and
    where a comment is lost, except one beside a call that closes.
    """
    from asynclint import check, fix
    from asynclint import config as settings

    # A comment that marks a line is no reason to break it.
    files = {path: unmarked(text) for path, text in example.files.items()}
    config = settings.from_table(_configuration(example), in_memory(files).root)

    def once(files: Mapping[str, str]) -> fix.Outcome:
        def checked(project: Project) -> Sequence[Finding]:
            return check.check(project, config).kept

        start = in_memory(files)
        return fix.run(
            start,
            checked(start),
            checked,
            lambda finding, _: finding.rule == example.rule,
            check.yields(config),
        )

    outcome = once(files)
    if outcome.problems:
        raise AssertionError("\n".join([f"fixing {example}:", *outcome.problems]))
    for path, text in outcome.after.items():
        lost = comments(outcome.before[path]) - comments(text)
        lost = Counter({c: n for c, n in lost.items() if not _beside_closing(c, files[path])})
        if lost:
            raise AssertionError(f"fixing {example} loses {sorted(lost)} of {path}")
    again = once({**files, **outcome.after})
    if again.after:
        raise AssertionError(f"fixing {example} twice changes {sorted(again.after)} again")
    return outcome.after


def comments(text: str) -> Counter[str]:
    """The comments of a module's text, and how often each stands there."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(t.string for t in tokens if t.type == tokenize.COMMENT)


def _beside_closing(comment: str, text: str) -> bool:
    return any(comment in line and "close()" in line for line in text.splitlines())


def shown_diff(example: Example, after: Mapping[str, str]) -> str | None:
    """What fixing changes, as a page shows it: without the comments that mark lines; None where nothing changes."""
    parts: list[str] = []
    for path, text in after.items():
        before = _unmarked(example.files[path])
        lines = list(difflib.unified_diff(before, _unmarked(text), lineterm="", n=2))[2:]
        if not lines:
            continue
        name = [f"--- {path}"] if len(example.files) > 1 else []
        hunks = ["@@" if line.startswith("@@") else line for line in lines]
        parts += [*name, *(hunks if hunks.count("@@") > 1 else hunks[1:])]
    return "\n".join(line.rstrip() for line in parts) + "\n" if parts else None


def unmarked(text: str) -> str:
    """A module's text without the comments that mark lines."""
    return "\n".join([*_unmarked(text), ""])


def _unmarked(text: str) -> list[str]:
    lines = []
    for whole in text.splitlines():
        line = whole
        before, mark, after = line.partition("# ")
        while mark:
            if _MARK.match(after.strip()) and before[-1:] in ("", " "):
                line = before.rstrip()
                break
            head, mark, after = after.partition("# ")
            before = f"{before}# {head}"
        if line.strip() or not whole.strip():
            # A mark that a fix has left on a line of its own is no comment that it kept.
            lines.append(line)
    return lines


def fix_problems(example: Example) -> list[str]:
    """How what fixing changes differs from the diff on the page, a sentence each."""
    try:
        shown = shown_diff(example, fixed(example))
    except AssertionError as error:
        return [str(error)]
    if shown == example.diff:
        return []
    where = f"{example.page}:{example.line}"
    if example.diff is None:
        return [f"unmentioned fix at {where}: a diff block is missing\n{shown}"]
    if shown is None:
        return [f"{where}: a diff block, but fixing changes nothing"]
    return [f"the fix at {where} is\n{shown}"]


def update_diffs(path: str | Path) -> bool:
    """Rewrite the diff blocks of a page from what fixing changes; whether the page changed."""
    page = read_page(path)
    lines = page.text.splitlines(keepends=True)
    for example in reversed(page.examples):
        last = example.blocks[-1]
        end = last.line - 1 + last.text.count("\n") + 1
        shown = shown_diff(example, fixed(example))
        if example.diff is not None:
            start, stop = (
                example.diff_line - 2,
                example.diff_line - 1 + example.diff.count("\n") + 1,
            )
            while start > end and not lines[start - 1].strip():
                start -= 1
            lines[start:stop] = []
        if shown is not None:
            lines[end:end] = ["\n", "```diff\n", shown, "```\n"]
    text = "".join(lines)
    if text != page.text:
        page.path.write_text(text, encoding="utf-8")
    return text != page.text


def _at(finding: Finding, mark: Mark) -> bool:
    return finding.path == mark.path and finding.span.line == mark.line


def _is_note(finding: Finding) -> bool:
    return finding.level == "note"


def _difference(mark: Mark, finding: Finding, where: str) -> str:
    if mark.text not in finding.message:
        return f"message at {where}: {mark.text!r} is not in {finding.message!r}"
    expected = "note" if mark.kind == "note" else "error or warning"
    return f"level at {where}: {finding.level} where {expected} is expected: {finding.message}"


def _where(example: Example, path: str, line: int) -> str:
    """A place as page line and source line, so that an editor opens the page there."""
    for block in example.blocks:
        if block.path == path:
            source = block.text.splitlines()
            shown = source[line - 1].strip() if 0 < line <= len(source) else ""
            return f"{example.page}:{block.line + line - 1} (`{shown}`)"
    return f"{path}:{line}"


def fact_problems(example: Example, facts_of: FactsOf | None) -> list[str]:
    """Which `# fact:` comments the engine does not confirm, a sentence each."""
    report: list[str] = []
    for block in example.blocks:
        for mark in marks(block):
            if mark.kind != "fact":
                continue
            where = _where(example, mark.path, mark.line)
            if facts_of is None:
                report.append(f"unchecked fact at {where}: nothing here tells the engine's facts")
                continue
            known = facts_of(example.files, mark.path, mark.line)
            if mark.text not in known:
                report.append(
                    f"missing fact at {where}: {mark.text!r} is not among {sorted(known)}"
                )
    return report


def verify(
    example: Example, *, checker: Checker | None = None, facts_of: FactsOf | None = None
) -> None:
    """Raise AssertionError, one sentence a line, unless the example behaves as its comments say."""
    report = problems(example, run(example, checker)) + fact_problems(example, facts_of)
    if checker is None:
        report += fix_problems(example)
    if report:
        raise AssertionError("\n".join(report))


# What a rule and its page look like.


def conventions(rule: str | Path) -> list[str]:
    """Where a rule (`rules/x.py`) or its page (`rules/x.md`) breaks the conventions, a sentence each."""
    path = Path(rule)
    code, page = path.with_suffix(".py"), path.with_suffix(".md")
    report = [f"{side} is missing" for side in (code, page) if not side.is_file()]
    if code.is_file():
        report += _code_problems(code)
    if page.is_file():
        report += _page_problems(read_page(page))
    return report


def _code_problems(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    name = path.stem.replace("_", "-")
    report = []
    if PLACEHOLDER in text:
        report.append(f"{path}: a placeholder is left: {PLACEHOLDER}")
    if len(text.splitlines()) > 200:
        report.append(f"{path}: longer than 200 lines: a fact belongs in the engine")
    classes = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
        and {"Rule", "BlockingRule", "BuildingRule"} & {ast.unparse(base) for base in node.bases}
    ]
    if len(classes) != 1:
        return [*report, f"{path}: {len(classes)} subclasses of Rule, where one is expected"]
    docstring = ast.get_docstring(classes[0])
    if not docstring or "\n" in docstring:
        report.append(f"{path}: the class needs a docstring of one line")
    values = {
        ast.unparse(target): node.value.value
        for node in classes[0].body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
    }
    if values.get("name") != name:
        report.append(f"{path}: name is {values.get('name')!r}, the file says {name!r}")
    if values.get("level") not in LEVELS:
        report.append(f"{path}: level is {values.get('level')!r}, not one of {', '.join(LEVELS)}")
    report += [f"{path}: {what} is missing" for what in ("group", "since") if not values.get(what)]
    return report


def _page_problems(page: Page) -> list[str]:
    path = page.path
    report = []
    if PLACEHOLDER in page.text:
        report.append(f"{path}: a placeholder is left: {PLACEHOLDER}")
    report += _heading_problems(page)
    flagged = [example for example in page.examples if _expects_alarm(example)]
    if not any(example.section == "Flagged" for example in flagged):
        report.append(f"{path}: no flagged example under ## Flagged")
    if not any(e.section == "Not flagged" and e not in flagged for e in page.examples):
        report.append(f"{path}: no silent example under ## Not flagged")
    for example in page.examples:
        for block in example.blocks:
            try:
                ast.parse(block.text)
            except SyntaxError as error:
                report.append(f"{path}:{block.line + (error.lineno or 1) - 1}: {error.msg}")
    return report


def _expects_alarm(example: Example) -> bool:
    return any(
        mark.kind in ("flagged", "note") for block in example.blocks for mark in marks(block)
    )


def _heading_problems(page: Page) -> list[str]:
    path, report = page.path, []
    title = f"# {path.stem.replace('_', '-')}"
    lines = page.text.splitlines()
    if not lines or lines[0] != title:
        report.append(f"{path}:1: the first line is not {title!r}")
    summary = lines[2] if len(lines) > 2 else ""
    if not summary.strip() or summary.startswith(("#", "`" * 3)):
        report.append(f"{path}:3: no summary paragraph below the title")
    sections = [heading.text for heading in page.headings if heading.level == 2]
    if sections[:1] != ["Flagged"]:
        report.append(f"{path}: the first section is not ## Flagged")
    end = ["Not flagged", "Limits"]
    if "Fix safety" in sections or any(example.diff for example in page.examples):
        end.insert(1, "Fix safety")
    if sections[-len(end) :] != end:
        report.append(
            f"{path}: the last sections are not {', '.join('## ' + name for name in end)}"
        )
    report += [
        f"{path}: ## {name} is there twice" for name in set(sections) if sections.count(name) > 1
    ]
    report += [f"{path}:{h.line}: a heading deeper than ###" for h in page.headings if h.level > 3]
    return report


def message_problems(message: str) -> list[str]:
    """Where a finding's message breaks the conventions, a sentence each."""
    report = []
    if not message.startswith("`"):
        report.append(f"{message!r} does not start with a name in backticks")
    if message.rstrip().endswith((".", "!")):
        report.append(f"{message!r} ends with a full stop")
    prose = _BACKTICKED.sub("", message)
    if advice := _ADVICE.search(prose):
        report.append(f"{message!r} gives advice ({advice[0]!r}): that is the fix's title")
    # Proper nouns are written in backticks, so a capital in the prose begins a sentence.
    if re.search(r"\b[A-Z][a-z]", prose):
        report.append(f"{message!r} has a capital outside its backticks")
    if "\n" in message:
        report.append(f"{message!r} is longer than one line")
    return report


# A new rule.

_CODE_TEMPLATE = '''\
"""{placeholder}: the idea of this rule in one sentence."""

from __future__ import annotations

import libcst as cst

from asynclint.rule import Rule


class {class_name}(Rule):
    """{placeholder}: what it objects to, on one line."""

    name = "{name}"
    group = "{placeholder}"
    level = "error"
    since = "{placeholder}"

    def visit_Call(self, node: cst.Call) -> None:
        facts = self.call(node)
        if facts is None:
            return
        self.report(node, "`{placeholder}` says what happens, in the present tense")
'''

_PAGE_TEMPLATE = """\
# {name}

{placeholder}: what is wrong and what it costs, in two or three plain sentences.

## Flagged

{placeholder}: the common case first.

```python
async def handler():
    pass  # flagged: {placeholder}
```

## Not flagged

{placeholder}: the nearest thing that is fine, and why we do not report it.

```python
async def handler():
    pass
```

## Limits

{placeholder}: what is not seen.
"""


def new_rule(name: str, directory: str | Path) -> list[Path]:
    """Write the two files of a new rule, to be filled in; returns their paths.

    Raises ValueError for a name that is not lower-case-with-hyphens, FileExistsError when either file is there.
    """
    if not _RULE_NAME.match(name):
        raise ValueError(f"{name!r} is not a rule name: lower case words joined by hyphens")
    folder = Path(directory)
    stem = name.replace("-", "_")
    class_name = "".join(word.capitalize() for word in name.split("-"))
    contents = {folder / f"{stem}.py": _CODE_TEMPLATE, folder / f"{stem}.md": _PAGE_TEMPLATE}
    for path in contents:
        if path.exists():
            raise FileExistsError(f"{path} is there already")
    folder.mkdir(parents=True, exist_ok=True)
    for path, template in contents.items():
        text = template.format(name=name, class_name=class_name, placeholder=PLACEHOLDER)
        path.write_text(text, encoding="utf-8")
    return list(contents)


# Joining the runner to the engine.


def check_files(files: Mapping[str, str], config: Mapping[str, Any]) -> list[Finding]:
    """Findings of the real engine on files that exist only in memory."""
    from asynclint import check
    from asynclint import config as settings

    project = in_memory(files)
    result = check.check(project, settings.from_table(config, project.root))
    return [*result.findings]


def in_memory(files: Mapping[str, str], root: Path = Path("/example")) -> Project:
    """A project of these files (relative POSIX path → text), all reported, named by their relative paths."""
    sources = [
        SourceFile(
            path=root / name,
            name=name,
            module=_module_name(name),
            is_package=name.endswith("__init__.py"),
            text=text,
            is_test=_is_test(name),
        )
        for name, text in sorted(files.items())
    ]
    return Project(root, sources)


def _module_name(name: str) -> str:
    """`src/app/llm.py` → `app.llm`; pages have no layouts more tangled than that."""
    parts = name.removesuffix(".py").removeprefix("src/").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def _is_test(name: str) -> bool:
    *folders, file = name.split("/")
    stem = file.removesuffix(".py")
    return (
        "tests" in folders
        or stem == "conftest"
        or stem.startswith("test_")
        or stem.endswith("_test")
    )
