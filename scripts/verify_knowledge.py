"""Checks every name of the knowledge tables against the installed packages: `make knowledge`.

A table whose `verified` versions are not the installed ones is left out and said so; `--update` writes the installed
versions into the files that hold without an error. Names marked old (`!`, `old = true`) belong to other releases.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import logging
import os
import re
import sys
import tempfile
import types
import typing
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parent
sys.path[:0] = [str(SCRIPTS.parent), str(SCRIPTS)]

import construct

from asynclint.knowledge import Knowledge
from asynclint.knowledge.compiled import FOLDER, read
from asynclint.knowledge.index import FILES
from asynclint.knowledge.lazy import Lazy
from asynclint.knowledge.load import library
from asynclint.knowledge.model import Class, Client, Entry, Function, Library

AWAITABLE_RESULT: dict[str, str] = {
    "asyncio.gather": "a future",
    "aiodocker.images.DockerImages.*": "an iterator where `stream` is true",
    "aiomysql.*": "a context manager that may be awaited, or a future",
    "aio_pika.abc.AbstractConnection.channel": "a channel that may be awaited",
    "aio_pika.abc.AbstractChannel.close": "wrapped, gives a future",
    "aiosqlite.*": "a context manager that may be awaited",
    "asyncpg.*": "a context manager or iterator that may be awaited",
    "motor.*": "made from the synchronous class, gives a future",
    "asyncmy.*": "a context manager that may be awaited",
    "beanie.odm.queries.*": "a query that may be awaited",
    "tortoise.*": "a query that may be awaited",
    "redis.commands.*": "a command shared with the synchronous class, gives an awaitable",
    "redis.asyncio.*": "a command shared with the synchronous class, gives an awaitable",
    "aiofiles.open": "a context manager that may be awaited",
    "sqlalchemy.ext.asyncio.AsyncEngine.connect": "a context manager that may be awaited",
    "starlette.requests.Request.form": "a context manager that may be awaited",
    "google.genai.tunings.AsyncTunings.tune": "wrapped by a decorator",
    "discord.Client.wait_for": "a future",
    "oracledb.*": "a context manager that may be awaited",
    "pymodbus.client.Async*": "a request shared with the synchronous class, gives an awaitable",
    "upstash_redis.asyncio.*": "a command shared with the synchronous class, gives an awaitable",
    "zmq.asyncio.*": "a future",
    "stripe.*": "a method of the class and of its objects at once, gives a coroutine",
    "aiogram.types.*": "gives a request, which is sent when it is awaited",
    "grpc.aio.*": "gives a call that may be awaited",
    "weaviate.*": "made from the synchronous class, gives a coroutine",
    "tornado.*": "a future",
    "chainlit.sleep": "returns what `asyncio.sleep` does",
}
"""Where a call gives something to be awaited without being an `async def`, and why."""

DYNAMIC = (
    "boto3.",
    "django.db.models.Model.",
    "botocore.client.",
    "aioboto3.resources.base.",
    "telegram.",
    "google.genai.",
    "django.db.models.Manager.",
    "peewee.Model.delete",
    "hvac.api.",
)
"""Paths whose attributes are made at run time: that one is missing from the class says nothing."""

AWAITABLE = "Awaitable|Coroutine|Future|Task|AsyncPaginator|ContextManager"
"""Return annotations of what may be awaited."""

ABSENT = ("does not exist", "is not installed", "is no class")
"""What is no problem of a name that is marked as another release's."""

LIKE = {
    "aiocache.Cache": "makes a cache",
    "redis.RedisCluster": "redis.Redis",
    "redis.asyncio.RedisCluster": "redis.asyncio.Redis",
    "sqlalchemy.orm.scoped_session": "proxies a session",
    "sqlalchemy.ext.asyncio.async_scoped_session": "proxies a session",
}
"""Classes that behave like a base of theirs in the tables without deriving from it."""

Problem = tuple[str, str]


