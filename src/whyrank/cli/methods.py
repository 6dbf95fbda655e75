"""`whyrank methods`: the rankers, the language models, prompts and checkpoints, the algorithms and what they cost."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXAMPLES = (
    "whyrank methods",
    "whyrank methods --prompts",
    "whyrank methods --costs",
)

LICENCES_FROM = 100
"""Columns from which there is room for the licences of checkpoints."""
ON_THE_CARD = "see the model's card"
"""The licence of a checkpoint that nobody here knows for certain."""


def methods(
    is_costs: Annotated[
        bool,
        typer.Option("--costs", help="What each algorithm asks of a judge, measured by running it; as Markdown."),
    ] = False,
    is_prompts: Annotated[
        bool,
        typer.Option(
            "--prompts", help="The prompts, with their sources, and the checkpoints that were trained on them."
        ),
    ] = False,
    is_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """List the rankers, the language models they can ask, and the algorithms that decide what is asked.

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
    elif is_prompts:
        _print_prompts()
        _print_checkpoints()
    else:
        _print_rankers()
        _print_models()
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
        terms = f"licence: {known.licence} · reasons: {known.explains}"
        console.print(Padding(Text(terms, style="bright_black"), (0, 0, 0, 4)))


def _print_models() -> None:
    from whyrank.cli.output import screen
    from whyrank.rankers.building import KINDS
    from whyrank.rankers.models import BACKENDS

    rows = [(f"{scheme}:NAME", f"whyrank[{backend.extra}]", backend.summary) for scheme, backend in BACKENDS.items()]
    _print_table("\nLanguage models that can be asked (--model NAME)", ("name", "needs", "what it reaches"), rows)
    kinds = [(kind, usual.prompt, usual.algorithm) for kind, usual in KINDS.items()]
    _print_table("\nHow they are asked (--ranker NAME)", ("name", "usual prompt", "usual algorithm"), kinds)
    screen().print(
        "\nPrompts, and checkpoints that were trained to rank: whyrank methods --prompts", style="bright_black"
    )


def _print_prompts() -> None:
    from whyrank.prompts import known, load

    templates = [load(name) for name in known()]
    rows = [(t.name, t.kind, "reasons first" if t.reasons else "", t.paper) for t in templates]
    _print_table("Prompts (--config ask.prompt=NAME)", ("name", "kind", "", "paper"), rows)


def _print_checkpoints() -> None:
    from whyrank.cli.output import screen
    from whyrank.rankers.known import known_classifiers, known_models, short_names

    console = screen()
    asked, reading = known_models().values(), known_classifiers().values()
    columns = ("id", "kind", "prompt")
    rows: list[tuple[str, ...]] = [(m.id, m.kind, m.prompt) for m in asked]
    rows += [(m.id, "classifier", "–") for m in reading]
    names = f"Short names: {', '.join(short_names())}"
    if console.width < LICENCES_FROM:
        _print_table("\nCheckpoints (--ranker ID)", columns, rows)
        console.print(f"\n{names}\nThe licence of each: whyrank methods --json", style="bright_black")
        return
    stated = [m.licence for m in asked] + [m.licence for m in reading]
    licences = ["–" if licence == ON_THE_CARD else licence for licence in stated]
    rows_with = [(*row, licence) for row, licence in zip(rows, licences, strict=True)]
    _print_table("\nCheckpoints (--ranker ID)", (*columns, "licence"), rows_with)
    console.print(f"\n– {ON_THE_CARD}\n{names}", style="bright_black")


def _print_algorithms() -> None:
    from whyrank.cli.output import screen
    from whyrank.rankers.algorithms import ALGORITHMS

    rows = [(a.name, a.judge, a.exact, a.source) for a in ALGORITHMS.values()]
    title = "\nAlgorithms that decide what is asked (--config ask.algorithm=NAME)"
    _print_table(title, ("name", "judge", "exact", "source"), rows)
    console = screen()
    console.print("\nWhat each of them costs: whyrank methods --costs", style="bright_black")


def _print_table(title: str, columns: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> None:
    """A table whose cells stand in full, the last one on several lines; where that does not fit, a list."""
    from rich.table import Table
    from rich.text import Text

    from whyrank.cli.output import screen

    console = screen()
    *fixed, last = zip(*rows, strict=True)
    longest_word = max(len(word) for cell in last for word in cell.split())
    needed = sum(max(map(len, cells)) + 2 for cells in fixed) + longest_word
    if needed > console.width:
        _print_list(title, rows)
        return
    table = Table(title=title, title_justify="left", title_style="", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place, column in enumerate(columns):
        is_last = place == len(columns) - 1
        style = "" if place else "bold"
        table.add_column(column, header_style="bright_black", style=style, no_wrap=not is_last, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_list(title: str, rows: "Iterable[Sequence[str]]") -> None:
    """Each first cell on a line of its own, and the others below it."""
    from rich.padding import Padding
    from rich.text import Text

    from whyrank.cli.output import screen

    console = screen()
    console.print(Text(title))
    for name, *others in rows:
        console.print(Text(name, style="bold", overflow="fold"))
        console.print(Padding(Text(" · ".join(filter(None, others)), style="bright_black"), (0, 0, 0, 2)))


def _print_json() -> None:
    import json
    from dataclasses import asdict

    from whyrank.prompts import known, load
    from whyrank.rankers import RANKERS
    from whyrank.rankers.algorithms import ALGORITHMS
    from whyrank.rankers.building import KINDS
    from whyrank.rankers.known import known_classifiers, known_models, short_names
    from whyrank.rankers.models import BACKENDS

    rankers = {name: {k: v for k, v in r._asdict().items() if k != "target"} for name, r in RANKERS.items()}
    found = {
        "rankers": rankers,
        "models": {scheme: {"summary": b.summary, "extra": b.extra} for scheme, b in BACKENDS.items()},
        "kinds": {kind: usual._asdict() for kind, usual in KINDS.items()},
        "prompts": {t.name: {"kind": t.kind, "paper": t.paper, "source": t.source} for t in map(load, known())},
        "checkpoints": {m.id: asdict(m) for m in known_models().values()},
        "classifiers": {m.id: asdict(m) for m in known_classifiers().values()},
        "short_names": dict(short_names()),
        "algorithms": {a.name: {"judge": a.judge, "exact": a.exact, "source": a.source} for a in ALGORITHMS.values()},
    }
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
