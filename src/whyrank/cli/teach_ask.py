"""`whyrank teach ask`: have a teacher rank lists of candidates, and keep each answer as it comes."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from whyrank.cli import options, teach_lists
from whyrank.cli.rerank import DryRunOption, MaxCostOption, MaxTokensOption, ModelOption, UrlOption

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from whyrank.config import ModelSettings
    from whyrank.lm.prices import Price
    from whyrank.teach.asking import Outcome
    from whyrank.teach.conversation import Task, Teacher
    from whyrank.teach.settings import TeachSettings
    from whyrank.types import Qrels, Ranking

EXAMPLES = (
    "whyrank teach ask rankings.jsonl -m openai:gpt-4.1 --store teacher.db --dry-run",
    "whyrank teach ask bm25.trec --corpus docs.jsonl --queries queries.jsonl -m openai:gpt-4.1 --store teacher.db",
    "whyrank teach ask rankings.jsonl -m openai:gpt-4.1 --window 10 --negatives 2 --shuffles 1 --store teacher.db",
)
_MODELS = "Language models"
StoreOption: TypeAlias = Annotated[
    str,
    typer.Option("--store", metavar="FILE", help="Where the answers are kept; an existing store is gone on with."),
]

PromptOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="NAME",
        help="A listwise prompt that 'whyrank methods --prompts' lists, in place of --mode: dear has the teacher "
        "reason before it ranks, and its chain of thought is kept.",
    ),
]


def ask(
    runs: teach_lists.RunsArgument,
    store: StoreOption,
    corpus: options.CorpusOption = None,
    queries: options.QueriesOption = None,
    input_format: options.InputFormatOption = None,
    qrels: teach_lists.QrelsOption = None,
    mode: teach_lists.ModeOption = None,
    prompt: PromptOption = None,
    depth: teach_lists.ListDepthOption = None,
    window: teach_lists.WindowOption = None,
    stride: teach_lists.StrideOption = None,
    negatives: teach_lists.NegativesOption = None,
    shuffles: teach_lists.ShufflesOption = None,
    seed: teach_lists.SeedOption = None,
    model: ModelOption = None,
    url: UrlOption = None,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="N",
            min=1,
            help="Requests under way at once. By default 8.",
            rich_help_panel=_MODELS,
        ),
    ] = None,
    is_retry: Annotated[
        bool, typer.Option("--retry", help="Ask again about lists whose answer ranked nothing.")
    ] = False,
    dry_run: DryRunOption = False,
    config: teach_lists.ConfigOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Have a teacher rank lists of candidates and say why, and keep each answer as it comes.

    The candidates of a query are shown in lists of a few. Every answer is on the disk before the next one is read:
    whatever ends the command, the same command goes on, and asks only for what is missing. Answers that rank nothing
    (refused, broken off, nonsense) are kept with their status, counted, and never trained on.

    Ends with 3 where lists are left: the budget is spent, or the server does not answer.
    """
    from whyrank.cli.endings import FINE, PARTIAL
    from whyrank.cli.progress import working
    from whyrank.teach.targets import require_free

    require_free([f"{store}.settings.yaml"], [*runs, corpus, queries, qrels])
    flags: dict[str, Any] = {
        "mode": mode,
        "prompt": prompt,
        "lists.depth": depth,
        "lists.window": window,
        "lists.stride": stride,
        "lists.negatives": negatives,
        "lists.shuffles": shuffles,
        "lists.seed": seed,
        "model.name": model,
        "model.url": url,
        "model.max_cost": max_cost,
        "model.max_tokens": max_tokens,
        "model.concurrency": concurrency,
    }
    settings = teach_lists.settings_of(config or [], flags)
    with working(quiet=quiet) as work:
        found = teach_lists.lists_of(runs, (corpus, queries, input_format), settings.lists, work)
        labels = labels_of(qrels)
    if not quiet:
        teach_lists.say_left_out(found)
    with opened(settings) as teacher:
        if dry_run:
            _rehearse(found.shown, teacher, settings, store, is_retry=is_retry)
            raise typer.Exit
        outcome = _asked(found.shown, teacher, settings, store, labels, is_retry=is_retry, quiet=quiet)
    conclude(outcome, store, quiet=quiet)
    raise typer.Exit(FINE if outcome.is_whole else PARTIAL)


@contextmanager
def opened(settings: "TeachSettings") -> "Iterator[Teacher]":
    """The teacher that settings name; at the end its model is closed, if it can be."""
    from whyrank.rankers.models import open_model
    from whyrank.teach.conversation import Teacher

    lm = open_model(settings.model)
    try:
        yield Teacher(
            lm, settings.mode, settings.passage_tokens, settings.reasoning_tokens, settings.attempts, settings.prompt
        )
    finally:
        if close := getattr(lm, "close", None):
            close()


