"""The command line: click commands only, each of which calls one function."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from asynclint import __version__
from asynclint.config import (
    FORMATS,
    LEVELS,
    Config,
    ConfigError,
    enabled,
    fixable,
    load,
    override,
    validate_names,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class _Default(click.Group):
    """A group whose first command is meant when none is named: `asynclint src` checks."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (
            args[0] not in self.commands and args[0] not in ("--help", "-h", "--version", "-V")
        ):
            args = ["check", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Default, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    __version__, "-V", "--version", prog_name="asynclint", message="%(prog)s %(version)s"
)
def cli() -> None:
    """Find what makes async Python services slow or fall over.

    `asynclint PATH` is short for `asynclint check PATH`.
    """


def _names(values: tuple[str, ...]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


@cli.command()
@click.argument("paths", nargs=-1)
@click.option(
    "--select",
    multiple=True,
    metavar="NAMES",
    help="Run only these rules or groups (comma-separated).",
)
@click.option("--ignore", multiple=True, metavar="NAMES", help="Do not run these rules or groups.")
@click.option(
    "--extend-select", multiple=True, metavar="NAMES", help="Run these rules or groups, too."
)
@click.option("--output-format", type=click.Choice(FORMATS), help="How findings are printed.")
@click.option(
    "-o", "--output-file", type=click.Path(dir_okay=False), help="Write findings to this file."
)
@click.option("--statistics", is_flag=True, help="Print how many findings each rule has.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even when there are findings.")
@click.option(
    "--fail-on", type=click.Choice(LEVELS), help="The mildest level that gives exit code 1."
)
@click.option("--notes", is_flag=True, help="Show findings of level note.")
@click.option("--isolated", is_flag=True, help="Read no configuration file.")
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="FILE|KEY=VALUE",
    help="A configuration file, or a setting in TOML.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERNS",
    help="Leave these files out, instead of the default ones.",
)
@click.option(
    "--extend-exclude", multiple=True, metavar="PATTERNS", help="Leave these files out, too."
)
@click.option(
    "--force-exclude", is_flag=True, help="Leave excluded files out even when they are named."
)
@click.option(
    "--stdin-filename", metavar="FILE", help="The name of the file whose text `-` reads from stdin."
)
@click.option("--fix", is_flag=True, help="Apply the safe fixes that findings have.")
@click.option(
    "--unsafe-fixes", is_flag=True, help="With `--fix` or `--diff`: apply the unsafe fixes, too."
)
@click.option("--fix-only", is_flag=True, help="Apply fixes, and do not report what is left.")
@click.option("--diff", is_flag=True, help="Show what fixing would change, and write nothing.")
@click.option("--show-fixes", is_flag=True, help="List the fixes that were applied.")
@click.option("--show-files", is_flag=True, help="List the files that would be checked.")
@click.option("--show-settings", is_flag=True, help="Print the settings that hold.")
@click.option("--no-cache", is_flag=True, help="Neither read nor keep results of earlier runs.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Read files in N processes; as many as pay off where it is not given.",
)
@click.option(
    "--python",
    metavar="PATH",
    help="An extra: also read the packages of this environment (accepted; not read yet).",
)
@click.option("--watch", is_flag=True, help="Check again whenever a file changes.")
@click.option("--debug-stats", is_flag=True, help="Print the work done to stderr.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True
)
@click.option("-q", "--quiet", is_flag=True, help="Print findings only, no summary.")
def check(paths: tuple[str, ...], **options: Any) -> int:
    """Report on PATHS (files and directories; `.` when none are given, `-` for stdin)."""
    if options["watch"]:
        return _watch(paths or (".",), options)
    return _check(paths or (".",), options)


def _watch(paths: tuple[str, ...], options: dict[str, Any]) -> int:
    from asynclint.watch import watch

    for name in ("fix", "fix_only", "diff", "show_files", "show_settings"):
        if options[name]:
            raise click.UsageError(f"`--watch` does not go with `--{name.replace('_', '-')}`")
    if "-" in paths:
        raise click.UsageError("`--watch` needs files, and stdin is none")
    given = click.get_current_context().find_root().obj
    command = [sys.executable, "-m", "asynclint", *(one for one in given if one != "--watch")]
    watch(command, lambda: _state(paths, options), click.clear)
    return 0


