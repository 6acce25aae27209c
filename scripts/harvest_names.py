"""Completes lines of names in the knowledge tables from the source of installed packages: `python scripts/harvest_names.py`.

A class that has a line of `coroutines` gets all public coroutine methods of the real one; a synchronous class of TWINS gets
those that the asynchronous one awaits; a class of a package of REACHES gets those whose source leads to one of the calls that are
named there. What is there stays as it is, what came is written at the end, with the type of its result where an annotation tells
it; what went is an error of `verify_knowledge.py`. Nothing is imported.
"""

from __future__ import annotations

import argparse
import re
import sys
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harvest import KNOWLEDGE, Klass, Method, Package

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from asynclint.knowledge.compiled import parse
from asynclint.knowledge.load import NAMES

LEFT_OUT = {
    "grpc": "its methods are called through stubs",
    "sanic": "its classes have coroutines that only the server calls",
    "tasks": "its workers have coroutines that only they call",
    "tornado": "its classes have coroutines that only the server calls",
}
"""Files whose lines are written by hand, and why."""
TWINS: dict[str, tuple[str, ...]] = {
    "azure": (r"^azure\.(?!.*\baio\.)([\w.]+)\.(\w+)$ azure.\1.aio.\2",),
    "chromadb": (r"^chromadb\.Collection$ chromadb.api.models.AsyncCollection.AsyncCollection",),
    "clickhouse_connect": (
        r"^clickhouse_connect\.driver\.client\.Client$ clickhouse_connect.driver.asyncclient.AsyncClient",
    ),
    "cohere": (r"^cohere\.(.*)Client(V2)?$ cohere.\1AsyncClient\2",),
    "google.genai": (
        r"^google\.genai\.(\w+)\.(Models|Files|Caches|Batches|Tunings|Chats|Operations)$ google.genai.\1.Async\2",
    ),
    "exa_py": (
        r"^exa_py\.Exa$ exa_py.AsyncExa",
        r"^exa_py\.research\.sync_client\.(\w+)$ exa_py.research.async_client.Async\1",
        r"^exa_py\.websets\.([\w.]+)\.(\w+)$ exa_py.websets.\1.Async\2",
    ),
    "elevenlabs": (r"^elevenlabs\.(\w+)\.client\.(?!Async)(\w+)$ elevenlabs.\1.client.Async\2",),
    "huggingface_hub": (
        r"^huggingface_hub\.InferenceClient$ huggingface_hub.AsyncInferenceClient",
    ),
    "lancedb": (
        r"^lancedb\.db\.DBConnection$ lancedb.db.AsyncConnection",
        r"^lancedb\.table\.Table$ lancedb.table.AsyncTable",
    ),
    "langgraph_sdk": (r"\.Sync(\w+)Client$ .\1Client",),
    "mysql": (r"^mysql\.connector\.(connection|cursor)\.(\w+)$ mysql.connector.aio.\1.\2",),
    "neo4j": (r"^neo4j\.(Driver|Session|Transaction|Result)$ neo4j.Async\1",),
    "ollama": (r"^ollama\.Client$ ollama.AsyncClient",),
    "oracledb": (r"^oracledb\.(Connection|Cursor)$ oracledb.Async\1",),
    "pinecone": (r"^pinecone\.client\.(\w+)\.(\w+)$ pinecone.async_client.\1.Async\2",),
    "psycopg": (r"^psycopg\.(Connection|Cursor)$ psycopg.Async\1",),
    "pymongo": (
        r"^pymongo\.(mongo_client|collection|cursor|database)\.(\w+)$ pymongo.asynchronous.\1.Async\2",
        r"^pymongo\.MongoClient$ pymongo.asynchronous.mongo_client.AsyncMongoClient",
    ),
    "qdrant_client": (r"^qdrant_client\.QdrantClient$ qdrant_client.AsyncQdrantClient",),
    "storage3": (
        r"^storage3\.Sync(\w+)$ storage3.Async\1",
        r"^storage3\._sync\.file_api\.Sync(\w+)$ storage3._async.file_api.Async\1",
    ),
    "supabase_auth": (r"^supabase_auth\.Sync(\w+)$ supabase_auth.Async\1",),
    "supabase_functions": (r"^supabase_functions\.Sync(\w+)$ supabase_functions.Async\1",),
    "voyageai": (r"^voyageai\.Client$ voyageai.AsyncClient",),
    "slack_sdk": (
        r"^slack_sdk\.WebClient$ slack_sdk.web.async_client.AsyncWebClient",
        r"^slack_sdk\.webhook\.WebhookClient$ slack_sdk.webhook.async_client.AsyncWebhookClient",
    ),
}
"""Package → patterns of its synchronous classes and the asynchronous ones that they stand beside."""
REACHES: dict[str, tuple[str, ...]] = {
    "algoliasearch": ("self._transporter.request self._ingestion_transporter.request",),
    "atlassian": ("self.get self.post self.put self.delete self.patch self.request",),
    "docker": (
        "self._get self._post self._put self._delete self._head self.request self.get self.post",
        "client.api=docker.APIClient",
    ),
    "google": (
        "rpc *.api_request self._call_api client._call_api "
        + " ".join(f"*._{verb}_resource" for verb in ("get", "post", "patch", "put", "delete")),
    ),
    "github": (
        "self._requester.request* self.__requester.request* self.__requester.graphql* self._requester.graphql*",
    ),
    "gspread": ("self.http_client.* self.client.*",),
    "hvac": ("self._adapter.*",),
    "jira": ("self._session.* self._get_json self._fetch_pages self._find_for_resource",),
    "jwt": ("*.open *.urlopen",),
    "meilisearch": ("self.http.*",),
    "minio": ("self._execute self._url_open",),
    "redis": ("self.execute_command",),
    "huggingface_hub": ("hf_raise_for_status http_backoff",),
    "influxdb_client": ("self.*_service.*",),
    "kafka": ("self._manager.run self._net.run",),
    "selenium": ("self.execute self._execute",),
    "simple_salesforce": ("self._call_salesforce",),
    "spotipy": ("self._get self._post self._put self._delete self._internal_call",),
    "tweepy": ("self._make_request self.request",),
    "upstash_redis": ("self.execute",),
}
"""Package → the calls (patterns of them, as they are written) by which its classes wait for the other side, and the attributes
whose methods do, with their class."""
SHARED = {
    "redis.asyncio.Redis": "redis.Redis",
    **{
        f"redis.commands.{module}.Async{name}": f"redis.commands.{module}.{name}"
        for module, names in {
            "bf": "BFBloom CFBloom CMSBloom TDigestBloom TOPKBloom",
            "json": "JSON",
            "search": "Search",
            "timeseries": "TimeSeries",
            "vectorset": "VectorSet",
        }.items()
        for name in names.split()
    },
    "upstash_redis.asyncio.Redis": "upstash_redis.Redis",
}
"""Asynchronous class → the synchronous one whose methods it has, too, where they give what is to be awaited."""
UNSENT = {"redis.client.Pipeline", "redis.client.PubSub"}
"""Classes that collect what others send."""
WAITING = ("sdk", "http", "database", "wait")
"""Keys of what is waited for, of which the first that a class has is completed."""
CLOSING = {"close", "disconnect"}
"""What a synchronous client does without asking the other side."""
HIDDEN = {"do_request_async"}
"""Coroutine methods that are public by their names only."""
WRAPPED = {
    "cohere.AsyncClient": {"check_api_key"},
    "mysql.connector.aio.connection.MySQLConnection": {"cmd_query_iter"},
    "qdrant_client.QdrantClient": {
        "list_image_models",
        "list_late_interaction_multimodal_models",
        "list_late_interaction_text_models",
        "list_sparse_models",
        "list_text_models",
    },
}
"""Class → methods that are not what they are written as: a decorator or a `yield` makes something else of them, or the asynchronous
side of something that waits for nobody is a coroutine function, too."""
SUFFIXES = {"stripe": "_async", "mistralai": "_async", "twilio": "_async"}
"""Packages whose classes have both sides: `create` blocks where there is `create_async`."""


