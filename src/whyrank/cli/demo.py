"""`whyrank demo`: see it work, offline, on a small corpus that comes with whyrank."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from whyrank.cli.progress import Work
    from whyrank.datasets.demo import Demo
    from whyrank.types import Query, Ranking

EXAMPLES = (
    "whyrank demo",
    "whyrank demo --query 2",
    'whyrank demo --query "how do I keep bread soft?"',
)
DEPTH = 20
SHOWN = 5
TRY_NEXT = (
    ('whyrank demo --query "how do I keep bread soft?"', "ask the demo something else"),
    ('whyrank rerank "your question" documents.jsonl', "your own documents: JSON Lines, CSV, lines of text, a pipe"),
    ('whyrank rerank "your question" documents.jsonl -o result.jsonl', "keep the result and its reasons"),
    ("whyrank verify result.jsonl", "check every quote, sum and claim in it"),
    ("whyrank index documents.jsonl -o my.index", "then: whyrank search QUERY --index my.index --rerank"),
)


def demo(
    query: Annotated[
        str,
        typer.Option("--query", metavar="TEXT|N", help="One of the demo's own questions by its number, or any other."),
    ] = "1",
    format_: options.FormatOption = None,
    output: options.OutputOption = None,
    explain: Annotated[
        int, typer.Option("--explain", "-e", metavar="N", min=0, help="Give reasons for the best N.")
    ] = 3,
    threads: options.ThreadsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Rerank a small corpus that comes with whyrank, and say why.

    About forty short documents, written for it: answers, and documents that share the words of the question and do
    not answer it. BM25 finds the candidates, the default ranker orders them; arrows show how far each one moved.
    """
    from whyrank.cli import output as results
    from whyrank.cli.progress import working
    from whyrank.datasets.demo import load_demo
    from whyrank.rankers import DEFAULT

    corpus = load_demo()
    asked = _asked(query, corpus)
    to = results.target(format_ or ("table" if output is None else None), output, SHOWN, quiet=quiet)
    is_told = to.format == "table" and to.path is None and not quiet
    with working(quiet=quiet) as work:
        questions = list(corpus.queries) if is_told else []
        before, after = _ranked([asked, *questions], corpus, explain, threads, work)
        if not is_told:
            written = results.write(after[:1], to if to.format == "table" else to._replace(top_k=None), work)
            raise typer.Exit(results.concluded(written, to))
    console = results.screen()
    found = len(before[0])
    console.print(
        f"{len(corpus.documents)} documents · BM25 finds {found} for this question · {DEFAULT} reranks them\n"
    )
    results.show(after[0], console, SHOWN)
    console.print()
    _summary(corpus, before[1:], after[1:], console)
    _next(console)


def _asked(text: str, corpus: "Demo") -> "Query":
    from whyrank.cli.sources import search_query
    from whyrank.errors import BadInput

    number = text.strip()
    if not number.isdecimal():
        own = [query for query in corpus.queries if number in {query.id, query.text}]
        return own[0] if own else search_query(text)
    if not 1 <= int(number) <= len(corpus.queries):
        raise BadInput(f"the demo has {len(corpus.queries)} questions; {number} is none of them")
    return corpus.queries[int(number) - 1]


def _ranked(
    queries: "Sequence[Query]", corpus: "Demo", explain: int, threads: int | None, work: "Work"
) -> "tuple[list[Ranking], list[Ranking]]":
    """What BM25 finds for each query, and the same reranked; the first with reasons."""
    from whyrank.cli.ranking import load_ranker
    from whyrank.rankers import DEFAULT
    from whyrank.reason.giving import with_reasons
    from whyrank.retrieve import BM25

    work.phase("searching")
    index = BM25.build(corpus.documents)
    before = index.search_many(queries, k=DEPTH)
    ranker = load_ranker(DEFAULT, threads, work)
    first, *rest = ranker.rerank_many(before, progress=work.phase("reranking"))
    work.phase("finding reasons")
    return before, [with_reasons(first, ranker, explain), *rest]


def _summary(corpus: "Demo", before: "Sequence[Ranking]", after: "Sequence[Ranking]", console: "Console") -> None:
    """Whether the first document answers each of the demo's own questions, before and after."""
    from rich.table import Table
    from rich.text import Text

    from whyrank.rankers import DEFAULT

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    table.add_column("", justify="right", style="bright_black")
    table.add_column("the demo's questions")
    table.add_column("first by BM25")
    table.add_column(f"first by {DEFAULT}")
    hits = [0, 0]
    for number, (query, *lists) in enumerate(zip(corpus.queries, before, after, strict=True), 1):
        cells = []
        for side, ranking in enumerate(lists):
            best = ranking.ids[0] if len(ranking) else "–"
            answers = corpus.qrels[query.id].get(best, 0) >= 2
            hits[side] += answers
            cells.append(Text.assemble(("✓ " if answers else "✗ ", "green" if answers else "red"), best))
        table.add_row(str(number), query.text, *cells)
    total = len(corpus.queries)
    table.add_row(
        "", "answered by the first document", f"  {hits[0]} of {total}", f"  {hits[1]} of {total}", style="bold"
    )
    console.print(table)


def _next(console: "Console") -> None:
    from rich.text import Text

    console.print(Text("\nWhat to try next", style="bold"))
    for command, purpose in TRY_NEXT:
        console.print(Text.assemble(("  # " + purpose + "\n", "bright_black"), "  " + command), soft_wrap=True)
