"""`whyrank validate`: what is wrong with a file, and where."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from whyrank.formats import Report

EXAMPLES = (
    "whyrank validate documents.jsonl",
    "whyrank validate bm25.trec --corpus corpus.jsonl --queries queries.jsonl",
)


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files or folders; '-' is standard input.")],
    input_format: options.InputFormatOption = None,
    corpus: options.CorpusOption = None,
    queries: options.QueriesOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Problems that are listed; all are counted.")
    ] = 20,
    is_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Say what is wrong with a file of documents, queries or results, and where.

    The exit code is 1 if there is an error. Warnings are things a careful reader should know.
    """
    from whyrank import formats
    from whyrank.cli.endings import CHECK_FAILED, FINE
    from whyrank.cli.progress import working

    with working(quiet=quiet) as work:
        work.phase("reading")
        reports = [
            formats.validate(file, format=input_format, corpus=corpus, queries=queries, limit=limit) for file in files
        ]
    if is_json:
        _print_json(reports)
    else:
        for report in reports:
            _print(report, quiet=quiet)
    raise typer.Exit(FINE if all(report.ok for report in reports) else CHECK_FAILED)


def _print(report: "Report", *, quiet: bool) -> None:
    from rich.text import Text

    from whyrank.cli.output import screen
    from whyrank.report.look import Look

    console = screen()
    look = Look(console.encoding, console.width)
    for problem in report.problems:
        is_error = problem.severity == "error"
        where = problem.path if problem.line is None else f"{problem.path}:{problem.line}"
        label = Text(f"{problem.severity}: ", style="bold red" if is_error else "yellow")
        fix = look.line(problem.how_to_fix, style="bright_black")
        console.print(Text.assemble(look.line(where, style="bold"), ": ", label, look.line(problem.what), "\n  ", fix))
    hidden = report.errors + report.warnings - len(report.problems)
    if hidden > 0:
        console.print(f"… and {hidden:,} more; --limit shows them", style="bright_black")
    if quiet:
        return
    style = "green" if report.ok else "bold red"
    verdict = "fine" if report.ok else f"{report.errors:,} error{'' if report.errors == 1 else 's'}"
    warned = f", {report.warnings:,} warning{'' if report.warnings == 1 else 's'}" if report.warnings else ""
    holds = f" ({', '.join(_counts(report))})" if _counts(report) else ""
    kind = f": {report.format}" if report.format else ""
    console.print(Text.assemble(look.line(report.path + kind + holds, style="bold"), ": ", (verdict + warned, style)))


def _counts(report: "Report") -> list[str]:
    counts = (
        (report.queries, "query", "queries"),
        (report.documents, "document", "documents"),
        (report.hits, "hit", "hits"),
        (report.judgements, "judgement", "judgements"),
    )
    return [f"{count:,} {one if count == 1 else many}" for count, one, many in counts if count]


def _print_json(reports: "list[Report]") -> None:
    import json
    from dataclasses import asdict

    found = []
    for report in reports:
        record = {**asdict(report), "ok": report.ok}
        for problem in record["problems"]:
            del problem["error"]
        found.append(record)
    typer.echo(json.dumps({"ok": all(report.ok for report in reports), "files": found}, indent=2))
