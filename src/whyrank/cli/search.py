"""`whyrank search`: candidates from an index, and the best of them on top."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whyrank.retrieve import BM25
    from whyrank.types import Ranking

EXAMPLES = (
    "whyrank index documents.jsonl -o my.index",
    'whyrank search "why is the sky blue?" --index my.index --rerank',
)
CHECKED_BYTES = 200_000_000
"""An index up to this size is compared with its checksums whenever it is searched: a fraction of a second."""


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What is asked.", show_default=False)],
    index: Annotated[str, typer.Option("--index", "-i", metavar="FOLDER", help="Made by 'whyrank index'.")],
    rerank: Annotated[bool, typer.Option("--rerank", "-r", help="Rerank what is found, and say why.")] = False,
    depth: Annotated[int, typer.Option("--depth", "-d", metavar="N", min=1, help="Candidates to rerank.")] = 100,
    top_k: Annotated[int, typer.Option("--top-k", "-k", metavar="N", min=1, help="How many are returned.")] = 10,
    explain: options.ExplainOption = None,
    ranker: options.RankerOption = None,
    format_: options.FormatOption = None,
    output: options.OutputOption = None,
    threads: options.ThreadsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Search an index, and rerank what is found.

    An index of up to 200 MB is compared with its checksums each time; a larger one by 'whyrank verify FOLDER'.
    """
    from whyrank.cli import output as results
    from whyrank.cli import sources
    from whyrank.cli.messages import say
    from whyrank.cli.progress import working
    from whyrank.cli.ranking import Plan, how_many_reasons, reranked
    from whyrank.errors import BadInput

    to = results.target(format_, output, top_k, quiet=quiet)
    if not rerank and (explain or ranker):
        raise BadInput("--explain and --ranker need --rerank; BM25 alone gives no reasons")
    reasons = how_many_reasons(explain, ranker, has_model=False, fits=to.format != "trec")
    asked = sources.search_query(query)
    with working(quiet=quiet) as work:
        work.phase("searching")
        found = _opened(index).search(asked, max(depth, top_k) if rerank else top_k)
        given: Iterable[Ranking] = [found]
        if rerank and len(found):
            given = reranked([found], Plan(ranker, None, reasons, threads), work)
        written = results.write(given, to, work, title=query)
    if not len(found) and not quiet:
        say("no document shares a word with the query (very common words do not count)", label="note")
    raise typer.Exit(results.concluded(written, to))


def _opened(index: str) -> "BM25":
    from pathlib import Path

    from whyrank.retrieve import BM25

    opened = BM25.load(index)
    if sum(file.stat().st_size for file in Path(index).iterdir()) <= CHECKED_BYTES:
        opened.verify()
    return opened