def _state(paths: tuple[str, ...], options: dict[str, Any]) -> object:
    """How everything looks that a check would read; where it cannot be listed, why."""
    from asynclint import project as projects
    from asynclint.replay import listed, look

    try:
        config, _ = _config(paths, options)
        listing = projects.listing(paths, config)
    except (click.ClickException, OSError, ConfigError, projects.ProjectError) as error:
        return str(error)
    rules = [listed(str(config.root / name)) for name in config.rules]
    return config, rules, [(path, look(path)) for path in sorted(listing.wanted)]


def _check(paths: tuple[str, ...], options: dict[str, Any]) -> int:
    from asynclint import project as projects

    if options["stdin_filename"] and "-" not in paths:
        raise click.UsageError("`--stdin-filename` names the text that `-` reads; give `-`, too")
    options["stdin"] = paths == ("-",)
    config, named = _config(paths, options)
    if options["show_settings"]:
        _validate(config.rules, named)
        _show_settings(config)
        return 0
    if options["stdin"]:
        text = _decoded(sys.stdin.buffer.read())
        listing = projects.listing_stdin(text, options["stdin_filename"] or "stdin.py", config)
    elif "-" in paths:
        raise click.UsageError("`-` stands alone: stdin cannot be checked together with files")
    else:
        listing = projects.listing(paths, config)
    if options["show_files"]:
        _validate(config.rules, named)
        for file in listing.read().files:
            if file.reported:
                click.echo(file.name)
        return 0

    if not any(listing.wanted.values()) and not options["stdin"]:
        if not options["quiet"]:
            click.echo("asynclint: warning: no Python files below the paths given", err=True)
        # Only what is on stdout would be printed again.
        cache = None
    else:
        cache = _cache(listing, config)
    fixing = options["fix"] or options["fix_only"] or options["diff"]
    try:
        answer = cache.answer(_shows_fixes(config)) if cache and not fixing else None
        if answer is not None:
            if options["debug_stats"]:
                click.echo(f"files: {len(listing.wanted)}\nfiles parsed: 0 (0 lines)", err=True)
            text = _print(answer.findings, listing.texts(), answer.known, config, options)
            code = _code(answer.findings, config)
            _keep_output(cache, config, options, answer, text, code)
            return code
        _validate(config.rules, named)
        return _checked(listing.read(cache), config, options, cache)
    finally:
        if cache is not None:
            cache.close()
            if cache.problem and not options["quiet"]:
                click.echo(f"asynclint: warning: {cache.problem}", err=True)


def _cache(listing: Any, config: Config) -> Any:
    """What is kept of earlier runs over a project; nothing is kept where there is no project."""
    if not config.cache or not listing.whole:
        return None
    from asynclint.cache import Cache

    return Cache(listing, config)


def _keep_output(
    cache: Any, config: Config, options: dict[str, Any], result: Any, text: str, code: int
) -> None:
    """Keep what was printed, where it depends on nothing but what is looked at when it is printed again."""
    plain = not (options["debug_stats"] or options["output_file"] or config.rules)
    named = any("=" not in one or os.path.exists(one) for one in options["configs"])
    if not plain or named or cache.problem or os.name != "posix" or "\033" in text:
        return
    from asynclint.replay import circumstances

    output = text.encode(sys.stdout.encoding, "backslashreplace")
    key = circumstances(click.get_current_context().find_root().obj)
    # Where nothing is found, nothing is fixed.
    fixes = _shows_fixes(config) and bool(result.findings)
    limits = (config.max_file_size, fixes, bool(config.knowledge), result.reading)
    cache.keep_output(key, output, code, result.findings, limits)


def _checked(project: Any, config: Config, options: dict[str, Any], cache: Any) -> int:
    """Check, keep the results, fix if that is wanted, and print."""
    from asynclint.check import check as run_check

    fixing = options["fix"] or options["fix_only"] or options["diff"]
    repairs = fixing or _shows_fixes(config)
    progress = _progress(options)
    try:
        result = run_check(project, config, repairs, progress)
    finally:
        if progress is not None:
            progress.clear()
    if cache is not None:
        from asynclint.cache import Answer

        cache.keep(project, Answer(result.findings, result.known, result.reading), repairs)
    findings = result.findings
    if options["debug_stats"]:
        click.echo("\n".join(result.stats.lines()), err=True)
    if fixing:
        outcome = _fix(result.kept, project, config, options)
        if options["diff"]:
            return 1 if outcome.after and not config.exit_zero else 0
        if options["fix_only"] or options["stdin"]:
            return 0
        from asynclint.check import shown
        from asynclint.fix import with_texts

        findings = [f for f in outcome.findings if shown(f, config)]
        project = with_texts(project, outcome.after)
    texts = {f.name: f.text for f in project.files if f.text is not None}
    text = _print(findings, texts, result.known, config, options)
    code = _code(findings, config)
    if cache is not None and not fixing and not options["stdin"]:
        _keep_output(cache, config, options, result, text, code)
    return code


