"""`whyrank teach score`: any scorer, or several together, as a teacher; what is scored once is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from whyrank.cli import options, teach_lists
from whyrank.cli.rerank import MaxCostOption, ModelOption, UrlOption

if TYPE_CHECKING:
    from whyrank.teach.asking import Outcome
    from whyrank.teach.score_store import ScoreStore
    from whyrank.teach.scorers import Scorer, ScoreSettings
    from whyrank.teach.scoring import Member
    from whyrank.types import Qrels, Ranking

EXAMPLES = (
    "whyrank teach score rankings.jsonl --ranker evidence -o scores.db",
    "whyrank teach score bm25.trec --corpus docs.jsonl --queries queries.jsonl --ranker student -o teacher.jsonl",
    "whyrank teach score rankings.jsonl --ranker evidence --teacher-run splade.trec --weights 1,2 -o teacher.jsonl",
)
STORES = (".db", ".sqlite", ".sqlite3")
LINES = (".jsonl", ".jsonl.gz")
_LISTS = "Lists"
_WEIGHTED = "the rankers as they are named, the model, the runs"
OutputOption: TypeAlias = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", help="Where the records go: a store (.db), or .jsonl, .jsonl.gz."),
]
ScoresOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--scores",
        metavar="FILE",
        help="Where each teacher's scores are kept; name it again, and nothing is scored twice. By default the output "
        "if it is a store, else OUTPUT.scores.db.",
    ),
]
RankersOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--ranker",
        metavar="NAME",
        help="A ranker that gives scores: one that 'whyrank methods' lists, a folder, an id; repeatable.",
    ),
]
TeacherRunsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher-run", metavar="FILE", help="A TREC run whose scores count as those of a teacher; repeatable."
    ),
]
WeightsOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--weights", metavar="N,N,…", help=f"Of several teachers: {_WEIGHTED}. By default all the same."),
]
WholeWindowOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--window",
        metavar="N",
        min=1,
        help="Documents in a list. By default all that are scored.",
        rich_help_panel=_LISTS,
    ),
]
ScoredDepthOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--depth",
        "-d",
        metavar="N",
        min=1,
        help="Score the first N candidates. By default 20.",
        rich_help_panel=_LISTS,
    ),
]


def score(
    runs: teach_lists.RunsArgument,
    output: OutputOption,
    corpus: options.CorpusOption = None,
    queries: options.QueriesOption = None,
    input_format: options.InputFormatOption = None,
    qrels: teach_lists.QrelsOption = None,
    ranker: RankersOption = None,
    model: ModelOption = None,
    url: UrlOption = None,
    max_cost: MaxCostOption = None,
    teacher_run: TeacherRunsOption = None,
    weights: WeightsOption = None,
    scores: ScoresOption = None,
    depth: ScoredDepthOption = None,
    window: WholeWindowOption = None,
    stride: teach_lists.StrideOption = None,
    negatives: teach_lists.NegativesOption = None,
    shuffles: teach_lists.ShufflesOption = None,
    seed: teach_lists.SeedOption = None,
    threads: options.ThreadsOption = None,
    config: teach_lists.ConfigOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Have any scorer be the teacher: score each candidate once, keep the scores, and write them as records.

    A score is kept by query, document and model, each with its fingerprint: whatever ends the command, the same command
    goes on, and scores nothing twice. First-stage scores are not shown to the teacher.

    Several teachers are an ensemble: the scores of each are brought to mean 0 and standard deviation 1 within the list
    of a query, then averaged. A document that one of them has no score for has none.

    Ends with 3 where a language model left documents without a score.
    """
    from whyrank.cli.endings import FINE, PARTIAL
    from whyrank.cli.progress import working
    from whyrank.config import dump_resolved
    from whyrank.teach.ensembles import check_weights
    from whyrank.teach.score_store import ScoreStore
    from whyrank.teach.scorers import scorers
    from whyrank.teach.scoring import candidates, scored_by, scored_in_run
    from whyrank.teach.targets import require_free

    flags: dict[str, Any] = {
        "rankers": ranker,
        "runs": teacher_run,
        "weights": None if weights is None else _numbers(weights),
        "threads": threads,
        "lists.depth": depth,
        "lists.window": window,
        "lists.stride": stride,
        "lists.negatives": negatives,
        "lists.shuffles": shuffles,
        "lists.seed": seed,
        "model.name": model,
        "model.url": url,
        "model.max_cost": max_cost,
    }
    settings = _settings(config or [], flags)
    teachers = scorers(settings)
    shares = check_weights(settings.weights, [*(teacher.named for teacher in teachers), *settings.runs])
    kept_in = scores or (output if _is_store(output) else f"{output}.scores.db")
    lines = [] if _is_store(output) else [output]  # to a store, records are added
    read = [*runs, *settings.runs, corpus, queries, qrels]
    require_free([*lines, f"{output}.settings.yaml"], [*read, kept_in])
    with working(quiet=quiet) as work:
        found = teach_lists.lists_of(runs, (corpus, queries, input_format), settings.lists, work)
        labels = _labels_of(qrels, found.shown)
        asked = candidates(found.shown)
        of_runs = [
            scored_in_run(path, asked, share)
            for path, share in zip(settings.runs, shares[len(teachers) :], strict=True)
        ]
    if not quiet:
        teach_lists.say_left_out(found)
    is_whole = True
    with ScoreStore(kept_in) as store:
        members = []
        for teacher, share in zip(teachers, shares, strict=False):
            outcome, name = _scored(asked, teacher, settings.threads, store, quiet=quiet)
            is_whole &= outcome.is_whole
            members.append(scored_by(name, store, share))
        _write(found.shown, [*members, *of_runs], labels, output, store, quiet=quiet)
    dump_resolved(settings, f"{output}.settings.yaml")
    raise typer.Exit(FINE if is_whole else PARTIAL)


