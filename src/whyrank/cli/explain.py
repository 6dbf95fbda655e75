"""`whyrank explain`: the reasons for a result that stands already, or for one pair of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from whyrank.cli.output import Target
    from whyrank.cli.progress import Work
    from whyrank.types import Ranking

EXAMPLES = (
    "whyrank explain result.jsonl",
    "whyrank explain result.jsonl --pair sky-scatter sea-colour",
    'whyrank explain documents.jsonl --query "why is the sky blue?" --top 5',
)


def explain(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A result as jsonl or json; with --query, documents. '-' is stdin.")
    ] = "-",
    query: Annotated[
        str | None, typer.Option("--query", metavar="TEXT", help="FILE holds documents: rerank them for this first.")
    ] = None,
    top: Annotated[int, typer.Option("--top", "-e", metavar="N", min=1, help="Give reasons for the best N.")] = 3,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option("--pair", metavar="UPPER LOWER", help="Say why one document stands above another, by their ids."),
    ] = None,
    query_id: Annotated[
        str | None, typer.Option("--query-id", metavar="ID", help="Of a result with many queries, this one only.")
    ] = None,
    format_: options.FormatOption = None,
    output: options.OutputOption = None,
    top_k: options.TopKOption = None,
    ranker: options.RankerOption = None,
    threads: options.ThreadsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Give the reasons for a saved result, or compare two documents of it.

    A saved result is explained with the ranker that made it, and only if that still gives it the same scores.
    """
    from whyrank.cli import output as results
    from whyrank.cli.progress import working
    from whyrank.errors import BadInput
    from whyrank.rankers import DEFAULT

    if ranker is not None and query is None:
        raise BadInput("--ranker belongs to --query; a saved result is explained with the ranker that made it")
    to = results.target(format_, output, top_k, quiet=quiet)
    with working(quiet=quiet) as work:
        found = _ranked(file, query, ranker or DEFAULT, threads, work)
        chosen = _chosen(found, query_id, pair)
        if pair is None:
            explained = (_explained(ranking, top, threads, work) for ranking in chosen)
            written = results.write(explained, to, work, title="whyrank")
        else:
            written = _write_pair(_compared(chosen[0], pair, threads, work), pair, to, work)
    raise typer.Exit(results.concluded(written, to))


def _ranked(file: str, query: str | None, ranker: str, threads: int | None, work: "Work") -> "list[Ranking]":
    from whyrank import formats
    from whyrank.cli import sources
    from whyrank.cli.ranking import Plan, how_many_reasons, reranked
    from whyrank.types import DEPTH

    if query is None:
        return formats.read_rankings(sources.given_file(file), format="rankings", progress=work.phase("reading"))
    how_many_reasons(1, ranker, has_model=False, fits=True)
    given = sources.candidates(query, [file], None, work)
    return list(reranked([given], Plan(ranker, DEPTH, 0, threads), work))


def _chosen(rankings: "Sequence[Ranking]", query_id: str | None, pair: tuple[str, str] | None) -> "Sequence[Ranking]":
    from whyrank.errors import BadInput, unknown

    if query_id is not None:
        chosen = [ranking for ranking in rankings if ranking.query.id == query_id]
        if not chosen:
            raise unknown("query", query_id, [ranking.query.id for ranking in rankings])
        return chosen
    if pair is None or len(rankings) == 1:
        return rankings
    holding = [ranking for ranking in rankings if set(pair) <= set(ranking.ids)]
    if len(holding) != 1:
        raise BadInput(f"{len(holding)} of {len(rankings)} rankings hold both documents; name one with --query-id ID")
    return holding


def _explained(ranking: "Ranking", top: int, threads: int | None, work: "Work") -> "Ranking":
    from whyrank.cli.ranking import maker
    from whyrank.reason.giving import with_reasons

    scorer = maker(ranking, threads, work)
    work.phase("finding reasons")
    return with_reasons(ranking, scorer, top)


def _compared(ranking: "Ranking", pair: tuple[str, str], threads: int | None, work: "Work") -> "Ranking":
    from dataclasses import replace

    from whyrank import reason
    from whyrank.cli.ranking import maker
    from whyrank.types import Explanations

    scorer = maker(ranking, threads, work)
    work.phase("comparing")
    comparison = reason.explain_pair(ranking, scorer, *pair)
    return replace(ranking, explanations=Explanations(comparisons=(comparison,)))


def _write_pair(ranking: "Ranking", pair: tuple[str, str], to: "Target", work: "Work") -> "list[Ranking]":
    from whyrank.cli import output as results

    if to.format != "table" or to.path is not None:
        return results.write([ranking], to, work)
    console = results.screen()
    with work.paused():
        console.print(_pair_view(ranking, pair, console.encoding, console.width))
    return [ranking]


def _pair_view(ranking: "Ranking", pair: tuple[str, str], encoding: str, width: int) -> "RenderableType":
    """The two hits at their places, and what lies between them."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from whyrank.report import figures
    from whyrank.report.look import Look
    from whyrank.report.terminal import WIDEST, Columns, heading, hit_row
    from whyrank.report.terminal_reasons import comparison_block

    assert ranking.explanations is not None
    [comparison] = ranking.explanations.comparisons
    look = Look(encoding, min(width, WIDEST))
    line = figures.scale(hit.score for hit in ranking.hits)
    upper, lower = (ranking.ids.index(name) for name in pair)
    columns = Columns.of(ranking, lower + 1, look)
    rows = [hit_row(ranking.hits[i], i + 1, None, line, columns, look) for i in (upper, lower)]
    block = comparison_block(
        comparison,
        look.narrowed(columns.rank + 2),
        lower_rank=lower + 1,
        lower_score=ranking.hits[lower].score,
    )
    return Group(heading(ranking, look), rows[0], Text(), rows[1], Padding(block, (1, 0, 0, columns.rank + 2)))