def _progress(options: dict[str, Any]) -> Any:
    """What shows on a terminal how far the run is; nothing where stderr is none."""
    if options["quiet"] or options["stdin"] or not sys.stderr.isatty():
        return None
    from asynclint.progress import Progress

    return Progress(sys.stderr)


def _shows_fixes(config: Config) -> bool:
    """Whether what is printed depends on the fixes that findings have; looking for those takes its time."""
    from asynclint.report import SHOW_FIXES

    return config.output_format in SHOW_FIXES


def _code(findings: list[Any], config: Config) -> int:
    worst = max((LEVELS.index(f.level) for f in findings), default=-1)
    failed = worst >= LEVELS.index(config.fail_on)
    return 1 if failed and not config.exit_zero else 0


def _fix(kept: list[Any], project: Any, config: Config, options: dict[str, Any]) -> Any:
    """Apply the fixes that are wanted: to the files, or to what is shown as a difference."""
    from asynclint import check, fix

    def wanted(finding: Any, one: Any) -> bool:
        return (options["unsafe_fixes"] or one.safety.value == "safe") and fixable(
            config, finding.rule, groups
        )

    groups = check.groups(config)
    outcome = fix.run(
        project, kept, lambda p: check.check(p, config).kept, wanted, check.yields(config)
    )
    stdin = len(project.files) > 0 and any(f.reported for f in project.files) and options["stdin"]
    problems = list(outcome.problems)
    if options["diff"]:
        for line in fix.diff(outcome):
            click.echo(line, nl=False)
    elif stdin:
        reported = next(f for f in project.files if f.reported)
        click.echo(outcome.after.get(reported.name, reported.text), nl=False)
    else:
        unwritten = fix.write(project, outcome)
        if unwritten:
            problems += unwritten
            left = fix.with_texts(project, outcome.after)
            outcome.findings = check.check(left, config).kept
    for problem in problems:
        click.echo(f"asynclint: warning: {problem}", err=True)
    count = len(outcome.applied)
    what = f"{count} fix{'es' if count != 1 else ''} in {len(outcome.after)} file{'s' if len(outcome.after) != 1 else ''}"
    if options["show_fixes"]:
        for finding, one in outcome.applied:
            click.echo(f"{finding.path}:{finding.span.line}: {finding.rule}: {one.title}", err=True)
    if not options["quiet"] and (count or options["diff"]):
        click.echo(f"{'Would apply' if options['diff'] else 'Applied'} {what}", err=True)
    return outcome


def _decoded(data: bytes) -> str:
    """What an editor hands over, in the encoding that it declares; bytes that do not fit become marks."""
    try:
        from asynclint.project import declared_encoding

        encoding = declared_encoding(data)
    except SyntaxError:
        encoding = "utf-8-sig"
    return data.decode(encoding, errors="replace")


def _config(paths: tuple[str, ...], options: dict[str, Any]) -> tuple[Config, list[Config]]:
    """The settings that hold, and those whose names of rules the command line gives."""
    files: list[str] = []
    settings: dict[str, Any] = {}
    for given in options["configs"]:
        if "=" not in given or os.path.exists(given):
            files.append(given)
            continue
        try:
            settings.update(tomllib.loads(given))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"--config {given}: not valid TOML: {error}") from None
    if len(files) > 1:
        raise click.UsageError(f"`--config` names two files, {files[0]} and {files[1]}")
    read = load(
        _start(paths, options),
        config_file=files[0] if files else None,
        isolated=options["isolated"],
    )
    # While these are put in, errors name the command line and not the file.
    config = override(replace(read, source=Path("command line")), settings)
    given_here: dict[str, Any] = {
        name: options[name]
        for name in ("fail_on", "output_format", "jobs", "python")
        if options[name]
    }
    if options["no_cache"]:
        given_here["cache"] = False
    if options["select"]:
        # As in ruff: who selects for one run starts afresh, else what the file ignores could not be run.
        config = override(config, {"ignore": [], "extend_select": []})
    given_here |= {name: True for name in ("exit_zero", "notes", "force_exclude") if options[name]}
    given_here |= {name: _names(options[name]) for name in ("select", "exclude") if options[name]}
    named = {
        name: _names(options[name])
        for name in ("select", "ignore", "extend_select")
        if options[name]
    }
    selectors = {
        key: value
        for key, value in settings.items()
        if key.replace("-", "_") in ("select", "ignore", "extend_select")
    }
    alone = Config(root=config.root, source=config.source)
    given = [override(alone, table) for table in (selectors, named) if table]
    # These add to what the file says.
    for name in ("ignore", "extend_select", "extend_exclude"):
        if options[name]:
            given_here[name] = [*getattr(config, name), *_names(options[name])]
    return replace(override(config, given_here), source=read.source), given


