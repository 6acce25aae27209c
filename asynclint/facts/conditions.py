"""What the conditions around a call say: that it happens once, that no event loop runs here, how often it is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from asynclint.facts.annotations import holds_none
from asynclint.facts.environment import is_saved
from asynclint.facts.evaluate import Evaluator
from asynclint.facts.first_time import is_first_time
from asynclint.facts.graph import Edge
from asynclint.facts.instances import PLAIN, is_of
from asynclint.facts.just_set import as_set
from asynclint.facts.model import END, Block, CallSite, Recipe
from asynclint.facts.predicates import spelled_out
from asynclint.facts.program import Function, Klass, Module, mentions, parts_of
from asynclint.facts.types import Cls, Coro, Func, Inst, Lib, LibMethod, Tup, Type, members

BRANCHES = frozenset({"if", "else", "except", "case"})

LOOP_QUESTIONS = frozenset({"get_running_loop", "_get_running_loop", "current_task"})
"""Calls that give something, or do not raise, only where an event loop runs."""

Given = Mapping[str, Recipe]
"""Parameters and what a call gives for them: a constant, or `GIVEN`."""
NOTHING: Given = {}
GIVEN: Recipe = ("given", None, None)
"""Something that the caller passes, and that is taken not to be None: a default of None is for callers that pass nothing.
With the argument and the call that passes it, where that is known."""
THREAD_QUESTIONS = frozenset({"get_ident", "current_thread", "get_native_id", "main_thread"})
"""Calls that name the thread that runs: a test of them tells the loop's thread from others."""

FORKS = frozenset({"os.fork"})

PARENT = {"Gt": True, "NotEq": True, "Eq": False}
"""What a comparison of the number that `fork` gives with 0 says of the process: that it is the parent."""

EXISTS = frozenset({"exists", "is_file", "isfile", "is_dir", "isdir"})

FILLS = frozenset({"append", "add", "extend", "update", "setdefault"})


