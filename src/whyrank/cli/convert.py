"""`whyrank convert`: from one format into another."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from whyrank.cli.progress import Work

BY_SUFFIX = {".csv": "csv", ".trec": "run", ".run": "run", ".qrels": "qrels", ".tsv": "qrels", ".json": "rankllm"}

EXAMPLES = (
    "whyrank convert documents.csv documents.jsonl",
    "whyrank convert result.jsonl result.trec",
    "whyrank convert bm25.trec requests.json --corpus corpus.jsonl --queries queries.jsonl",
)


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A file or a folder; '-' is standard input, with --input-format.")
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A file, a folder, or '-' for standard output.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NAME",
            help="jsonl, csv, rankings, run, rankllm, qrels or folder; by default what the name of TARGET says.",
        ),
    ] = None,
    input_format: options.InputFormatOption = None,
    corpus: options.CorpusOption = None,
    queries: options.QueriesOption = None,
    query: Annotated[
        str | None, typer.Option("--query", metavar="TEXT", help="For documents that become a ranking: what is asked.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="NAME", help="For a folder: which of its runs.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="For a folder: which of its splits.")
    ] = None,
    quiet: options.QuietOption = False,
) -> None:
    """Move between formats."""
    from whyrank.cli.messages import say
    from whyrank.cli.progress import working

    form = to or _by_name(source, target, input_format)
    with working(quiet=quiet) as work:
        work.phase("converting")
        given = (input_format, corpus, queries, query, run, split)
        if target == "-":
            _to_stdout(source, form, given, work)
            return
        count = _convert(source, target, form, given)
    if not quiet:
        say(f"wrote {target}: {count:,} record{'' if count == 1 else 's'}, as {form}")


def _convert(source: str, target: str, form: str, given: tuple[str | None, ...]) -> int:
    from whyrank import formats

    input_format, corpus, queries, query, run, split = given
    return formats.convert(
        source,
        target,
        to=form,
        format=input_format,
        corpus=corpus,
        queries=queries,
        query=query,
        run=run,
        split=split,
    )


def _to_stdout(source: str, form: str, given: tuple[str | None, ...], work: "Work") -> None:
    import tempfile
    from pathlib import Path

    from whyrank.cli.output import print_lines
    from whyrank.errors import BadInput

    if form == "folder":
        raise BadInput("a folder cannot go to standard output; name a TARGET")
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "converted"
        _convert(source, str(whole), form, given)
        with whole.open(encoding="utf-8", newline="\n") as lines:
            print_lines((line.removesuffix("\n") for line in lines), work)


def _by_name(source: str, target: str, input_format: str | None) -> str:
    """The format that the name of the target asks for.

    Raises:
        BadInput: it says nothing.
    """
    from pathlib import Path

    from whyrank import formats
    from whyrank.errors import BadInput

    suffix = Path(target.removesuffix(".gz")).suffix.lower()
    if target != "-" and not suffix:
        return "folder"
    if suffix == ".jsonl":
        given = input_format or (formats.detect(source) if source != "-" else "jsonl")
        kind = formats.FORMATS[given].kind if given in formats.FORMATS else "documents"
        return "jsonl" if kind in {"documents", "folder"} else "rankings"
    if suffix not in BY_SUFFIX:
        raise BadInput(f"{target}: its name does not say which format; give --to {', '.join(formats.TARGETS)}")
    return BY_SUFFIX[suffix]
