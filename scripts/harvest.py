"""Writes the method tables of whole client APIs from the source of installed packages: `python scripts/harvest.py openai`.

Nothing is imported: classes are followed from the clients through properties and results, and a synchronous class is
read side by side with its asynchronous twin, because the twin's `async def` is what tells that a method talks to the
network. `asynclint/knowledge/sdk.py` describes the notation that comes out.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

KNOWLEDGE = Path(__file__).parent.parent / "asynclint" / "knowledge"

CLIENT_BASES = ("SyncAPIClient", "AsyncAPIClient")
RESPONSES = {
    "openai": ("_legacy_response.LegacyAPIResponse", "_response.APIResponse"),
    # anthropic 0.x and 2.x give different raw responses, one to be awaited for and one not.
    "anthropic": ("", "_response.APIResponse"),
    "groq": ("", "_response.APIResponse"),
    "together": ("", "_response.APIResponse"),
    "cerebras.cloud.sdk": ("", "_response.APIResponse"),
    "elasticsearch": ("", ""),
    "opensearchpy": ("", ""),
}
"""What `with_raw_response` gives on both sides, and what `with_streaming_response` gives."""
CLIENTS = {
    "elasticsearch": ("_sync.client.Elasticsearch", "_async.client.AsyncElasticsearch"),
    "opensearchpy": ("client.OpenSearch", "_async.client.AsyncOpenSearch"),
}
"""Clients that share no base: a synchronous one and its twin, whose `__init__` makes the objects of their attributes."""
DISTRIBUTIONS = {"opensearchpy": "opensearch-py", "cerebras.cloud.sdk": "cerebras-cloud-sdk"}
"""Distributions that are not called like what is imported."""
COSTS = {"opensearchpy": "light"}
"""Packages whose clients load no certificates where they are built."""
MODULE_CLIENTS = {"openai": "OpenAI"}
"""Packages whose module has the attributes of a client (`openai.chat`)."""
EARLIER = {
    "openai": {"resources.Beta": ".vector_stores:resources.VectorStores"},
    "anthropic": {
        "Anthropic": ".completions:resources.Completions",
        "AnthropicBedrock": ".completions:resources.Completions",
        "resources.Completions": "!raw create?",
    },
}
"""What earlier releases have."""
ITERATORS = {"Iterator", "Iterable", "Generator"}
ASYNC_ITERATORS = {"AsyncIterator", "AsyncIterable", "AsyncGenerator"}
TWIN_NAMES = {"__enter__": "__aenter__", "__iter__": "__aiter__"}
DERIVED = {"with_raw_response", "with_streaming_response"}
SKIPPED_MODULES = ("types", "_params", "_models", "_types", "_exceptions", "_compat", "_qs")


@dataclass
class Method:
    name: str
    is_async: bool
    is_property: bool
    generates: bool
    streams: bool
    returns: str | None
    """A class of the package by its definition's path, "Self", "Iterator", "AsyncIterator" or unknown."""
    page: str | None = None
    calls: frozenset[str] = frozenset()
    """What its body calls, as it is written: "self._get", "self.client.api.inspect_image"."""


@dataclass
class Klass:
    path: str
    bases: list[str]
    methods: dict[str, Method] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


