"""Which files say a word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclint.fixes import texts
from asynclint.fixes.texts import Texts
from asynclint.project import SourceFile


def files(*written: str) -> list[SourceFile]:
    return [
        SourceFile(Path(f"/p/{number}.py"), f"{number}.py", f"m{number}", False, text)
        for number, text in enumerate(written)
    ]


def names(found: list[SourceFile]) -> list[str]:
    return [one.name for one in found]


def test_a_word_is_whole() -> None:
    known = Texts(files("job = 1", "jobs = 1", "my_job = 1", "x.job()", '"job"', "# the job"))
    assert names(known.saying("job")) == ["0.py", "3.py", "4.py", "5.py"]


def test_all_words_are_said() -> None:
    known = Texts(files("a b", "b", "b a", ""))
    assert names(known.saying("a", "b")) == ["0.py", "2.py"]


def test_more_than_one_word_is_several() -> None:
    known = Texts(files("my-script", "my script", "script"))
    assert names(known.saying("my-script")) == ["0.py", "1.py"]
    assert names(known.saying("")) == ["0.py", "1.py", "2.py"]


def test_each_word_is_searched_once_and_many_not_at_all() -> None:
    known = Texts(files("a1 a2", "a3"))
    for _ in range(3):
        known.saying("a1", "a3")
    assert known.searched == 2
    for number in range(100):
        known.saying(f"a{number}")
    assert known.searched == texts.FEW


@given(
    st.lists(st.text(alphabet="ab_1. é\n", max_size=12), max_size=6),
    st.text(alphabet="ab_1é", min_size=1, max_size=3),
)
def test_the_index_says_the_same_as_the_texts(written: list[str], word: str) -> None:
    one, other = Texts(files(*written)), Texts(files(*written))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "FEW", 0)
        indexed = names(other.saying(word))
    assert other.searched == 0
    assert names(one.saying(word)) == indexed
    whole = re.compile(rf"\b{word}\b")
    assert indexed == [f"{n}.py" for n, text in enumerate(written) if whole.search(text)]
