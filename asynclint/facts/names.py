"""What names mean: the bindings that reach a place, enclosing scopes, globals, imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.annotations import annotation_type, is_vague
from asynclint.facts.containers import fuller
from asynclint.facts.contents import is_open
from asynclint.facts.lazy_names import lazy_imports
from asynclint.facts.model import END, Binding, Parameter, Place, Recipe
from asynclint.facts.narrowing import narrowed
from asynclint.facts.program import BUILTINS, Function, Module
from asynclint.facts.types import NONE, Inst, Lib, Mod, Type, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def name_type(evaluator: Evaluator, name: str, function: Function, at: Place) -> Type:
    """What a name means where it is read."""
    scope = function
    facts = scope.facts
    functions = scope.module.functions
    first = True
    while facts.kind != "module":
        if first or facts.kind != "class":
            if name in facts.globals:
                break
            bindings = facts.bindings.get(name)
            parameter = scope.parameters.get(name)
            if (bindings or parameter) and not (name in facts.nonlocals):
                if first:
                    result = _flow(evaluator, scope, bindings, parameter, at)
                    return narrowed(evaluator, ("name", name), result, scope, at)
                return _closed_over(evaluator, scope, name, bindings, parameter)
        first = False
        scope = functions[facts.parent]
        facts = scope.facts
    if first:
        # Module code reads names in order.
        bindings = scope.facts.bindings.get(name)
        if bindings and len(bindings) > 1:
            reaching, _ = evaluator.program.reaching_bindings(scope.module, bindings, *at)
            if reaching:
                return union([evaluator.bound_type(scope, b) for b in reaching])
        return evaluator.global_name(name, function.module)
    result = evaluator.global_name(name, function.module)
    return narrowed(evaluator, ("name", name), result, function, at)


def find_bound_type(evaluator: Evaluator, scope: Function, binding: Binding) -> Type:
    """See `Evaluator.bound_type`."""
    value = _bound_value(evaluator, scope, binding)
    if evaluator.contents is not None and is_open(value):
        return evaluator.contents.of_name(scope, binding, value)
    return value


def find_global(evaluator: Evaluator, name: str, module: Module) -> Type:
    """See `Evaluator.global_name`."""
    scope = module.body
    bindings = scope.facts.bindings.get(name)
    assigned = module.global_bindings.get(name)
    if bindings or assigned:
        types = []
        final = evaluator.program.final_bindings(module, bindings or [])
        if len(bindings or ()) > 1 and all(
            _is_foreign(evaluator, evaluator.bound_type(scope, b)) for b in final
        ):
            # `try: from lib import f` / `except ImportError: def f(): …`: only the second one is known.
            fallback = [b for b in bindings or () if b not in final and b.recipe]
            shown = [
                t
                for b in fallback
                if not _is_foreign(evaluator, t := evaluator.bound_type(scope, b))
            ]
            if shown and len(shown) == len(fallback):
                return union(shown)
        for b in final:
            type_ = evaluator.bound_type(scope, b)
            if type_ is None and b.recipe == ("const", None):
                type_ = NONE
            if b.kind != "ann" or type_ is not None:
                types.append(type_)
        types += [evaluator.bound_type(f, b) for f, b in assigned or ()]
        if types:
            return union(types)
        return None
    for level, star in module.facts.stars:
        target = evaluator.program.absolute(module, level, star)
        if target is None:
            continue
        other = evaluator.program.find(target, module.file)
        if other is not None and other is not module:
            if other.facts.exports is not None and name not in other.facts.exports:
                continue
            if other.facts.exports is None and name.startswith("_"):
                continue
            found = evaluator.global_name(name, other)
            if found is not None:
                return found
        elif other is None and not evaluator.program.is_ours(target, module.file):
            path = evaluator.known.canonical(f"{target}.{name}")
            if evaluator.known.cls(path) or evaluator.known.function(path):
                return Lib(path)
    for getter, recipe in lazy_imports(name, module):
        made = evaluator.eval(recipe, getter, (END, 0, -1))
        if made is not None:
            return made
    if name in BUILTINS:
        if any(
            evaluator.program.absolute(module, level, star) is None
            for level, star in module.facts.stars
        ):
            return None
        return Lib(f"builtins.{name}")
    return None


def module_value(evaluator: Evaluator, name: str, module: Module) -> Type:
    """What `import name` binds."""
    found = evaluator.program.find(name, module.file)
    if found is not None:
        return Mod(found)
    if evaluator.program.is_ours(name, module.file):
        return Lib("~" + name) if evaluator.program.is_package(name) else None
    return Lib(evaluator.known.canonical(name))


def imported(evaluator: Evaluator, module: Module, level: int, source: str, name: str) -> Type:
    """What `from <source> import name` binds."""
    target = evaluator.program.absolute(module, level, source)
    if target is None:
        return None
    other = evaluator.program.find(target, module.file)
    if other is not None:
        if other is not module:
            value = evaluator.global_name(name, other)
            # A submodule may be called like a builtin.
            if value is not None and value != Lib(f"builtins.{name}"):
                return value
            if name in other.body.facts.bindings:
                return None
        sub = evaluator.program.find(f"{target}.{name}", module.file)
        return Mod(sub) if sub is not None else None
    sub = evaluator.program.find(f"{target}.{name}", module.file)
    if sub is not None:
        return Mod(sub)
    if level or evaluator.program.is_ours(target, module.file):
        full = f"{target}.{name}"
        return Lib("~" + full) if evaluator.program.is_package(full) else None
    return Lib(evaluator.known.canonical(f"{target}.{name}"))


def is_fixed(recipe: Recipe, function: Function) -> bool:
    """Whether `a.b.c` means the same wherever functions of the module read it: a global that no test narrows."""
    while recipe and recipe[0] == "attr":
        recipe = recipe[1]
    if not recipe or recipe[0] != "name":
        return False
    name = recipe[1]
    facts = function.facts
    if "isinstance" in facts.loaded:
        return False
    if facts.kind == "module":
        # Module code reads names in order.
        return len(facts.bindings.get(name, ())) < 2
    functions = function.module.functions
    while facts.kind != "module":
        if name in facts.bindings or name in function.parameters:
            return False
        function = functions[facts.parent]
        facts = function.facts
    return True


def _flow(
    evaluator: Evaluator,
    scope: Function,
    bindings: list[Binding] | None,
    parameter: Parameter | None,
    at: Place,
) -> Type:
    types: list[Type] = []
    certain = False
    if bindings:
        reaching, certain = evaluator.program.reaching_bindings(scope.module, bindings, *at)
        types = [evaluator.bound_type(scope, b) for b in reaching]
    if parameter is not None and not certain:
        own = evaluator.parameter_type(scope, parameter)
        if own is None and types and parameter.default == ("const", None):
            # `if x is None: x = X()` on a parameter without annotation.
            return union(types)
        types.append(own)
    if not types and bindings:
        declared = [b for b in bindings if b.annotation is not None]
        if declared:
            return annotation_type(evaluator, declared[-1].annotation, scope)
    return union(types)


def _closed_over(
    evaluator: Evaluator,
    scope: Function,
    name: str,
    bindings: list[Binding] | None,
    parameter: Parameter | None,
) -> Type:
    types: list[Type] = []
    if bindings:
        types = [
            evaluator.bound_type(scope, b)
            for b in evaluator.program.final_bindings(scope.module, bindings)
        ]
    if parameter is not None:
        types.append(evaluator.parameter_type(scope, parameter))
    return union(types)


def _bound_value(evaluator: Evaluator, scope: Function, binding: Binding) -> Type:
    if binding.annotation is not None:
        declared = annotation_type(evaluator, binding.annotation, scope)
        if declared is not None and not is_vague(declared):
            value = None
            if binding.recipe is not None and isinstance(declared, Inst):
                value = evaluator.eval(
                    binding.recipe, scope, (binding.line, binding.col, binding.block)
                )
            if isinstance(value, Inst) and value.exact:
                return fuller(declared, value)
            return declared
    if binding.recipe is None:
        return None
    return evaluator.eval(binding.recipe, scope, (binding.line, binding.col, binding.block))


def _is_foreign(evaluator: Evaluator, type_: Type) -> bool:
    """Unknown, or of a library of which nothing is known."""
    if type_ is None or type_ == NONE:
        return True
    return (
        isinstance(type_, Lib)
        and evaluator.known.cls(type_.path) is None
        and evaluator.known.function(type_.path) is None
        and type_.path.partition(".")[0] not in evaluator.known.roots
    )
