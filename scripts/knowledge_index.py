"""Writes asynclint/knowledge/index.py: which file knows which import roots, and the versions it was verified with."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

FOLDER = Path(__file__).parent.parent / "asynclint" / "knowledge"
HEAD = '''"""Which file knows which import roots; written by `scripts/knowledge_index.py`, not by hand."""

from __future__ import annotations

# fmt: off
FILES: dict[str, tuple[str, str, tuple[str, ...]]] = {
'''


def index(folder: Path = FOLDER) -> str:
    """The module's text: file → (library, verified versions, roots)."""
    lines = []
    for path in sorted(folder.glob("*.toml")):
        tables = tomllib.loads(path.read_text())
        versions = ", ".join(f"{k} {v}" for k, v in tables.get("verified", {}).items())
        roots = "".join(f'"{root}", ' for root in tables["roots"]).rstrip(" ")
        if len(tables["roots"]) > 1:
            roots = roots.rstrip(",")
        lines.append(f'    "{path.stem}": ("{tables["library"]}", "{versions}", ({roots})),')
    return HEAD + "\n".join(lines) + "\n}\n"


def main() -> int:
    target = FOLDER / "index.py"
    text = index()
    if "--check" in sys.argv:
        if target.read_text("utf-8") != text:
            print("asynclint/knowledge/index.py is not current", file=sys.stderr)
            return 1
        return 0
    new = target.with_suffix(".new")
    new.write_text(text, "utf-8")
    new.replace(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