class Package:
    """An installed package's modules, parsed when they are needed."""

    def __init__(self, name: str) -> None:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{name} is not installed here")
        self.name = name
        self.folder = Path(spec.origin).parent
        self._trees: dict[str, ast.Module | None] = {}
        self._names: dict[str, dict[str, ast.AST | tuple[str, str]]] = {}
        self._classes: dict[str, Klass] = {}
        self._replaced: dict[str, tuple[str, str]] = {}
        """Classes that derive from an imported one of the same name → where that comes from."""

    def file(self, module: str) -> tuple[Path, bool] | None:
        base = self.folder.parents[self.name.count(".")].joinpath(*module.split("."))
        if (base / "__init__.py").is_file():
            return base / "__init__.py", True
        if base.with_suffix(".py").is_file():
            return base.with_suffix(".py"), False
        return None

    def tree(self, module: str) -> ast.Module | None:
        if module not in self._trees:
            found = self.file(module)
            self._trees[module] = ast.parse(found[0].read_bytes()) if found else None
        return self._trees[module]

    def names(self, module: str) -> dict[str, ast.AST | tuple[str, str]]:
        """What a module's top level binds: definitions, assignments, imports as (module, name)."""
        if module in self._names:
            return self._names[module]
        result: dict[str, ast.AST | tuple[str, str]] = {}
        self._names[module] = result
        tree = self.tree(module)
        found = self.file(module)
        if tree is None or found is None:
            return result
        for node in _top_level(tree.body):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                imported = result.get(node.name)
                if isinstance(imported, tuple):
                    self._replaced[f"{module}.{node.name}"] = imported
                result[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                result[node.targets[0].id] = node.value
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    result[alias.asname or alias.name.partition(".")[0]] = (alias.name, "")
            elif isinstance(node, ast.ImportFrom):
                source = _source(node, module, found[1])
                for alias in node.names:
                    if alias.name == "*":
                        for name in self.names(source):
                            result.setdefault(name, (source, name))
                    else:
                        result[alias.asname or alias.name] = (source, alias.name)
        return result

    def resolve(self, module: str, name: str, depth: int = 0) -> tuple[str, ast.ClassDef] | None:
        """The class that a name in a module means, and the module that defines it."""
        if depth > 12 or module.partition(".")[0] != self.name.partition(".")[0]:
            return None
        head, _, rest = name.partition(".")
        value = self.names(module).get(head)
        if rest:
            if isinstance(value, tuple):
                source, inner = value
                target = f"{source}.{inner}" if inner else source
                return self.resolve(target, rest, depth + 1)
            return None
        if isinstance(value, ast.ClassDef):
            return module, value
        if isinstance(value, ast.Name):
            return self.resolve(module, value.id, depth + 1)
        if isinstance(value, tuple):
            return self.resolve(value[0], value[1], depth + 1) if value[1] else None
        return None

    def modules(self) -> Iterator[str]:
        for path in sorted(self.folder.rglob("*.py")):
            parts = path.relative_to(self.folder).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if not any(part in SKIPPED_MODULES for part in parts):
                yield ".".join((self.name, *parts))

    def klass(self, module: str, node: ast.ClassDef) -> Klass:
        path = f"{module}.{node.name}"
        if path in self._classes:
            return self._classes[path]
        bases = [b for base in node.bases if (b := self._base(module, base, path)) is not None]
        result = self._classes[path] = Klass(path, [b for b in bases if "." in b])
        for item in node.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                decorators = {ast.unparse(d).rpartition(".")[2] for d in item.decorator_list}
                if "overload" in decorators or "setter" in decorators:
                    continue
                result.methods[item.name] = self._method(module, item, decorators)
                if item.name == "__init__" and self.name in CLIENTS:
                    result.attributes.update(self._made(module, item))
            elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                returns = self.reference(module, item.annotation)
                if returns is not None:
                    result.attributes[item.target.id] = returns
            elif (
                isinstance(item, ast.Assign)
                and isinstance(item.targets[0], ast.Name)
                and isinstance(item.value, ast.Name)
                and item.value.id in result.methods
            ):
                result.methods[item.targets[0].id] = result.methods[item.value.id]
        return result

    def _base(self, module: str, node: ast.expr, path: str) -> str | None:
        found = self.reference(module, node)
        if found != path:
            return found
        imported = self.resolve(*self._replaced[path]) if path in self._replaced else None
        return f"{imported[0]}.{imported[1].name}" if imported else None

    def _made(
        self, module: str, node: ast.FunctionDef | ast.AsyncFunctionDef
    ) -> Iterator[tuple[str, str]]:
        """Attributes to which `__init__` gives an object that is made from the client: `self.cat = CatClient(self)`."""
        for item in node.body:
            if (
                isinstance(item, ast.Assign)
                and isinstance(item.targets[0], ast.Attribute)
                and isinstance(item.value, ast.Call)
                and [ast.unparse(a) for a in item.value.args] == ["self"]
            ):
                made = self.reference(module, item.value.func)
                if made is not None:
                    yield item.targets[0].attr, made

    def find(self, path: str) -> Klass:
        module, _, name = path.rpartition(".")
        found = self.resolve(module, name)
        assert found is not None, path
        return self.klass(*found)

    def reference(self, module: str, node: ast.expr | None) -> str | None:
        """A class of this package in an annotation; of a union, the first that is one."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        if isinstance(node, ast.BinOp):
            return self.reference(module, node.left) or self.reference(module, node.right)
        if isinstance(node, ast.Subscript):
            outer = ast.unparse(node.value).rpartition(".")[2]
            if outer in ("Union", "Optional"):
                inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                return next((r for n in inner if (r := self.reference(module, n))), None)
            return self.reference(module, node.value)
        if isinstance(node, (ast.Name, ast.Attribute)):
            text = ast.unparse(node)
            last = text.rpartition(".")[2]
            if last in ("Self", "SelfType", "_T"):
                return "Self"
            if last in ITERATORS:
                return "Iterator"
            if last in ASYNC_ITERATORS:
                return "AsyncIterator"
            found = self.resolve(module, text)
            if found is None or any(p in SKIPPED_MODULES for p in found[0].split(".")):
                return None
            return f"{found[0]}.{found[1].name}"
        return None

    def _method(
        self, module: str, node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: set[str]
    ) -> Method:
        returns = self.reference(module, node.returns)
        page = None
        annotation = node.returns
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.parse(annotation.value, mode="eval").body
        if (
            isinstance(annotation, ast.Subscript)
            and ast.unparse(annotation.value).endswith("AsyncPaginator")
            and isinstance(annotation.slice, ast.Tuple)
        ):
            page = self.reference(module, annotation.slice.elts[1])
        parameters = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
        streams = "stream" in parameters and "Stream[" in ast.unparse(node.returns or ast.Pass())
        if streams:
            returns = None
        return Method(
            node.name,
            isinstance(node, ast.AsyncFunctionDef),
            any(d.endswith("property") for d in decorators),
            any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(node)),
            streams,
            returns,
            page,
            frozenset(_called(node)),
        )


def _called(node: ast.AST) -> Iterator[str]:
    """What is called inside a function, what it only defines aside."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield ast.unparse(child.func)
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _called(child)


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from _top_level(node.body)
        else:
            yield node


def _source(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    keep = len(parts) - node.level + (1 if is_package else 0)
    return ".".join((*parts[:keep], *((node.module or "").split(".") if node.module else ())))


class Harvest:
    """The walk over pairs of classes, and what it writes."""

    def __init__(self, name: str) -> None:
        self.package = Package(name)
        self.name = name
        self.pairs: dict[str, str | None] = {}
        """Definition path of a synchronous (or only) class → that of its twin."""
        self.clients: set[str] = set()
        self._public: dict[str, str] = {}

    def run(self) -> str:
        raw, streamed = RESPONSES[self.name]
        if self.name in CLIENTS:
            path, twin = (f"{self.name}.{name}" for name in CLIENTS[self.name])
            self.clients.add(path)
            self._walk(path, twin)
            return self._text(raw, streamed)
        clients = self._clients()
        for path in clients[0]:
            module, _, last = path.rpartition(".")
            twin = f"{module}.Async{last}"
            assert twin in clients[1], f"{path} has no async twin"
            self.clients.add(path)
            self._walk(path, twin)
        self._walk(f"{self.name}._streaming.Stream", f"{self.name}._streaming.AsyncStream")
        if raw:
            self._walk(f"{self.name}.{raw}", None)
        module, _, last = streamed.rpartition(".")
        self._walk(f"{self.name}.{streamed}", f"{self.name}.{module}.Async{last}")
        return self._text(raw, streamed)

    def _clients(self) -> tuple[list[str], list[str]]:
        """Public client classes, synchronous and asynchronous."""
        found: tuple[list[str], list[str]] = ([], [])
        for module in self.package.modules():
            text = self.package.file(module)
            if text is None or "lient" not in text[0].read_text("utf-8"):
                continue
            for name, value in self.package.names(module).items():
                if isinstance(value, ast.ClassDef) and not name.startswith(("_", "Base")):
                    roots = self._roots(f"{module}.{name}")
                    for i, base in enumerate(CLIENT_BASES):
                        if base in roots and name not in CLIENT_BASES:
                            found[i].append(f"{module}.{name}")
        return found

    def _roots(self, path: str) -> set[str]:
        """Last names of all classes above one."""
        klass = self.package.find(path)
        result = {path.rpartition(".")[2]}
        for base in klass.bases:
            result |= self._roots(base)
        return result

    def _walk(self, sync: str, twin: str | None) -> None:
        if sync in self.pairs:
            if self.pairs[sync] is None and twin is not None and twin != sync:
                del self.pairs[sync]
            else:
                return
        if twin == sync:
            twin = None
        self.pairs[sync] = twin
        one = self.package.find(sync)
        other = self.package.find(twin) if twin else None
        for base in one.bases:
            self._walk(base, self._twin_of(base, other))
        for name, method in one.methods.items():
            counterpart = other and self._lookup(other, TWIN_NAMES.get(name, name))
            if (name.startswith("_") and name not in TWIN_NAMES) or name in DERIVED:
                continue
            if method.returns and "." in method.returns:
                twin_type = counterpart.page or counterpart.returns if counterpart else None
                self._follow(method.returns, twin_type)
        for name, type_ in one.attributes.items():
            if not name.startswith("_") and "." in type_:
                self._follow(type_, other.attributes.get(name) if other else None)
        if other is not None:
            for name, method in other.methods.items():
                if not name.startswith("_") and name not in DERIVED and name not in one.methods:
                    known = {*self.pairs, *self.pairs.values()}
                    if method.returns and "." in method.returns and method.returns not in known:
                        self._follow(method.returns, None)

    def _follow(self, sync: str, twin: str | None) -> None:
        self._walk(sync, twin if twin and "." in twin else None)

    def _twin_of(self, base: str, other: Klass | None) -> str | None:
        """The base of the async class that stands where a base of the sync class stands."""
        if other is None:
            return None
        last = base.rpartition(".")[2]
        for candidate in other.bases:
            name = candidate.rpartition(".")[2]
            if "Async" in name and name.replace("Async", "") == last.replace("Sync", ""):
                return candidate
        return next((c for c in other.bases if c == base), None)

    def _lookup(self, klass: Klass, name: str) -> Method | None:
        if name in klass.methods:
            return klass.methods[name]
        for base in klass.bases:
            found = self._lookup(self.package.find(base), name)
            if found is not None:
                return found
        return None

    # -- text -----------------------------------------------------------------------------------

    def public(self, path: str) -> str:
        """The shortest path that the class can be imported from, without the package's name."""
        if path in self._public:
            return self._public[path]
        module, _, name = path.rpartition(".")
        parts = module.split(".")
        result = path
        for size in range(len(parts), 0, -1):
            candidate = ".".join(parts[:size])
            found = self.package.resolve(candidate, name)
            if found is not None and f"{found[0]}.{found[1].name}" == path:
                result = f"{candidate}.{name}"
        short = result[len(self.name) + 1 :]
        self._public[path] = short
        return short

    def _text(self, raw: str, streamed: str) -> str:
        entries = {self.public(path): self._entry(path, twin) for path, twin in self.pairs.items()}
        module = MODULE_CLIENTS.get(self.name)
        distribution = DISTRIBUTIONS.get(self.name, self.name)
        lines = [
            f"# Written by `scripts/harvest.py {self.name}` from the package's source; not by hand.",
            f'library = "{self.name}"',
            f'roots = ["{self.name}"]',
            f'verified = {{ {distribution} = "{version(distribution)}" }}',
            "",
            "[sdk]",
            f'name = "{self.name}"',
            f'raw = "{raw and self.public(f"{self.name}.{raw}")}"',
            f'streamed = "{streamed and self.public(f"{self.name}.{streamed}")}"',
            *([f'module = "{module}"'] if module else []),
            "",
            "[sdk.classes]",
        ]
        lines += [
            f'"{name}" = "{" ".join(entry)}"'
            for name, entry in sorted(entries.items())
            if any(token not in ("!alone", "!raw") for token in entry)
        ]
        if self.name in EARLIER:
            lines += ["", "[sdk.earlier]"]
            lines += [f'"{name}" = "{words}"' for name, words in EARLIER[self.name].items()]
        return "\n".join(lines) + "\n"

    def _entry(self, path: str, twin: str | None) -> list[str]:
        one = self.package.find(path)
        other = self.package.find(twin) if twin else None
        tokens: list[str] = []
        if path in self.clients:
            cost = COSTS.get(self.name)
            tokens.append(f"!client={cost}" if cost else "!client")
        name = self.public(path)
        if twin is None:
            tokens.append("!alone")
        elif self.public(twin) != twin_name(name):
            tokens.append(f"!async={self.public(twin)}")
        bases = [
            b
            for b in one.bases
            if b in self.pairs
            and not b.startswith(f"{self.name}._resource.")
            and (self.name not in CLIENTS or self.pairs[b] is not None)
        ]
        if bases:
            tokens.append("!bases=" + ",".join(self.public(b) for b in bases))
        enter = one.methods.get("__enter__")
        if enter:
            gives = (
                "" if enter.returns in (None, "Self", path) else f"={self._short(enter.returns)}"
            )
            tokens.append(f"!enter{gives}")
        if "__iter__" in one.methods:
            tokens.append("!iter")
        elif not other and "__aiter__" in one.methods:
            tokens.append("!aiter")
        if DERIVED & set(one.methods):
            tokens.append("!raw")
        names = sorted({*one.methods, *one.attributes, *(other.methods if other else ())})
        for name in names:
            if name.startswith("_") or name in DERIVED:
                continue
            tokens += self._tokens(name, one, other)
        return tokens

    def _short(self, path: str | None) -> str:
        if path is None:
            return ""
        return self.public(path) if path.startswith(self.name + ".") else path

    def _tokens(self, name: str, one: Klass, other: Klass | None) -> list[str]:
        method = one.methods.get(name)
        if method is None and name in one.attributes:
            return [f".{name}:{self._short(one.attributes[name])}"]
        twin = self._lookup(other, name) if other is not None else None
        if other is None:
            # One class for both worlds: what it does is told by its own `async def`.
            assert method is not None
            return [self._alone(method)] if method.returns or not method.is_property else []
        if method is None:
            assert twin is not None
            if twin.is_property or self._lookup(one, name) is not None:
                return []
            return ["+" + self._alone(twin)]
        if method.is_property:
            return [f".{name}:{self._short(method.returns)}"] if method.returns else []
        if twin is None:
            return ["-" + self._alone(method)] if not method.is_property else []
        suffix = f":{self._short(method.returns)}" if method.returns else ""
        if method.returns == one.path:
            suffix = ":Self"
        if method.streams:
            suffix = "?"
        if twin.page is not None:
            return [f"{name}>{self._short(method.returns)}"]
        if method.generates or (method.returns == "Iterator" and twin.generates):
            return [f"{name}*"]
        if twin.is_async and not twin.generates:
            return [f"{name}{suffix}"]
        return [f"{name}={suffix[1:]}"]

    def _alone(self, method: Method) -> str:
        if method.is_property:
            return f".{method.name}:{self._short(method.returns)}"
        if method.is_async and not method.generates:
            return f"{method.name}~{self._short(method.returns)}"
        return f"{method.name}={self._short(method.returns)}"


def twin_name(name: str) -> str:
    """The usual name of an async twin: resources.Files → resources.AsyncFiles, pagination.SyncPage → AsyncPage."""
    head, dot, last = name.rpartition(".")
    return f"{head}{dot}Async{last.removeprefix('Sync')}"


def harvest(name: str) -> str:
    """The text of one package's harvested file."""
    return Harvest(name).run()


def installed(name: str) -> bool:
    """Whether a package is there; one in a namespace that is not there is not, either."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def head(target: Path) -> str:
    """The lines of a harvested file that name what it was harvested from; nothing where there is no file."""
    return target.read_text("utf-8").partition("[sdk]")[0] if target.exists() else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="*", default=sorted(RESPONSES))
    parser.add_argument("--check", action="store_true", help="fail where a file would change")
    arguments = parser.parse_args()
    changed = 0
    for name in arguments.packages:
        if not installed(name):
            print(f"{name} is not installed here", file=sys.stderr)
            continue
        target = KNOWLEDGE / f"{name.replace('.', '_')}_sdk.toml"
        distribution = DISTRIBUTIONS.get(name, name)
        if arguments.check and f'{distribution} = "{version(distribution)}"' not in head(target):
            print(f"{name} {version(distribution)} is not what was harvested", file=sys.stderr)
            continue
        text = harvest(name)
        if target.exists() and target.read_text("utf-8") == text:
            continue
        changed += 1
        print(f"{target.name} {'differs' if arguments.check else 'written'}", file=sys.stderr)
        if not arguments.check:
            new = target.with_suffix(".new")
            new.write_text(text, "utf-8")
            new.replace(target)
    return int(arguments.check and changed > 0)


if __name__ == "__main__":
    sys.exit(main())
