"""Services that build clients for every request, run before and after `asynclint check --fix`.

Each is started with real uvicorn and asked fifty times; the loopback server behind it counts connections.
Run them alone with `pytest tests/test_proof.py`, one of them with `-k router`.
"""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from proof.fixing import fix
from proof.service import Account, Answer, Failed, Running, running
from proof.upstream import Asked, Authority, Counts, Upstream, environment

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
    for_some: dict[str, int] = field(default_factory=dict)
    """How many it is for targets with this word."""
    at_startup: int = 0
    """How many clients the service builds once, also before."""
    socket: bool = False
    """The target is a websocket."""
    factory: bool = False
    overlapping: bool = False
    """Requests reach the server behind while the next one is answered, so that there may be a few connections."""
    refused: str = ""
    """Why there is no fix, where there is none."""
    style: str = "app-state"
    service: str = ""
    """The directory, where it is not called like the form."""

    def __str__(self) -> str:
        return self.name

    def asked(self) -> list[str]:
        """The targets of all requests, in order."""
        numbers = range(REQUESTS)
        return [self.targets[n % len(self.targets)].format(n=n) for n in numbers]

    @property
    def directory(self) -> Path:
        return SERVICES / (self.service or self.name)


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
    Form("lifespan_class", ("/ask?q={n}",), {HTTPX: 1, OPENAI: 1}, at_startup=1),
    Form("lifespan_state", ("/ask?q={n}",), {OPENAI: 1}),
    Form("startup_handlers", ("/ask?q={n}", "/search?q={n}"), {OPENAI: 1, HTTPX: 1}),
    Form("starlette_routes", ("/ask?q={n}", "/find/search?q={n}"), {ANTHROPIC: 1, HTTPX: 1}),
    Form("streaming", ("/claude?q={n}", "/gpt?q={n}"), {ANTHROPIC: 1, OPENAI: 1}),
    Form("two_configurations", ("/fast?q={n}", "/good?q={n}", "/again?q={n}"), {OPENAI: 2}),
    Form(
        "shapes",
        (
            "/r/several?q={n}",
            "/r/chained?q={n}",
            "/r/errors?q={n}",
            "/r/nested?q={n}",
            "/r/verified?q={n}",
            "/r/called?q={n}",
            "/added?q={n}",
            "/reuse?q={n}",
            "/sync?q={n}",
            "/loop?q={n}",
        ),
        {OPENAI: 1, ANTHROPIC: 1, HTTPX: 3, "openai.OpenAI": 1},
        for_some={"several": 2, "loop": 2},
    ),
    Form(
        "package",
        (
            "/items/glob?q={n}",
            "/sub/poem?q={n}",
            "/sub/poem2?q={n}",
            "/sub/stream?q={n}",
            "/sub/stream2?q={n}",
            "/sub/tasks?q={n}",
        ),
        {HTTPX: 3, OPENAI: 1, "httpx.Client": 1},
        for_each=2,
        overlapping=True,
    ),
    Form(
        "router_module",
        ("/chat/claude?q={n}", "/chat/gpt/mini?q={n}", "/chat/gpt/nano?shout=1&q={n}"),
        {ANTHROPIC: 1, OPENAI: 1},
        style="module",
        service="router",
    ),
    Form(
        "app_factory_module",
        ("/api/ask?q={n}", "/api/search?q={n}"),
        {ANTHROPIC: 1, HTTPX2: 1},
        factory=True,
        style="module",
        service="app_factory",
    ),
    Form(
        "mounted_application",
        ("/inner/ask?q={n}",),
        {ANTHROPIC: 1},
    ),
]

