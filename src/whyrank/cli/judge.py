"""`whyrank judge`: people say which reasons are true, which explain, and which help; and what came of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from whyrank.cli.progress import Work
    from whyrank.judge.judged import Judged
    from whyrank.judge.store import Judgements
    from whyrank.judge.study import Study
    from whyrank.report.tables import Table
    from whyrank.types import Scorer

EXAMPLES = (
    "whyrank judge exp.yaml",
    "whyrank judge exp.yaml --judge Ann --port 9000",
    "whyrank judge exp.yaml --report",
    "whyrank judge exp.yaml --report -o report.html --export judged/",
)
ANSWERED = "What judges said"
TABLE = "table"
BY_SUFFIX = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json", ".html": "html", ".htm": "html"}


def judge(
    experiment: Annotated[
        str, typer.Argument(metavar="FILE", help="The experiment: systems, questions, and where answers are kept.")
    ],
    config: Annotated[
        list[str] | None, typer.Option("--config", "-c", metavar="KEY=VALUE", help="Single settings.")
    ] = None,
    name: Annotated[str, typer.Option("--judge", metavar="NAME", help="Who judges; else the page asks.")] = "",
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Where to listen; by default 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", metavar="N", help="By default 8000; 0 takes a free one.")
    ] = None,
    is_report: Annotated[
        bool, typer.Option("--report", rich_help_panel=ANSWERED, help="Show what was said until now, as tables.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            rich_help_panel=ANSWERED,
            help="Of the report: table, markdown, latex, csv, json or html; by default what --output says.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", rich_help_panel=ANSWERED, help="Write the report to this file."),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option(
            "--export",
            metavar="FOLDER",
            rich_help_panel=ANSWERED,
            help="Write judgements (TREC), every answer (JSON Lines) and the tables.",
        ),
    ] = None,
    threads: options.ThreadsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Show results with reasons to people, without saying which system wrote them, and keep what they answer.

    The page is open to this machine alone. Judges go on where they stopped; Ctrl-C ends the server, and every answer
    that was given is kept. --report and --export say what came of it, also while the page is open.
    """
    from whyrank.cli.configured import configured
    from whyrank.cli.progress import working
    from whyrank.config import load
    from whyrank.errors import BadInput
    from whyrank.judge.judged import Judged
    from whyrank.judge.settings import JudgeSettings
    from whyrank.judge.store import Judgements
    from whyrank.judge.study import open_study

    as_form = _format(form, output)
    given = configured(config, {"host": host, "port": port})
    if given.file is not None:
        raise BadInput(f"--config names the file {given.file}; settings stand in {experiment}, and --config key=value")
    settings = load(JudgeSettings, experiment, given.overrides)
    _check_places([experiment, settings.store, *settings.systems.values()], output, folder)
    with working(quiet=quiet) as work:
        work.phase("reading")
        study = open_study(settings)
    is_asked = is_report or form or output or folder
    with Judgements(settings.store, study.fixed, create=not is_asked) as store:
        if not is_asked:
            _serve(study, store, name, quiet=quiet)
            return
        judged = Judged(study, store.sheets())
    with working(quiet=quiet) as work:
        found = _tables(judged, threads, work)
    if folder is not None:
        _export(judged, found, folder, quiet=quiet)
    if is_report or form or output:
        _show(judged, found, as_form, output, quiet=quiet)


def _serve(study: "Study", store: "Judgements", name: str, *, quiet: bool) -> None:
    import logging

    from whyrank._extras import require
    from whyrank.cli.messages import say

    for package in ("fastapi", "uvicorn", "prometheus_client"):
        require(package, extra="serve", purpose="the page for judges")
    from whyrank.judge.app import create_app
    from whyrank.serve.running import Server, address, listening
    from whyrank.serve.settings import LOOPBACK

    served = study.settings.served
    app = create_app(study, store, judge=name)
    with listening(served) as listener:
        if not quiet:
            logging.basicConfig(format="%(message)s")
            if served.host not in LOOPBACK and served.token is None:
                say(f"whoever reaches {served.host} may judge; the setting 'token' asks for one", label="note")
            if study.telling:
                names = ", ".join(map(repr, study.telling))
                say(f"reasons hold the name of their system, which judges may know them by: {names}", label="note")
            for system, count in study.silent.items():
                say(f"queries left out, for {system!r} gives no reason of them: {count:,}", label="note")
        told = f"{len(study.items):,} items to judge at {address(listener)}; Ctrl-C stops"
        Server(app, served, lambda: None if quiet else say(told)).run([listener])


