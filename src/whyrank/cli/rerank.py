"""`whyrank rerank`: documents into the order in which they answer a query."""

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from whyrank.cli.output import Target
    from whyrank.cli.progress import Work
    from whyrank.cli.ranking import Plan
    from whyrank.config import RerankSettings
    from whyrank.types import Ranking

EXAMPLES = (
    'whyrank rerank "why is the sky blue?" documents.jsonl',
    'whyrank rerank "why is the sky blue?" documents.jsonl --model openai:gpt-4.1-mini --max-cost 0.05 --explain 3',
    'cat lines.txt | whyrank rerank "why is the sky blue?" --top-k 5 --format jsonl',
    "whyrank rerank --run bm25.trec --corpus corpus.jsonl --queries queries.jsonl -o reranked.trec",
)
QueryArgument: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="QUERY", help="What is asked. Not given with --run.", show_default=False)
]
RunOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="FILE",
        help="Candidates for many queries instead of QUERY and FILE: a TREC run (with --corpus and --queries), "
        "rankings, RankLLM requests, DPR results, or a folder with one run.",
    ),
]
DepthOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--depth", "-d", metavar="N", min=1, help="Read the first N candidates; the rest stay below. By default 1000."
    ),
]
ConfigOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE|KEY=VALUE",
        help="Settings from a YAML file, and single ones, such as min_probability=0.5, which leaves out what is less "
        "likely to be relevant; repeatable.",
    ),
]
_MODELS = "Language models"
_OF_MODELS = {"model.url": "--url", "model.max_cost": "--max-cost", "model.max_tokens": "--max-tokens"}
ModelOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="BACKEND:NAME",
        help="A language model, such as openai:gpt-4.1-mini or transformers:FOLDER; see 'whyrank methods'.",
        rich_help_panel=_MODELS,
    ),
]
UrlOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where it is served (openai): a server with that interface; repeatable for several of the same.",
        rich_help_panel=_MODELS,
    ),
]


def _budget(dollars: float | None) -> float | None:
    """The budget; one that buys nothing is refused by its own name."""
    from whyrank.errors import BadInput

    if dollars is not None and not dollars > 0:
        raise BadInput(f"--max-cost {dollars:g}: nothing could be asked; give dollars above 0, or leave it out")
    return dollars


MaxCostOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--max-cost", metavar="DOLLARS", callback=_budget, help="Spend at most this much.", rich_help_panel=_MODELS
    ),
]
MaxTokensOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--max-tokens", metavar="N", min=1, help="Spend at most this many tokens.", rich_help_panel=_MODELS),
]
StrictOption: TypeAlias = Annotated[
    bool,
    typer.Option("--strict", help="An untidy answer is an error, not a status.", rich_help_panel=_MODELS),
]
DryRunOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be asked and what it would cost; ask nothing.", rich_help_panel=_MODELS
    ),
]