class Conditions:
    """Reads the tests around call sites."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._asks: dict[Function, bool] = {}

    def branches(self, function: Function, site: CallSite) -> int:
        """How many decisions of the function lead to the site, counting a look for what is there already."""
        module = function.module
        taken = sum(1 for b in module.chain(site.block) if b.kind in BRANCHES)
        for index in module.around(site.block):
            for block, _ in self._left_before(module, index, site):
                if any(
                    part and part[0] == "cmp" and part[1] == "In" for part in parts_of(block.info)
                ) or self._renews(function, site, block.info):
                    taken += 1
        return taken

    def _renews(self, function: Function, site: CallSite, test: Recipe) -> bool:
        """`if not self.dirty: return` before what sets `self.dirty`: done again only when something has changed."""
        own = ("name", function.self_name)
        asked = {recipe[2] for recipe in _attributes(test) if recipe[1] == own}
        if not asked or function.klass is None:
            return False
        callee = self.evaluator.callee(function.module, site)
        doing = [function]
        if isinstance(callee, Func) and callee.function.klass is function.klass:
            doing.append(callee.function)
        return any(
            b.attr in asked and b.base == ("name", one.self_name)
            for one in doing
            for b in one.facts.attribute_bindings
        )

    # -- once -------------------------------------------------------------------------------------------

    def once_only(self, function: Function, site: CallSite) -> bool:
        """The site runs until something that outlives the call is there: `if self.port is None: self.port = …`.

        What is done where an import fails installs what is missing, or stands in for it. What a variable of the
        environment does not hold is saved for the next time. A flag that is taken down there lets it through once.
        """
        if self._imported_before(function.module, site) or self._not_installed(function, site):
            return True
        if is_first_time(self.evaluator, function, site):
            return True
        for block, holds in self._decisions(function, site):
            told = _by_default(spelled_out(self.evaluator, function, block.info), function)
            test = self._unless_stale(function, told, holds)
            for target in _missing(test, holds):
                if self._lasting(function, target) and self._filled(function, target):
                    return True
                if is_saved(self.evaluator, function, site, target):
                    return True
        return False

    def _unless_stale(self, function: Function, test: Recipe, holds: bool) -> Recipe:
        """A test without what asks whether something has changed: `cached is None or made_for != key`, with `made_for = key`."""
        if not test or test[0] != "any" or (test[2] == "or") != holds:
            return test
        changed = ("NotEq", "IsNot") if holds else ("Eq", "Is")
        parts = tuple(
            part
            for part in test[1]
            if not part
            or part[0] != "cmp"
            or part[1] not in changed
            or not any(self._is_kept(function, side) for side in part[2:4])
        )
        return parts[0] if len(parts) == 1 else ("any", parts, *test[2:])

    def _is_kept(self, function: Function, target: Recipe) -> bool:
        """Whether the function keeps something there for the next call."""
        if not target or target[0] not in ("name", "attr") or not self._lasting(function, target):
            return False
        if target[0] == "name":
            return target[1] in function.facts.globals and (
                target[1] in function.facts.bindings
                or self._set_in_module(function.module, target[1])
            )
        return _sets(function, target[1], target[2])

    def _imported_before(self, module: Module, site: CallSite) -> bool:
        """In `except ImportError:`, or after a `try` that returns what it imports."""
        if any(_import_failed(b.info) for b in module.chain(site.block) if b.kind == "except"):
            return True
        return any(
            self._returns_import(module, index, block)
            for around in module.around(site.block)
            for index, block in self._tried_before(module, around, site)
        )

    def _not_installed(self, function: Function, site: CallSite) -> bool:
        """`if not find_spec("reports"):`, or `is None`."""
        for block, holds in self._decisions(function, site):
            test = block.info
            while test and test[0] == "not":
                test, holds = test[1], not holds
            if test and test[0] == "cmp" and test[3] == ("const", None):
                test, holds = test[2], holds is (test[1] in ("IsNot", "NotEq"))
            if not holds and test and test[0] == "call":
                callee = function.module.site(test[1]).callee
                if callee and callee[-1] == "find_spec":
                    return True
        return False

    def _tried_before(
        self, module: Module, parent: int, site: CallSite
    ) -> Iterator[tuple[int, Block]]:
        """The `try` blocks before a site that end in a `return`."""
        for index in range(parent + 1, len(module.blocks)):
            block = module.blocks[index]
            if block.line >= site.line:
                return
            if block.parent == parent and block.kind == "try" and block.raises:
                yield index, block

    def _returns_import(self, module: Module, index: int, block: Block) -> bool:
        """Whether what is behind a `try` runs because an import failed."""
        caught: list[Recipe] = []
        for one in module.blocks[index + 1 :]:
            if one.parent == block.parent:
                if one.kind != "except":
                    break
                caught.append(one.info)
        return bool(caught) and all(_import_failed(info) for info in caught)

    def created(self, function: Function, site: CallSite) -> bool:
        """`if not path.exists(): path.write_text(…)`: a file of a fixed name is there the next time."""
        used = [recipe for recipe, _ in site.args]
        if site.callee and site.callee[0] == "attr":
            used.append(site.callee[1])
        module = function.module
        for block, holds in self._decisions(function, site):
            test = block.info
            while test and test[0] == "not":
                test, holds = test[1], not holds
            if holds or not test or test[0] != "call":
                continue
            asked = module.site(test[1])
            if not asked.callee or asked.callee[-1] not in EXISTS:
                continue
            subject = asked.args[0][0] if asked.args else asked.callee[1]
            if subject in used and self._fixed(function, subject, 0):
                return True
        return False

    def _fixed(self, function: Function, recipe: Recipe, depth: int) -> bool:
        """Whether a value does not depend on the parameters of the function."""
        if depth > 3:
            return False
        if isinstance(recipe, tuple) and recipe[:1] == ("name",):
            name = recipe[1]
            if name in function.parameters and name != function.self_name:
                return False
            return all(
                self._fixed(function, b.recipe, depth + 1)
                for b in function.facts.bindings.get(name, ())
            )
        if isinstance(recipe, tuple) and recipe[:1] == ("call",):
            site = function.module.site(recipe[1])
            return self._fixed(function, (site.callee, *(r for r, _ in site.args)), depth + 1)
        if isinstance(recipe, tuple):
            return all(self._fixed(function, part, depth) for part in recipe)
        return True

    def once_a_key(self, function: Function, site: CallSite) -> bool:
        """The site fills a dict that outlives the call: `if name not in self.texts: self.texts[name] = …`."""
        for block, holds in self._decisions(function, site):
            test = _by_default(block.info, function)
            if test and test[0] == "any" and (test[2] == "and") != holds:
                continue  # Another part may have decided.
            for part in parts_of(test):
                if not part or part[0] != "cmp" or part[1] != ("NotIn" if holds else "In"):
                    continue
                target = part[3]
                if (
                    target
                    and target[0] in ("name", "attr")
                    and self._lasting(function, target)
                    and _sets(function, target, "[]")
                ):
                    return True
        return False

    def _lasting(self, function: Function, target: Recipe) -> bool:
        """Whether a name or attribute is still there in the next call: of the object itself, or of the module."""
        facts = function.facts
        if target[0] == "name":
            name = target[1]
            local = name in function.parameters or name in facts.bindings
            return name in facts.globals or facts.kind == "module" or not local
        base = target[1]
        while base and base[0] == "attr":
            base = base[1]
        if not base or base[0] != "name":
            return False
        name = base[1]
        own = name not in function.parameters and name not in facts.bindings
        return own or name == function.self_name

    def _filled(self, function: Function, target: Recipe) -> bool:
        """Whether the function, or another method of its class, sets what was missing."""
        if target[0] == "name":
            return self._set_in_module(function.module, target[1])
        base, attr = target[1], target[2]
        if _sets(function, base, attr):
            return True
        klass = function.klass
        if klass is None or base != ("name", function.self_name):
            return False
        return any(
            method.facts.name != "__init__" for method, _ in klass.self_attributes().get(attr, ())
        )

    def _set_in_module(self, module: Module, name: str) -> bool:
        """Whether a function of the module binds or fills a global."""
        fills = ("attr", ("name", name))
        return any(
            (name in one.facts.globals and name in one.facts.bindings)
            or _sets(one, ("name", name), "[]")
            or any(s.callee and s.callee[:2] == fills and s.callee[2] in FILLS for s in one.sites)
            for one in module.functions
            if one.facts.kind in ("def", "async")
        )

    # -- no loop ----------------------------------------------------------------------------------------

    def off_loop(self, function: Function, site: CallSite) -> bool:
        """The site runs only where no event loop runs: after a test for one, or in the handler of a failed one."""
        if self._asked_in_vain(function, site) or self._awaited_instead(function, site):
            return True
        return any(
            self._says_loop(block.info, function) is (not holds)
            for block, holds in self._decisions(function, site)
        )

    def _asked_in_vain(self, function: Function, site: CallSite) -> bool:
        """`try: get_running_loop()` … `except RuntimeError:` the site."""
        module = function.module
        for index in module.around(site.block):
            block = module.blocks[index]
            if block.kind != "except":
                continue
            for other in function.sites:
                if not self._asks_for_loop(other, module):
                    continue
                tried = [b for b in module.around(other.block) if module.blocks[b].kind == "try"]
                if any(module.blocks[b].parent == block.parent and b < index for b in tried):
                    return True
        return False

    def _awaited_instead(self, function: Function, site: CallSite) -> bool:
        """`if self.asynchronous: return self._close()` before the site: those who can await get a coroutine."""
        if function.is_async or not function.facts.returns:
            return False
        around = set(function.module.around(site.block))
        for recipe, line, where in function.facts.returns:
            block = function.module.blocks[where]
            if block.kind != "if" or where in around or block.parent not in around:
                continue
            if line > site.line or not recipe:
                continue
            given = [recipe]
            if recipe[0] == "name":
                given = [b.recipe for b in function.facts.bindings.get(recipe[1], ())]
            if any(self._is_coroutine(one, function, (line, END, where)) for one in given):
                return True
        return False

    def _is_coroutine(self, recipe: Recipe, function: Function, at: tuple[int, int, int]) -> bool:
        if not recipe or recipe[0] not in ("call", "name"):
            return False
        value = self.evaluator.eval(recipe, function, at)
        return value is not None and all(isinstance(m, Coro) for m in members(value))

    def _asks_for_loop(self, site: CallSite, module: Module) -> bool:
        return bool(site.callee) and site.callee[-1] in LOOP_QUESTIONS

    def _asks_for_thread(self, recipe: Recipe, function: Function) -> bool:
        """`threading.get_ident()`, or a name that holds what it gave."""
        if recipe and recipe[0] == "attr" and recipe[2] in ("ident", "native_id"):
            recipe = recipe[1]
        if recipe and recipe[0] == "call":
            callee = function.module.site(recipe[1]).callee
            return bool(callee) and callee[-1] in THREAD_QUESTIONS
        if recipe and recipe[0] == "name":
            bindings = function.facts.bindings.get(recipe[1], ())
            return any(
                b.recipe and b.recipe[0] == "call" and self._asks_for_thread(b.recipe, function)
                for b in bindings
            )
        return False

    def _says_loop(self, test: Recipe, function: Function, depth: int = 0) -> bool | None:
        """Whether a test that holds says that a loop runs; None when it says nothing of that."""
        if not test or depth > 4:
            return None
        tag = test[0]
        if tag == "not":
            said: bool | None = self._says_loop(test[1], function, depth + 1)
            return None if said is None else not said
        if tag == "cmp" and any(self._asks_for_thread(r, function) for r in test[2:]):
            # `get_ident() != self.loop_thread_id`: another thread than the loop's.
            return {"Eq": True, "Is": True, "NotEq": False, "IsNot": False}.get(test[1])
        if tag == "cmp" and test[3] == ("const", 0) and test[1] in PARENT:
            # What `fork` gives is 0 in the child, which has no running loop.
            said = self._says_loop(test[2], function, depth + 1)
            return said if said is None else said is PARENT[test[1]]
        if tag == "cmp" and test[3] == ("const", None):
            said = self._says_loop(test[2], function, depth + 1)
            return said if said is None or test[1] in ("IsNot", "NotEq") else not said
        if tag == "any":
            for part in test[1]:
                said = self._says_loop(part, function, depth + 1)
                if said is not None:
                    return said
            return None
        if tag == "call":
            return self._call_says_loop(function.module, function.module.site(test[1]))
        if tag == "name":
            return self._name_says_loop(test[1], function)
        return None

    def _call_says_loop(self, module: Module, site: CallSite) -> bool | None:
        if self._asks_for_loop(site, module):
            return True
        if site.callee and site.callee[0] == "attr" and site.callee[2] == "is_running":
            base = site.callee[1]
            owner = self.evaluator.at_site(base, site, module)
            named = base and base[-1] == "loop"
            return True if named or (isinstance(owner, Inst) and "Loop" in str(owner.of)) else None
        callee = self.evaluator.callee(module, site)
        if isinstance(callee, Lib) and callee.path in FORKS:
            return True
        if isinstance(callee, Func) and self._tells_of_loop(callee.function):
            return True
        return None

    def _tells_of_loop(self, function: Function) -> bool:
        """A helper that asks for the running loop and returns whether there is one."""
        if function not in self._asks:
            self._asks[function] = False
            returned = [r for r, _, _ in function.facts.returns]
            plain = all(r and r[0] in ("const", "cmp", "not", "name") for r in returned)
            asks = any(self._asks_for_loop(s, function.module) for s in function.sites)
            self._asks[function] = asks and plain and ("const", True) in returned
        return self._asks[function]

    def _name_says_loop(self, name: str, function: Function) -> bool | None:
        """`loop = get_running_loop()` or `in_loop = True` in a `try`, the contrary in its handler."""
        module = function.module
        for binding in function.facts.bindings.get(name, ()):
            recipe = binding.recipe
            if recipe and recipe[0] == "call":
                site = module.site(recipe[1])
                if self._asks_for_loop(site, module) or self._call_says_loop(module, site):
                    return True
            if recipe == ("const", True) and module.blocks[binding.block].kind in (
                "try",
                "tryelse",
            ):
                if any(
                    self._asks_for_loop(s, module) and s.line < binding.line
                    for s in function.sites
                    if module.blocks[s.block].kind == "try"
                ):
                    return True
        return None

    # -- arguments --------------------------------------------------------------------------------------

    def contradicts(self, edge: Edge, site: CallSite, above: Given = NOTHING) -> bool:
        """Whether the arguments of a call keep its target from reaching a site: `f(join=False)`, `if join: …`.

        `above` is what the caller's own parameters are, as `given` said of the call before.
        """
        target = edge.target
        return any(
            self._passed(edge, block, self._told(target, block), above) is (not holds)
            for block, holds in self._decisions(target, site)
        )

    def _told(self, function: Function, block: Block) -> Recipe:
        """The test of a block, as far as it is about what the function was given."""
        test = spelled_out(self.evaluator, function, block.info)
        return as_set(self.evaluator, function, block, test)

    def given(self, edge: Edge, above: Given = NOTHING) -> dict[str, Recipe]:
        """What a call gives for the parameters of its target that are never set there, as far as that is plain."""
        found = {}
        for name in edge.target.parameters:
            passed = self._plain(edge, self._argument(edge, name), above)
            if passed:
                found[name] = passed
        return found

    def _passed(self, edge: Edge, block: Block, test: Recipe, above: Given) -> bool | None:
        """What a test of a parameter gives for the argument of this call; None when that is not plain."""
        if not test:
            return None
        if test[0] == "not":
            said = self._passed(edge, block, test[1], above)
            return None if said is None else not said
        if test[0] == "any" and test[2] in DECIDES:
            # One part that is so decides; otherwise all have to be known.
            decided = DECIDES[test[2]]
            parts = [self._passed(edge, block, t, above) for t in test[1]]
            if decided in parts:
                return decided
            return None if None in parts else not decided
        if test[0] == "name":
            passed = self._plain(edge, self._argument(edge, test[1], block.line), above)
            if passed and passed[0] == "given":
                # What replaces a default of None is a thing that is there.
                parameter = edge.target.parameters.get(test[1])
                return True if parameter and parameter.default == ("const", None) else None
            return bool(passed[1]) if passed and passed[0] == "const" else None
        if test[0] == "cmp" and test[1] in AMONG:
            return self._is_among(edge, block, test, above)
        if test[0] == "cmp" and test[1] in SAME and test[3] and test[3][0] == "const":
            if not test[2]:
                return None
            if test[2][0] != "name" or test[2][1] not in edge.target.parameters:
                name = self._class_named(edge, block, test[2], above)
                return None if name is None else (name == test[3][1]) is SAME[test[1]]
            passed = self._plain(edge, self._argument(edge, test[2][1], block.line), above)
            if not passed or (passed[0] == "given" and test[3] != ("const", None)):
                return None
            return (passed == test[3]) is SAME[test[1]]
        if test[0] == "call":
            passed = self._plain(edge, self._of_keywords(edge, test), above)
            if passed and passed[0] == "const":
                return bool(passed[1])
            return self._is_instance(edge, block, edge.target.module.site(test[1]), above)
        return None

    def _is_among(self, edge: Edge, block: Block, test: Recipe, above: Given) -> bool | None:
        """`kind in ("a", "b")` for a parameter `kind` that is given as a constant."""
        assert test is not None
        asked, some = test[2], test[3]
        if self._is_empty(edge, some, block.line, above):
            return not AMONG[test[1]]
        if not asked or asked[0] != "name" or not some or some[0] != "display":
            return None
        passed = self._plain(edge, self._argument(edge, asked[1], block.line), above)
        if not passed or passed[0] != "const" or any(not o or o[0] != "const" for o in some[2]):
            return None
        return (passed in some[2]) is AMONG[test[1]]

    def _is_empty(self, edge: Edge, recipe: Recipe, line: int, above: Given) -> bool:
        """Whether something is an empty container at a line: `names or set()` for a parameter `names` that is given as None."""
        if not recipe:
            return False
        if recipe[0] in ("display", "dict"):
            return not recipe[-1]
        if recipe[0] == "call":
            site = edge.target.module.site(recipe[1])
            return not site.args and site.callee in EMPTY
        if recipe[0] == "any" and recipe[2] == "or":
            *first, last = recipe[1]
            return self._is_empty(edge, last, line, above) and all(
                self._is_false(edge, one, line, above) for one in first
            )
        if recipe[0] != "name" or _may_fill(edge.target, recipe):
            return False
        made = edge.target.facts.bindings.get(recipe[1], ())
        return (
            len(made) == 1
            and made[0].line < line
            and made[0].recipe != recipe
            and self._is_empty(edge, made[0].recipe, made[0].line, above)
        )

    def _is_false(self, edge: Edge, recipe: Recipe, line: int, above: Given) -> bool:
        """Whether a parameter is given as None, or as another constant that is false."""
        if not recipe or recipe[0] != "name":
            return False
        passed = self._plain(edge, self._argument(edge, recipe[1], line), above)
        return bool(passed) and passed[0] == "const" and not passed[1]

    def _plain(self, edge: Edge, passed: Recipe, above: Given) -> Recipe:
        """An argument as a constant, or as something that is given; None when it may be None all the same."""
        if not passed or passed[0] == "const":
            return passed
        if passed[0] == "name" and (parameter := edge.caller.parameters.get(passed[1])):
            if edge.caller.facts.bindings.get(passed[1]):
                return None
            if parameter.default == ("const", None):
                return above.get(passed[1])
            return above.get(passed[1], ("given", passed, edge))
        return ("given", passed, edge)

    def _value(self, edge: Edge, block: Block, name: str, above: Given) -> Type:
        """The value of a parameter, also where the caller itself was given it."""
        passed, edge = self._source(edge, block, name, above)
        return self.evaluator.at_site(passed, edge.site, edge.caller.module) if passed else None

    def _source(self, edge: Edge, block: Block, name: str, above: Given) -> tuple[Recipe, Edge]:
        """What is passed for a parameter, and the call that passes it, also where the caller itself was given it."""
        passed = self._argument(edge, name, block.line)
        if passed and passed[0] == "name" and passed[1] in above:
            _, given, by = above[passed[1]] if above[passed[1]][0] == "given" else GIVEN
            return given, by or edge
        return passed, edge

    def _class_named(self, edge: Edge, block: Block, recipe: Recipe, above: Given) -> str | None:
        """The class name of an argument, for `type(x).__name__` and `x.__class__.__name__`."""
        found = edge.target.facts.bindings.get(recipe[1]) if recipe[0] == "name" else None
        if found is not None and len(found) == 1:
            # `kind = type(x).__name__`.
            recipe = found[0].recipe or recipe
        if recipe[0] != "attr" or recipe[2] != "__name__" or not recipe[1]:
            return None
        asked = recipe[1]
        if asked[0] == "attr" and asked[2] == "__class__":
            subject = asked[1]
        elif asked[0] == "call" and len(edge.target.module.site(asked[1]).args) == 1:
            site = edge.target.module.site(asked[1])
            subject = site.args[0][0] if site.callee == ("name", "type") else None
        else:
            return None
        if not subject or subject[0] != "name":
            return None
        value = self._value(edge, block, subject[1], above)
        if not isinstance(value, Inst) or not isinstance(value.of, Klass):
            return None
        if self.evaluator.subclasses(value.of):
            return None
        return value.of.facts.name

    def _argument(self, edge: Edge, name: str, before: int | None = None) -> Recipe:
        """What a call passes for a parameter that the target does not set (before a line); None when that is not plain."""
        target = edge.target
        if edge.how not in ("call", "enter", "async", "iterate"):
            return None
        parameter = target.parameters.get(name)
        if parameter is None:
            made = target.facts.bindings.get(name, ())
            return self._of_keywords(edge, made[0].recipe) if len(made) == 1 else None
        if any(before is None or b.line < before for b in target.facts.bindings.get(name, ())):
            return None
        site = _calling(edge)
        if site is None or any(k == "**" or (r and r[0] == "star") for r, k in site.args):
            return None
        given = iter(target.positional)
        for recipe, keyword in site.args:
            if (keyword or next(given, None)) == name:
                return recipe
        return parameter.default

    def _of_keywords(self, edge: Edge, recipe: Recipe) -> Recipe:
        """What a call passes for `kwargs.get("path", default)` of its target; None for anything else."""
        if not recipe or recipe[0] != "call":
            return None
        asked, site = edge.target.module.site(recipe[1]), _calling(edge)
        callee = asked.callee
        if not callee or callee[0] != "attr" or callee[2] not in ("get", "pop") or not asked.args:
            return None
        taken = edge.target.parameters.get(callee[1][1]) if callee[1] else None
        key = asked.args[0][0]
        if callee[1][0] != "name" or taken is None or taken.kind != "kwargs" or site is None:
            return None
        if not key or key[0] != "const" or edge.target.facts.bindings.get(taken.name):
            return None
        given = {keyword: passed for passed, keyword in site.args}
        if "**" in given:
            return None
        if key[1] in given:
            return given[key[1]]
        return asked.args[1][0] if len(asked.args) > 1 else ("const", None)

    def _is_instance(self, edge: Edge, block: Block, test: CallSite, above: Given) -> bool | None:
        """`isinstance(x, C)` for a parameter `x`: False when the argument is of a known other class."""
        if test.callee != ("name", "isinstance") or len(test.args) != 2:
            return None
        subject = test.args[0][0]
        if not subject or subject[0] != "name":
            return None
        passed, edge_of = self._source(edge, block, subject[1], above)
        value = self.evaluator.at_site(passed, edge_of.site, edge_of.caller.module)
        wanted = self.evaluator.at_site(test.args[1][0], test, edge.target.module)
        if not isinstance(value, Inst):
            return None
        classes = [_as_class(c) for c in (wanted.items if isinstance(wanted, Tup) else (wanted,))]
        if isinstance(value.of, Klass):
            return self._is_of(value.of, classes)
        said = is_of(self.evaluator, value.of, classes)
        return None if said and not self._is_there(passed, edge_of) else said

    def _is_there(self, passed: Recipe, edge: Edge) -> bool:
        """Whether an argument of a plain class is surely not None, which annotations allow beside it."""
        if not passed or passed[0] not in ("name", "call"):
            return bool(passed) and passed[0] in ("binop", "str", "const")
        if passed[0] == "call":
            callee = self.evaluator.callee(edge.caller.module, edge.caller.module.site(passed[1]))
            of = callee.cls if isinstance(callee, LibMethod) else None
            return (callee.path if isinstance(callee, Lib) else of) in PLAIN
        parameter = edge.caller.parameters.get(passed[1])
        bound = edge.caller.facts.bindings.get(passed[1], ())
        if parameter is None or bound:
            made = bound[0].recipe if parameter is None and len(bound) == 1 else None
            return made is not None and made[0] == "call" and self._is_there(made, edge)
        declared = parameter.annotation
        return bool(declared) and not holds_none(declared) and parameter.default != ("const", None)

    def _is_of(self, klass: Klass, wanted: list[Klass | str | None]) -> bool | None:
        """Whether the objects of a class are instances of one of some others; None where some may be."""
        bases = self.evaluator.mro(klass)
        if any(one is not None and one in bases for one in wanted):
            return True
        kinds = [klass, *self.evaluator.subclasses(klass)]
        known = [base for kind in kinds for base in self.evaluator.mro(kind)]
        if None in wanted or None in known or any(one in known for one in wanted):
            return None
        return False

    # -- blocks -----------------------------------------------------------------------------------------

    def _decisions(self, function: Function, site: CallSite) -> Iterator[tuple[Block, bool]]:
        """The tests that were made on the way to a site, and whether each holds there."""
        module = function.module
        for index in module.around(site.block):
            block = module.blocks[index]
            if block.kind in ("if", "else", "while"):
                yield block, block.kind != "else"
            yield from self._left_before(module, index, site)

    def _left_before(
        self, module: Module, parent: int, site: CallSite
    ) -> Iterator[tuple[Block, bool]]:
        """`if …: return` before the site."""
        own = set(module.around(site.block))
        for index in module.children.get(parent, ()):
            block = module.blocks[index]
            if block.line >= site.line:
                return
            if block.kind == "if" and block.raises and index not in own:
                yield block, False


def _calling(edge: Edge) -> CallSite | None:
    """The call whose arguments the target gets, also where that is entered or iterated."""
    site = edge.site
    if site.kind == "call":
        return site
    if not site.callee or site.callee[0] != "call":
        return None
    return edge.caller.module.site(site.callee[1])


SAME = {"Is": True, "IsNot": False, "Eq": True, "NotEq": False}
"""Comparisons that tell whether two constants are the same."""

AMONG = {"In": True, "NotIn": False}

EMPTY = tuple(("name", one) for one in ("set", "frozenset", "list", "tuple", "dict"))
"""What makes an empty container where it is given nothing."""

DECIDES = {"and": False, "or": True}
"""What one part of a test must be, so that the others do not matter."""


def _import_failed(caught: Recipe) -> bool:
    """Whether an `except` names ImportError or ModuleNotFoundError alone."""
    return bool(caught) and caught[-1] in ("ImportError", "ModuleNotFoundError")


def _as_class(value: Type) -> Klass | str | None:
    if isinstance(value, Cls):
        return value.klass
    return value.path if isinstance(value, Lib) else None


def _attributes(test: Recipe) -> Iterator[Recipe]:
    """The attributes that a test reads."""
    if not isinstance(test, tuple) or not test:
        return
    if test[0] == "attr":
        yield test
    for part in test:
        yield from _attributes(part)


def _may_fill(function: Function, name: Recipe) -> bool:
    """Whether a function puts something into a container, or lets others do that."""
    assert name is not None
    if name[1] in function.facts.globals | function.facts.nonlocals or _sets(function, name, "[]"):
        return True
    inner = (one for one in function.module.functions if one.parent is function)
    if any(name[1] in one.facts.loaded or name[1] in one.facts.uses for one in inner):
        return True
    known = [
        b.recipe for to, found in function.facts.bindings.items() for b in found if to != name[1]
    ]
    known += [given for site in function.sites for given, _ in site.args]
    known += [one.recipe for one in function.facts.attribute_bindings]
    return any(mentions(one, name) for one in known) or any(
        s.callee and s.callee[:2] == ("attr", name) for s in function.sites
    )


def _sets(function: Function, base: Recipe, attr: str) -> bool:
    return any(b.base == base and b.attr == attr for b in function.facts.attribute_bindings)


def _by_default(test: Recipe, function: Function) -> Recipe:
    """A test without what a parameter decides that is given: `cached and not force`, `force or not cached`, with `force=False`."""
    if not test or test[0] != "any" or test[2] not in ("and", "or"):
        return test
    settled = test[2] == "and"
    parts = tuple(part for part in test[1] if _value_by_default(part, function) is not settled)
    return parts[0] if len(parts) == 1 else ("any", parts, *test[2:])


def _value_by_default(part: Recipe, function: Function) -> bool | None:
    """Whether a parameter, or `not` one, holds where it is left out; None for anything else."""
    negated = bool(part) and part[0] == "not"
    name = part[1] if negated else part
    if not name or name[0] != "name":
        return None
    parameter = function.parameters.get(name[1])
    default: Recipe = parameter.default if parameter is not None else ()
    return bool(default[1]) is not negated if default and default[0] == "const" else None


def _missing(test: Recipe, holds: bool) -> Iterator[Recipe]:
    """The names and attributes that a test says are not there: of `x is None`, `not x`, and `x` that does not hold."""
    if not test:
        return
    tag = test[0]
    if tag == "not":
        yield from _missing(test[1], not holds)
    elif tag == "any":
        found = [target for part in test[1] for target in _missing(part, holds)]
        if (test[2] == "and") == holds:
            yield from found
        else:
            # Any part alone may decide: `x is None or not x.alive`, but not `not token or expired()`.
            yield from (t for t in found if all(mentions(part, t) for part in test[1]))
    elif tag == "cmp":
        if test[3] == ("const", None) and (test[1] in ("Is", "Eq")) == holds:
            yield from _missing(test[2], False)
        elif test[3] in (("const", False), ("const", True)):
            if (test[1] in ("Is", "Eq")) == (holds == (test[3] == ("const", False))):
                yield from _missing(test[2], False)
    elif tag in ("name", "attr") and not holds:
        yield test
