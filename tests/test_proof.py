"""Services that build clients for every request, run before and after `asynclint check --fix`.

Each is started with real uvicorn and asked fifty times; the loopback server behind it counts connections.
Run them alone with `pytest tests/test_proof.py`, one of them with `-k router`.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from proof.service import Account, Answer, Running, running
from proof.upstream import Asked, Authority, Counts, Upstream, environment, trusting

ROOT = Path(__file__).resolve().parent.parent
SERVICES = Path(__file__).with_name("proof") / "services"
REQUESTS = 50

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the services end on SIGTERM")


@dataclass(frozen=True)
class Form:
    """A way in which a request reaches a constructor: the directory of its service, and how to ask it."""

    name: str
    targets: tuple[str, ...]
    """Asked in turn; `{n}` becomes the number of the request."""
    clients: dict[str, int] = field(default_factory=dict)
    """How many clients of each class the fixed service builds."""
    for_each: int = 1
    """How many clients a request builds before."""
    at_startup: int = 0
    """How many clients the service builds once, also before."""
    socket: bool = False
    """The target is a websocket."""
    factory: bool = False
    overlapping: bool = False
    """Requests reach the server behind while the next one is answered, so that there may be a few connections."""
    refused: str = ""
    """Why there is no fix, where there is none."""

    def __str__(self) -> str:
        return self.name


ANTHROPIC, OPENAI = "anthropic.AsyncAnthropic", "openai.AsyncOpenAI"
HTTPX, HTTPX2 = "httpx.AsyncClient", "httpx2.AsyncClient"

FORMS = [
    Form(
        "route",
        ("/anthropic?q={n}", "/openai?q={n}", "/httpx?q={n}", "/httpx2?q={n}", "/sync?q={n}"),
        {ANTHROPIC: 1, OPENAI: 1, HTTPX: 1, HTTPX2: 1, "anthropic.Anthropic": 1},
    ),
    Form(
        "router",
        ("/chat/claude?q={n}", "/chat/gpt/mini?q={n}", "/chat/gpt/nano?shout=1&q={n}"),
        {ANTHROPIC: 1, OPENAI: 1},
    ),
    Form("dependency", ("/ask?q={n}", "/search?q={n}"), {OPENAI: 1, HTTPX: 1}),
    Form("yield_dependency", ("/ask?q={n}", "/search?q={n}"), {ANTHROPIC: 1, HTTPX2: 1}),
    Form("annotated_dependency", ("/v1/gpt?q={n}", "/v1/claude?q={n}"), {OPENAI: 1, ANTHROPIC: 1}),
    Form("dependency_class", ("/ask?q={n}", "/find?q={n}&lang=de"), {ANTHROPIC: 1, HTTPX: 1}),
    Form("middleware", ("/ask?q={n}",), {HTTPX: 2}, for_each=2),
    Form("asgi_middleware", ("/ask?q={n}",), {HTTPX2: 1}),
    Form("exception_handler", ("/ask?q={n}",), {HTTPX: 1}),
    Form("websocket", ("/chat",), {OPENAI: 1}, socket=True),
    Form("background_task", ("/order?q={n}",), {HTTPX: 1}, overlapping=True),
    Form("service_class", ("/summary?q={n}&words=7",), {OPENAI: 1}),
    Form("helper", ("/ask?q={n}", "/price?q={n}"), {ANTHROPIC: 1, HTTPX: 1}),
    Form(
        "app_factory",
        ("/api/ask?q={n}", "/api/search?q={n}"),
        {ANTHROPIC: 1, HTTPX2: 1},
        factory=True,
    ),
    Form("existing_lifespan", ("/ask?q={n}",), {HTTPX: 1, OPENAI: 1}, at_startup=1),
    Form("lifespan_state", ("/ask?q={n}",), {OPENAI: 1}),
    Form("startup_handlers", ("/ask?q={n}", "/search?q={n}"), {OPENAI: 1, HTTPX: 1}),
    Form("starlette_routes", ("/ask?q={n}", "/find/search?q={n}"), {ANTHROPIC: 1, HTTPX: 1}),
    Form("streaming", ("/claude?q={n}", "/gpt?q={n}"), {ANTHROPIC: 1, OPENAI: 1}),
    Form("two_configurations", ("/fast?q={n}", "/good?q={n}", "/again?q={n}"), {OPENAI: 2}),
    Form(
        "mounted_application",
        ("/inner/ask?q={n}",),
        {ANTHROPIC: 1},
        refused="`inner.inner` is mounted in another application, which alone has a lifespan",
    ),
]

MISSED: dict[str, str] = {}
"""Forms that are not fixed yet, and what is missing; a repair is noticed."""


@dataclass(frozen=True)
class Run:
    """What a service answered, what it said of itself when it had ended, and what reached the server behind it."""

    answers: list[Answer] | list[str]
    account: Account
    counts: Counts
    asked: list[Asked]


@dataclass(frozen=True)
class Fixing:
    """What `asynclint check --fix` printed, the changes it made, and the run of the changed service."""

    printed: str
    diff: str
    run: Run


class Stage:
    """Runs services, as many at once as there are processors."""

    def __init__(self, directory: Path, authority: Authority, trusted: Path) -> None:
        self._directory = directory
        self._authority = authority
        self._trusted = trusted
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._before: dict[str, Future[Run]] = {}
        self._fixed: dict[str, Future[Fixing]] = {}

    def begin(self, forms: list[Form], *, fixing: bool) -> None:
        """Start on services that will be asked for."""
        for form in forms:
            if form.name not in self._before:
                self._before[form.name] = self._pool.submit(self._run, form, self._copy(form))
            if fixing and form.name not in self._fixed:
                self._fixed[form.name] = self._pool.submit(self._fix, form)

    def end(self) -> None:
        """Wait for what runs, and start nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def before(self, form: Form) -> Run:
        self.begin([form], fixing=False)
        return self._before[form.name].result()

    def fixed(self, form: Form) -> Fixing:
        self.begin([form], fixing=True)
        return self._fixed[form.name].result()

    def _copy(self, form: Form, beside: str = "") -> Path:
        return Path(shutil.copytree(SERVICES / form.name, self._directory / (form.name + beside)))

    def fix(self, form: Form) -> tuple[Path, str, str]:
        """A fixed copy of a service, what was printed, and what was changed."""
        directory = self._copy(form, "-fixed")
        command = [sys.executable, "-m", "asynclint", "check", "--fix", "--unsafe-fixes", "."]
        done = subprocess.run(
            [*command, "--no-cache", "--show-fixes", "--select", "client-per-request"],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        return directory, done.stdout + done.stderr, changes(SERVICES / form.name, directory)

    def _fix(self, form: Form) -> Fixing:
        directory, printed, diff = self.fix(form)
        return Fixing(printed, diff, self._run(form, directory, strict=True))

    def _run(self, form: Form, directory: Path, *, strict: bool = False) -> Run:
        upstream = Upstream(self._authority)
        with upstream.serving():
            variables = environment(upstream, self._trusted)
            with running(
                directory,
                "app:create_app" if form.factory else "app:app",
                variables,
                factory=form.factory,
                strict=strict,
            ) as service:
                answers = ask(service, form)
            return Run(answers, service.account, upstream.counts(), upstream.asked())


def changes(before: Path, after: Path) -> str:
    """The differences between the Python files of two directories."""
    lines: list[str] = []
    for path in sorted(before.rglob("*.py")):
        name = path.relative_to(before)
        texts = [(base / name).read_text("utf-8").splitlines() for base in (before, after)]
        lines += difflib.unified_diff(*texts, str(name), str(name), lineterm="")
    return "\n".join(lines)


def ask(service: Running, form: Form) -> list[Answer] | list[str]:
    numbers = range(REQUESTS)
    targets = [form.targets[n % len(form.targets)].format(n=n) for n in numbers]
    if form.socket:
        return service.chat(targets, [f"Question {n}" for n in numbers])
    return service.ask(targets)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def trusted(authority: Authority) -> Iterator[Path]:
    with trusting(authority) as path:
        yield path


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    trusted: Path,
) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("proof"), authority, trusted)
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path == request.path:
            if form := getattr(item, "callspec", None) and item.callspec.params.get("form"):
                stage.begin([form], fixing=item.originalname == "test_fixed")
    yield stage
    stage.end()


