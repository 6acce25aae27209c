"""The edits that a plan over files collects."""

from __future__ import annotations

from dataclasses import dataclass, field

from asynclint.findings import Edit, Refused


@dataclass
class Edits:
    """Edits over several files that are made all together or not at all."""

    edits: list[Edit] = field(default_factory=list)

    def add(self, *edits: Edit) -> None:
        """More edits; the same one twice counts once."""
        for edit in edits:
            if edit not in self.edits:
                self.edits.append(edit)

    def checked(self) -> tuple[Edit, ...]:
        """All edits. Raises Refused where two of them overlap; white space of lines that go need not go by itself."""
        larger = [e for e in self.edits if e.start >= 0 and e.end > e.start]
        self.edits = [
            e
            for e in self.edits
            if e.text
            or not any(
                o is not e and o.path == e.path and o.start <= e.start and e.end <= o.end
                for o in larger
            )
        ]
        last: Edit | None = None
        for edit in sorted(e for e in self.edits if e.start >= 0):
            if last is not None and last.path == edit.path and edit.start < last.end:
                raise Refused("the rewrite would change the same text twice")
            last = edit
        return tuple(self.edits)