def _numbers(text: str) -> list[float]:
    from whyrank.errors import BadInput

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"--weights {text!r}; give numbers with commas between them, such as 1,2") from None


def _settings(config: Sequence[str], flags: dict[str, Any]) -> "ScoreSettings":
    from whyrank.cli.configured import configured
    from whyrank.config import load
    from whyrank.teach.scorers import ScoreSettings

    return load(ScoreSettings, *configured(config, flags))


def _is_store(output: str) -> bool:
    """Whether records go into a store.

    Raises:
        BadInput: the name says neither.
    """
    from whyrank.errors import BadInput

    if output.endswith(LINES):
        return False
    if Path(output).suffix in STORES:
        return True
    raise BadInput(f"-o {output}: says no format; give a name that ends in {', '.join((*LINES, *STORES))}")


def _labels_of(path: str | None, shown: "Sequence[Ranking]") -> "Qrels | None":
    from whyrank import formats
    from whyrank.teach.scoring import check_labels

    if path is None:
        return None
    labels = formats.read_qrels(path)
    check_labels(labels, shown, path)
    return labels


def _scored(
    asked: "Sequence[Ranking]", teacher: "Scorer", threads: int | None, store: "ScoreStore", *, quiet: bool
) -> "tuple[Outcome, str]":
    """What became of one teacher's lists, and what it is called with its fingerprint."""
    from whyrank.cli.progress import working
    from whyrank.cli.teach_progress import watching
    from whyrank.teach.scoring import score as score_all

    with working(quiet=quiet) as work:
        work.phase(f"loading {teacher.named}")
        ranker = teacher.load(threads)
    try:
        with watching(quiet=quiet) as told:
            outcome = score_all(asked, ranker, store, told=told)
    finally:
        if close := getattr(ranker, "close", None):
            close()
    _conclude(outcome, ranker.name, quiet=quiet)
    return outcome, ranker.name


def _conclude(outcome: "Outcome", name: str, *, quiet: bool) -> None:
    from whyrank.cli.messages import say
    from whyrank.cli.teach_progress import money

    if not quiet:
        cost = "" if outcome.usage.cost == 0 else f"; {money(outcome.usage.cost)}"
        say(
            f"{name}: {outcome.done:,} of {outcome.lists:,} lists are scored, {outcome.kept:,} of them before; now "
            f"{outcome.usage.documents:,} documents in {outcome.seconds:,.1f} s{cost}"
        )
    if not outcome.is_whole:
        say(
            f"{outcome.lists - outcome.done:,} lists hold documents that {name} gave no score; the same command asks "
            "for them again",
            label="note",
        )


def _write(
    shown: "Sequence[Ranking]",
    members: "Sequence[Member]",
    labels: "Qrels | None",
    output: str,
    store: "ScoreStore",
    *,
    quiet: bool,
) -> None:
    from whyrank.cli.messages import say
    from whyrank.teach.records import write_records
    from whyrank.teach.scoring import score_records
    from whyrank.teach.store import Store

    found = list(score_records(shown, members, labels))
    if not _is_store(output):
        write_records(output, found)
    elif Path(output) == store.path:
        store.renew(found)
    else:
        with Store(output) as records:
            records.renew(found)
    if quiet:
        return
    say(f"{output}: {len(found):,} record{'' if len(found) == 1 else 's'}")
    silent = sum(record.scores.count(None) for record in found)
    if silent:
        documents = sum(len(record.documents) for record in found)
        say(
            f"documents that not every teacher scored stand below, without a score: {silent:,} of {documents:,}", "note"
        )
    if len(found) < len(shown):
        say(f"lists with fewer than two scores have no record: {len(shown) - len(found):,}", label="note")