def coroutines(package: Package, klass: Klass, known: frozenset[str], top: bool = True) -> set[str]:
    """Public coroutine methods of a class and of those bases that the tables do not speak of; not those that are for overriding."""
    if not top and klass.path in known:
        return set()
    found = {
        name
        for name, method in klass.methods.items()
        if method.is_async
        and not method.generates
        and not method.is_property
        and name not in HIDDEN
        and not name.startswith(("_", "on_"))
        and not name.endswith(("_hook", "_check", "_listeners"))
    }
    for base in klass.bases:
        found |= coroutines(package, package.find(base), known, top=False)
    return found


def real(package: Package, path: str) -> Klass | None:
    """The class at a public path; None where the installed package has none."""
    module, _, name = path.rpartition(".")
    found = package.resolve(module, name)
    return package.klass(*found) if found else None


def wanted(
    package: Package, path: str, table: dict[str, Any], known: frozenset[str]
) -> dict[str, set[str]]:
    """Key → the names that its line must have."""
    klass = real(package, path)
    if klass is None:
        return {}
    found: dict[str, set[str]] = {}
    if "coroutines" in table:
        found["coroutines"] = coroutines(package, klass, known)
        both = {both_sides(package, name) for name in found["coroutines"]} & klass.methods.keys()
        if both:
            found["sdk"] = {name for name in both if name is not None}
    if path in SHARED:
        other = real(package, SHARED[path])
        assert other is not None
        found["coroutines"] |= reaching(package, other) & public(package, klass)
    kind = next((key for key in WAITING if key in table), None)
    if kind is not None:
        found.setdefault(kind, set()).update(waiting(package, klass, path, known))
    told = set(table.get("methods", {})) | WRAPPED.get(path, set())
    lines = {key: set(listed(table[key])) for key in NAMES if isinstance(table.get(key), str)}
    for key, value in found.items():
        value -= told.union(*(names for other, names in lines.items() if other != key))
    return found


