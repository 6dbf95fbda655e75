"""`whyrank evaluate`: how good rankings are, what they cost, and whether their reasons are true."""

from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from whyrank.cli import options
from whyrank.cli.answers import Given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whyrank.cli.progress import Work
    from whyrank.datasets import Dataset
    from whyrank.evaluate import Ties
    from whyrank.experiment import Outcome
    from whyrank.types import Qrels, Ranking, Run

EXAMPLES = (
    "whyrank evaluate bm25.trec reranked.trec --qrels qrels.trec",
    "whyrank evaluate bm25 splade mine=reranked.jsonl --dataset dl19 -m nDCG@10 -m RR@10 -o report.html",
    "whyrank evaluate bm25.trec reranked.jsonl --answers answers.jsonl --corpus corpus.jsonl -m open-qa",
    "whyrank evaluate --config exp.yaml",
    "whyrank evaluate --datasets",
)
ANSWERS = "Answers in the first k passages (Answer@k)"
FORMATS = ("table", "markdown", "latex", "csv", "json", "html")
BY_SUFFIX = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json", ".html": "html", ".htm": "html"}


def evaluate(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="TREC runs, rankings as jsonl, or names of the dataset's runs; NAME=RUN gives one another name.",
            show_default=False,
        ),
    ] = None,
    qrels: Annotated[
        str | None, typer.Option("--qrels", metavar="FILE", help="Judgements: TREC's or BEIR's form.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", metavar="NAME", help="Judgements and runs of a collection, by name or folder."),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "-m",
            metavar="NAME",
            help="As ir_measures writes them: nDCG@10, AP(rel=2); Answer@5; noveleval.",
        ),
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(
            "--answers", metavar="FILE", rich_help_panel=ANSWERS, help="A line {_id, answers} for each query."
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", metavar="FILE", rich_help_panel=ANSWERS, help="The texts of a run's documents."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="NAME", help="Compare with this run; by default the first.")
    ] = None,
    ties: Annotated[
        str | None,
        typer.Option(
            "--ties", metavar="LAW", help="rank (the default), or trec_eval (by document id): published values."
        ),
    ] = None,
    excluded: Annotated[
        str | None,
        typer.Option(
            "--excluded", metavar="FILE", help="Documents to remove before scoring, in the form of judgements."
        ),
    ] = None,
    is_only_relevant: Annotated[
        bool, typer.Option("--only-relevant", help="Leave out queries that have no relevant document.")
    ] = False,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", metavar="FILE|KEY=VALUE", help="Run an experiment file, and single settings."),
    ] = None,
    is_listing: Annotated[bool, typer.Option("--datasets", help="List the collections that --dataset knows.")] = False,
    format_: Annotated[
        str | None, typer.Option("--format", "-f", metavar="NAME", help="table, markdown, latex, csv, json or html.")
    ] = None,
    output: options.OutputOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Say how good rankings are, what they cost, and whether their reasons are true.

    Runs are measured side by side: means with 95 % intervals, differences from the baseline with paired tests and
    Holm's correction, and what a careful reader must know. A single reranked list is compared with the order in which
    it was given. With --config, an experiment is run: what is missing of it, if it was begun before.
    """
    from whyrank.cli.progress import working
    from whyrank.errors import BadInput, unknown
    from whyrank.evaluate import Ties

    form = _format(format_, output)
    if is_listing:
        _list_datasets()
        return
    given = (runs, qrels, dataset, measures, answers, corpus, baseline, excluded, ties, is_only_relevant)
    if config and any(given):
        raise BadInput("with --config everything else stands in the experiment file; use -c key=value to change it")
    if ties is not None and ties not in get_args(Ties):
        raise unknown("law of ties", ties, get_args(Ties))
    with working(quiet=quiet) as work:
        if config:
            outcome = _experiment(config, work)
        else:
            how = (measures, cast("Ties", ties or "rank"), excluded, is_only_relevant, baseline)
            outcome = _compared(runs or [], qrels, dataset, how, Given(answers, corpus), work)
    _show(outcome, form, output, quiet=quiet)


def _format(name: str | None, output: str | None) -> str:
    from pathlib import Path

    from whyrank.errors import unknown

    if name is not None and name not in FORMATS:
        raise unknown("output format", name, FORMATS)
    suffix = Path(output or "").suffix.lower()
    if name is None and suffix not in ("", ".txt", *BY_SUFFIX):
        raise unknown("output format by the name", suffix, (*BY_SUFFIX, ".txt"))
    return name or BY_SUFFIX.get(suffix, "table")


def _experiment(config: list[str], work: "Work") -> "Outcome":
    from pathlib import Path

    from whyrank.config import load
    from whyrank.errors import BadInput
    from whyrank.experiment import ExperimentSettings, run

    files = [item for item in config if "=" not in item or Path(item).is_file()]
    if len(files) != 1:
        raise BadInput(f"--config names {len(files)} files; give one experiment file, and key=value for the rest")
    settings = load(ExperimentSettings, files[0], [item for item in config if item not in files])
    return run(settings, work.phase)


def _compared(
    names: "Sequence[str]",
    qrels: str | None,
    dataset: str | None,
    how: "tuple[list[str] | None, Ties, str | None, bool, str | None]",
    given: "Given",
    work: "Work",
) -> "Outcome":
    from dataclasses import replace

    from whyrank import datasets, formats
    from whyrank.cli.answers import answered, learnt, measures_of
    from whyrank.errors import BadInput
    from whyrank.experiment.comparing import compare_runs

    if not names:
        raise BadInput("no run; give whyrank evaluate RUN --qrels FILE, or --config FILE")
    measures, ties, excluded, is_only_relevant, baseline = how
    asked = measures_of(measures, given, is_judged=bool(qrels or dataset))
    if (qrels and dataset) or (asked.judged and not (qrels or dataset)):
        raise BadInput(
            "give the judgements: either --qrels FILE or --dataset NAME; or, for Answer@k alone, --answers FILE"
        )
    work.phase("reading")
    collection = None if dataset is None else datasets.load(dataset)
    judged: Qrels = {}
    if asked.judged:
        judged = formats.read_qrels(qrels) if qrels is not None else collection.qrels if collection else {}
    out = dict(collection.excluded) if collection else {}
    if excluded is not None:
        for query, documents in formats.read_qrels(excluded).items():
            out[query] = frozenset(documents) | out.get(query, frozenset())
    found = _read(names, collection, work)
    by = answered(asked, found, given, collection, ties, out, work)
    work.phase("measuring")
    outcome = compare_runs(
        found,
        judged,
        (*asked.judged, *map(str, asked.answered)),
        dataset=collection.name if collection else str(qrels or given.answers or ""),
        ties=ties,
        excluded=out,
        only_relevant=is_only_relevant,
        baseline=baseline,
        answered=by,
    )
    return replace(outcome, notes=(*outcome.notes, *learnt(outcome, collection)))


def _read(
    names: "Sequence[str]", collection: "Dataset | None", work: "Work"
) -> "Mapping[str, Run | Sequence[Ranking]]":
    from pathlib import Path

    from whyrank import formats
    from whyrank.errors import BadInput, DuplicateId, unknown

    found: dict[str, Run | Sequence[Ranking]] = {}
    for given in names:
        label, is_named, where = given.partition("=") if not Path(given).exists() else ("", "", given)
        if not is_named:
            label, where = Path(given).name.split(".")[0] or given, given
        if not label or not where:
            raise BadInput(f"{given!r} names no run; write RUN, or NAME=RUN")
        if label in found:
            raise DuplicateId(f"two runs are called {label!r}; write NAME=RUN to give one another name")
        if collection is not None and where in collection.runs and not Path(where).exists():
            found[label] = collection.run(where)
        elif where != "-" and Path(where).is_file() and formats.FORMATS[formats.detect(where)].kind == "rankings":
            found[label] = formats.read_rankings(where, progress=work.phase(f"reading {label}"))
        elif collection is not None and not Path(where).exists():
            raise unknown(f"run of {collection.name}, and no file,", where, collection.runs)
        else:
            found[label] = formats.read_run(where)
    return found


def _show(outcome: "Outcome", form: str, output: str | None, *, quiet: bool) -> None:
    from whyrank.cli.messages import say
    from whyrank.experiment.reporting import tables

    if form == "table" and output is None:
        from whyrank.cli.output import screen
        from whyrank.report.table_terminal import TableView

        console = screen()
        for number, table in enumerate(tables(outcome)):
            if number:
                console.print()
            console.print(TableView(table))
    else:
        text = _rendered(outcome, form)
        if output is None:
            typer.echo(text, nl=not text.endswith("\n"))
        else:
            from whyrank.formats.files import replacing

            with replacing(output) as stream:
                stream.write(text.encode("utf-8", "replace"))
    if quiet:
        return
    for note in outcome.notes:
        say(f"note: {note}")
    if output is not None:
        say(f"wrote {output}: {len(outcome.evaluations):,} systems, as {form}")
    if folder := outcome.settings.get("output"):
        say(f"results are in {folder}; the page to read is {folder}/report.html")


def _rendered(outcome: "Outcome", form: str) -> str:
    import json

    from whyrank.experiment.reporting import report_of, tables
    from whyrank.report.evaluation_html import render_evaluation
    from whyrank.report.table_formats import render_table

    if form == "html":
        return render_evaluation(report_of(outcome, outcome.dataset or "Evaluation"))
    if form == "table":
        import io

        from rich.console import Console

        from whyrank.cli.output import PAGE_WIDTH
        from whyrank.report.table_terminal import TableView

        page = io.StringIO()
        console = Console(file=page, width=PAGE_WIDTH, no_color=True, highlight=False)
        for table in tables(outcome):
            console.print(TableView(table), "")
        return page.getvalue()
    if form == "json":
        return json.dumps([json.loads(render_table(table, "json")) for table in tables(outcome)], indent=1) + "\n"
    if form == "csv":  # one table, or no program could read it; the others are in json
        return render_table(tables(outcome)[0], form)
    return "\n".join(render_table(table, form) for table in tables(outcome))


def _list_datasets() -> None:
    from rich.table import Table

    from whyrank import datasets
    from whyrank.cli.output import screen
    from whyrank.report.look import ACCENT, MUTED

    found = Table("name", "where", "what it is", box=None, pad_edge=False, header_style="bold")
    style = {"here": "green", "built in": "green", "network": ACCENT, "absent": MUTED}
    for known in datasets.known():
        found.add_row(known.name, f"[{style[known.found]}]{known.found}[/]", known.about)
    screen().print(found)
