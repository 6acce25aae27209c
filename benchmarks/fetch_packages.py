"""Download the packages pinned in packages.toml and unpack each to `<cache>/packages/<name>/`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PINS = Path(__file__).with_name("packages.toml")


class Package(NamedTuple):
    """One pinned package; `python` is the version its wheel is chosen for."""

    name: str
    version: str
    python: str


def cache_directory(given: str | None = None) -> Path:
    """Where fetched things live: `--cache`, else `$ASYNCLINT_BENCH`, else the user's cache."""
    if chosen := given or os.environ.get("ASYNCLINT_BENCH"):
        return Path(chosen).expanduser().resolve()
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "asynclint-bench"


def pinned() -> list[Package]:
    """The packages of packages.toml, in its order."""
    table = tomllib.loads(PINS.read_text(encoding="utf-8"))
    return [Package(name, pin["version"], pin["python"]) for name, pin in table.items()]


def unpacked(package: Package, cache: Path) -> Path:
    """The directory that holds this very version, downloaded first if need be."""
    target = cache / "packages" / package.name
    stamp = target / ".version"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == package.version:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        archive = download(package, Path(scratch))
        content = Path(scratch, "content")
        unpack(archive, content)
        content.joinpath(".version").write_text(package.version, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        content.rename(target)
    return target


def download(package: Package, directory: Path) -> Path:
    """The package's wheel, or its source distribution where no wheel fits.

    Raises RuntimeError with what pip said when neither is to be had.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pin = ["--no-deps", "--dest", str(directory), f"{package.name}=={package.version}"]
    wheel = ["--only-binary", ":all:", "--python-version", package.python]
    source = ["--no-binary", ":all:", "--no-build-isolation", "--ignore-requires-python"]
    said = ""
    for choice in (wheel, source):
        run = subprocess.run([*pip, *choice, *pin], check=False, capture_output=True, text=True)
        if files := sorted(p for p in directory.iterdir() if p.suffix in {".whl", ".gz", ".zip"}):
            return files[0]
        said = run.stderr.strip()
    raise RuntimeError(f"{package.name} {package.version} cannot be downloaded: {said}")


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a wheel or a source distribution into a new directory."""
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(directory)
        return
    with tarfile.open(archive) as bundle:
        bundle.extractall(
            directory, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
        )


def python_files(root: Path) -> Iterator[Path]:
    """The package's modules, sorted, so that every tool reads them in the same order."""
    return iter(sorted(p for p in root.rglob("*.py") if p.is_file()))


def size(root: Path) -> tuple[int, int, int]:
    """Files, lines and bytes of Python under a directory."""
    texts = [path.read_bytes() for path in python_files(root)]
    return len(texts), sum(text.count(b"\n") for text in texts), sum(map(len, texts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these packages (default: all)")
    parser.add_argument("--cache", help="directory for downloads (default: $ASYNCLINT_BENCH)")
    options = parser.parse_args()
    cache = cache_directory(options.cache)
    packages = pinned()
    if unknown := set(options.names) - {package.name for package in packages}:
        parser.error(f"not in packages.toml: {', '.join(sorted(unknown))}")
    print("| package | version | files | lines | MB |\n|---|---|---:|---:|---:|")
    for package in packages:
        if options.names and package.name not in options.names:
            continue
        files, lines, octets = size(unpacked(package, cache))
        print(
            f"| {package.name} | {package.version} | {files:,} | {lines:,} | {octets / 1e6:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