def waiting(package: Package, klass: Klass, path: str, known: frozenset[str]) -> set[str]:
    """Synchronous methods that wait for the other side: their asynchronous twins are awaited, or their source leads there."""
    found: set[str] = set()
    other = twin(package, path)
    if other is not None:
        methods = inherited(package, klass)
        lazy = {n for n, m in methods.items() if m.generates or m.returns == "Iterator"}
        found = (coroutines(package, other, known) & public(package, klass)) - CLOSING - lazy
    if entry(REACHES, package) and path not in UNSENT:
        found |= reaching(package, klass)
    return found


def both_sides(package: Package, name: str) -> str | None:
    """The synchronous method beside a coroutine method of the same class: `create` beside `create_async`."""
    suffix = SUFFIXES.get(package.name.partition(".")[0])
    return name.removesuffix(suffix) if suffix and name.endswith(suffix) else None


def reaching(package: Package, klass: Klass) -> set[str]:
    """Methods, also inherited ones, from whose source one comes to a call of REACHES; iterators come to it only later."""
    patterns, *owners = entry(REACHES, package)
    methods = inherited(package, klass)
    through = {attribute: path for attribute, _, path in (o.partition("=") for o in owners)}
    others = {
        f"*{attribute}.{name}"
        for attribute, path in through.items()
        if (other := real(package, path)) is not None and other is not klass
        for name in reaching(package, other)
    }
    wanted = [*patterns.split(), *others]
    found: set[str] = set()
    while True:
        more = {
            name
            for name, method in methods.items()
            if name not in found
            and not method.is_async
            and not method.generates
            and not method.is_property
            and any(fits(call, wanted) or inner(call) in found for call in method.calls)
        }
        if not more:
            return {name for name in found if not name.startswith("_")}
        found |= more


def fits(call: str, patterns: list[str]) -> bool:
    """Whether a call is one of those that wait."""
    return any(fnmatchcase(call, pattern) for pattern in patterns)


def inner(call: str) -> str | None:
    """The method of its own object that a call means."""
    head, _, name = call.rpartition(".")
    return name if head in ("self", "cls", "super()") else None


def inherited(package: Package, klass: Klass) -> dict[str, Method]:
    """All methods of a class, those of its bases included, by name."""
    found: dict[str, Method] = {}
    for base in reversed(klass.bases):
        found |= inherited(package, package.find(base))
    return found | klass.methods


def entry(table: dict[str, tuple[str, ...]], package: Package) -> tuple[str, ...]:
    """What a table says of a package, or of what holds it."""
    parts = package.name.split(".")
    names = (".".join(parts[:size]) for size in range(len(parts), 0, -1))
    return next((table[name] for name in names if name in table), ())