TRAPS = [
    Form("websocket_dependency", ("/direct", "/routed"), socket=True),
    Form("unguarded_middleware", ("/ask?q={n}",)),
    Form("optional_client", ("/ask?q={n}",), refused="an exception of its constructor is caught"),
    Form("conditional_client", ("/ask?q={n}",), refused="it is built only under a condition"),
    Form("partial_dependency", ("/ask?q={n}",)),
    Form("closed_client", ("/ask?q={n}",)),
]
"""Services that must answer the same afterwards, whether there is a fix for them or not."""

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
        self._before: dict[Path, Future[Run]] = {}
        self._fixed: dict[str, Future[Fixing]] = {}

    def begin(self, forms: list[Form], *, fixing: bool) -> None:
        """Start on services that will be asked for."""
        for form in forms:
            if form.directory not in self._before:
                copy = self._copy(form)
                self._before[form.directory] = self._pool.submit(self._run, form, copy)
            if fixing and form.name not in self._fixed:
                self._fixed[form.name] = self._pool.submit(self._fix, form)

    def end(self) -> None:
        """Wait for what runs, and start nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def before(self, form: Form) -> Run:
        self.begin([form], fixing=False)
        return self._before[form.directory].result()

    def fixed(self, form: Form) -> Fixing:
        self.begin([form], fixing=True)
        return self._fixed[form.name].result()

    def _copy(self, form: Form, beside: str = "") -> Path:
        return Path(shutil.copytree(form.directory, self._directory / (form.name + beside)))

    def fix(self, form: Form) -> tuple[Path, str, str]:
        """A fixed copy of a service, what was printed, and what was changed."""
        directory = self._copy(form, "-fixed")
        (directory / "asynclint.toml").write_text(f'[fix]\nclient = "{form.style}"\n', "utf-8")
        done = fix(directory, "clients")
        return directory, done.stdout + done.stderr, changes(form.directory, directory)

    def _fix(self, form: Form) -> Fixing:
        directory, printed, diff = self.fix(form)
        if not diff:
            # It is the same service, and says the same again.
            return Fixing(printed, diff, self.before(form))
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
    if form.socket:
        return service.chat(form.asked(), [f"Question {n}" for n in range(REQUESTS)])
    return service.ask(form.asked())


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    trusted: Path,
) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("proof"), authority, trusted)
    # Of several workers each has all items, and runs some of them.
    for item in request.session.items if "PYTEST_XDIST_WORKER" not in os.environ else ():
        if isinstance(item, pytest.Function) and item.path == request.path:
            if form := getattr(item, "callspec", None) and item.callspec.params.get("form"):
                stage.begin([form], fixing=item.originalname in ("test_fixed", "test_trap"))
    yield stage
    stage.end()


def test_every_service_is_run() -> None:
    assert {form.directory.name for form in [*FORMS, *TRAPS]} == {
        path.name for path in SERVICES.iterdir() if path.is_dir()
    }
    asked = {(form.directory, form.targets, form.socket, form.factory) for form in [*FORMS, *TRAPS]}
    assert len(asked) == len({form.directory for form in [*FORMS, *TRAPS]}), "they share a run"


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_unfixed(form: Form, stage: Stage) -> None:
    """It answers, and builds its clients for every request."""
    run = stage.before(form)
    assert_answered(run)
    built = sum(
        next((n for word, n in form.for_some.items() if word in target), form.for_each)
        for target in form.asked()
    )
    assert len(run.account.clients) == built + form.at_startup
    assert set(run.account.built()) == set(form.clients)
    assert run.counts.connections == run.counts.handshakes == built + form.at_startup


def parameters(forms: list[Form]) -> list[ParameterSet]:
    """One parameter for each form; those that are missed are expected to fail."""
    return [
        pytest.param(
            form,
            marks=[
                pytest.mark.xfail(reason=reason, raises=(AssertionError, Failed), strict=True)
                for name, reason in MISSED.items()
                if name == form.name
            ],
        )
        for form in forms
    ]


@pytest.mark.parametrize("form", parameters([f for f in FORMS if not f.refused]), ids=str)
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


@pytest.mark.parametrize("form", parameters(TRAPS), ids=str)
def test_trap(form: Form, stage: Stage) -> None:
    """It answers the same and closes what it closed, whatever was done to it."""
    before, fixing = stage.before(form), stage.fixed(form)
    run, shown = fixing.run, f"{fixing.printed}\n{fixing.diff}"
    assert_answered(before)
    assert_answered(run)
    assert run.answers == before.answers, shown
    assert run.asked == before.asked, shown
    assert all(client["closes"] == 1 for client in run.account.clients), shown


@pytest.mark.parametrize("form", [form for form in FORMS + TRAPS if form.refused], ids=str)
def test_refused(form: Form, stage: Stage) -> None:
    """The finding says why there is no fix, and nothing is changed."""
    fixing = stage.fixed(form)
    assert form.refused in fixing.printed
    assert fixing.diff == ""


def assert_answered(run: Run) -> None:
    assert run.account.errors == ""
    assert run.account.code == 0
    assert len(run.answers) == REQUESTS
    assert len(set(map(str, run.answers))) == REQUESTS, "the answers should differ"
    for answer in run.answers:
        if isinstance(answer, Answer):
            assert answer.status in (200, 404), answer
