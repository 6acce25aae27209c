"""What a library keeps for each thread, or for the one that came first: another thread does not see it, or must not use it.

mlflow 3.17 keeps its active run in a `threading.local`, newrelic the transaction by the thread's number, streamlit the page on
the thread's object, and dspy 3.4 the number of the thread that may configure it. `pyplot` has one current figure for all,
and PyMuPDF says of itself, in "Multiprocessing" of its recipes, that it does not support threads.
Windows, COM and many classes of macOS belong to a thread, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from asynclint.facts.graph import SYNC
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.program import Function
from asynclint.facts.types import Lib, members
from asynclint.findings import Refused
from asynclint.fixes.effects import effects
from asynclint.fixes.place import Place, Workshop
from asynclint.fixes.reached import REACH, beginning

NONE: Recipe = ("const", None)

Extent = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class State:
    """One such thing, and the calls that work on it."""

    word: str
    """In the text of each module that may use it."""
    uses: re.Pattern[str]
    """Functions that work on it."""
    why: str
    begins: re.Pattern[str] | None = None
    """What begins it anew, so that the thread which does has its own: as a `with` or, with `ends` behind it, as a call."""
    ends: re.Pattern[str] | None = None
    names: frozenset[str] = frozenset()
    """Arguments that say which one is meant, whoever calls."""
    above: frozenset[str] = frozenset()
    """Arguments by which what begins there hangs on what was begun before."""
    reads: re.Pattern[str] | None = None
    """Attributes that are a part of it."""
    for_all: bool = False
    """All threads have the same one, which a lock guards."""


STATES = (
    State(
        "mlflow",
        re.compile(
            r"mlflow\.(?:log_\w+|(?:set|delete)_tags?|(?:start|end|active|last_active)_run"
            r"|last_logged_model|get_artifact_uri|evaluate|\w+\.log_model)"
        ),
        "works in the active run of MLflow, and each thread has its own",
        begins=re.compile(r"mlflow\.start_run"),
        ends=re.compile(r"mlflow\.end_run"),
        names=frozenset({"run_id"}),
        above=frozenset({"nested"}),
    ),
    State(
        "dspy",
        re.compile(r"dspy\.(?:settings\.)?configure"),
        "configures DSPy, which one thread may do",
    ),
    State(
        "streamlit",
        re.compile(r"streamlit\.(?!cache|secrets|logger|connections|testing|web)\w.*"),
        "works on the page of Streamlit that its thread shows",
        reads=re.compile(r"streamlit\.session_state\b.*"),
    ),
    State(
        "newrelic",
        re.compile(
            r"newrelic\.agent\.(?:add_custom|record|notice|set|current|ignore|insert|accept)_\w+"
        ),
        "tells New Relic of the transaction of its thread",
    ),
    State(
        "pyplot",
        re.compile(r"(?:matplotlib\.)?(?:pyplot|pylab)\.\w+"),
        "draws with `pyplot`, which is for one thread at a time",
        for_all=True,
    ),
    State(
        "seaborn",
        re.compile(r"seaborn\.\w+plot"),
        "draws with `pyplot`, which is for one thread at a time",
        for_all=True,
    ),
    *(
        State(
            word,
            re.compile(r"(?:pymupdf|fitz)\.\w.*"),
            "uses PyMuPDF, which is not made for several threads",
            for_all=True,
        )
        for word in ("pymupdf", "fitz")
    ),
    *(
        State(word, re.compile(path), "works on windows, which belong to one thread")
        for word, path in (
            ("tkinter", r"tkinter\..*"),
            ("QtWidgets", r"Py(?:Qt|Side)\d\.QtWidgets\..*"),
            ("wx", r"wx\..*"),
        )
    ),
    *(
        State(
            word,
            re.compile(rf"{word}\..*"),
            "works with macOS's own classes, of which many belong to the main thread",
        )
        for word in ("AppKit", "Foundation", "objc")
    ),
    *(
        State(
            word,
            re.compile(rf"{word}\.(?!CoInit).*"),
            "uses COM, which has to be set up in each thread",
            begins=re.compile(r"(?:pythoncom|comtypes)\.CoInitialize(?:Ex)?"),
        )
        for word in ("win32com", "comtypes")
    ),
)


def refuse(place: Place) -> None:
    """Raise Refused where the call itself works on what its thread has."""
    refuse_at(place, place.site)


def refuse_at(place: Place, site: CallSite) -> None:
    """The same for a call within a block that a thread is to run."""
    for state in STATES:
        if _Walk(place.workshop, state).uses(place.function, site):
            raise Refused(f"`{place.function.name}` {state.why}")


def below(workshop: Workshop, function: Function) -> str | None:
    """Why a function, or one that it calls, works on what its thread has, and did not begin there."""
    return workshop.each(_below, function)


def _below(workshop: Workshop, function: Function) -> str | None:
    found = (_Walk(workshop, s).user(function) for s in STATES if workshop.saying(s.word))
    return next((one for one in found if one is not None), None)


class _Walk:
    """Looks for what works on one state."""

    def __init__(self, workshop: Workshop, state: State) -> None:
        self.workshop = workshop
        self.state = state
        self.graph = workshop.facts.graph
        self.evaluator = self.graph.evaluator

    def user(self, function: Function) -> str | None:
        """The reason, with the name of the function that does."""
        queue = beginning(self.workshop, function)
        seen = set(queue)
        while queue and len(seen) < REACH:
            one = queue.pop()
            begun = self._begun(one)
            if self._reads(one) or any(
                self.uses(one, site) for site in one.sites if site.extent not in begun
            ):
                return f"`{one.name}` {self.state.why}"
            for edge in self.graph.out.get(one, ()):
                if edge.how in SYNC and edge.target not in seen and edge.site.extent not in begun:
                    seen.add(edge.target)
                    queue.append(edge.target)
        return None

    def uses(self, function: Function, site: CallSite) -> bool:
        """Whether a call works on what its thread has."""
        if not self._is(function, site, self.state.uses):
            return False
        if any(name in self.state.names and given != NONE for given, name in site.args):
            return False
        locked = self.state.for_all and self.workshop.once(effects).is_locked(function, site)
        return not locked

    def _reads(self, function: Function) -> bool:
        """Whether a function reads an attribute that is a part of it: `st.session_state.name`."""
        pattern = self.state.reads
        if pattern is None or not self._is_named(function):
            return False
        for recipe, line, column, *_, block in function.facts.loads:
            found = self.evaluator.eval(recipe, function, (line, column, block))
            if isinstance(found, Lib) and pattern.fullmatch(found.path):
                return True
        return False

    # -- what a thread begins itself ------------------------------------------------------------------

    def _begun(self, function: Function) -> set[Extent]:
        """Where the calls of a function stand for which it began the state itself."""
        if self.state.begins is None or not self._is_named(function):
            return set()
        return {
            site.extent
            for beginning in function.sites
            if self._is(function, beginning, self.state.begins)
            and not any(name in self.state.above for _, name in beginning.args)
            for site in self._behind(function, beginning)
        }

    def _behind(self, function: Function, beginning: CallSite) -> Iterator[CallSite]:
        """What begins the state, and the calls behind that: in its `with`, or down to the end of the function."""
        entered = list(self._entered(function, beginning))
        ends = self.state.ends
        if not entered and ends is not None:
            if not any(self._is(function, site, ends) for site in function.sites):
                return
        for site in function.sites:
            inside = any(function.module.inside(site.block, one) for one in entered)
            if site is beginning or inside or (not entered and site.line >= beginning.line):
                yield site

    def _entered(self, function: Function, call: CallSite) -> Iterator[int]:
        """The block of the `with` that enters what a call gives."""
        for site in function.sites:
            if site.kind == "with" and site.callee == ("call", call.index):
                yield from function.module.entered(site)

    def _is(self, function: Function, site: CallSite, pattern: re.Pattern[str]) -> bool:
        """Whether a function is called whose path is so."""
        if site.kind != "call" or not self._is_named(function):
            return False
        found = members(self.evaluator.callee(function.module, site))
        return any(isinstance(m, Lib) and bool(pattern.fullmatch(m.path)) for m in found)

    def _is_named(self, function: Function) -> bool:
        return self.state.word in (function.module.file.text or "")
