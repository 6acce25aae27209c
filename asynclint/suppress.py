"""Suppressions: `# asynclint: ignore[name, name] reason`."""

from __future__ import annotations

import difflib
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from asynclint.findings import Edit, Finding, Fix, Safety, Span

MARK = "asynclint:"

_COMMENT = re.compile(r"#\s*asynclint:\s*(?P<what>ignore-file|ignore)\b(?:\[(?P<names>[^\]]*)\])?")

UNSUPPRESSABLE = frozenset({"syntax-error", "unreadable-file", "unused-ignore"})


@dataclass(slots=True)
class Comment:
    """One suppression comment."""

    line: int
    column: int
    """0-based."""
    text: str
    whole_file: bool
    names: tuple[str, ...] | None
    """None: all rules."""
    lines: tuple[int, ...]
    """The lines whose findings it suppresses."""
    used: set[str] = field(default_factory=set)


def apply(
    findings: list[Finding],
    texts: Mapping[str, str],
    known: Mapping[str, str],
    active: set[str],
    report_unused: bool,
) -> list[Finding]:
    """The findings that no comment suppresses, and `unused-ignore` for comments that suppress none.

    `known` maps rule names to groups, `active` holds the rules that ran: names of others are not judged.
    """
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_file[finding.path].append(finding)
    result: list[Finding] = []
    for path in sorted({*by_file, *(p for p, t in texts.items() if MARK in t)}):
        text = texts.get(path)
        comments = read(text) if text is not None and MARK in text else []
        for finding in by_file.get(path, ()):
            if not _suppressed(finding, comments, known):
                result.append(finding)
        if report_unused and text is not None:
            for comment in comments:
                result += _unused(comment, path, text, known, active)
    return result


def read(text: str) -> list[Comment]:
    """The suppression comments of a file, in order; none where the text does not tokenize."""
    comments: list[Comment] = []
    pending: list[Comment] = []
    code_seen = False
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                match = _COMMENT.search(token.string)
                if match is None:
                    continue
                names = match["names"]
                alone = not token.line[: token.start[1]].strip()
                comment = Comment(
                    token.start[0],
                    token.start[1] + match.start(),
                    token.string[match.start() :],
                    match["what"] == "ignore-file",
                    None
                    if names is None
                    else tuple(n.strip() for n in names.split(",") if n.strip()),
                    (token.start[0],),
                )
                comments.append(comment)
                if comment.whole_file:
                    if code_seen:
                        comment.lines = ()
                elif alone:
                    pending.append(comment)
            elif (
                token.type in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
                or token.type == tokenize.NEWLINE
            ):
                continue
            else:
                if token.type != tokenize.STRING and token.type != tokenize.ENDMARKER:
                    code_seen = True
                for comment in pending:
                    comment.lines = (comment.line, token.start[0])
                pending = []
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass
    return comments


def _means(comment: Comment, rule: str, known: Mapping[str, str]) -> str | None:
    """The name in the comment that covers a rule."""
    if comment.names is None:
        return "*"
    group = known.get(rule)
    for name in comment.names:
        if name in (rule, group):
            return name
    return None


def _suppressed(finding: Finding, comments: list[Comment], known: Mapping[str, str]) -> bool:
    if finding.rule in UNSUPPRESSABLE:
        return False
    hit = False
    for comment in comments:
        if comment.whole_file:
            if not comment.lines:
                continue
        elif (
            finding.span.line not in comment.lines
            and finding.span.end_line not in comment.lines[:1]
        ):
            continue
        name = _means(comment, finding.rule, known)
        if name is not None:
            comment.used.add(name)
            hit = True
    return hit


def _unused(
    comment: Comment, path: str, text: str, known: Mapping[str, str], active: set[str]
) -> list[Finding]:
    span = Span(
        comment.line, comment.column + 1, comment.line, comment.column + 1 + len(comment.text)
    )
    if comment.whole_file and not comment.lines:
        message = "`ignore-file` stands below code and has no effect"
        return [_finding(path, span, message, comment, text, ())]
    if comment.names is None:
        if comment.used:
            return []
        return [_finding(path, span, "`ignore` suppresses nothing", comment, text, ())]
    groups = set(known.values())
    unused = []
    for name in comment.names:
        if name in comment.used:
            continue
        if name in known and name not in active:
            continue
        if name in groups and not any(known[rule] == name for rule in active if rule in known):
            continue
        unused.append(name)
    if not unused:
        return []
    left = tuple(n for n in comment.names if n not in unused)
    words = ", ".join(f"`{n}`" for n in unused)
    unknown = [n for n in unused if n not in known and n not in groups]
    if unknown:
        close = difflib.get_close_matches(unknown[0], [*known, *groups], n=1, cutoff=0.5)
        message = f"`{unknown[0]}` is no rule" + (f"; the nearest is `{close[0]}`" if close else "")
    else:
        message = f"{words} suppresses nothing here"
    return [_finding(path, span, message, comment, text, left)]


def _finding(
    path: str, span: Span, message: str, comment: Comment, text: str, left: tuple[str, ...]
) -> Finding:
    lines = text.splitlines(keepends=True)
    start = sum(len(line) for line in lines[: comment.line - 1])
    line = lines[comment.line - 1]
    if left:
        inner = _COMMENT.match(comment.text)
        assert inner is not None
        begin = start + comment.column + inner.start("names")
        edit = Edit(path, begin, begin + len(inner["names"]), ", ".join(left))
    else:
        before = line[: comment.column]
        if before.strip():
            edit = Edit(path, start + len(before.rstrip()), start + len(line.rstrip("\r\n")), "")
        else:
            edit = Edit(path, start, start + len(line), "")
    return Finding(
        "unused-ignore",
        "note",
        path,
        span,
        message,
        (),
        (Fix("remove the suppression", Safety.SAFE, (edit,)),),
    )
