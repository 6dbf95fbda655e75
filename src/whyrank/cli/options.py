"""Options that several commands share: one name, one meaning, one help text."""

from typing import Annotated, TypeAlias

import typer

FilesArgument: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE",
        help="Documents: JSON Lines, a JSON array, CSV, TSV, lines of text or a BEIR folder; gzip too. Standard input "
        "if none is named, or for '-'.",
        show_default=False,
    ),
]
FormatOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        help="table, json, jsonl, trec or html. By default a table on a terminal, jsonl in a pipe, and with "
        "--output what the name of the file says.",
        show_default=False,
    ),
]
OutputOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write to this file, whole or not at all; .gz is compressed.",
        show_default=False,
    ),
]
TopKOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--top-k", "-k", metavar="N", min=1, help="Keep the best N. By default all; a table shows 10."),
]
ExplainOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--explain",
        "-e",
        metavar="N",
        min=0,
        help="Give reasons for the best N. By default 3; 0 for trec, and for many queries as json or jsonl.",
        show_default=False,
    ),
]
RankerOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ranker",
        metavar="NAME",
        help="A ranker that 'whyrank methods' lists; by default student, with a --model what it is made for.",
    ),
]
ThreadsOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="Processor threads; by default the cores this process may use, at most 8.",
    ),
]
InputFormatOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="NAME",
        help="Format of the input, where its content does not show it: jsonl, csv, text, rankings, rankllm, dpr, run.",
    ),
]
CorpusOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--corpus", metavar="FILE", help="The documents that a TREC run names; a file or a folder."),
]
QueriesOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--queries", metavar="FILE", help="The queries that a TREC run names; a file or a folder."),
]
QuietOption: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notes; errors are still said.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object for programs, instead of tables.")]
