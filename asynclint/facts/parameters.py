"""What a parameter is: the object itself, its annotation, what a framework or the project's calls hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.facts.annotations import annotation_type, is_vague
from asynclint.facts.decorators import decorator_paths, decorator_value
from asynclint.facts.dependencies import dependency_of, provided
from asynclint.facts.known_calls import known_callee
from asynclint.facts.model import Parameter, Recipe
from asynclint.facts.program import Function, Klass
from asynclint.facts.types import NONE, Cls, Inst, Type, union

if TYPE_CHECKING:
    from asynclint.facts.evaluate import Evaluator


def find_parameter_type(evaluator: Evaluator, function: Function, parameter: Parameter) -> Type:
    """See `Evaluator.parameter_type`."""
    klass = function.klass
    if klass is not None and parameter is function.facts.params[0] and parameter.kind == "pos":
        kinds = decorator_paths(evaluator, function)
        if "builtins.staticmethod" not in kinds:
            if "builtins.classmethod" in kinds or function.facts.name in (
                "__new__", "__init_subclass__", "__class_getitem__"
            ):  # fmt: skip
                return Cls(klass)
            return Inst(klass)
    if parameter.kind == "args":
        return Inst("builtins.tuple", (annotation_type(evaluator, parameter.annotation, function),))
    if parameter.kind == "kwargs":
        return Inst(
            "builtins.dict", (None, annotation_type(evaluator, parameter.annotation, function))
        )
    outer = function.parent or function
    type_ = annotation_type(evaluator, parameter.annotation, outer)
    if type_ is not None and type_ != NONE and not is_vague(type_):
        return type_
    provider = dependency_of(evaluator, parameter, outer)
    if provider is not None:
        return provided(evaluator, provider)
    if klass is not None and parameter.name == "channel" and klass.facts.name.endswith("Stub"):
        return _given_channel(evaluator, klass)
    if function.facts.decorators and parameter.annotation is None:
        return _handed_over(evaluator, function, parameter)
    handed = (
        evaluator.callers.handed(function, parameter) if evaluator.callers is not None else None
    )
    if handed is None and isinstance(type_, Inst) and len(type_.args) == 2:
        return type_ if type_.args[1] is not None else None  # `Callable[[], Page]`
    return handed


def _handed_over(evaluator: Evaluator, function: Function, parameter: Parameter) -> Type:
    """What a framework hands to a function that is decorated for it: to its first parameter, or to each by its name."""
    first = 1 if function.klass is not None else 0
    parameters = function.facts.params
    is_first = len(parameters) > first and parameters[first] is parameter
    for recipe in function.facts.decorators:
        known = known_callee(evaluator, decorator_value(evaluator, recipe, function))
        for entry in known.registers if known is not None else ():
            if entry.hands is not None:
                pairs = dict(pair.split("=") for pair in entry.hands.split())
                return evaluator.parse_type(pairs.get(parameter.name))
            given = (entry.gives or "") if is_first else ""
            if "=" in given:
                given = dict(pair.split("=") for pair in given.split()).get(function.facts.name, "")  # fmt: skip
            if given:
                return evaluator.parse_type(given)
        outer = _command_group(recipe, function) if is_first else None
        if outer is not None:
            position = 1 if outer.klass is not None else 0
            return evaluator.parameter_type(outer, outer.facts.params[position])
    return None


def _command_group(recipe: Recipe, function: Function) -> Function | None:
    """The command that `@shop.command()` puts another one below."""
    if recipe and recipe[0] == "call":
        recipe = function.module.site(recipe[1]).callee
    if not recipe or recipe[0] != "attr" or recipe[2] not in ("command", "group"):
        return None
    if not recipe[1] or recipe[1][0] != "name" or function.parent is None:
        return None
    for binding in function.parent.facts.bindings.get(recipe[1][1], ()):
        if binding.recipe and binding.recipe[0] == "def":
            group = function.module.functions[binding.recipe[1]]
            if group.facts.decorators and len(group.facts.params) > (group.klass is not None):
                return group if group is not function else None
    return None


def _given_channel(evaluator: Evaluator, klass: Klass) -> Type:
    """What a stub that grpc generated is built with: only that tells whether its methods wait."""
    name = klass.facts.name
    return union(
        [
            evaluator.at_site(site.args[0][0], site, module)
            for module in evaluator.program.load_mentioning(name)
            for site in module.facts.calls
            if site.kind == "call"
            and site.args
            and site.callee
            and site.callee[-1] == name
            and evaluator.callee(module, site) == Cls(klass)
        ]
    )