def test_every_service_is_run() -> None:
    assert {form.name for form in FORMS} == {
        path.name for path in SERVICES.iterdir() if path.is_dir()
    }


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_unfixed(form: Form, stage: Stage) -> None:
    """It answers, and builds its clients for every request."""
    run = stage.before(form)
    assert_answered(run)
    built = form.for_each * REQUESTS
    assert len(run.account.clients) == built + form.at_startup
    assert set(run.account.built()) == set(form.clients)
    assert run.counts.connections == run.counts.handshakes == built + form.at_startup


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(
            form,
            marks=[pytest.mark.xfail(reason=MISSED[form.name], raises=AssertionError, strict=True)]
            if form.name in MISSED
            else [],
        )
        for form in FORMS
        if not form.refused
    ],
    ids=str,
)
def test_fixed(form: Form, stage: Stage) -> None:
    """It answers the same, builds each client once, keeps its connections, and closes each client once at the end."""
    before, fixing = stage.before(form), stage.fixed(form)
    run, shown = fixing.run, f"{fixing.printed}\n{fixing.diff}"
    assert_answered(run)
    assert run.answers == before.answers, shown
    assert run.asked == before.asked, shown
    assert run.account.built() == form.clients, shown
    assert [client for client in run.account.clients if client["closes"] != 1] == [], shown
    assert all(client["at_shutdown"] for client in run.account.clients), shown
    wanted = sum(form.clients.values())
    assert wanted <= run.counts.connections <= (5 if form.overlapping else wanted), shown
    assert run.counts.handshakes == run.counts.connections


@pytest.mark.parametrize("form", [form for form in FORMS if form.refused], ids=str)
def test_refused(form: Form, stage: Stage) -> None:
    """The finding says why there is no fix, and nothing is changed."""
    printed, diff = stage.fix(form)[1:]
    assert form.refused in printed
    assert diff == ""


def assert_answered(run: Run) -> None:
    assert run.account.errors == ""
    assert run.account.code == 0
    assert len(run.answers) == REQUESTS
    assert len(set(map(str, run.answers))) == REQUESTS, "the answers should differ"
    for answer in run.answers:
        if isinstance(answer, Answer):
            assert answer.status in (200, 404), answer
