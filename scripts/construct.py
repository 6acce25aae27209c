"""Builds clients without a network and says what that costs: certificates loaded, connections tried, threads, time.

`constructions.toml` says how each one is built. Nothing is sent: an attempt to connect is counted and refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import functools
import inspect
import json
import signal
import socket
import ssl
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TIMES = 3
LIMIT = 3
"""Seconds after which a construction is given up."""
COSTLY = 0.001
"""Seconds of the processor: what is said to be costly takes more, or loads certificates."""
CHEAP = 0.02
"""Seconds of the processor: what is said to be cheap takes less, and loads none."""
LOADS = ("load_verify_locations", "load_default_certs", "set_default_verify_paths")


@dataclass
class Cost:
    """What building once, and a first use, took."""

    certificates: int = 0
    connections: int = 0
    threads: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.seconds * 1000:.1f} ms, {self.certificates} loads of certificates, "
            f"{self.connections} connections, {self.threads} threads"
        )


class Failed(Exception):
    """A client that cannot be built as it is written down."""


class Over(BaseException):
    """Its time is over; a package's own handlers must not catch it."""


@functools.cache
def table() -> dict[str, dict[str, Any]]:
    """Path or pattern → how the client is built."""
    text = Path(__file__).with_name("constructions.toml").read_text("utf-8")
    return {
        path: {"make": how} if isinstance(how, str) else how
        for path, how in tomllib.loads(text).items()
    }


def how(path: str) -> dict[str, Any] | None:
    """The line for a client: its own, or the longest pattern's."""
    if path in table():
        return table()[path]
    fitting = [p for p in table() if "*" in p and fnmatch.fnmatchcase(path, p)]
    return table()[max(fitting, key=len)] if fitting else None


def judged(path: str, said: str, is_async: bool, find: Callable[[str], Any]) -> str | None:
    """What is wrong with the stated cost of a client; None where it holds."""
    known = how(path)
    if known is None:
        return "nothing in scripts/constructions.toml says how it is built"
    if "skip" in known:
        return None
    try:
        cost = measured(path, known, is_async, find, 1 if said == "connect" else TIMES)
    except Failed as error:
        return f"cannot be built: {error}"
    costly = cost.certificates > 0 or cost.seconds >= COSTLY
    if said == "tls" and not costly:
        return f"is said to cost 'tls', and building it takes {cost}"
    if said in ("light", "none") and (cost.certificates > 0 or cost.seconds >= CHEAP):
        return f"is said to cost {said!r}, and building it takes {cost}"
    if said == "connect" and not (cost.connections or cost.threads or "native" in known):
        return f"is said to cost 'connect', and building and using it takes {cost}"
    return None


def measured(
    path: str, known: dict[str, Any], is_async: bool, find: Callable[[str], Any], times: int
) -> Cost:
    """What one more client costs, the cheapest of some; or what the first one and its use do."""
    names = {"find": find, "service_account": service_account, "certificate": certificate}
    names["make"] = find(path)
    if isinstance(names["make"], (classmethod, staticmethod)):
        owner, _, name = path.rpartition(".")
        names["owner"] = find(owner)
        names["make"] = getattr(names["owner"], name)
    if times == 1:
        return run(names, known["make"], known.get("use"), is_async)
    run(names, known["make"], None, is_async)  # What is loaded once is not the client's.
    costs = [run(names, known["make"], None, is_async) for _ in range(times)]
    return Cost(
        min(c.certificates for c in costs),
        min(c.connections for c in costs),
        min(c.threads for c in costs),
        min(c.seconds for c in costs),
    )


def run(names: dict[str, Any], make: str, use: str | None, is_async: bool) -> Cost:
    """Build one client, and use it where asked; what fails for want of a network is as good."""
    cost = Cost()
    inside = dict(names)

    async def coroutine() -> None:
        for code in (make, use):
            start = time.process_time()
            if code is not None:
                inside["it"] = eval(code, inside)
                if inspect.isawaitable(inside["it"]):
                    inside["it"] = await asyncio.wait_for(inside["it"], 3)
            cost.seconds = cost.seconds or time.process_time() - start

    start = time.process_time()
    with refused(cost), warnings.catch_warnings(), timeout(LIMIT):
        warnings.simplefilter("ignore")
        try:
            if is_async:
                asyncio.run(coroutine())
            else:
                inside["it"] = eval(make, inside)
                cost.seconds = time.process_time() - start
                if use is not None:
                    eval(use, inside)
        except Over:
            pass
        except Exception as error:  # noqa: BLE001 - a package may raise anything
            if not cost.connections and not is_refusal(error):
                raise Failed(f"{type(error).__name__}: {error}".splitlines()[0][:200]) from None
        finally:
            cost.seconds = cost.seconds or time.process_time() - start
            inside.clear()
    return cost


def is_refusal(error: BaseException | None) -> bool:
    """Whether somebody could not be reached, also where a package says it in its own words."""
    while error is not None:
        if isinstance(error, OSError) or "onnect" in f"{type(error).__name__} {error}":
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def refused(cost: Cost) -> Iterator[None]:
    """Count what is costly while it lasts, and let nobody connect."""

    def counting(name: str, original: Any = None) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            setattr(cost, name, getattr(cost, name) + 1)
            if original is None:
                raise ConnectionRefusedError("there is no network here")
            return original(*args, **kwargs)

        return wrapper

    places: list[tuple[Any, str, Any]] = [
        (ssl.SSLContext, name, counting("certificates", getattr(ssl.SSLContext, name)))
        for name in LOADS
    ]
    places += [
        (socket.socket, "connect", counting("connections")),
        (socket.socket, "connect_ex", counting("connections")),
        (socket, "getaddrinfo", counting("connections")),
        (socket, "create_connection", counting("connections")),
        (threading.Thread, "start", counting("threads", threading.Thread.start)),
    ]
    with contextlib.ExitStack() as stack:
        for owner, name, wrapper in places:
            stack.callback(restore, owner, name, vars(owner).get(name))
            setattr(owner, name, wrapper)
        yield


def restore(owner: Any, name: str, original: Any) -> None:
    if original is None:
        delattr(owner, name)
    else:
        setattr(owner, name, original)


@contextlib.contextmanager
def timeout(seconds: int) -> Iterator[None]:
    """Over, in the main thread, after so many seconds."""

    def over(*_: object) -> None:
        raise Over

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@functools.cache
def certificate() -> bytes:
    """A key and a certificate that were made for this."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    now = datetime.datetime(2020, 1, 1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now.replace(year=2040))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@functools.cache
def service_account() -> str:
    """The path of a file with the credentials of a service account of nobody's."""
    key = certificate().decode().partition("-----BEGIN CERTIFICATE")[0]
    about = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k",
        "private_key": key,
        "client_email": "nobody@example.com",
        "client_id": "1",
        "token_uri": "https://127.0.0.1:1/token",
    }
    path = Path("service_account.json").absolute()
    path.write_text(json.dumps(about), "utf-8")
    return str(path)