def _validate(rules: tuple[str, ...], configs: list[Config]) -> None:
    """Raise ConfigError where a name is no rule's or group's."""
    if not configs:
        return
    from asynclint import packs
    from asynclint.check import ENGINE_RULES

    root = configs[0].root
    known = packs.known([packs.builtin(), *(root / directory for directory in rules)])
    names = {name: meta.group for name, meta in known.items()} | ENGINE_RULES
    for config in configs:
        validate_names(config, names)


def _start(paths: tuple[str, ...], options: dict[str, Any]) -> Path:
    if paths == ("-",):
        return Path(os.path.abspath(options["stdin_filename"] or ".")).parent
    absolute = [os.path.abspath(p) for p in paths]
    common = Path(
        os.path.commonpath([p if os.path.isdir(p) else os.path.dirname(p) for p in absolute])
    )
    while not common.exists():
        common = common.parent
    return common


def _show_settings(config: Config) -> None:
    import json

    from asynclint import packs
    from asynclint.knowledge.described import overridden

    _validate(config.rules, [config])
    known = packs.known([packs.builtin(), *(config.root / r for r in config.rules)])
    click.echo(f"configuration: {config.source or 'none'}")
    click.echo("rules:")
    for name, meta in sorted(known.items()):
        if enabled(config, name, meta.group, meta.default):
            click.echo(f"  {name} ({config.levels.get(name, meta.level)})")
    for key in (
        "select", "ignore", "extend_select", "per_file_ignores", "exclude", "extend_exclude", "force_exclude",
        "respect_gitignore", "src", "rules", "knowledge", "notes", "fail_on", "output_format", "max_file_size",
        "fixable", "unfixable",
    ):  # fmt: skip
        value = getattr(config, key)
        shown = list(value) if isinstance(value, tuple) else value
        click.echo(f"{key.replace('_', '-')} = {json.dumps(shown, default=list)}")
    if config.knowledge:
        lines = overridden(config.knowledge)
        click.echo("knowledge that wins over what ships:" + ("" if lines else " none"))
        for line in lines:
            click.echo(f"  {line}")


def _print(
    findings: list[Any], texts: Any, known: Any, config: Config, options: dict[str, Any]
) -> str:
    """Print findings, or write them to a file; what was printed."""
    from asynclint.report import Context, render

    colour = options["color"] == "always" or (
        options["color"] == "auto" and options["output_file"] is None and _colour()
    )
    context = Context(texts, config, colour, options["quiet"], known)
    if options["statistics"]:
        counts = Counter(f.rule for f in findings)
        if config.output_format == "json":
            import json

            rows = [{"rule": rule, "count": count} for rule, count in counts.most_common()]
            text = json.dumps(rows, indent=2) + "\n"
        else:
            text = "".join(f"{count:>6}  {rule}\n" for rule, count in counts.most_common())
    else:
        text = render(config.output_format, findings, context)
    if options["output_file"]:
        try:
            Path(options["output_file"]).write_text(text, "utf-8", errors="backslashreplace")
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise click.ClickException(
                f"{options['output_file']}: cannot be written: {why}"
            ) from None
    else:
        click.echo(text, nl=False, color=colour or None)
    return text


def _colour() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty()


