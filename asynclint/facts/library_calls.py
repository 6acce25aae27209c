"""What calling something of a library gives, as the knowledge tables have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.builtin_calls import SPECIAL
from asynclint.facts.containers import MAPPINGS, SEQUENCES
from asynclint.facts.known_calls import argument_for, short_call
from asynclint.facts.model import CallSite, Recipe
from asynclint.facts.operations import awaited_type
from asynclint.facts.program import Module
from asynclint.facts.types import Coro, Gen, Inst, LibManager, Threaded, Type
from asynclint.knowledge.model import Function as Known

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator

PLAIN_VALUES = {
    "builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.bytes", "builtins.len",
    "builtins.repr", "builtins.abs", "builtins.round", "builtins.format", "builtins.hash",
}  # fmt: skip


def call_library(evaluator: Evaluator, path: str, site: CallSite | None, module: Module) -> Type:
    """What calling a library function or class by its path gives."""
    special = SPECIAL.get(path)
    if special is not None:
        return special(evaluator, path, site, module)
    if path in PLAIN_VALUES:
        return Inst(path if path != "builtins.len" else "builtins.int")
    cls = evaluator.known.cls(path)
    if cls is not None:
        if cls.construct is not None and cls.construct.returns_if:
            other = _returned_if(cls.construct, site)
            if other is not None:
                return evaluator.parse_type(other)
        return Inst(path, exact=True)
    known = evaluator.known.function(path)
    if known is not None:
        if site is not None and (known.spawns is not None or known.offloads is not None):
            special_type = runs_argument(evaluator, known, site, module)
            if special_type is not None:
                return special_type
        return call_known(evaluator, known, site, module, None, short_call(path))
    if path in SEQUENCES or path in MAPPINGS:
        return Inst(path, (None, None))
    if path.endswith("Stub") and "_pb2_grpc." in path and site is not None and site.args:
        return _foreign_stub(evaluator.at_site(site.args[0][0], site, module))
    return None


def call_known(
    evaluator: Evaluator,
    known: Known,
    site: CallSite | None,
    module: Module,
    receiver: Type,
    name: str,
) -> Type:
    """What calling something of which the tables tell gives; `name` is how messages name the call."""
    returns = _returned_if(known, site) or known.returns
    result = evaluator.parse_type(returns, receiver)
    if known.returns_param is not None and site is not None:
        result = evaluator.at_site(argument_for(site, known, known.returns_param), site, module)
        if known.coroutine:
            result = awaited_type(evaluator, result)
    if known.makes_async and site is not None:
        target = evaluator.at_site(argument_for(site, known, 0), site, module)
        return Threaded(target, _recipe_text(argument_for(site, known, 0)))
    if known.coroutine:
        return Coro(
            result,
            name,
            enters=known.enters == "async",
            iterates=_iterates(evaluator, result),
            eager=known.gathers,
            answers=known.name.endswith(".__call__"),
        )
    if known.enters is not None:
        return LibManager(result, known.enters == "async", known)
    return result


def runs_argument(
    evaluator: Evaluator, known: Known, site: CallSite | None, module: Module
) -> Type:
    """The result of handing a function or coroutine on: `to_thread(f)`, `create_task(f())`."""
    if site is None:
        return None
    if known.offloads is not None:
        target = evaluator.at_site(argument_for(site, known, known.offloads), site, module)
        result = evaluator.result_of(target, module)
        if known.coroutine:
            return Coro(result, short_call(known.name))
        if known.returns is None:
            return None
        declared = evaluator.parse_type(known.returns)
        return Inst(declared.of, (result,)) if isinstance(declared, Inst) else declared
    assert known.spawns is not None
    if known.spawns_call or known.returns is None:
        return evaluator.parse_type(known.returns)
    argument = evaluator.at_site(argument_for(site, known, known.spawns), site, module)
    declared = evaluator.parse_type(known.returns)
    if isinstance(declared, Inst):
        return Inst(declared.of, (awaited_type(evaluator, argument),))
    return declared


def _returned_if(known: Known, site: CallSite | None) -> str | None:
    """The type of the result in the case that an argument makes: a literal, or a name (`class_=AsyncSession`)."""
    found = None
    if site is None:
        return None
    for param, literal, type_text in known.returns_if:
        argument = argument_for(site, known, param)
        if argument and argument[0] in ("const", "name", "attr"):
            if str(argument[-1]) == literal:
                found = type_text
    return found


def _iterates(evaluator: Evaluator, type_: Type) -> bool:
    if isinstance(type_, Gen):
        return type_.is_async
    if isinstance(type_, Inst) and isinstance(type_.of, str):
        cls = evaluator.known.cls(type_.of)
        return cls is not None and cls.yields is not None
    return False


def _foreign_stub(channel: Type) -> Type:
    """A stub that grpc generated, of a module that is not there: what its methods are, the channel tells."""
    of = channel.of if isinstance(channel, Inst) else None
    return Inst(f"{of}.Stub") if of in ("grpc.Channel", "grpc.aio.Channel") else None


def _recipe_text(recipe: Recipe) -> str:
    """A callable as messages name it."""
    if recipe and recipe[0] == "name":
        return str(recipe[1])
    if recipe and recipe[0] == "attr":
        return str(recipe[2])
    return "function"
