"""`whyrank index`: documents into a folder that can be searched."""

from typing import Annotated

import typer

from whyrank.cli import options

EXAMPLES = (
    "whyrank index documents.jsonl -o my.index",
    "whyrank index corpus.jsonl.gz -o mein.index --language de --overwrite",
)


def index(
    output: Annotated[str, typer.Option("--output", "-o", metavar="FOLDER", help="Where the index goes.")],
    files: options.FilesArgument = None,
    language: Annotated[
        str,
        typer.Option(
            "--language", "-l", metavar="CODE", help="Decides on stop words and stemming; 'none' for neither."
        ),
    ] = "en",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the index that stands there.")] = False,
    input_format: options.InputFormatOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Make an index of documents, to be searched with 'whyrank search'."""
    from pathlib import Path

    from whyrank.cli.messages import say
    from whyrank.cli.progress import working
    from whyrank.cli.sources import given_files, read_documents
    from whyrank.errors import BadInput, Unwritable, unknown
    from whyrank.text import LANGUAGES

    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)
    if not overwrite and (Path(output) / "manifest.json").exists():
        raise Unwritable(f"{output}: holds an index already; give --overwrite to replace it, or name another folder")
    with working(quiet=quiet) as work:
        named = given_files(files)
        found = read_documents(named, input_format, work)
        if not found:
            raise BadInput(f"{', '.join(named)}: no documents; give at least one")
        from whyrank.retrieve import BM25

        made = BM25.build(found, language=language, progress=work.phase("indexing"))
        work.phase("writing")
        made.save(output, overwrite=overwrite)
    if not quiet:
        size = sum(file.stat().st_size for file in Path(output).iterdir())
        told = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
        say(f"indexed {len(found):,} documents into {output} ({told})")
        say(f"now: whyrank search QUERY --index {output} --rerank")