@cli.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All rules.")
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def rule(name: str | None, everything: bool, output_format: str) -> int:
    """Print the page of the rule NAME, or list all rules."""
    import json

    from asynclint import packs

    config = load(Path.cwd())
    known = packs.known([packs.builtin(), *(config.root / r for r in config.rules)])
    if name is not None and name not in known:
        import difflib

        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean `{close[0]}`?" if close else "; `asynclint rule --all` lists them"
        raise ConfigError(f"there is no rule `{name}`{hint}")
    chosen = [known[name]] if name else [known[n] for n in sorted(known)]
    if output_format == "json":
        rows = [
            {
                "name": m.name,
                "group": m.group,
                "level": m.level,
                "default": m.default,
                "since": m.since,
                "summary": m.summary,
                "page": m.page.read_text(encoding="utf-8"),
            }
            for m in chosen
        ]
        click.echo(json.dumps(rows[0] if name else rows, indent=2))
    elif name and not everything:
        click.echo(known[name].page.read_text(encoding="utf-8"), nl=False)
    else:
        width = max(len(m.name) for m in chosen)
        for meta in chosen:
            off = "" if meta.default else " (off by default)"
            click.echo(
                f"{meta.name:<{width}}  {meta.group:<11}  {meta.level:<7}  {meta.summary}{off}"
            )
    return 0


@cli.command()
@click.argument("place", metavar="FILE:LINE")
@click.option("--isolated", is_flag=True, help="Read no configuration file.")
@click.option("--config", metavar="FILE", help="A configuration file.")
def explain(place: str, isolated: bool, config: str | None) -> int:
    """Show everything that is known of FILE:LINE, with the whole chain."""
    from asynclint import project as projects
    from asynclint.check import explain as run_explain
    from asynclint.report import Context, render

    match = re.fullmatch(r"(.+?):(\d+)(?::\d+)?", place)
    if match is None:
        raise click.UsageError(f"{place}: give a place as FILE:LINE")
    path, line = match.groups()
    if os.path.isdir(path):
        raise click.UsageError(f"{path}: is a directory; give a place as FILE:LINE")
    start = Path(os.path.abspath(path)).parent if os.path.exists(path) else Path.cwd()
    settings = load(start, config_file=config, isolated=isolated)
    project = projects.discover([path], replace(settings, force_exclude=False))
    shown = next(f for f in project.files if f.reported)
    last = len((shown.text or "").splitlines())
    if shown.text is not None and int(line) not in range(1, last + 1):
        raise click.UsageError(f"{place}: there is no such line; the file has {last}")
    findings = run_explain(project, settings, shown.name, int(line))
    if not findings:
        click.echo(f"{shown.name}:{line}: nothing to report")
        return 0
    texts = {f.name: f.text for f in project.files if f.text is not None}
    click.echo(render("full", findings, Context(texts, settings, _colour(), True)), nl=False)
    return 0


@cli.command("new-rule")
@click.argument("name")
@click.option("--directory", default="rules", show_default=True, help="The pack's directory.")
def new_rule(name: str, directory: str) -> int:
    """Write the two files of a new rule, to be filled in."""
    from asynclint.testing import new_rule as write

    try:
        for path in write(name, directory):
            click.echo(str(path))
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from None
    return 0


@cli.command()
@click.argument("name", required=False)
def knowledge(name: str | None) -> int:
    """List the libraries that asynclint knows, or show what is known of NAME."""
    from asynclint.knowledge import describe

    click.echo(describe(name))
    return 0


@cli.command()
def clean() -> int:
    """Remove what asynclint keeps of earlier runs over the project here."""
    from asynclint import project as projects

    root = projects.project_root([Path.cwd()], load(Path.cwd()))
    cache = root / ".asynclint_cache"
    if cache.is_dir() and not cache.is_symlink():
        try:
            shutil.rmtree(cache)
        except OSError as error:
            raise click.ClickException(f"{cache}: cannot be removed: {error.strerror}") from None
        click.echo(f"removed {cache}")
    return 0


def run(args: list[str]) -> int:
    """Run the command line; the exit code: 0 clean, 1 findings, 2 could not run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names and source may hold what a terminal's encoding does not.
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(cli.main(args=args, prog_name="asynclint", standalone_mode=False, obj=args) or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        click.echo(f"asynclint: error: {error.format_message()}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A full disk behind stdout, a working directory that is gone.
        why = (error.strerror or str(error)).lower()
        named = f"{error.filename}: " if error.filename else ""
        click.echo(f"asynclint: error: {named}{why}", err=True)
        return 2
    except Exception as error:
        if _is_ours(error):
            click.echo(f"asynclint: error: {error}", err=True)
            return 2
        raise


def _is_ours(error: Exception) -> bool:
    """Errors that the user can repair, by the module that defines them; importing those would cost every run."""
    return type(error).__name__ in ("ConfigError", "ProjectError", "PackError", "KnowledgeError")