def labels_of(path: str | None) -> "Qrels | None":
    """The judgements of a file, if one is named."""
    from whyrank import formats

    return None if path is None else formats.read_qrels(path)


def _asked(
    lists: "Sequence[Ranking]",
    teacher: "Teacher",
    settings: "TeachSettings",
    path: str,
    labels: "Mapping[str, Mapping[str, float]] | None",
    *,
    is_retry: bool,
    quiet: bool,
) -> "Outcome":
    from whyrank.cli.teach_progress import watching
    from whyrank.config import dump_resolved
    from whyrank.teach.asking import ask as ask_all
    from whyrank.teach.store import Store

    with Store(path) as store:
        dump_resolved(settings, f"{path}.settings.yaml")
        with watching(quiet=quiet) as told:
            return ask_all(lists, teacher, store, labels=labels, retry=is_retry, told=told)


def _rehearse(
    lists: "Sequence[Ranking]", teacher: "Teacher", settings: "TeachSettings", path: str, *, is_retry: bool
) -> None:
    """Say what is missing, and what it would cost; nothing is asked and no store is made."""
    from pathlib import Path

    from whyrank.teach.conversation import tasks
    from whyrank.teach.store import Store

    there, again = set[str](), set[str]()
    if Path(path).exists():
        with Store(path, create=False) as store:
            there = store.keys(usable=is_retry)
            again = store.keys() - there
    different = tasks(lists, teacher)
    waiting = [task for task in different if task.key not in there]
    typer.echo(f"teacher    {teacher.lm.name}, prompt {teacher.prompt.partition('@')[0]}")
    typer.echo(f"lists      {len(different):,}, of which {len(different) - len(waiting):,} are in the store")
    for line in _estimated(teacher, waiting, again, settings):
        typer.echo(line)


def _estimated(
    teacher: "Teacher", waiting: "Sequence[Task]", again: "Collection[str]", settings: "TeachSettings"
) -> list[str]:
    from whyrank.teach.asking import rehearse

    estimate = rehearse(teacher, waiting, again=again, price=_price(settings.model))
    expected, most = estimate.generated_tokens, estimate.most_generated_tokens
    about = "" if estimate.is_exact else "about "
    cached = f", of which {estimate.from_cache:,} from the cache" if estimate.from_cache else ""
    cost = "unknown: the price of this model is not known; give it with --config 'model.price=[0.4, 1.6]'"
    if estimate.cost is not None and estimate.most_cost is not None:
        cost = f"about ${estimate.cost:.4f}; ${estimate.most_cost:.4f} if each answer is as long as it may be"
    return [
        f"calls      {estimate.calls:,}{cached}",
        f"prompts    {about}{estimate.prompt_tokens:,} tokens",
        f"answers    about {expected:,} tokens; {most:,} if each is as long as it may be, more if asked for again",
        f"cost       {cost}",
    ]


def _price(model: "ModelSettings") -> "Price | None":
    from whyrank.lm.prices import Price, price_of

    if model.price is not None:
        return Price(*model.price)
    provider, _, name = model.name.partition(":")
    if provider in ("transformers", "vllm"):
        return Price(0.0, 0.0)
    return None if model.url else price_of(provider, name)


def conclude(outcome: "Outcome", path: str, *, quiet: bool) -> None:
    """Say what was kept and what is left, and why."""
    from whyrank.cli.messages import say
    from whyrank.cli.teach_progress import money
    from whyrank.teach.records import USABLE

    if not quiet:
        came = ", ".join(f"{count:,} {status}" for status, count in sorted(outcome.records.items())) or "nothing new"
        cost = "" if outcome.usage.cost == 0 else f"; {money(outcome.usage.cost)}"
        say(f"{path}: {outcome.done:,} of {outcome.lists:,} lists have a record; now came {came}{cost}")
    unusable = sum(count for status, count in outcome.records.items() if status not in USABLE)
    if unusable:
        say(
            f"{unusable:,} of the answers that came rank nothing: they are kept, and nobody is trained on them; teach "
            "ask --retry asks again",
            label="note",
        )
    if outcome.already:
        say(
            f"{outcome.already:,} answers were in the store when they came: another process asks for the same; stop "
            "one of the two",
            label="note",
        )
    for name, count in outcome.failures.most_common():
        say(f"{count:,} × {name}: {outcome.words[name]}", label="note")
    if not outcome.is_whole:
        why = "the budget has no room for them" if outcome.is_spent else "nobody answered for them"
        say(
            f"{outcome.lists - outcome.done:,} lists are left: {why}; the same command goes on from here"
            + (", with a budget of its own" if outcome.is_spent else ""),
            label="note",
        )