class Checker:
    """The checks of one library; `problems` are (path, what is wrong)."""

    def __init__(self, knowledge: Knowledge, lib: Library) -> None:
        self.knowledge = knowledge
        self.lib = lib
        self.problems: list[Problem] = []
        self.counts: Counter[str] = Counter()

    def run(self) -> None:
        for path, function in self.lib.functions.items():
            self._check(path, lambda p=path, f=function: self._function(p, f, find(p), None))  # type: ignore[misc]
        assert isinstance(self.lib.classes, Lazy)
        for path, cls in self.lib.classes.everything().items():
            self._check(path, lambda p=path, c=cls: self._class(p, c))  # type: ignore[misc]
        for module, attributes in self.lib.modules.items():
            for name in attributes:
                self._check(f"{module}.{name}", lambda p=f"{module}.{name}": find(p))  # type: ignore[misc]
        for alias, target in self.lib.aliases.items():
            self._check(alias, lambda a=alias, t=target: self._alias(a, t))  # type: ignore[misc]

        for path, history in self.lib.history.items():
            if history.gone is not None and self._here(history.gone):
                self._check(path, lambda p=path, g=history.gone: self._gone(p, g))  # type: ignore[misc]
            if history.since is not None and history.gone is None:
                self._check(path, lambda p=path: find(p))  # type: ignore[misc]

    def _here(self, release: str) -> bool:
        """Whether a later release than `pymongo 4.9` is what is installed."""
        name, _, number = release.partition(" ")
        try:
            return numbers(version(name)) >= numbers(number)
        except PackageNotFoundError:
            return False

    def _gone(self, path: str, release: str) -> None:
        try:
            found = find(path)
        except Missing:
            return
        if type(found).__module__.endswith("_old_api"):
            return  # Of openai: it only says that it is gone.
        self._say(path, f"is said to be gone since {release} and is here")

    def _is_old(self, path: str) -> bool:
        parts = path.split(".")
        return any(".".join(parts[: n + 1]) in self.lib.old for n in range(len(parts)))

    def _check(self, path: str, check: Callable[[], object]) -> None:
        try:
            check()
        except Missing as error:
            self._say(path, str(error))

    def _say(self, path: str, problem: str) -> None:
        if problem in ABSENT and self._is_old(path):
            return  # Another release has it.
        self.problems.append((path, problem))

    # -- functions --------------------------------------------------------------------------------

    def _function(self, path: str, known: Function, real: object, owner: type | None) -> None:
        self.counts["functions" if owner is None else "methods"] += 1
        if not callable(real) and not isinstance(real, (property, staticmethod, classmethod)):
            if not path.startswith(DYNAMIC):
                self._say(path, "is not callable")
            return
        function = unwrapped(real)
        is_coroutine = inspect.iscoroutinefunction(function)
        if known.coroutine and callable(function) and not isinstance(function, type):
            is_coroutine = is_coroutine or inspect.iscoroutinefunction(inspect.unwrap(function))
        excused = _excused(path)
        if known.coroutine and not is_coroutine and not excused:
            if not re.search(AWAITABLE, str(_annotation(function))):
                self._say(path, "is said to be a coroutine function and is none")
        elif not known.coroutine and is_coroutine:
            self._say(path, "is a coroutine function and is not said to be one")
        elif not known.coroutine and inspect.isasyncgenfunction(function):
            if not (known.returns or "").startswith("AsyncIterator"):
                self._say(path, "is an async generator and is not said to be one")
        elif not known.coroutine and not known.enters and not excused:
            text = str(_annotation(function))
            if re.match(r"(typing\.)?(Awaitable|Coroutine)\b", text):
                self._say(path, f"returns {text} and is not said to")
        if known.params and not isinstance(real, type):
            self._params(path, known, function, owner is not None)
        if known.client is not None:
            self._client(path, known.client, known.returns)

    def _params(self, path: str, known: Function, function: object, is_method: bool) -> None:
        try:
            signature = inspect.signature(function)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return
        parameters = list(signature.parameters.values())
        names = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        loose = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
        every = {p.name for p in parameters}
        for i, name in enumerate(known.params):
            if i < len(names) and names[i] == name:
                continue
            positional_only = (
                i < len(names) and parameters[0].kind == inspect.Parameter.POSITIONAL_ONLY
            )
            if name in every or loose or positional_only:
                continue
            self._say(path, f"has no parameter {name!r} (it has {', '.join(names)})")
            return
        for param in (known.offloads, known.spawns, known.calls_on_loop):
            if not isinstance(param, int) or param >= min(len(known.params), len(names)) or loose:
                continue
            if known.params[param] != names[param]:
                self._say(path, f"parameter {param} is {names[param]!r}")

    # -- classes ----------------------------------------------------------------------------------

    def _class(self, path: str, known: Class) -> None:
        self.counts["classes"] += 1
        if path.endswith((".Iterator", "WithRawResponse", "WithStreamingResponse")):
            self._derived(path, known)
            return
        real = find(path)
        if not isinstance(real, type):
            if not callable(real):
                self._say(path, "is no class")
            if known.methods:
                self.counts["unchecked"] += 1
            return
        for base in known.bases:
            above = find(base)
            if isinstance(above, type) and not _derives(real, above) and path not in LIKE:
                self._say(path, f"does not derive from {base}")
        if known.enter in ("sync", "both") and not hasattr(real, "__enter__"):
            self._say(path, "is no context manager")
        if known.enter in ("async", "both") and not hasattr(real, "__aenter__"):
            self._say(path, "is no async context manager")
        if known.iter in ("sync", "both") and not hasattr(real, "__iter__"):
            self._say(path, "cannot be iterated")
        if known.iter in ("async", "both") and not hasattr(real, "__aiter__"):
            self._say(path, "cannot be iterated with `async for`")
        if any("__call__" in vars(one) for one in real.__mro__):
            told = [known, *filter(None, map(self.knowledge.cls, (path, *known.bases)))]
            if not any(one.called or "__call__" in one.methods for one in told):
                if self.knowledge.method(path, "__call__") is None:
                    self._say(path, "has objects that can be called, and is not said to")
        for side, enters, iterates, words in (
            ("async", "__enter__", "__iter__", ("with", "for")),
            ("sync", "__aenter__", "__aiter__", ("async with", "async for")),
        ):
            if path.startswith(FAILING):
                continue
            if known.enter == side and works(real, enters):
                self._say(path, f"is a context manager for `{words[0]}`, too")
            if known.iter == side and works(real, iterates):
                self._say(path, f"can be iterated with `{words[1]}`, too")
        for name, method in known.methods.items():
            full = f"{path}.{name}"
            if name == "__getattr__":
                continue  # Tells of the methods that it gives.
            try:
                attribute = inspect.getattr_static(real, name)
            except AttributeError:
                if not full.startswith(DYNAMIC) and not _has(real, name):
                    self._say(full, "does not exist")
                continue
            self._function(full, method, attribute, real)
        for name in known.attributes:
            self.counts["attributes"] += 1
            full = f"{path}.{name}"
            if not _has_attribute(real, name) and not full.startswith(DYNAMIC):
                self._say(full, "does not exist")
        if known.construct is not None and known.construct.params:
            self._params(path, known.construct, inspect.getattr_static(real, "__init__"), True)
        if known.client is not None:
            self._client(path, known.client, path)
        for entry in known.entry_methods.values():
            assert isinstance(entry, Entry)

    def _derived(self, path: str, known: Class) -> None:
        """`with_raw_response`: the real class sets its methods in `__init__`, from those of the resource."""
        suffix = "WithRawResponse" if path.endswith("WithRawResponse") else "WithStreamingResponse"
        if path.endswith(".Iterator"):
            return
        owner = find(path.removesuffix(suffix))
        for name in known.methods:
            if not hasattr(owner, name):
                self._say(f"{path}.{name}", "does not exist")

    def _client(self, path: str, client: Client, returns: str | None) -> None:
        self.counts["clients"] += 1
        if not self._is_old(path):
            wrong = construct.judged(path, client.cost, client.is_async, find)
            if wrong is not None:
                self._say(path, wrong)
        if client.twin is not None:
            known = self.knowledge.cls(client.twin) or self.knowledge.function(client.twin)
            if known is None:
                self._say(path, f"its twin {client.twin} is not in the tables")
            elif client.twin.partition(".")[0] == path.partition(".")[0]:
                find(client.twin)
        if client.close is None or returns is None:
            return
        real = find(returns)
        if not isinstance(real, type):
            return
        try:
            close = inspect.getattr_static(real, client.close)
        except AttributeError:
            if not hasattr(real, client.close):
                self._say(path, f"has no {client.close}()")
            return
        is_coroutine = inspect.iscoroutinefunction(unwrapped(close))
        if is_coroutine != client.close_async and not _excused(f"{path}.{client.close}"):
            self._say(
                path, f"{client.close}() is {'' if is_coroutine else 'not '}a coroutine function"
            )

    def _alias(self, alias: str, target: str) -> None:
        self.counts["aliases"] += 1
        try:
            one = find(alias)
        except Missing:
            return  # Another release's path.
        if self._is_old(target) or any(
            target in lib.old for lib in self.knowledge.libraries(target)
        ):
            return
        other = find(target)
        one = typing.get_origin(one) or one
        if isinstance(one, types.ModuleType) or one is other:
            return
        if (
            isinstance(one, type)
            and isinstance(other, type)
            and (issubclass(one, other) or issubclass(other, one))
        ):
            return
        self._say(alias, f"is not {target}")


