"""What makes a directory a rule pack, and what is said of a file that is no rule."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import libcst as cst
import pytest

from asynclint import packs
from asynclint.packs import PackError
from asynclint.rule import Rule
from asynclint.slices import _batch

ROOT = Path(__file__).resolve().parent.parent

GOOD = '''
"""A module."""

from asynclint import Rule


class SlowThing(Rule):
    """Slow things are slow.

    More about them.
    """

    name = "slow-thing"
    group = "blocking"
    level = "warning"
    since = "0.1"
'''


def write(directory: Path, stem: str = "slow_thing", text: str = GOOD, page: bool = True) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / f"{stem}.py"
    path.write_text(textwrap.dedent(text), "utf-8")
    if page:
        path.with_suffix(".md").write_text(f"# {stem}\n", "utf-8")
    return path


def test_built_in_pack_lies_in_the_package_or_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert packs.builtin() == ROOT / "rules"
    package = tmp_path / "asynclint"
    package.mkdir()
    monkeypatch.setattr(packs, "__file__", str(package / "packs.py"))
    assert packs.builtin() == tmp_path / "rules"
    (package / "rules").mkdir()
    assert packs.builtin() == package / "rules"


def test_built_in_rules_load_in_a_stable_order() -> None:
    rules = packs.load([packs.builtin()])
    names = [rule.name for rule in rules]
    assert names == sorted(names)
    assert names == [path.stem.replace("_", "-") for path in sorted((ROOT / "rules").glob("*.py"))]
    for rule in rules:
        meta = packs.known([packs.builtin()])[rule.name]
        assert (rule.group, rule.level, rule.default, rule.since) == (
            meta.group,
            meta.level,
            meta.default,
            meta.since,
        )
        assert meta.page.is_file()


def test_what_built_in_rules_yield_to_can_be_read_without_importing_them() -> None:
    read = {m.name: m.yields_to for m in packs.known([packs.builtin()]).values()}
    assert read == {rule.name: rule.yields_to for rule in packs.load([packs.builtin()])}


def test_built_in_rules_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = packs.known([packs.builtin()])
    monkeypatch.setattr(packs, "_meta", None)
    assert packs.known([packs.builtin()]) == known


def test_an_edited_rule_is_read_again(tmp_path: Path) -> None:
    write(tmp_path)
    assert packs.known([tmp_path])["slow-thing"].level == "warning"
    write(tmp_path, text=GOOD.replace('"warning"', '"error"'))
    assert packs.known([tmp_path])["slow-thing"].level == "error"


@pytest.mark.parametrize("rule", packs.load([packs.builtin()]), ids=lambda rule: rule.name)
def test_a_rule_visits_what_it_has_methods_for(rule: type[Rule]) -> None:
    """Also those that it inherits, and none of the empty ones that libcst has for every kind of node."""
    methods = [n for n in dir(rule) if n.startswith(("visit_", "leave_"))]
    own = [n for n in methods if getattr(rule, n) is not getattr(cst.CSTVisitor, n, None)]
    assert own
    assert _batch([rule()]).kinds == {n[6:] for n in own if "_" not in n[6:]}


def test_own_pack_stands_beside_the_built_in_one(tmp_path: Path) -> None:
    write(tmp_path / "lint")
    write(tmp_path / "lint", "_shared", "x = 1\n")
    (tmp_path / "lint" / "README.md").write_text("", "utf-8")
    both = [packs.builtin(), tmp_path / "lint"]
    assert packs.known(both)["slow-thing"] == packs.Meta(
        name="slow-thing",
        group="blocking",
        level="warning",
        default=True,
        since="0.1",
        summary="Slow things are slow.",
        page=tmp_path / "lint" / "slow_thing.md",
    )
    rules = packs.load(both)
    assert rules[-1].name == "slow-thing"
    assert issubclass(rules[-1], Rule)
    assert len(rules) == len(packs.load([packs.builtin()])) + 1


def test_loading_twice_gives_the_same_classes(tmp_path: Path) -> None:
    write(tmp_path)
    assert packs.load([tmp_path]) == packs.load([tmp_path])


def test_rules_do_not_enter_the_import_system_by_their_own_names(tmp_path: Path) -> None:
    write(tmp_path, "json", GOOD.replace("slow-thing", "json"))
    before = sys.path[:], sys.modules.get("json")
    packs.load([tmp_path])
    assert (sys.path, sys.modules.get("json")) == before


def test_two_packs_may_have_files_of_one_name_but_not_rules(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    assert refused([tmp_path / "a", tmp_path / "b"]) == (
        f"{tmp_path}/b/slow_thing.py: a second rule named `slow-thing`; rename one of them"
    )
    assert packs.load([tmp_path / "a"]) != packs.load([tmp_path / "b"])


def test_metadata_is_read_without_running_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("from asynclint import Rule", "import no_such_module")
    write(tmp_path, text=text.replace("    since", "    default: bool = False\n    since"))
    assert not packs.known([tmp_path])["slow-thing"].default
    assert "ModuleNotFoundError" in refused([tmp_path])


def refused(directories: list[Path]) -> str:
    with pytest.raises(PackError) as caught:
        packs.load(directories)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (GOOD, "x = 1\n", "has 0 rule classes with a `name`; a rule file has one"),
        (GOOD, GOOD + GOOD, "has 2 rule classes"),
        (GOOD, "def f(:\n", "cannot be read as a rule: invalid syntax"),
        (GOOD, "x = '\0'\n", "cannot be read as a rule: "),
        ('"slow-thing"', '"slow-think"', "`name` is 'slow-think'; name the rule 'slow-thing'"),
        ('"slow-thing"', '"slow_thing"', "name the rule 'slow-thing' after its file"),
        ('    group = "blocking"\n', "", "`SlowThing` has no `group`; set it to a string"),
        ('    since = "0.1"', "    since = 0.1", "`SlowThing` has no `since`"),
        ('"warning"', '"fatal"', "`level` is 'fatal'; choose one of note, warning, error"),
        ('    """Slow things are slow.\n\n    More about them.\n    """\n', "", "has no docstring"),
        ("(Rule)", "", "has 0 subclasses of Rule; a rule file has one"),
        ('"""A module."""', "raise ValueError('a\\nb')", "cannot be imported: ValueError: a"),
        ('"""A module."""', "raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
    ],
)
def test_what_is_no_rule(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = write(tmp_path, text=GOOD.replace(old, new))
    message = refused([tmp_path])
    assert message.startswith(f"{path}: ")
    assert says in message
    assert not [name for name in sys.modules if name.endswith(".slow_thing") and old in name]


def test_rule_without_a_page(tmp_path: Path) -> None:
    path = write(tmp_path, page=False)
    assert refused([tmp_path]) == f"{path}: has no page beside it; write slow_thing.md"


def test_repaired_file_is_loaded(tmp_path: Path) -> None:
    write(tmp_path, text=GOOD.replace('"""A module."""', "1 / 0"))
    assert "ZeroDivisionError" in refused([tmp_path])
    write(tmp_path)
    assert [rule.name for rule in packs.load([tmp_path])] == ["slow-thing"]


@pytest.mark.parametrize("name", ["nowhere", "file.py"])
def test_pack_that_is_no_directory(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("", "utf-8")
    assert refused([tmp_path / name]) == (
        f"{tmp_path / name}: no such directory; `rules` names directories of rules"
    )


def test_file_that_is_no_text(tmp_path: Path) -> None:
    (write(tmp_path)).write_bytes(b"\xff\xfe\n")
    assert "cannot be read as a rule" in refused([tmp_path])
