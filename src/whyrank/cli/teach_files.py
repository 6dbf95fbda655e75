"""`whyrank teach export, import, stats, filter`: what teachers said, from one file to the next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from whyrank.teach.importing import Imported
    from whyrank.teach.records import TeacherRecord

EXPORT_EXAMPLES = (
    "whyrank teach export teacher.db teacher.jsonl.gz",
    "whyrank teach export --salvage broken.db teacher.jsonl",
)
IMPORT_EXAMPLES = (
    "whyrank teach import",
    "whyrank teach import r2r train-msmarco-500.jsonl.gz -o teacher.jsonl",
    "whyrank teach import run beir-folder/runs/splade.trec --depth 50 -o teacher.jsonl",
    "whyrank teach import records teacher.jsonl --store teacher.db",
)
STATS_EXAMPLES = ("whyrank teach stats teacher.db", "whyrank teach stats gpt-4.jsonl gpt-3.5.jsonl --json")
FILTER_EXAMPLES = (
    "whyrank teach filter",
    "whyrank teach filter teacher.db train.jsonl --keep usable --keep quotes=0.8 --keep order",
)
OWN = "records"
"""What our own records are imported as."""


def export(
    store: Annotated[str, typer.Argument(metavar="STORE", help="A store of teach ask.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="A file of JSON Lines; .gz is compressed.")],
    is_salvage: Annotated[bool, typer.Option("--salvage", help="Read what can be read of a damaged store.")] = False,
    quiet: options.QuietOption = False,
) -> None:
    """Write the records of a store as JSON Lines, whole or not at all.

    With --salvage, ends with 3 where records of a damaged store are lost, or may be.
    """
    from whyrank.teach.records import write_records
    from whyrank.teach.store import Store
    from whyrank.teach.targets import require_free

    require_free([out], [store])
    if is_salvage:
        _salvage(store, out, quiet=quiet)
        return
    with Store(store, create=False) as opened:
        count = write_records(out, opened.records())
    _say_written(out, count, quiet=quiet)


def import_(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="The format; without it they are listed.", show_default=False)
    ] = None,
    paths: Annotated[list[str] | None, typer.Argument(metavar="FILE", show_default=False)] = None,
    store: Annotated[str | None, typer.Option("--store", metavar="FILE", help="Add them to this store.")] = None,
    output: options.OutputOption = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Who answered, where the file does not say.")
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option("--depth", "-d", metavar="N", min=1, help="Of a run, keep a query's best N. By default 100."),
    ] = None,
    quiet: options.QuietOption = False,
) -> None:
    """Make teacher records of what others published, or add records to a store."""
    from whyrank.cli.messages import say
    from whyrank.errors import BadInput
    from whyrank.teach.records import write_records
    from whyrank.teach.store import Store
    from whyrank.teach.targets import require_free

    if kind is None:
        _print_formats()
        return
    if not paths:
        raise BadInput(f"no file; give whyrank teach import {kind} FILE")
    if (store is None) == (output is None):
        raise BadInput("say where the records go: --store FILE, or -o FILE.jsonl")
    if output is not None:
        require_free([output], [file for path in paths for file in _files_read(kind, path)])
    found = [_imported(kind, path, model or "", depth) for path in paths]
    records = [record for one in found for record in one.records]
    if not quiet and (cut := sum(one.cut for one in found)):
        say(f"queries with more documents than are kept (--depth) are cut to the best: {cut:,}", label="note")
    if output is not None:
        _say_written(output, write_records(output, records), quiet=quiet)
    elif store is not None:
        with Store(store) as opened:
            added = sum(opened.add(record) for record in records)
        if not quiet:
            say(f"{store}: {added:,} records added, {len(records) - added:,} were there")


def stats(
    paths: Annotated[list[str], typer.Argument(metavar="FILE", help="Stores, or records as JSON Lines.")],
    is_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Count what teachers said: lists, orders, reasons, quotes, labels, cost, and where several teachers agree."""
    from whyrank.cli.progress import working
    from whyrank.teach.stats import stats as counted

    with working(quiet=quiet) as work:
        work.phase("reading records")
        records = _records(paths)
        work.phase("counting")
        rows = counted(records).rows()
    if is_json:
        import json

        typer.echo(json.dumps([row._asdict() for row in rows], indent=2, ensure_ascii=False))
        return
    _print_table(", ".join(paths), ("", "", "of", "share"), [tuple(row) for row in rows])