def _format(name: str | None, output: str | None) -> str:
    from pathlib import Path

    from whyrank.errors import unknown
    from whyrank.judge.exports import REPORTS

    known = (TABLE, *REPORTS)
    if name is not None and name not in known:
        raise unknown("report format", name, known)
    suffix = Path(output or "").suffix.lower()
    if name is None and suffix not in ("", ".txt", *BY_SUFFIX):
        raise unknown("report format by the name", suffix, (*BY_SUFFIX, ".txt"))
    return name or BY_SUFFIX.get(suffix, TABLE)


def _check_places(read: "Sequence[str]", output: str | None, folder: str | None) -> None:
    """What answers rest on is never written over.

    Raises:
        BadInput: a place to write to has no name, or is one of the files that are read.
    """
    from pathlib import Path

    from whyrank.errors import BadInput
    from whyrank.judge.exports import FILES

    for option, given in (("--output", output), ("--export", folder)):
        if given == "":
            raise BadInput(f"{option} names no place to write to; give a name")
    written = [Path(output)] if output else []
    for path in (*written, *(Path(folder, name) for name in FILES if folder)):
        if any(_is_same(path, own) for own in read):
            raise BadInput(f"{path}: is read by this experiment; write to another place")


def _is_same(path: "Path", other: str) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one of them is not there
        return False


def _tables(judged: "Judged", threads: int | None, work: "Work") -> "list[Table]":
    from whyrank.judge.correlation import correlation_tables
    from whyrank.judge.summary import tables

    scorers = _scorers(judged.study, threads, work) if judged.sheets else {}
    work.phase("comparing")
    return [*tables(judged), *correlation_tables(judged, scorers=scorers)]


def _scorers(study: "Study", threads: int | None, work: "Work") -> "dict[str, Scorer]":
    """What scored the documents of each system, where it is one of ours and the same to the bit."""
    from whyrank.cli.ranking import as_scorer, maker_if_known

    found = {}
    for name, rankings in study.rankings.items():
        scorer = as_scorer(maker_if_known(rankings[0], threads, work))
        if scorer is not None and all(ranking.ranker == scorer.name for ranking in rankings):
            found[name] = scorer
    return found


def _export(judged: "Judged", tables: "Sequence[Table]", folder: str, *, quiet: bool) -> None:
    from whyrank.cli.messages import say
    from whyrank.judge.exports import export

    for path in export(judged, tables, folder):
        if not quiet:
            say(f"wrote {path}")


def _show(judged: "Judged", tables: "Sequence[Table]", form: str, output: str | None, *, quiet: bool) -> None:
    from whyrank.cli.messages import say
    from whyrank.formats.files import replacing
    from whyrank.judge.exports import rendered

    if output is None and form == TABLE:
        _print(tables)
        return
    text = _page(tables) if form == TABLE else rendered(judged, tables, form)
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
        return
    with replacing(output) as stream:
        stream.write(text.encode("utf-8", "replace"))
    if not quiet:
        say(f"wrote {output}, as {form}")


def _print(tables: "Sequence[Table]") -> None:
    from whyrank.cli.output import screen
    from whyrank.report.table_terminal import TableView

    console = screen()
    for number, table in enumerate(tables):
        if number:
            console.print()
        console.print(TableView(table))


def _page(tables: "Sequence[Table]") -> str:
    import io

    from rich.console import Console

    from whyrank.cli.output import PAGE_WIDTH
    from whyrank.report.table_terminal import TableView

    page = io.StringIO()
    console = Console(file=page, width=PAGE_WIDTH, no_color=True, highlight=False)
    for table in tables:
        console.print(TableView(table), "")
    return page.getvalue()
