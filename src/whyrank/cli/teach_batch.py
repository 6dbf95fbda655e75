"""`whyrank teach batch`: ask through a provider's batch interface, which is slower and cheaper."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from whyrank.cli import options, teach_lists
from whyrank.cli.rerank import ModelOption
from whyrank.cli.teach_ask import PromptOption, StoreOption

if TYPE_CHECKING:
    from collections.abc import Collection

    from whyrank.teach.settings import TeachSettings

WRITE_EXAMPLES = (
    "whyrank teach batch write rankings.jsonl -m openai:gpt-4.1 -o batch.jsonl",
    "whyrank teach batch write rankings.jsonl -m openai:o4-mini --adapt max_tokens --adapt temperature -o batch.jsonl",
)
READ_EXAMPLES = ("whyrank teach batch read batch.jsonl output.jsonl errors.jsonl --store teacher.db",)
LISTS, SETTINGS = ".lists.jsonl", ".settings.yaml"
"""What stands beside a batch file: the lists it asks about, and how they were asked."""
BatchOutput: TypeAlias = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="The batch file; further ones are numbered.")
]


def write(
    runs: teach_lists.RunsArgument,
    output: BatchOutput,
    store: Annotated[
        str | None, typer.Option("--store", metavar="FILE", help="Leave out what this store holds.")
    ] = None,
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
    adapt: Annotated[
        list[str] | None,
        typer.Option(
            "--adapt",
            metavar="FIELD",
            help="A field that the model refuses, to be sent otherwise or not at all; repeatable. Reasoning models of "
            "OpenAI refuse max_tokens and temperature.",
        ),
    ] = None,
    config: teach_lists.ConfigOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Write what teach ask would ask as files for OpenAI's batch interface, which other providers take as well.

    Beside the first file stand the lists and the settings, which teach batch read needs. Upload the files for
    /v1/chat/completions; what comes back is read by teach batch read.
    """
    from whyrank.cli.messages import say
    from whyrank.cli.progress import working
    from whyrank.cli.teach_ask import labels_of, opened
    from whyrank.config import dump_resolved
    from whyrank.teach.batches import write_batch
    from whyrank.teach.conversation import tasks
    from whyrank.teach.offline import requests, unasked
    from whyrank.teach.records import write_records
    from whyrank.teach.targets import require_free

    inputs = [*runs, corpus, queries, qrels, store]
    require_free([output, f"{output}{LISTS}"], [*inputs, *(config or [])])
    require_free([f"{output}{SETTINGS}"], inputs)  # settings that were written here may be those of the next batch
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
    }
    settings = teach_lists.settings_of(config or [], flags)
    name = _model_of(settings)
    with working(quiet=quiet) as work:
        found = teach_lists.lists_of(runs, (corpus, queries, input_format), settings.lists, work)
        labels = labels_of(qrels)
    if not quiet:
        teach_lists.say_left_out(found)
    there = _keys(store)
    with opened(settings) as teacher:
        waiting = [task for task in tasks(found.shown, teacher) if task.key not in there]
        _require_same(output, there | {task.key for task in waiting})
        files = write_batch(requests(waiting, teacher), output, model=name, adapted=adapt or (), inputs=inputs)
        dump_resolved(settings, f"{output}{SETTINGS}")
        write_records(f"{output}{LISTS}", unasked(waiting, teacher, labels))
    if not quiet:
        say(f"wrote {', '.join(map(str, files)) or 'nothing'}: {len(waiting):,} requests")


def read(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The first file that teach batch write wrote.")],
    results: Annotated[list[str], typer.Argument(metavar="RESULT", help="Output and error files of the provider.")],
    store: StoreOption,
    quiet: options.QuietOption = False,
) -> None:
    """Keep the answers of a batch in a store.

    Requests that the files say nothing of, and those that the provider did not get to, are left: teach ask, or another
    batch, asks for them. Ends with 3 where some are.
    """
    from whyrank.cli.endings import FINE, PARTIAL
    from whyrank.cli.messages import say
    from whyrank.cli.teach_ask import conclude, opened
    from whyrank.config import load
    from whyrank.lm.prices import Price
    from whyrank.teach.offline import take
    from whyrank.teach.records import read_records
    from whyrank.teach.settings import TeachSettings
    from whyrank.teach.store import Store

    settings = load(TeachSettings, f"{batch}{SETTINGS}")
    price = Price(*settings.model.price) if settings.model.price else None
    waiting = read_records(f"{batch}{LISTS}")
    with opened(settings) as teacher, Store(store) as kept:
        taken = take(waiting, teacher, results, kept, price=price)
    if taken.strangers:
        say(f"{taken.strangers:,} answers belong to no request of {batch} and are left out", label="note")
    conclude(taken.outcome, store, quiet=quiet)
    raise typer.Exit(FINE if taken.outcome.is_whole else PARTIAL)


def _model_of(settings: "TeachSettings") -> str:
    """The model's name with its provider.

    Raises:
        BadInput: its provider does not take the files that are written.
    """
    from whyrank.errors import BadInput

    provider, _, name = settings.model.name.partition(":")
    if provider != "openai":
        raise BadInput(
            f"the model {settings.model.name!r} takes no batch files of OpenAI's form; name it openai:MODEL, as its "
            "provider's batch interface in that form names it, or ask it live: whyrank teach ask"
        )
    return name


def _require_same(output: str, keys: "Collection[str]") -> None:
    """Refuse to write over a batch of other requests, whose answers could then no longer be read.

    Raises:
        BadInput: there is one.
    """
    from whyrank.errors import BadInput
    from whyrank.teach.records import read_records

    lists = f"{output}{LISTS}"
    if Path(lists).exists() and (others := {record.key for record in read_records(lists)}.difference(keys)):
        raise BadInput(
            f"{output}: is a batch of {len(others):,} other requests, whose answers could then not be read; name "
            f"another file, or remove {lists} if nobody waits for them"
        )


def _keys(store: str | None) -> set[str]:
    from whyrank.teach.store import Store

    if store is None:
        return set()
    with Store(store, create=False) as opened:
        return opened.keys()
