"""Which files of a project say a word: fixers ask that again and again, of every file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from asynclint.project import SourceFile

WORD = re.compile(r"\w+")

SPACES = {number: " " for number in range(128) if WORD.match(chr(number)) is None}
"""What ends a word of ASCII, put as a space."""

FEW = 64
"""Words for which every text is searched; for more of them, an index of all words takes less time."""


class Texts:
    """The files of a project, by the words in their texts: in code, strings and comments alike."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self.files = files
        self.searched = 0
        """Words for which every text was searched, counted for tests."""
        self._index: dict[str, list[int]] | None = None
        self._known: dict[str, frozenset[int]] = {}

    def saying(self, *words: str) -> list[SourceFile]:
        """The files that have each of some words, whole, in the order of the project.

        Of what is more than one word, `my-script`, each is asked for.
        """
        numbers = range(len(self.files))
        found = set(numbers).intersection(*map(self._of, WORD.findall(" ".join(words))))
        return [self.files[number] for number in sorted(found)]

    def _of(self, word: str) -> frozenset[int]:
        known = self._known.get(word)
        if known is None:
            if self._index is None and self.searched < FEW:
                self.searched += 1
                known = self._search(word)
            else:
                if self._index is None:
                    self._index = self._indexed()
                known = frozenset(self._index.get(word, ()))
            self._known[word] = known
        return known

    def _search(self, word: str) -> frozenset[int]:
        whole = re.compile(rf"{word}\b")
        found = set()
        for number, file in enumerate(self.files):
            text = file.text or ""
            if word not in text:
                continue
            for match in whole.finditer(text):
                before = text[match.start() - 1 : match.start()] if match.start() else ""
                if WORD.fullmatch(before) is None:
                    found.add(number)
                    break
        return frozenset(found)

    def _indexed(self) -> dict[str, list[int]]:
        index: dict[str, list[int]] = {}
        for number, file in enumerate(self.files):
            for word in _words(file.text or ""):
                index.setdefault(word, []).append(number)
        return index


def _words(text: str) -> set[str]:
    if text.isascii():
        # As `WORD` would find them, in half of the time.
        return set(text.translate(SPACES).split())
    return set(WORD.findall(text))
