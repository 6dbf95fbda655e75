"""`whyrank verify`: every quote, sum and claim of a saved result, checked."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from whyrank.cli.progress import Work
    from whyrank.reason import Check, Report
    from whyrank.types import Ranking, Reranker

EXAMPLES = (
    "whyrank verify result.jsonl",
    "whyrank verify result.jsonl --no-rescore",
    "whyrank verify result.jsonl --ranker runs/first/student",
)
MEANINGS = {
    "permutation": "no document is missing or doubled",
    "order": "the order follows the scores",
    "explained": "what is explained is in the ranking",
    "spans": "what is pointed at lies inside the document",
    "score": "reasons speak of the score that ranks",
    "sum": "contributions add up to the score",
    "quote": "quotes stand where they are said to stand",
    "evidence": "evidence carries what it is said to carry",
    "pointed": "the student points where it is said to point",
    "text": "the English says what the numbers say",
    "margin": "differences add up to the margin",
    "difference": "differences are those of the contributions",
    "counterfactual": "what would turn a comparison does turn it",
    "minimal": "and nothing smaller does",
    "writer": "a written reason names who wrote it",
    "ranker": "the ranker that made it is the one at hand",
    "rescored": "scored again, the same bits",
    "terms": "taken apart again, the same contributions",
}


def verify(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A result as jsonl or json, '-' is stdin; or an index.")
    ] = "-",
    is_rescored: Annotated[
        bool, typer.Option("--rescore/--no-rescore", help="Ask the ranker again, too; --no-rescore is quick.")
    ] = True,
    student: Annotated[
        str | None,
        typer.Option(
            "--ranker",
            metavar="FOLDER",
            help="The student of whyrank train that made it, its folder or its id on the hub, to ask it again.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Failures that are listed; all are counted.")
    ] = 20,
    is_json: options.JsonOption = False,
    threads: options.ThreadsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Check every quote, sum and claim of a saved result.

    Quotes must stand where they are said to stand, contributions must add up, the order must follow the scores, and
    the ranker that made the result must give the same scores, bit for bit, with every counterfactual holding when it
    is scored again. A student of whyrank train is asked again where --ranker names it. Of an index every byte is
    checked. The exit code is 1 if anything fails.
    """
    from pathlib import Path

    from whyrank import formats
    from whyrank.cli.endings import CHECK_FAILED, FINE
    from whyrank.cli.progress import working
    from whyrank.cli.sources import given_file
    from whyrank.errors import BadInput

    if file != "-" and Path(file).is_dir():
        _verify_index(file, quiet=quiet)
        return
    with working(quiet=quiet) as work:
        rankings = formats.read_rankings(given_file(file), format="rankings", progress=work.phase("reading"))
        if not rankings:
            raise BadInput(f"{file}: holds no rankings; there is nothing to check")
        reports = _checked(rankings, threads, work, student, is_rescored=is_rescored)
    if is_json:
        _print_json(reports)
    elif not quiet or not all(report.ok for report in reports):
        _print(rankings, reports, limit)
    raise typer.Exit(FINE if all(report.ok for report in reports) else CHECK_FAILED)


def _verify_index(folder: str, *, quiet: bool) -> None:
    from whyrank.cli.endings import CHECK_FAILED
    from whyrank.cli.messages import say
    from whyrank.cli.progress import working
    from whyrank.errors import Corrupt
    from whyrank.retrieve import BM25

    try:
        with working(quiet=quiet) as work:
            work.phase("reading every byte")
            index = BM25.load(folder)
            index.verify()
    except Corrupt as error:
        say(str(error), label="error")
        raise typer.Exit(CHECK_FAILED) from None
    if not quiet:
        typer.echo(f"{folder}: {len(index):,} documents, every byte as it was written")


def _checked(
    rankings: "Sequence[Ranking]", threads: int | None, work: "Work", student: str | None, *, is_rescored: bool
) -> "list[Report]":
    from whyrank import reason
    from whyrank.cli.ranking import as_scorer, load_ranker, maker_if_known
    from whyrank.errors import BadInput

    if student and not is_rescored:
        raise BadInput("--ranker says whom to ask again, and --no-rescore asks nobody; leave one out")
    own = load_ranker(student, threads, work) if student else None
    makers: list[Reranker | None] = [
        own or maker_if_known(ranking, threads, work) if is_rescored else None for ranking in rankings
    ]
    progress = work.phase("checking")
    reports = []
    for number, (ranking, ranker) in enumerate(zip(rankings, makers, strict=True), 1):
        scorer = as_scorer(ranker)
        report = reason.verify(ranking, scorer)
        if is_rescored and scorer is None:
            report = reason.Report((*report.checks, *_ranked_again(ranking, ranker)))
        reports.append(report)
        progress(number, len(rankings))
    return reports


