"""Measure what the lifespan fix changes: the example service, before and after, against a loopback HTTPS server.

Fifty requests one after the other and fifty at once; each goes to the CRM over a shared client, and to the
model over one that is built for every request before the fix and once after it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "tests"))

import certifi
from proof.service import Running, running
from proof.upstream import Authority, Upstream, environment, trusting

SERVICE = CHECKOUT / "examples" / "service"
REQUESTS = 50
MODES = ("one after the other", "all at once")
STATES = ("before", "after")
CUSTOMERS = {"/customers/7": {"id": "7", "name": "Ada", "plan": "gold"}}
TICKET = b'{"customer_id": "7", "subject": "Printer", "body": "It does not print."}'


@dataclass
class Measured:
    """One state of the service under one kind of load, over all rounds. Times are in milliseconds."""

    first_byte: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    handshakes: list[int] = field(default_factory=list)
    stall: list[float] = field(default_factory=list)

    def quantile(self, part: float) -> float:
        """The time to first byte that this part of all requests did not exceed."""
        ordered = sorted(self.first_byte)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


Results = dict[tuple[str, str], Measured]


def fix(directory: Path) -> None:
    """Let asynclint share the clients; everything else in the service stays as it is."""
    command = [sys.executable, "-m", "asynclint", "check", "--fix", "--unsafe-fixes"]
    done = subprocess.run(
        [*command, "--no-cache", "--select", "client-per-request", "."],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"the service could not be fixed:\n{done.stdout}{done.stderr}")


async def request(port: int, method: str, target: str, body: bytes = b"") -> float:
    """Milliseconds from sending a request over a connection that is there to the first byte of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    start = time.perf_counter()
    writer.write(head.encode() + body)
    answer = await reader.read(1)
    elapsed = 1000 * (time.perf_counter() - start)
    answer += await reader.read()
    writer.close()
    await writer.wait_closed()
    if not answer.startswith(b"HTTP/1.1 20"):
        sys.exit(f"the service answered {answer[:200]!r}")
    return elapsed


async def load(port: int, mode: str) -> list[float]:
    """The times to first byte of fifty replies."""
    target = "/tickets/1/reply"
    if mode == MODES[0]:
        return [await request(port, "POST", target) for _ in range(REQUESTS)]
    return await asyncio.gather(*(request(port, "POST", target) for _ in range(REQUESTS)))


def measure(service: Running, model: Upstream, mode: str, into: Measured) -> None:
    """One load on a service, after another one of the same kind, which fills its pools and caches."""
    asyncio.run(request(service.port, "POST", "/tickets", TICKET))
    asyncio.run(load(service.port, mode))
    service.note_gap()
    model.reset()
    into.first_byte += asyncio.run(load(service.port, mode))
    service.note_gap()
    counts = model.counts()
    into.connections.append(counts.used)
    into.handshakes.append(counts.handshakes)


def run(rounds: int) -> Results:
    """All loads on both states of the service, in turns, each on a service of its own."""
    results = {(state, mode): Measured() for mode in MODES for state in STATES}
    authority = Authority()
    with (
        tempfile.TemporaryDirectory() as base,
        trusting(authority, Path(certifi.where())) as trusted,
    ):
        directories = {s: Path(shutil.copytree(SERVICE, Path(base, s))) for s in STATES}
        fix(directories["after"])
        for number in range(rounds):
            for (state, mode), into in results.items():
                print(f"round {number + 1}: {state}, {mode}", file=sys.stderr)
                model, crm = Upstream(authority), Upstream(authority, CUSTOMERS)
                variables = environment(model, trusted) | {"HELPDESK_CRM_URL": crm.url}
                with model.serving(), crm.serving():
                    with running(
                        directories[state], "helpdesk.app:app", variables, clock=True, fresh=True
                    ) as service:
                        measure(service, model, mode, into)
                    into.stall.append(1000 * service.account.gaps[-1])
    return results


def table(results: Results) -> str:
    """The results as a Markdown table."""
    lines = [
        "| 50 requests | | first byte, median | first byte, p95 | connections used | TLS handshakes | event loop kept, longest |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for (state, mode), found in results.items():
        lines.append(
            f"| {mode} | {state} | {statistics.median(found.first_byte):.1f} ms"
            f" | {found.quantile(0.95):.1f} ms"
            f" | {statistics.median(found.connections):.0f}"
            f" | {statistics.median(found.handshakes):.0f}"
            f" | {statistics.median(found.stall):.1f} ms |"
        )
    return "\n".join(lines)


def plot(results: Results, path: Path) -> None:
    """The time to first byte of every request, sorted, one picture for each kind of load."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(MODES), figsize=(9, 3.6), layout="constrained")
    for axis, mode in zip(axes, MODES, strict=True):
        for state, colour in zip(STATES, ("#c0392b", "#1f77b4"), strict=True):
            times = sorted(results[state, mode].first_byte)
            share = [100 * (n + 1) / len(times) for n in range(len(times))]
            axis.plot(share, times, color=colour, label=state, linewidth=2)
        axis.set_title(f"{REQUESTS} requests, {mode}")
        axis.set_xlabel("% of requests answered within")
        axis.set_ylabel("time to first byte (ms)")
        axis.set_ylim(bottom=0)
        axis.set_xlim(0, 100)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each load is run")
    parser.add_argument("--plot", type=Path, help="write a PNG (needs matplotlib)")
    given = parser.parse_args(arguments)
    results = run(given.rounds)
    print(table(results))
    if given.plot:
        plot(results, given.plot)


if __name__ == "__main__":
    main()