def rerank(
    query: QueryArgument = None,
    files: options.FilesArgument = None,
    run: RunOption = None,
    corpus: options.CorpusOption = None,
    queries: options.QueriesOption = None,
    input_format: options.InputFormatOption = None,
    format_: options.FormatOption = None,
    output: options.OutputOption = None,
    top_k: options.TopKOption = None,
    depth: DepthOption = None,
    explain: options.ExplainOption = None,
    ranker: options.RankerOption = None,
    threads: options.ThreadsOption = None,
    config: ConfigOption = None,
    model: ModelOption = None,
    url: UrlOption = None,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    strict: StrictOption = False,
    dry_run: DryRunOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Put documents into the order in which they answer a query, and say why.

    First-stage scores count where the input has them: those of a run or of rankings, or a number under "score" in every
    document. With --output, the settings as they were used are written beside the result.

    With --model a language model ranks; --ranker says how it is asked: pointwise, pairwise, setwise or listwise. With
    --model and --ranker evidence it writes the reasons instead. Answers of servers and providers are kept (whyrank
    cache), so nothing is asked twice.
    """
    from whyrank.cli import output as results
    from whyrank.cli.progress import working
    from whyrank.cli.ranking import how_many_reasons, reranked

    flags: dict[str, Any] = {"top_k": top_k, "depth": depth, "explain": explain, "ranker": ranker, "threads": threads}
    flags |= {"model.name": model, "model.url": url, "model.max_cost": max_cost, "model.max_tokens": max_tokens}
    settings = _settings(config or [], flags | {"ask.strict": strict or None})
    to = results.target(format_, output, settings.top_k, quiet=quiet)
    how_many_reasons(explain, settings.ranker, has_model=settings.model is not None, fits=True)
    with working(quiet=quiet) as work:
        given = _given(query, files, run, (corpus, queries, input_format), work)
        settings = _completed(settings, to, len(given))
        plan = _plan(settings, to)
        if dry_run:
            from whyrank.cli.rehearsal import rehearsed

            rehearsed(given, plan, work)
            raise typer.Exit
        if plan.model is not None and plan.explain and to.format == "table" and to.path is None:
            from whyrank.cli import streaming

            written = streaming.write(given, plan, to, work)
        else:
            written = results.write(reranked(given, plan, work), to, work, title=given[0].query.text)
        _keep_settings(settings, to)
    raise typer.Exit(results.concluded(written, to))


def _completed(settings: "RerankSettings", to: "Target", queries: int) -> "RerankSettings":
    """The settings, with what follows from the others: the ranker, and for how many hits reasons are given."""
    from whyrank.cli.ranking import how_many_reasons
    from whyrank.errors import BadInput
    from whyrank.rankers import DEFAULT

    has_model = settings.model is not None
    fits = to.format in {"table", "html"} or (to.format != "trec" and queries == 1)
    asked = settings.explain if "explain" in settings.model_fields_set else None
    reasons = how_many_reasons(asked, settings.ranker, has_model=has_model, fits=fits)
    if reasons and to.format == "trec":
        raise BadInput("a TREC run holds no reasons; leave --explain out, or write jsonl, json or html")
    ranker = settings.ranker or (None if has_model else DEFAULT)
    return settings.model_copy(update={"explain": min(reasons, settings.top_k or reasons), "ranker": ranker})


def _plan(settings: "RerankSettings", to: "Target") -> "Plan":
    from whyrank.cli.ranking import Plan

    return Plan(
        ranker=settings.ranker,
        depth=settings.depth,
        explain=settings.explain,
        threads=settings.threads,
        min_probability=settings.min_probability,
        calibration=settings.calibration,
        is_streamed=to.is_streamed,
        model=settings.model,
        ask=settings.ask,
        then=settings.then,
    )


def _settings(config: list[str], flags: dict[str, Any]) -> "RerankSettings":
    """From a file, from key=value, and from flags, the last of which wins."""
    from whyrank.cli.configured import configured
    from whyrank.config import RerankSettings, load
    from whyrank.errors import BadInput

    given = configured(config, flags)
    limits = [flag for key, flag in _OF_MODELS.items() if flags.get(key) is not None]
    if limits and not given.names("model.name"):
        raise BadInput(f"{limits[0]} belongs to a language model; name one with --model")
    return _of_a_student(load(RerankSettings, *given))


def _of_a_student(settings: "RerankSettings") -> "RerankSettings":
    """The settings; where the model is a student of ours by its name, the ranker that it makes stands instead."""
    from whyrank.rankers import STUDENTS

    if settings.model is None or settings.model.name not in STUDENTS:
        return settings
    from whyrank.rankers.building import named_student

    ranker = named_student(settings.ranker, settings.model)
    return settings.model_copy(update={"model": None, "ranker": ranker})


def _given(
    query: str | None,
    files: list[str] | None,
    run: str | None,
    about: tuple[str | None, str | None, str | None],
    work: "Work",
) -> "list[Ranking]":
    from whyrank.cli import sources
    from whyrank.errors import BadInput

    corpus, queries, input_format = about
    if run is not None:
        if query is not None:
            raise BadInput(f"with --run the queries come with the candidates; leave {query!r} out")
        return sources.run(run, corpus, queries, input_format, work)
    if corpus is not None or queries is not None:
        raise BadInput("--corpus and --queries belong to a run; give --run FILE")
    if query is None:
        raise BadInput("no query; give whyrank rerank QUERY FILE, or --run FILE")
    return [sources.candidates(query, sources.given_files(files, query=query), input_format, work)]


def _keep_settings(settings: "RerankSettings", to: "Target") -> None:
    from pathlib import Path

    from whyrank.config import dump_resolved

    if to.path is not None and Path(to.path).is_file():  # nothing can stand beside a device
        dump_resolved(settings, f"{to.path}.settings.yaml")
