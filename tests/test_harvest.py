"""Harvesting: what is shipped is what the installed packages give, and a changed package shows."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import pytest

from asynclint.knowledge.compiled import FOLDER, parse

SCRIPT = Path(__file__).parent.parent / "scripts" / "harvest.py"


@pytest.fixture(scope="module")
def harvest() -> ModuleType:
    spec = importlib.util.spec_from_file_location("harvest", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["harvest"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", sorted(p.stem.removesuffix("_sdk") for p in FOLDER.glob("*_sdk.toml"))
)
def test_harvesting_again_gives_no_difference(harvest: ModuleType, name: str) -> None:
    shipped = (FOLDER / f"{name}_sdk.toml").read_text("utf-8")
    name = parse(shipped)["sdk"]["name"]
    [(distribution, pinned)] = parse(shipped)["verified"].items()
    try:
        installed = version(distribution)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    if installed != pinned:
        pytest.skip(f"{name} {installed} is installed, {pinned} was harvested")
    assert harvest.harvest(name) == shipped


FILES = {
    "__init__.py": """
from ._client import Shop as Shop, AsyncShop as AsyncShop
__version__ = "1"
""",
    "_base_client.py": """
class SyncAPIClient:
    def close(self) -> None: ...
    def __enter__(self): ...

class AsyncAPIClient:
    async def close(self) -> None: ...
    async def __aenter__(self): ...

class AsyncPaginator: ...
""",
    "_streaming.py": """
from typing import Generic, Iterator, TypeVar
T = TypeVar("T")

class Stream(Generic[T]):
    def __iter__(self) -> Iterator[T]: ...

class AsyncStream(Generic[T]):
    async def __aiter__(self): ...
""",
    "_response.py": """
class APIResponse:
    def read(self) -> bytes: ...

class AsyncAPIResponse:
    async def read(self) -> bytes: ...
""",
    "pagination.py": """
class SyncPage:
    def __iter__(self): ...

class AsyncPage:
    def __aiter__(self): ...
""",
    "resources.py": """
from ._base_client import AsyncPaginator
from ._streaming import AsyncStream, Stream
from .pagination import AsyncPage, SyncPage

class Manager:
    def __enter__(self) -> Stream[str]: ...

class AsyncManager:
    async def __aenter__(self) -> AsyncStream[str]: ...

class Orders:
    def create(self, *, stream: bool = False) -> dict | Stream[str]: ...
    def list(self) -> SyncPage[str]: ...
    def retrieve(self) -> dict: ...
    def watch(self) -> Manager: ...
    def verify(self) -> bool: ...

class AsyncOrders:
    async def create(self, *, stream: bool = False) -> dict | AsyncStream[str]: ...
    def list(self) -> AsyncPaginator[str, AsyncPage[str]]: ...
    async def retrieve(self) -> dict: ...
    def watch(self) -> AsyncManager: ...
    def verify(self) -> bool: ...
    async def only_here(self) -> dict: ...
""",
    "_client.py": """
from functools import cached_property
from typing_extensions import Self
from ._base_client import AsyncAPIClient, SyncAPIClient
from .resources import AsyncOrders, Orders

class Shop(SyncAPIClient):
    @cached_property
    def orders(self) -> Orders: ...
    def copy(self) -> Self: ...
    with_options = copy

class AsyncShop(AsyncAPIClient):
    @cached_property
    def orders(self) -> AsyncOrders: ...
    def copy(self) -> Self: ...
    with_options = copy
""",
}


def test_a_small_package(
    harvest: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "shopkit"
    package.mkdir()
    for name, text in FILES.items():
        (package / name).write_text(text)
    info = tmp_path / "shopkit-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shopkit\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(harvest.RESPONSES, "shopkit", ("", "_response.APIResponse"))

    classes = parse(harvest.harvest("shopkit"))["sdk"]["classes"]

    assert classes["resources.Orders"].split() == [
        "create?",
        "list>pagination.SyncPage",
        "+only_here~",
        "retrieve",
        "verify=",
        "watch=resources.Manager",
    ]
    assert classes["resources.Manager"] == "!enter=_streaming.Stream"
    assert classes["Shop"].split() == [
        "!client",
        "!bases=_base_client.SyncAPIClient",
        "copy=Self",
        ".orders:resources.Orders",
        "with_options=Self",
    ]
    assert "shopkit" not in sys.modules, "harvesting reads the source and imports nothing"

    (package / "resources.py").write_text(FILES["resources.py"].replace("retrieve", "fetch"))
    assert "fetch" in parse(harvest.harvest("shopkit"))["sdk"]["classes"]["resources.Orders"]