def filter_(
    source: Annotated[
        str | None, typer.Argument(metavar="IN", help="A store, or records as JSON Lines.", show_default=False)
    ] = None,
    out: Annotated[
        str | None, typer.Argument(metavar="OUT", help="A file of JSON Lines; .gz is compressed.", show_default=False)
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="NAME[=VALUE]",
            help="Keep what passes this filter; repeatable. Without any argument, the filters are listed.",
        ),
    ] = None,
    is_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Keep the records that are good enough to learn from, and say how many each filter dropped."""
    from whyrank.errors import BadInput
    from whyrank.teach.filters import filter_records
    from whyrank.teach.records import write_records
    from whyrank.teach.targets import require_free

    if source is None:
        _print_filters()
        return
    if out is None:
        raise BadInput("no file to write; give whyrank teach filter IN OUT --keep NAME")
    if not keep:
        raise BadInput("no filter; give --keep usable, or another that 'whyrank teach filter' lists")
    require_free([out], [source])
    records = _records([source])
    filtered = filter_records(records, keep)
    write_records(out, filtered.kept)
    if is_json:
        import json

        counts = {"given": len(records), "kept": len(filtered.kept), "dropped": dict(filtered.dropped)}
        typer.echo(json.dumps(counts, indent=2, ensure_ascii=False))
    elif not quiet:
        rows = [(f"dropped by {name}", f"{count:,}") for name, count in filtered.dropped.items()]
        every = [("records", f"{len(records):,}"), *rows, ("kept", f"{len(filtered.kept):,}")]
        _print_table(f"{source} → {out}", ("", ""), every)


def _records(paths: Sequence[str]) -> "list[TeacherRecord]":
    from whyrank.teach.store import records_at

    return [record for path in paths for record in records_at(path)]


def _salvage(store: str, out: str, *, quiet: bool) -> None:
    from whyrank.cli.endings import PARTIAL
    from whyrank.cli.messages import say
    from whyrank.teach.records import write_records
    from whyrank.teach.salvage import salvaged

    saved = salvaged(store)
    _say_written(out, write_records(out, saved.records), quiet=quiet)
    if saved.lost is None:
        say(
            f"{store}: is damaged, and how many records it held can no longer be known; what can be read is saved",
            "note",
        )
    elif saved.lost:
        held = len(saved.records) + saved.lost
        say(f"{store}: is damaged; {saved.lost:,} of its {held:,} records cannot be read", "note")
    if saved.lost != 0:
        raise typer.Exit(PARTIAL)


def _files_read(kind: str, path: str) -> "Sequence[str | Path]":
    from whyrank.teach.importing import files_read

    return [path] if kind == OWN else files_read(_known(kind), path)


def _imported(kind: str, path: str, model: str, depth: int | None) -> "Imported":
    from whyrank.errors import BadInput
    from whyrank.teach.importing import Imported, import_lists

    if kind != OWN:
        return import_lists(_known(kind), path, model=model, depth=depth)
    if depth is not None:
        raise BadInput("--depth cuts the lists of a run; our own records are kept whole: leave it out")
    return Imported(_records([path]), 0)


def _known(kind: str) -> str:
    """The name of a format.

    Raises:
        UnknownName: there is none of that name.
    """
    from whyrank.errors import unknown
    from whyrank.teach.importing import IMPORTERS

    if kind not in IMPORTERS:
        raise unknown("format of teacher data", kind, (OWN, *IMPORTERS))
    return kind


def _print_formats() -> None:
    from whyrank.teach.importing import IMPORTERS

    rows = [(OWN, "our own records, as teach export writes them, or a store")]
    rows += [(name, importer.description) for name, importer in IMPORTERS.items()]
    _print_table("Formats (whyrank teach import KIND FILE)", ("name", ""), rows)


def _print_filters() -> None:
    from whyrank.teach.filters import FILTERS

    rows = [
        (name if known.least is None else f"{name}={known.least:g}", known.description)
        for name, known in FILTERS.items()
    ]
    _print_table("Filters (whyrank teach filter IN OUT --keep NAME)", ("name", "keeps"), rows)


def _say_written(path: str, count: int, *, quiet: bool) -> None:
    from whyrank.cli.messages import say

    if not quiet:
        say(f"wrote {path}: {count:,} record{'' if count == 1 else 's'}")


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose first cells are names; columns of figures stand to the right."""
    from rich.table import Table

    from whyrank.cli.output import screen
    from whyrank.report.look import MUTED, Look

    console = screen()
    look = Look(console.encoding, console.width)
    console.print(look.line(title, style="bold"), soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=any(columns))
    for place, column in enumerate(columns):
        is_figure = place > 0 and all(row[place][:1] in "0123456789$-" for row in rows if row[place])
        table.add_column(column, header_style=MUTED, justify="right" if is_figure else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(look.line, row))
    console.print(table)