def _ranked_again(ranking: "Ranking", ranker: "Reranker | None") -> "Iterator[Check]":
    """The same bits from a ranker whose scores cannot be taken apart; a failure where there is none to ask."""
    from dataclasses import replace
    from math import isclose

    from whyrank.reason import Check

    subject = f"query {ranking.query.id!r}"
    scored = tuple(hit for hit in ranking if hit.score is not None)
    if not scored:
        return
    if ranker is None or ranking.ranker != ranker.name:
        yield Check("ranker", subject, False, _why_not_asked(ranking.ranker, ranker))
        return
    tolerance = getattr(ranker, "tolerance", 0.0)
    [again] = ranker.rerank_many([replace(ranking, hits=scored)])
    scores = {hit.document.id: hit.score for hit in again}
    for hit in scored:
        old, new = hit.score, scores[hit.document.id]
        message = f"the saved score is {old!r}; scored again it is {new!r}"
        ok = old is not None and new is not None and isclose(new, old, rel_tol=tolerance, abs_tol=tolerance)
        yield Check("rescored", f"{subject}, document {hit.document.id!r}", ok, "" if ok else message)


def _why_not_asked(made_by: str, at_hand: "Reranker | None") -> str:
    """Why the ranker of a ranking was not asked again, and what can be done."""
    from whyrank.rankers.student_folder import KIND

    told = f"made by {made_by!r}" if made_by else "the ranking does not say what made it"
    if at_hand is not None:
        return f"{told}, and the ranker at hand is {at_hand.name!r}"
    if made_by.startswith(f"{KIND}/"):
        return f"{told}, a student: name its folder with --ranker to ask it again; --no-rescore checks the rest"
    return f"{told}, which cannot be asked again here; --no-rescore checks the rest"


def _print(rankings: "Sequence[Ranking]", reports: "Sequence[Report]", limit: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from whyrank.cli.output import screen
    from whyrank.report.look import Look

    console = screen()
    look = Look(console.encoding, console.width)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    table.add_column("check", style="bold")
    table.add_column("made", justify="right")
    table.add_column("failed", justify="right")
    table.add_column("what it means", style="bright_black")
    for name, checks in _by_kind(reports).items():
        failed = sum(not check.ok for check in checks)
        mark = Text(f"{failed:,}", style="bold red") if failed else Text("0", style="green")
        table.add_row(name, f"{len(checks):,}", mark, MEANINGS.get(name, ""))
    console.print(table)
    failures = [check for report in reports for check in report.failures]
    if failures:
        console.print()
    for check in failures[:limit]:
        console.print(Text.assemble((f"{check.name}: ", "bold red"), look.line(f"{check.subject}: {check.message}")))
    if len(failures) > limit:
        console.print(f"… and {len(failures) - limit:,} more; --limit shows them", style="bright_black")
    uncovered = sorted({_uncovered(check) for report in reports for check in report.notes})
    for message in uncovered[:limit]:
        console.print(Text.assemble(("note: ", "yellow"), look.line(message)))
    total = sum(len(report.checks) for report in reports)
    verdict = Text(f"{len(failures):,} failed", style="bold red") if failures else Text("all hold", style="bold green")
    queries = f"{len(rankings):,} ranking{'' if len(rankings) == 1 else 's'}"
    console.print(Text.assemble(f"\n{total:,} checks of {queries}: ", verdict))


def _uncovered(check: "Check") -> str:
    """What a check could not cover: of which document, where it is about one quote; else once for all alike."""
    return f"{check.subject}: {check.message}" if check.name == "quote" else check.message


def _by_kind(reports: "Sequence[Report]") -> "dict[str, list[Check]]":
    kinds: dict[str, list[Check]] = {}
    for report in reports:
        for check in report.checks:
            kinds.setdefault(check.name, []).append(check)
    return dict(sorted(kinds.items(), key=lambda item: [*MEANINGS, item[0]].index(item[0])))


def _print_json(reports: "Sequence[Report]") -> None:
    import json
    from dataclasses import asdict

    kinds = _by_kind(reports)
    record = {
        "ok": all(report.ok for report in reports),
        "checks": {name: {"made": len(c), "failed": sum(not check.ok for check in c)} for name, c in kinds.items()},
        "failures": [asdict(check) for report in reports for check in report.failures],
        "notes": [asdict(check) for report in reports for check in report.notes],
    }
    typer.echo(json.dumps(record, indent=2))
