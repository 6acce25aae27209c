"""Suppressions: `# asynclint: ignore[name, name] reason`."""

from __future__ import annotations

import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from asynclint.findings import Edit, Finding, Fix, Safety, Span

MARK = "asynclint:"

_COMMENT = re.compile(
    r"#\s*asynclint:\s*(?P<what>ignore-file|ignore)(?![\w-])(?:\s*\[(?P<names>[^\]]*)(?P<closed>\])?)?"
)
_OTHER_TOOL = re.compile(r"\s+#\s*(?:noqa\b|nosec\b|[A-Za-z][\w-]*:)")
"""Where, in the same comment, something begins that is not for us: `# asynclint: ignore  # noqa: E501`."""

UNSUPPRESSABLE = frozenset({"syntax-error", "unreadable-file", "internal-error", "unused-ignore"})
UNREAD = frozenset({"syntax-error", "unreadable-file", "internal-error"})
"""Findings of files that the rules have not seen, or not seen whole."""


@dataclass(slots=True)
class Comment:
    """One suppression comment."""

    line: int
    column: int
    """0-based."""
    text: str
    """Up to its end, or to what another tool reads."""
    whole_file: bool
    names: tuple[str, ...] | None
    """None: all rules; empty: none."""
    problem: str | None
    """Why it has no effect."""
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

    `known` maps rule names to groups, `active` holds the rules that ran: a comment is judged only when all
    the rules that it names ran, over a file that parses.
    """
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_file[finding.path].append(finding)
    result: list[Finding] = []
    for path in sorted({*by_file, *(p for p, t in texts.items() if MARK in t)}):
        text = texts.get(path)
        comments = read(text) if text is not None and MARK in text else []
        here = by_file.get(path, [])
        result += [f for f in here if not _suppressed(f, comments, known)]
        if report_unused and text is not None and not any(f.rule in UNREAD for f in here):
            for comment in comments:
                result += _unused(comment, path, text, known, active)
    return result


def read(text: str) -> list[Comment]:
    """The suppression comments of a file, in order; none where the text does not tokenize."""
    comments: list[Comment] = []
    pending: list[Comment] = []
    code_seen = False
    # Python ends a line at each of these; `io` and `str.splitlines` would at others, too.
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        for token in tokenize.generate_tokens(lines.readline):
            if token.type == tokenize.COMMENT:
                match = _COMMENT.search(token.string)
                if match is None:
                    continue
                alone = not token.line[: token.start[1]].strip()
                comment = _comment(token, match)
                comments.append(comment)
                if comment.whole_file:
                    if code_seen:
                        comment.lines = ()
                        comment.problem = "`ignore-file` stands below code and has no effect"
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


def _comment(token: tokenize.TokenInfo, match: re.Match[str]) -> Comment:
    other = _OTHER_TOOL.search(token.string, match.end())
    listed = match["names"]
    names = None if listed is None else tuple(n.strip() for n in listed.split(",") if n.strip())
    problem = None
    if listed is not None and not match["closed"]:
        names, problem = (), f"`{match['what']}[` has no closing bracket and suppresses nothing"
    elif names == ():
        problem = f"`{match['what']}[]` names no rule"
    return Comment(
        line=token.start[0],
        column=token.start[1] + match.start(),
        text=token.string[match.start() : other.start() if other else None],
        whole_file=match["what"] == "ignore-file",
        names=names,
        problem=problem,
        lines=(token.start[0],),
    )


def _covering(comment: Comment, rule: str, known: Mapping[str, str]) -> set[str]:
    """The names in the comment that cover a rule; "*" in one without names."""
    if comment.names is None:
        return {"*"}
    return {rule, known.get(rule, rule)} & {*comment.names}


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
        names = _covering(comment, finding.rule, known)
        comment.used |= names
        hit = hit or bool(names)
    return hit


def _unused(
    comment: Comment, path: str, text: str, known: Mapping[str, str], active: set[str]
) -> list[Finding]:
    span = Span(
        comment.line, comment.column + 1, comment.line, comment.column + 1 + len(comment.text)
    )
    if comment.problem is not None:
        return [_finding(path, span, comment.problem, comment, text, ())]
    if comment.names is None:
        # It may be there for a rule that was not selected this time.
        if comment.used or not known.keys() <= active:
            return []
        what = "ignore-file" if comment.whole_file else "ignore"
        return [_finding(path, span, f"`{what}` suppresses nothing", comment, text, ())]
    groups = set(known.values())
    unused = [
        name
        for name in comment.names
        if name not in comment.used
        and all(rule in active for rule, group in known.items() if name in (rule, group))
    ]
    if not unused:
        return []
    left = tuple(n for n in comment.names if n not in unused)
    words = ", ".join(f"`{n}`" for n in unused)
    unknown = [n for n in unused if n not in known and n not in groups]
    if unknown:
        import difflib

        close = difflib.get_close_matches(unknown[0], [*known, *groups], n=1, cutoff=0.5)
        message = f"`{unknown[0]}` is no rule" + (f"; the nearest is `{close[0]}`" if close else "")
    else:
        message = f"{words} {'suppress' if len(unused) > 1 else 'suppresses'} nothing here"
    return [_finding(path, span, message, comment, text, left)]


def _finding(
    path: str, span: Span, message: str, comment: Comment, text: str, left: tuple[str, ...]
) -> Finding:
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n|\Z)", text)
    start = sum(len(line) for line in lines[: comment.line - 1])
    line = lines[comment.line - 1]
    before, after = line[: comment.column], line[comment.column + len(comment.text) :]
    if left:
        inner = _COMMENT.match(comment.text)
        assert inner is not None
        begin = start + comment.column + inner.start("names")
        edit = Edit(path, begin, begin + len(inner["names"]), ", ".join(left))
    elif before.strip():
        rest = after if after.strip() else line[len(line.rstrip("\r\n")) :]
        edit = Edit(path, start + len(before.rstrip()), start + len(line) - len(rest), "")
    elif after.strip():
        edit = Edit(path, start + len(before), start + len(line) - len(after.lstrip()), "")
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
