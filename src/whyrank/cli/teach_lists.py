"""What `teach ask` and `teach batch write` have in common: their options, the settings, and the lists to be shown."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from whyrank.cli.progress import Work
    from whyrank.teach.candidates import Lists
    from whyrank.teach.settings import ListSettings, TeachSettings

_LISTS = "Lists"
RunsArgument: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Candidates that bring their queries: TREC runs (with --corpus and --queries), rankings, RankLLM "
        "requests, or a folder with one run.",
        show_default=False,
    ),
]
QrelsOption: TypeAlias = Annotated[
    str | None, typer.Option("--qrels", metavar="FILE", help="Judgements, kept with the records.")
]
ModeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="NAME",
        help="ranking, an order; direct, also why of each document, and the sentence that answers; both, also how they "
        "compare. By default both.",
    ),
]
ListDepthOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--depth",
        "-d",
        metavar="N",
        min=1,
        help="Show the first N candidates. By default 20.",
        rich_help_panel=_LISTS,
    ),
]
WindowOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--window", metavar="N", min=1, help="Documents in a list. By default 5.", rich_help_panel=_LISTS),
]
StrideOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--stride",
        metavar="N",
        min=1,
        help="How far apart two lists begin. By default the window: none is shown twice.",
        rich_help_panel=_LISTS,
    ),
]
NegativesOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--negatives",
        metavar="N",
        min=0,
        help="Hard negatives in each list, drawn from below the depth. By default 0.",
        rich_help_panel=_LISTS,
    ),
]
ShufflesOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--shuffles",
        metavar="N",
        min=0,
        help="Further orders in which each list is shown. By default 0.",
        rich_help_panel=_LISTS,
    ),
]
SeedOption: TypeAlias = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="Of all lots. By default 0.", rich_help_panel=_LISTS)
]

ConfigOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE|KEY=VALUE",
        help="Settings from a YAML file, and single ones, such as attempts=0, passage_tokens=200 or "
        "model.timeout_s=180; repeatable.",
    ),
]


def settings_of(config: Sequence[str], flags: Mapping[str, Any]) -> "TeachSettings":
    """From a file, from key=value, and from flags, the last of which wins.

    Raises:
        BadInput: no teacher is named, or a setting is wrong.
    """
    from whyrank.cli.configured import configured
    from whyrank.config import load
    from whyrank.errors import BadInput
    from whyrank.teach.settings import TeachSettings

    given = configured(config, flags)
    if not given.names("model.name"):
        raise BadInput("no teacher; name a language model, such as --model openai:gpt-4.1 (see whyrank methods)")
    return load(TeachSettings, *given)


def lists_of(
    runs: Sequence[str], about: tuple[str | None, str | None, str | None], settings: "ListSettings", work: "Work"
) -> "Lists":
    """What is to be shown of some files of candidates; `about` is corpus, queries and format.

    Raises:
        BadInput: nothing is left to show.
    """
    from whyrank.cli import sources
    from whyrank.errors import BadInput
    from whyrank.teach.candidates import lists

    given = [ranking for file in runs for ranking in sources.run(file, *about, work)]
    found = lists(given, settings)
    if not found.shown:
        raise BadInput(f"{', '.join(runs)}: no query has two candidates with text, so there is nothing to ask about")
    return found


def say_left_out(found: "Lists") -> None:
    """Name what of the candidates is not shown."""
    from whyrank.cli.messages import say

    for count, what in (
        (found.without_text, "candidates without text are not shown"),
        (found.without_query, "queries without text have no list"),
        (found.too_short, "queries with fewer than two candidates have no list"),
    ):
        if count:
            say(f"{what}: {count:,}", label="note")
