"""Which files a run reads, what it calls them, and what it says of those that it cannot read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asynclint import check
from asynclint.config import Config
from asynclint.project import (
    Project,
    ProjectError,
    SourceFile,
    discover,
    discover_stdin,
    project_root,
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a project with a marker."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "pyproject.toml").write_text("", "utf-8")
    monkeypatch.chdir(directory)
    return directory


def write(root: Path, *names: str, text: str = "x = 1\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def found(*paths: str | Path, **settings: object) -> Project:
    return discover(paths or (".",), Config(Path.cwd(), **settings))  # type: ignore[arg-type]


def names(project: Project, reported: bool = True) -> list[str]:
    return [file.name for file in project.files if file.reported is reported]


def one(project: Project, name: str) -> SourceFile:
    return next(file for file in project.files if file.name == name)


# -- which files ------------------------------------------------------------------------------------


def test_python_files_below_a_directory_in_order(root: Path) -> None:
    write(root, "b.py", "a/z.py", "a/b/c.py", "a/stub.pyi", "a/notes.txt", "a/py")
    project = found()
    assert names(project) == ["a/b/c.py", "a/z.py", "b.py"]
    assert all(file.path.is_absolute() for file in project.files)
    assert project.root == root


def test_a_file_is_reported_and_its_project_is_read(root: Path) -> None:
    write(root, "app/main.py", "app/store.py", "tools/x.py")
    project = found("app/main.py")
    assert names(project) == ["app/main.py"]
    assert names(project, reported=False) == ["app/store.py", "tools/x.py"]
    project = found("app")
    assert names(project) == ["app/main.py", "app/store.py"]
    assert names(project, reported=False) == ["tools/x.py"]
    assert project.whole


def test_each_file_once(root: Path) -> None:
    write(root, "app/main.py")
    assert len(found("app", "app/main.py", ".", root / "app").files) == 1


def test_names_outside_the_working_directory_are_absolute(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "other/x.py")
    assert names(found("../other")) == [str(tmp_path / "other" / "x.py")]


def test_missing_paths_are_refused_as_they_were_written(root: Path) -> None:
    with pytest.raises(ProjectError, match=r"^\./gone\.py: no such file or directory$"):
        found(".", "./gone.py")
    with pytest.raises(ProjectError, match="no such file"):
        found("a\0b.py")


def test_directories_of_tools_are_left_out(root: Path) -> None:
    skipped = [
        "venv",
        ".venv",
        "build",
        "node_modules",
        "__pypackages__",
        ".tox",
        "a/site-packages",
        ".asynclint_cache",
    ]
    write(root, "app.py", "builder/y.py", *(f"{name}/x.py" for name in skipped))
    assert names(found()) == ["app.py", "builder/y.py"]
    assert names(found(exclude=())) != ["app.py", "builder/y.py"]


def test_a_package_called_build_is_code(root: Path) -> None:
    write(root, "app.py", "features/build/__init__.py", "features/build/api/x.py", "build/lib/y.py")
    package = ["features/build/__init__.py", "features/build/api/x.py"]
    assert names(found()) == ["app.py", *package]
    assert names(found(extend_exclude=("build",))) == ["app.py"]
    assert names(found(force_exclude=True)) == ["app.py", *package]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("gen",), ["a.py", "src/a.py"]),
        (("./src/gen",), ["a.py", "gen/x.py", "src/a.py"]),
        (("src/gen/",), ["a.py", "gen/x.py", "src/a.py"]),
        (("/gen",), ["a.py", "src/a.py", "src/gen/x.py"]),
        (("gen/*",), ["a.py", "src/a.py", "src/gen/x.py"]),
        (("**/gen/*",), ["a.py", "src/a.py"]),
        (("a.py",), ["gen/x.py", "src/gen/x.py"]),
        (("*.py", "!a.py"), ["a.py", "src/a.py"]),
    ],
)
def test_exclude_reads_as_in_git(
    patterns: tuple[str, ...], expected: list[str], root: Path
) -> None:
    write(root, "a.py", "gen/x.py", "src/a.py", "src/gen/x.py")
    assert names(found(exclude=patterns)) == expected
    assert names(found(extend_exclude=patterns)) == expected


@pytest.mark.parametrize("name", ["build/x.py", "src/gen/deep/x.py", "skip.py", "made/x.py"])
def test_named_files_are_excluded_only_by_force(name: str, root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("made/\n", "utf-8")
    write(root, "app.py", name)
    settings = {"extend_exclude": ("src/gen", "skip.py")}
    assert name in names(found("app.py", name, **settings))
    project = found("app.py", name, force_exclude=True, **settings)
    assert [file.name for file in project.files] == ["app.py"]
    assert found(str(Path(name).parent), **settings).files


def test_named_directories_are_excluded_by_force(root: Path) -> None:
    write(root, "app.py", "build/x.py")
    assert names(found("build")) == ["build/x.py"]
    assert names(found("build", force_exclude=True)) == []


# -- git ----------------------------------------------------------------------------------------------


def test_gitignore_nested_and_negated(root: Path) -> None:
    (root / ".git" / "info").mkdir(parents=True)
    (root / ".git" / "info" / "exclude").write_text("private.py\n", "utf-8")
    (root / ".gitignore").write_text("made/\n*_pb2.py\n# nothing\n\n", "utf-8")
    write(root, "a.py", "a_pb2.py", "private.py", "made/x.py", "app/b_pb2.py", "app/keep_pb2.py")
    write(root, "app/local.py", "app/deep/local.py", "local.py")
    (root / "app" / ".gitignore").write_text("/local.py\n!keep_pb2.py\n", "utf-8")
    kept = ["a.py", "app/deep/local.py", "app/keep_pb2.py", "local.py"]
    assert names(found()) == kept
    assert len(names(found(respect_gitignore=False))) == 9


def test_gitignore_of_the_repository_above_holds(root: Path, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("/project/made.py\nelse.py\n", "utf-8")
    write(root, "made.py", "else.py", "app.py")
    assert names(found()) == ["app.py"]


@pytest.mark.parametrize("line", ["made/", "/made", "*", "made/**", "mad*/inner/"])
def test_an_ignored_directory_that_is_named_is_read(
    root: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """As git does when it is told to add it: what ignores the directory says nothing about what is in it."""
    (root / ".git").mkdir()
    (root / ".gitignore").write_text(f"{line}\n", "utf-8")
    inner = root / "made" / "inner"
    (inner / "deep").mkdir(parents=True)
    for name in ("one.py", "deep/two.py", "deep/three_pb2.py", "four.py"):
        (inner / name).write_text("x = 1\n", "utf-8")
    (inner / ".gitignore").write_text("*_pb2.py\n/four.py\n", "utf-8")
    read = {"one.py", "two.py"}
    assert {f.path.name for f in discover([inner], Config(root)).files if f.reported} == read
    assert not read & {f.path.name for f in discover([root], Config(root)).files}
    (inner / "pyproject.toml").write_text("[project]\nname = 'inner'\n", "utf-8")
    monkeypatch.chdir(inner)
    assert {f.path.name for f in discover(["."], Config(inner)).files} == read
    assert {f.path.name for f in discover(["one.py"], Config(inner)).files} == read


def test_gitignore_without_a_repository_says_nothing(root: Path) -> None:
    (root / ".gitignore").write_text("app.py\n", "utf-8")
    write(root, "app.py")
    assert names(found()) == ["app.py"]


# -- links and what cannot be read ----------------------------------------------------------------------


def test_links_do_not_loop_and_bring_nothing_twice(root: Path, tmp_path: Path) -> None:
    write(root, "app/x.py")
    write(tmp_path, "shared/y.py")
    (root / "app" / "again").symlink_to(root)
    (root / "twin").symlink_to(root / "app")
    (root / "self").symlink_to(root / "self")
    (root / "shared").symlink_to(tmp_path / "shared")
    (tmp_path / "shared" / "back").symlink_to(root)
    (tmp_path / "shared" / "round").symlink_to(tmp_path / "shared")
    assert names(found()) == ["app/x.py", "shared/y.py"]


def problem(project: Project, name: str) -> str:
    file = one(project, name)
    assert file.text is None
    assert file.problem is not None
    assert file.problem.path == name
    assert file.problem.level == "error"
    assert "\n" not in file.problem.message
    return f"{file.problem.rule}: {file.problem.message}"


def test_what_cannot_be_read_is_a_finding(root: Path) -> None:
    (root / "folder.py").mkdir()
    write(root, "big.py", "folder.py/x.py", text="x = 1\n" * 100)
    (root / "gone.py").symlink_to("nowhere.py")
    os.mkfifo(root / "pipe.py")
    project = found(max_file_size=100)
    assert (
        problem(project, "gone.py") == "unreadable-file: cannot be read: no such file or directory"
    )
    assert problem(project, "pipe.py") == "unreadable-file: is not a regular file"
    assert problem(project, "big.py").startswith("unreadable-file: has ")
    assert "`max-file-size`" in problem(project, "big.py")
    assert "folder.py/x.py" in names(project)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_permissions(root: Path) -> None:
    write(root, "app.py", "secret.py", "closed/x.py")
    (root / "secret.py").chmod(0)
    (root / "closed").chmod(0)
    project = found()
    (root / "closed").chmod(0o700)
    assert "permission denied" in problem(project, "secret.py")
    assert "cannot be listed: permission denied" in problem(project, "closed")
    assert one(project, "app.py").text == "x = 1\n"


def test_directories_that_cannot_be_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "app/x.py", "closed/y.py")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("asynclint.project.os.scandir", refusing)
    project = found(".", "closed")
    assert problem(project, "closed") == "unreadable-file: cannot be listed: permission denied"
    assert names(project) == ["app/x.py", "closed"]
    assert names(found("app")) == ["app/x.py"], "what was not asked for is not reported"


# -- text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("x = 'ä'\n".encode(), "x = 'ä'\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"\xef\xbb\xbf# coding: utf-8\nx = 1\n", "# coding: utf-8\nx = 1\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe4'\n", "# -*- coding: latin-1 -*-\nx = 'ä'\n"),
        (
            b"#!/bin/x\n# vim: fileencoding=cp1252\n'\x80'\n",
            "#!/bin/x\n# vim: fileencoding=cp1252\n'€'\n",
        ),
        (b"# coding: future_fstrings\nx = '\xc3\xa4'\n", "# coding: future_fstrings\nx = 'ä'\n"),
        (b"x = 'coding'\n", "x = 'coding'\n"),
        (b"a = 1\r\nb = 2\rc = 3\n", "a = 1\r\nb = 2\rc = 3\n"),
        (b"a = '\x0c\xe2\x80\xa8'\n", "a = '\x0c\u2028'\n"),
    ],
)
def test_text_is_decoded_as_python_does(data: bytes, text: str, root: Path) -> None:
    (root / "a.py").write_bytes(data)
    assert one(found(), "a.py").text == text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"x = 1\ny = '\xe4'\n", "line 2 is not valid UTF-8, and no encoding is declared"),
        (b"# coding: klingon\n", "klingon"),
        (b"# coding: rot13\nk = 1\n", "rot13"),
        (b"# coding: ascii\nx = '\xe4'\n", "not in its declared encoding"),
        (b"# coding: idna\nx = '\xe4'\n", "declared encoding"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "encoding"),
        (b"x = 1\n\0", "NUL"),
        ("x = 1\n".encode("utf-16"), "NUL"),
    ],
)
def test_text_that_cannot_be_decoded(data: bytes, says: str, root: Path) -> None:
    (root / "a.py").write_bytes(data)
    assert says in problem(found(), "a.py")


@pytest.mark.parametrize(
    ("text", "end"),
    [("", "\n"), ("x", "\n"), ("a\nb\r\n", "\n"), ("a\r\nb\n", "\r\n"), ("a\rb", "\r")],
)
def test_line_end(text: str, end: str) -> None:
    assert SourceFile(Path("/a.py"), "a.py", "a", False, text).line_end == end


# -- where the project is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "marker", ["pyproject.toml", "setup.py", "setup.cfg", ".git", "asynclint.toml"]
)
def test_root_is_the_nearest_marker(marker: str, tmp_path: Path) -> None:
    write(tmp_path, marker, "app/deep/x.py")
    config = Config(tmp_path)
    assert project_root([tmp_path / "app" / "deep" / "x.py"], config) == tmp_path
    assert project_root([tmp_path / "app" / "deep", tmp_path / "app"], config) == tmp_path


def test_root_is_where_the_configuration_is(tmp_path: Path) -> None:
    write(tmp_path, "asynclint.toml", "app/pyproject.toml", "app/x.py", "x.toml")
    config = Config(tmp_path, source=tmp_path / "asynclint.toml")
    assert project_root([tmp_path / "app" / "x.py"], config) == tmp_path
    config = Config(tmp_path, source=tmp_path / "elsewhere" / "x.toml")
    assert project_root([tmp_path / "app" / "x.py"], config) == tmp_path / "app"


def test_root_without_a_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, "shop/__init__.py", "shop/cart/__init__.py", "shop/cart/x.py", "loose/y.py")
    config = Config(tmp_path)
    assert project_root([tmp_path / "shop" / "cart" / "x.py"], config) == tmp_path / "shop"
    assert project_root([tmp_path / "loose" / "y.py"], config) == tmp_path / "loose"
    assert project_root([tmp_path / "loose"], config) == tmp_path / "loose"


def test_root_without_a_marker_is_the_working_directory_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "work/acme/x.py", "work/service/y.py", "else/z.py")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    assert (
        project_root([tmp_path / "work" / "acme" / "x.py"], Config(tmp_path)) == tmp_path / "work"
    )
    assert project_root([tmp_path / "else" / "z.py"], Config(tmp_path)) == tmp_path / "else"


def test_root_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asynclint.project.os.path.expanduser", lambda path: path)
    write(tmp_path, "setup.py", "x.py")
    assert project_root([tmp_path / "x.py"], Config(tmp_path)) == tmp_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a repository, a configuration and a project without any."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".git").mkdir()
    write(tmp_path, "asynclint.toml", "a.py", "b.py", "photos/x.py", "work/app.py", "work/lib/y.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("configured", [False, True])
def test_home_is_not_read_for_a_directory_in_it(configured: bool, home: Path) -> None:
    config = Config(home, source=home / "asynclint.toml" if configured else None)
    project = discover(["work/app.py"], config)
    assert project.root == home / "work"
    assert [file.name for file in project.files] == ["work/app.py", "work/lib/y.py"]


def test_home_is_not_read_for_a_file_in_it(home: Path) -> None:
    project = found("a.py")
    assert names(project) == ["a.py"]
    assert names(project, reported=False) == ["b.py"], "its neighbours, nothing below"
    assert not project.whole
    assert names(found(".")) == ["a.py", "b.py", "photos/x.py", "work/app.py", "work/lib/y.py"]


def test_too_much_around_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asynclint.project.MAX_FILES_AROUND", 3)
    write(root, *(f"{n}.py" for n in range(5)), "app/x.py")
    project = found("app/x.py")
    assert [file.name for file in project.files] == ["app/x.py"]
    assert not project.whole
    assert len(found().files) == 6


# -- stdin ------------------------------------------------------------------------------------------------


def test_stdin_stands_in_for_its_file(root: Path) -> None:
    write(root, "app.py", "store.py")
    project = discover_stdin("\ufeffy = 2\n", "app.py", Config(root))
    assert one(project, "app.py").text == "y = 2\n"
    assert names(project) == ["app.py"]
    assert names(project, reported=False) == ["store.py"]


def test_stdin_of_a_file_that_is_not_there(root: Path) -> None:
    write(root, "store.py")
    project = discover_stdin("y = 2\n", "new/app.py", Config(root))
    assert names(project) == ["new/app.py"]
    assert one(project, "new/app.py").module == "new.app"
    assert one(project, "new/app.py").text == "y = 2\n"


def test_stdin_is_excluded_by_force(root: Path) -> None:
    config = Config(root, force_exclude=True, exclude=("made",))
    assert discover_stdin("y = 2\n", "made/app.py", config).files == []
    assert names(discover_stdin("y = 2\n", "app.py", config)) == ["app.py"]


# -- modules ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module", "alias"),
    [
        ("app/__init__.py", "app", None),
        ("app/routes.py", "app.routes", None),
        ("app/services/__init__.py", "app.services", None),
        ("app/services/llm.py", "app.services.llm", None),
        ("src/shop/__init__.py", "shop", "src.shop"),
        ("src/shop/cart.py", "shop.cart", "src.shop.cart"),
        ("src/loose.py", "loose", "src.loose"),
        ("src/acme/billing/invoices.py", "acme.billing.invoices", None),
        ("namespace/part/x.py", "namespace.part.x", "x"),
        ("app/loose/deep/x.py", "app.loose.deep.x", "x"),
        ("backend/api/__init__.py", "api", "backend.api"),
        ("backend/api/users.py", "api.users", "backend.api.users"),
        ("script.py", "script", None),
        ("scripts/fetch.py", "scripts.fetch", "fetch"),
        ("my-scripts/fetch.py", "fetch", None),
        ("no_suffix", "no_suffix", None),
    ],
)
def test_module_names(name: str, module: str, alias: str | None, root: Path) -> None:
    write(root, name)
    for package in ("app", "app/services", "src/shop", "backend/api"):
        write(root, f"{package}/__init__.py")
    file = one(found(name), name)
    assert file.module == module
    assert file.is_package is name.endswith("__init__.py")
    assert file.module not in file.aliases
    assert all(part.isidentifier() for a in file.aliases for part in a.split("."))
    if alias:
        assert alias in file.aliases


@pytest.mark.parametrize("mark", ["pyproject.toml", "setup.py", "requirements.txt"])
def test_projects_below_the_root_are_source_roots(mark: str, root: Path) -> None:
    write(
        root, f"libs/{mark}", "libs/space/part/x.py", "tools/src/space/other/y.py", f"tools/{mark}"
    )
    write(root, "libs/space/part/__init__.py")
    project = found()
    assert "space.part.x" in one(project, "libs/space/part/x.py").aliases
    assert one(project, "tools/src/space/other/y.py").module == "space.other.y"


def test_package_in_folder_without_init_in_package(root: Path) -> None:
    write(root, "service/app/__init__.py", "service/app/loose/inner/__init__.py")
    write(root, "service/app/loose/inner/x.py")
    file = one(found(), "service/app/loose/inner/x.py")
    assert file.module == "app.loose.inner.x"
    assert "inner.x" in file.aliases


def test_configured_source_roots(root: Path) -> None:
    write(root, "lib/python/acme/x.py", "lib/y.py")
    project = found(src=("lib/python", "lib"))
    assert [file.module for file in project.files] == ["acme.x", "y"]


@pytest.mark.parametrize(
    ("name", "is_test"),
    [
        ("conftest.py", True),
        ("app/conftest.py", True),
        ("test_app.py", True),
        ("app_test.py", True),
        ("tests/helpers.py", True),
        ("app/test/x.py", True),
        ("app/contest.py", False),
        ("testing.py", False),
        ("latest/x.py", False),
    ],
)
def test_tests_are_known_by_their_names(name: str, is_test: bool, root: Path) -> None:
    write(root, name)
    assert one(found(), name).is_test is is_test


def test_a_directory_of_tests_above_the_project_makes_no_test(tmp_path: Path) -> None:
    write(tmp_path, "tests/project/pyproject.toml", "tests/project/app.py")
    [file] = discover([tmp_path / "tests" / "project"], Config(tmp_path)).files
    assert not file.is_test


SOCKETS = {
    "app/__init__.py": "",
    "app/socket.py": "async def getaddrinfo(host, port):\n    return []\n",
    "app/net.py": "import socket as _std\n\n\nasync def look(host):\n    return _std.getaddrinfo(host, 80)\n",
}
CACHES = {
    "app/__init__.py": "",
    "app/config.py": "URL = ''\n",
    "app/redis.py": "class Redis:\n    def get(self, key):\n        return None\n",
    "app/cache.py": "import redis\n\nclient = redis.Redis()\n\n\nasync def look(key):\n    return client.get(key)\n",
}


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        (SOCKETS, ["blocking-wait"]),
        ({k: v for k, v in SOCKETS.items() if not k.endswith("__.py")}, []),
        (CACHES, []),
        (
            CACHES | {"app/cache.py": f"from .config import URL\n{CACHES['app/cache.py']}"},
            ["blocking-database-call"],
        ),
    ],
)
def test_a_module_of_a_package_hides_no_library(
    files: dict[str, str], rules: list[str], root: Path
) -> None:
    """Nor the standard library: who imports relatively is no script, and finds nothing beside it by its plain name."""
    for name, text in files.items():
        write(root, name, text=text)
    assert [one.rule for one in check.check(found("."), Config(root)).kept] == rules


def test_a_package_hides_the_module_beside_it(root: Path) -> None:
    write(root, "app/__init__.py")
    write(root, "app/store.py", text="async def read():\n    return 1\n")
    write(root, "app/store/__init__.py", text="def read():\n    return 1\n")
    write(
        root,
        "app/main.py",
        text="from app.store import read\n\n\nasync def look():\n    return read()[0]\n",
    )
    assert [one.rule for one in check.check(found("."), Config(root)).kept] == []
    (root / "app/store/__init__.py").unlink()
    assert [one.rule for one in check.check(found("."), Config(root)).kept] == [
        "unawaited-coroutine"
    ]