class Missing(Exception):
    """A name that the installed package does not have."""


def find(path: str) -> Any:
    """The object at a dotted path."""
    parts = path.split(".")
    found: Any = _imported(parts[0])
    if found is None:
        raise Missing("does not exist")
    for i, name in enumerate(parts[1:], 1):
        below = _MISSING
        if isinstance(found, type) and i == len(parts) - 1:
            below = inspect.getattr_static(found, name, _MISSING)
        if below is _MISSING:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    below = getattr(found, name, _MISSING)
                except Exception as error:  # noqa: BLE001 - a package may raise anything
                    raise Missing(f"cannot be imported: {error!r}") from None
        if below is _MISSING or (isinstance(below, types.ModuleType) and i < len(parts) - 1):
            below = _imported(".".join(parts[: i + 1])) or below
        if below is _MISSING:
            raise Missing("does not exist")
        found = below
    return found


_MISSING = object()


def _imported(module: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ModuleNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - a package may raise anything
        raise Missing(f"cannot be imported: {error!r}") from None


def unwrapped(real: object) -> Any:
    """The function below static and class methods, partial objects and properties."""
    for _ in range(5):
        if isinstance(real, (staticmethod, classmethod)):
            real = real.__func__
        elif isinstance(real, property):
            real = real.fget
        elif isinstance(real, (functools.partial, functools.partialmethod)):
            real = real.func
    return real


def _annotation(function: object) -> object:
    return getattr(function, "__annotations__", {}).get("return", "")


FAILING = ("aioboto3.", "aiobotocore.")
"""Packages whose asynchronous classes inherit from synchronous ones what fails when it is used."""


def works(real: type, name: str) -> bool:
    """Whether a class has a method that is more than a hint to use another (`raise TypeError("Use async with")`)."""
    method = getattr(real, name, None)
    if getattr(method, "__module__", "").startswith("pydantic."):
        return False  # Gives the fields, which nobody wants of such a class.
    try:
        text = inspect.getsource(method) if method is not None else ""
    except (TypeError, OSError):
        return method is not None
    return method is not None and not re.search(
        r"raise (TypeError|RuntimeError|AttributeError|NotImplementedError)", text
    )


def _excused(path: str) -> bool:
    return any(
        path == pattern or (pattern.endswith("*") and path.startswith(pattern[:-1]))
        for pattern in AWAITABLE_RESULT
    )


def _derives(real: type, above: type) -> bool:
    try:
        return issubclass(real, above)
    except TypeError:
        return above.__name__ in {c.__name__ for c in real.__mro__}


def _has(real: type, name: str) -> bool:
    try:
        return hasattr(real, name)
    except ImportError:
        return False  # It needs a package that is not here.


def _has_attribute(real: type, name: str) -> bool:
    if hasattr(real, name) or any(name in getattr(c, "__annotations__", {}) for c in real.__mro__):
        return True
    if name in getattr(real, "__slots__", ()) or name in getattr(real, "model_fields", {}):
        return True
    for cls in real.__mro__:
        if cls is object:
            continue
        try:
            if re.search(rf"\bself\.{name}\b|\b{name}\s*=", inspect.getsource(cls)):
                return True
        except (OSError, TypeError):
            return True  # Written in C: nothing can be read.
    return False


def state(stem: str) -> tuple[dict[str, str], list[str]]:
    """The installed versions of a file's distributions, and those that are missing or other than verified."""
    installed: dict[str, str] = {}
    other: list[str] = []
    for name, wanted in read(stem).get("verified", {}).items():
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            other.append(f"{name} {wanted} is not installed")
            continue
        if installed[name] != wanted:
            other.append(f"{name} is {installed[name]}, not {wanted}")
    return installed, other


def pinned(path: Path) -> dict[str, str]:
    """Distribution → version of a file of requirements."""
    lines = re.findall(r"(?m)^([\w.-]+)(?:\[.*\])?==(\S+)", path.read_text("utf-8"))
    return {plain(name): version for name, version in lines}


def numbers(release: str) -> tuple[int, ...]:
    """A version as it is compared: 4.9.2 → (4, 9, 2)."""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:3])


