"""`whyrank methods`: the rankers and the ranking algorithms, and what each costs."""

from typing import Annotated

import typer

from whyrank.cli import options

EXAMPLES = (
    "whyrank methods",
    "whyrank methods --costs",
)


def methods(
    is_costs: Annotated[
        bool,
        typer.Option("--costs", help="What each algorithm asks of a judge, measured by running it; as Markdown."),
    ] = False,
    is_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """List the rankers, and the algorithms that rank by asking a judge.

    With --costs: how many questions each algorithm asks, how many documents it has read, how often it waits, and
    how often its top 10 is exact, by the number of documents. It takes some seconds.
    """
    from whyrank.cli.progress import working

    if is_costs:
        from whyrank.rankers.costs import costs, markdown

        with working(quiet=quiet) as work:
            work.phase("running every algorithm")
            text = markdown([*costs([100], order="first stage"), *costs()])
        typer.echo(text)
    elif is_json:
        _print_json()
    else:
        _print_rankers()
        _print_algorithms()


def _print_rankers() -> None:
    from rich.padding import Padding
    from rich.text import Text

    from whyrank.cli.output import screen
    from whyrank.rankers import RANKERS

    console = screen()
    console.print("Rankers (--ranker NAME)")
    for name, known in RANKERS.items():
        console.print(Text(f"  {name}", style="bold"))
        console.print(Padding(Text(known.summary), (0, 0, 0, 4)))
        console.print(f"    licence {known.licence} · reasons: {known.explains}", style="bright_black")


def _print_algorithms() -> None:
    from rich.table import Table

    from whyrank.cli.output import screen
    from whyrank.rankers.algorithms import ALGORITHMS

    title = "\nAlgorithms that rank by asking a judge (whyrank.rankers.flow)"
    table = Table(title=title, title_justify="left", title_style="", box=None, padding=(0, 2, 0, 0))
    for column in ("name", "judge", "exact", "source"):
        table.add_column(column, header_style="bright_black", style="bold" if column == "name" else "")
    for algorithm in ALGORITHMS.values():
        table.add_row(algorithm.name, algorithm.judge, algorithm.exact, algorithm.source)
    console = screen()
    console.print(table)
    console.print("\nWhat each of them costs: whyrank methods --costs", style="bright_black")


def _print_json() -> None:
    import json

    from whyrank.rankers import RANKERS
    from whyrank.rankers.algorithms import ALGORITHMS

    rankers = {name: {k: v for k, v in known._asdict().items() if k != "target"} for name, known in RANKERS.items()}
    algorithms = {a.name: {"judge": a.judge, "exact": a.exact, "source": a.source} for a in ALGORITHMS.values()}
    typer.echo(json.dumps({"rankers": rankers, "algorithms": algorithms}, indent=2, ensure_ascii=False))