def twin(package: Package, path: str) -> Klass | None:
    """The asynchronous class beside a synchronous one, as TWINS tells it."""
    for rule in entry(TWINS, package):
        pattern, _, replacement = rule.partition(" ")
        name, count = re.subn(pattern, replacement, path)
        if count:
            return real(package, name)
    return None


def public(package: Package, klass: Klass) -> set[str]:
    """All public methods, inherited ones included."""
    found = {n for n, m in klass.methods.items() if not n.startswith("_") and not m.is_property}
    for base in klass.bases:
        found |= public(package, package.find(base))
    return found


def listed(text: str) -> list[str]:
    """The names of a line."""
    return [n.rstrip("!") for word in text.split() for n in word.partition(":")[0].split(",")]


def line(text: str, found: dict[str, str | None]) -> str:
    """The words of a line, and what it lacks at the end; `found` is names and the types of their results."""
    new = sorted(found.keys() - set(listed(text)))
    return " ".join(
        [*text.split(), *(f"{name}:{t}" if (t := found[name]) else name for name in new)]
    )


def harvest(text: str) -> str:
    """The file's text with its lines completed."""
    tables = parse(text)
    packages = {path: found for path in tables["classes"] if (found := package_of(path))}
    for package in dict.fromkeys(packages.values()):
        known = definitions(package, packages)
        for path, table in tables["classes"].items():
            if packages.get(path) is not package:
                continue
            for key, found in wanted(package, path, table, frozenset(known)).items():
                klass = real(package, path)
                assert klass is not None
                methods = inherited(package, klass)
                types = {name: result(methods.get(name), klass, known) for name in found}
                before = table.get(key, "")
                after = line(before, types)
                if before != after:
                    text = replaced(text, path, key, before, after)
    return text


def result(method: Method | None, klass: Klass, known: dict[str, str]) -> str | None:
    """The class of the tables that a method is declared to return."""
    if method is None or method.returns is None:
        return None
    return "Self" if method.returns in ("Self", klass.path) else known.get(method.returns)


@cache
def package_of(path: str) -> Package | None:
    """The package whose source has a class: the first on the way to it that is no mere namespace."""
    parts = path.split(".")
    for size in range(1, len(parts)):
        name = ".".join(parts[:size])
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        if spec.origin is not None:
            return packaged(name) if spec.origin.endswith("__init__.py") else None
    return None


@cache
def packaged(name: str) -> Package:
    """One object a package, which keeps what it has read."""
    return Package(name)


def definitions(package: Package, packages: dict[str, Package]) -> dict[str, str]:
    """Where the classes of the tables are defined → their paths there."""
    paths = [path for path, owner in packages.items() if owner is package]
    found = ((real(package, path), path) for path in paths)
    return {klass.path: path for klass, path in found if klass is not None}


def replaced(text: str, path: str, key: str, before: str, after: str) -> str:
    """One line of one class replaced."""
    head = f'[classes."{path}"]\n'
    start = text.index(head)
    end = text.find("\n[", start + len(head))
    part = text[start : end if end != -1 else len(text)]
    old, new = f'{key} = "{before}"', f'{key} = "{after}"'
    done = part.replace(old, new) if old in part else part.replace(head, f"{head}{new}\n")
    return text.replace(part, done)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", help="stems of knowledge files; all by default")
    parser.add_argument("--check", action="store_true", help="fail where a file would change")
    arguments = parser.parse_args()
    changed = 0
    for target in sorted(KNOWLEDGE.glob("*.toml")):
        text = target.read_text("utf-8")
        if target.stem in LEFT_OUT or (arguments.files and target.stem not in arguments.files):
            continue
        tables = parse(text)
        if "classes" not in tables or not is_verified(tables):
            continue
        new = harvest(text)
        if new == text:
            continue
        changed += 1
        print(f"{target.name} {'differs' if arguments.check else 'written'}", file=sys.stderr)
        if not arguments.check:
            target.write_text(new, "utf-8")
    return int(arguments.check and changed > 0)


def is_verified(tables: dict[str, Any]) -> bool:
    """Whether the installed versions are the ones that the file was verified with."""
    verified = tables.get("verified", {})
    try:
        return bool(verified) and all(version(name) == v for name, v in verified.items())
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