def plain(name: str) -> str:
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def belongs(stem: str, requirements: dict[str, str]) -> bool:
    """Whether all that a file was verified with is among the requirements."""
    return all(plain(name) in requirements for name in read(stem).get("verified", {}))


def roots_here(stem: str) -> Iterator[str]:
    """One root for the file's own names, and its twins."""
    tables = read(stem)
    yield tables["roots"][0]
    yield from tables.get("twins", ())


def update(stem: str, installed: dict[str, str]) -> None:
    path = FOLDER / f"{stem}.toml"
    text = path.read_text("utf-8")
    pairs = ", ".join(
        f'{n if re.fullmatch(r"[A-Za-z0-9_-]+", n) else chr(34) + n + chr(34)} = "{v}"'
        for n, v in installed.items()
    )
    path.write_text(re.sub(r"(?m)^verified = .*$", f"verified = {{ {pairs} }}", text), "utf-8")


def set_up_django() -> None:
    """Django's models and what stands on them can be imported only where there are settings."""
    django, conf = _imported("django"), _imported("django.conf")
    if django is not None and conf is not None:
        names = ("contenttypes", "auth", "sessions")
        conf.settings.configure(INSTALLED_APPS=[f"django.contrib.{name}" for name in names])
        django.setup()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", help="stems of knowledge files; all by default")
    parser.add_argument(
        "--requirements", type=Path, help="only files of which all distributions are pinned there"
    )
    parser.add_argument(
        "--installed", action="store_true", help="only files of which all distributions are here"
    )
    parser.add_argument("--update", action="store_true", help="write the installed versions")
    parser.add_argument(
        "--strict", action="store_true", help="fail where a version is not the installed one"
    )
    arguments = parser.parse_args()
    stems = arguments.files or list(FILES)
    if arguments.requirements:
        here = pinned(arguments.requirements)
        stems = [stem for stem in stems if belongs(stem, here)]
    if arguments.installed:
        stems = [
            stem for stem in stems if len(state(stem)[0]) == len(read(stem).get("verified", {}))
        ]
    os.chdir(tempfile.mkdtemp())  # Some packages write files where they are imported.
    logging.disable()
    set_up_django()
    knowledge = Knowledge()
    for root in knowledge.roots:
        for lib in knowledge.libraries(root):
            list(lib.functions)  # Only what is built tells which names are old.
    failed = 0
    total: Counter[str] = Counter()
    for stem in stems:
        installed, other = state(stem)
        if other and not arguments.update:
            print(f"{stem}: left out: {'; '.join(other)}")
            failed += arguments.strict
            continue
        problems: list[Problem] = []
        for root in roots_here(stem):
            checker = Checker(knowledge, library(read(stem), root, f"{stem}.toml"))
            checker.run()
            problems += checker.problems
            total += checker.counts
        for path, problem in problems:
            print(f"{stem}.toml: {path}: {problem}")
        failed += len(problems)
        if (
            arguments.update
            and other
            and not problems
            and len(installed) == len(read(stem)["verified"])
        ):
            update(stem, installed)
    print(", ".join(f"{n} {what}" for what, n in sorted(total.items())) + f"; {failed} problems")
    return int(failed > 0)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # Some clients start threads that would have to be waited for.
