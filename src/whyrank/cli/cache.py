"""`whyrank cache`: what language models answered and is kept, and what that saves."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from whyrank.lm.answers import Kept

EXAMPLES = (
    "whyrank cache",
    "whyrank cache --prune 90",
    "whyrank cache --clear --model openai:gpt-4.1-mini",
)


def cache(
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="FILE", help="The file; by default that of WHYRANK_CACHE, or the user's."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Only the answers of this model.")
    ] = None,
    prune: Annotated[
        float | None,
        typer.Option("--prune", metavar="DAYS", min=0, help="Remove what was not used for so many days."),
    ] = None,
    is_clear: Annotated[bool, typer.Option("--clear", help="Remove all answers, or all of --model.")] = False,
    is_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Show which answers of language models are kept, and what they have saved; remove those that are not wanted.

    An answer that is kept is not asked for again. Only answers are kept, and a hash of each request: no prompts.
    """
    from whyrank.cli.messages import say
    from whyrank.errors import BadInput, unknown
    from whyrank.lm.answers import Answers, default_path

    if is_clear and prune is not None:
        raise BadInput("--clear removes all, --prune DAYS what was not used for so long; give one of the two")
    file = default_path() if path is None else Path(path)
    if not file.exists():
        _show(file, [], 0, is_json=is_json, removed=None)
        return
    answers = Answers(file)
    try:
        if model is not None and model not in (known := [kept.model for kept in answers.summary()]):
            raise unknown("model in this cache", model, known)
        removed = None
        if is_clear or prune is not None:
            removed = answers.remove(unused_days=prune, model=model)
        kept = [each for each in answers.summary() if model in (None, each.model)]
    finally:
        answers.close()
    if removed is not None and not quiet:
        say(f"removed {_count(removed, 'answer')}")
    _show(file, kept, file.stat().st_size, is_json=is_json, removed=removed)


def _show(file: Path, kept: "list[Kept]", size: int, *, is_json: bool, removed: int | None) -> None:
    if is_json:
        import json

        models = [each._asdict() for each in kept]
        found = {"path": str(file), "exists": file.exists(), "bytes": size, "models": models, "removed": removed}
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print(file, kept, size)


def _print(file: Path, kept: "list[Kept]", size: int) -> None:
    from rich.table import Table

    from whyrank.cli.output import screen
    from whyrank.report.look import MUTED, Look

    console = screen()
    look = Look(console.encoding, console.width)
    console.print(look.line(str(file), style="bold"), soft_wrap=True)
    if not file.exists():
        console.print("no cache yet: it is made when a language model is first asked", style=MUTED)
        return
    answers = sum(each.answers for each in kept)
    console.print(f"{_count(answers, 'answer')}, {_size(size)} on disk")
    if not kept:
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("model", header_style=MUTED, style="bold", overflow="fold")
    for column in ("answers", "reused", "tokens saved", "money saved"):
        table.add_column(column, header_style=MUTED, justify="right")
    table.add_column("last used", header_style=MUTED)
    for each in kept:
        numbers = f"{each.answers:,}", f"{each.hits:,}", f"{each.tokens_saved:,}", _money(each)
        table.add_row(look.line(each.model), *numbers, f"{datetime.fromtimestamp(each.used, UTC):%Y-%m-%d}")
    console.print(table)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _money(kept: "Kept") -> str:
    """What was saved; a price that nobody knows is not nothing."""
    if kept.hits_unpriced and not kept.cost_saved:
        return "unknown"
    amount = f"${kept.cost_saved:,.2f}" if kept.cost_saved >= 1 or not kept.cost_saved else f"${kept.cost_saved:.4f}"
    return f"over {amount}" if kept.hits_unpriced else amount
