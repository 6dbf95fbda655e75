"""Settings: frozen pydantic models from YAML and ``key=value``, and the resolved copy written beside every result.

    settings = config.load(RerankSettings, "settings.yaml", overrides=["depth=50"])
    config.dump_resolved(settings, "results/settings.yaml")

A setting that is a secret is the name of an environment variable (``env:NAME``): the value itself is never in a
file, in a model, in a message or in a log.
"""

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, ValidationError
from pydantic_core import ErrorDetails

from whyrank.errors import BadInput
from whyrank.formats.files import read_bytes, replacing
from whyrank.types import DEPTH

S = TypeVar("S", bound="Settings")
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: frozen, and nothing unknown is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Secret(RootModel[Annotated[str, Field(pattern=r"^env:[A-Za-z_][A-Za-z0-9_]*$")]]):
    """The name of an environment variable, written ``env:NAME``. The value is read when it is needed, and kept nowhere.

    >>> Secret("env:API_KEY")
    Secret(root='env:API_KEY')
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    def reveal(self) -> str:
        """The value.

        Raises:
            BadInput: the variable is not set.
        """
        name = self.root.removeprefix("env:")
        value = os.environ.get(name)
        if not value:
            raise BadInput(f"the environment variable {name} is not set; set it to the secret that belongs there")
        return value


def _listed(given: Any) -> Any:
    """What a person means who writes one text where a list is taken."""
    return (given,) if isinstance(given, str) else given


def _unquoted(given: Any) -> Any:
    """What a person who writes "off" into YAML means."""
    return "off" if given is False else given


def named_by_stem(value: Any, noun: str) -> Any:
    """A list of files, or of names, as a mapping from name to file; a file is named by its stem. All else stays.

    Raises:
        ValueError: something is no text, or two have one name; for pydantic, which says where.
    """
    if not isinstance(value, list | tuple):
        return value
    found: dict[str, str] = {}
    for one in value:
        if not isinstance(one, str):
            raise ValueError(f"{one!r} is no name and no file; write a list of these, or a mapping {{name: file}}")
        stem = PurePath(one).name.split(".")[0]
        if stem in found:
            raise ValueError(f"two {noun}s are called {stem!r}; write a mapping {{name: file}} to name them apart")
        found[stem] = one
    return found


class ModelSettings(Settings):
    """A language model and how it is asked.

    Attributes:
        name: "backend:model", such as "openai:gpt-4.1-mini" or "transformers:Qwen/Qwen3-Reranker-0.6B"; see
            `whyrank methods`.
        url: the address of a server that speaks the interface of OpenAI, or several that serve the same model.
        key: what the server wants to see; by default the environment variable that the provider's own tools use.
        context: most tokens of prompt and answer together, where the backend cannot know.
        concurrency: most requests under way at once.
        timeout_s: seconds after which a request counts as failed, and is tried again.
        retries: how often a request is tried again.
        deadline_s: seconds after which a batch of requests is given up.
        max_cost: US dollars that may be spent.
        max_tokens: tokens that may be spent, of prompts and answers together.
        price: US dollars for a million tokens of prompts and of answers; by default what is publicly known.
        cache: file of answers that were given before; "off" for none, "default" for the user's own. Weights in this
            process are not cached.
        prefill: whether the server lets an answer be begun for it.
        echo: whether the server gives the likelihood of a prompt's own tokens.
        dtype: number format of local weights.
        device: where local weights are held.
        mode: "fast" shares work between prompts, to a tolerance of 1e-5 in float32; "isolated" does not, to the bit.
    """

    name: str
    url: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    key: Secret | None = None
    context: Count | None = None
    concurrency: Count = 8
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 4
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    max_cost: Annotated[float, Field(gt=0)] | None = None
    max_tokens: Count | None = None
    price: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] | None = None
    cache: Annotated[str, BeforeValidator(_unquoted)] = "default"
    prefill: bool = False
    echo: bool = False
    dtype: str = "auto"
    device: str | None = None
    mode: Literal["fast", "isolated"] = "fast"


class AskSettings(Settings):
    """How a language model is asked to rank. What is None follows from the model, where it is a known one.

    Attributes:
        prompt: a prompt that `whyrank methods` lists, or a TOML file.
        scoring: what is read: how likely the next token is ("logprobs"), an answer that is written ("generation"), or
            how likely the query is, given the document ("query").
        algorithm: which questions are asked, of those that `whyrank methods` lists.
        options: of the algorithm, such as size and stride.
        instruction: what is wanted of a ranking, for prompts that have a place for it.
        passage_tokens: most tokens of a document that are shown.
        reasoning_tokens: most tokens of reasoning before an answer.
        identifiers: "random" draws the labels of documents afresh for each request.
        datamark: whether the words of documents are marked as material.
        untidy: what is tried, in order, with an answer that is not what was asked for.
        attempts: how often is asked again.
        strict: whether an untidy answer is an error.
    """

    prompt: str | None = None
    scoring: Literal["logprobs", "generation", "query"] | None = None
    algorithm: str | None = None
    options: Mapping[str, int] = {}
    instruction: str | None = None
    passage_tokens: Count | None = None
    reasoning_tokens: Annotated[int, Field(ge=0)] | None = None
    identifiers: Literal["plain", "random"] = "plain"
    datamark: bool = False
    untidy: Annotated[tuple[Literal["repair", "keep", "again", "split", "previous"], ...], BeforeValidator(_listed)] = (
        "repair",
        "again",
        "previous",
    )
    attempts: Count = 1
    strict: bool = False


class FusionSettings(Settings):
    """How scores of stage 1 and places of stage 2 come to an order; see `whyrank.rankers.fusion.Fusion`."""

    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    form: Literal["reciprocal", "linear"] = "linear"
    constant: Annotated[float, Field(ge=1e-3, le=1e6)] = 10.0
    fitted_on: str = ""


class GuardSettings(Settings):
    """When stage 2 is asked, and when it is believed; see `whyrank.rankers.guard.Guard`."""

    least_stake: Annotated[float, Field(ge=0, le=1)] = 0.02
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    calls: Annotated[int, Field(ge=0)] | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None
    accepts: Literal["ok", "repaired", "any"] = "repaired"
    second: Annotated[Literal["shuffled", "reversed", "off"], BeforeValidator(_unquoted)] = "shuffled"
    agreement: Annotated[float, Field(ge=-1, le=1)] = 0.5
    seed: int = 0


class StageSettings(Settings):
    """How two stages are put together.

    Attributes:
        top: how many of the best by stage 1 are given to stage 2.
        fusion: how scores and places come to an order.
        guard: when stage 2 is asked, and when it is believed.
    """

    top: Annotated[int, Field(ge=2)] = 30
    fusion: FusionSettings = FusionSettings()
    guard: GuardSettings = GuardSettings()


class ThenSettings(StageSettings):
    """A second stage: what orders the best of the first.

    Attributes:
        ranker: a kind of question to ask the model, a known checkpoint, or the folder of a listwise student.
        model: a language model.
        ask: how it is asked; by default as a known checkpoint wants it, and any other model with the prompt `dear`, in
            windows of 20 with a step of 10.
    """

    ranker: str | None = None
    model: ModelSettings | None = None
    ask: AskSettings | None = None


class RerankSettings(Settings):
    """What `whyrank rerank` is told.

    Attributes:
        ranker: name of the ranker; the default if None, or with a model what that model is made for.
        depth: how many candidates of each query are read; the others keep their order below.
        top_k: how many are returned; all if None.
        explain: for how many of the best documents reasons are given.
        min_probability: what is less likely to be relevant, by the ranker's calibration, is left out.
        calibration: a file that an experiment fitted, in place of the one that comes with the ranker.
        threads: processor threads; as many as there are if None.
        model: a language model. It ranks, unless `ranker` names one that asks none; then it gives the reasons.
        ask: how it is asked to rank.
        then: a second stage, which orders the best of what `ranker` scored.
    """

    ranker: str | None = None
    depth: Count = DEPTH
    top_k: Count | None = None
    explain: Annotated[int, Field(ge=0)] = 0
    min_probability: Annotated[float, Field(ge=0, le=1)] | None = None
    calibration: str | None = None
    threads: Count | None = None
    model: ModelSettings | None = None
    ask: AskSettings | None = None
    then: ThenSettings | None = None


def load(model: type[S], path: str | Path | None = None, overrides: Sequence[str] = ()) -> S:
    """Settings from a YAML file and overrides; what neither names has its default.

    Args:
        model: a subclass of `Settings`.
        path: a YAML file; None for overrides alone.
        overrides: "key=value" or "outer.inner=value"; values are YAML, so 3 is a number and [a, b] a list.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is no YAML mapping, has a key twice, or holds unknown keys or wrong values: all are listed.
    """
    where = "overrides" if path is None else str(path)
    values = {} if path is None else _parse(_text(path), where)
    for override in overrides:
        values = _overridden(values, override)
    return checked(model, values, where)


def checked(model: type[S], values: Mapping[str, Any], where: str = "settings") -> S:
    """Settings from a mapping.

    Raises:
        BadInput: unknown keys or wrong values: all are listed.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = [_explained(model, details) for details in error.errors(include_url=False)]
        raise BadInput(f"{where}: {'; '.join(problems)}") from None


def resolved(settings: Settings) -> str:
    """Every setting as it is used, as YAML that `load` reads back; the first line names the version of whyrank."""
    values = settings.model_dump(mode="json")
    return f"# whyrank {version('whyrank')}: every setting as it was used\n" + yaml.safe_dump(
        values, sort_keys=False, allow_unicode=True
    )


def dump_resolved(settings: Settings, path: str | Path) -> None:
    """Write `resolved` settings beside a result, whole or not at all.

    Raises:
        Unwritable: the file could not be written.
    """
    with replacing(path) as stream:
        stream.write(resolved(settings).encode())


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but a key that stands twice is an error and not the last one's win."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key, _ in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        name = loader.construct_object(key) if isinstance(key, yaml.ScalarNode) else None
        if not isinstance(name, str):
            raise yaml.constructor.ConstructorError(None, None, "a key is no text", key.start_mark)
        if name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
        seen.add(name)
    loader.flatten_mapping(node)
    return {loader.construct_object(key): loader.construct_object(value, deep=True) for key, value in node.value}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _text(path: str | Path) -> str:
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _parse(text: str, where: str) -> dict[str, Any]:
    values = _yaml(text, where)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadInput(f"{where}: holds {type(values).__name__}; give 'key: value' lines")
    return values


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}" if mark else where
        raise BadInput(f"{place}: not valid YAML ({error.problem}); give 'key: value' lines") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInput(f"{where}: not valid YAML ({type(error).__name__}); give 'key: value' lines") from None


def _overridden(values: Mapping[str, Any], override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise BadInput(f"override {key!r} cannot be read; give key=value, or outer.inner=value")
    value = _yaml(text, f"override {key!r}")
    return _placed(values, [part.strip() for part in key.split(".")], value, key)


def _placed(values: Mapping[str, Any], path: list[str], value: Any, key: str) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {**values, first: value}
    inner = values.get(first)
    if not isinstance(inner, Mapping | None):
        raise BadInput(f"override {key!r}: {first!r} is a single value and has no {rest[0]!r}; name another key")
    return {**values, first: _placed(inner or {}, rest, value, key)}


def _explained(model: type[BaseModel], details: ErrorDetails) -> str:
    path = [str(part) for part in details["loc"]]
    key = ".".join(path)
    fields, owner = _along(model, path)
    if details["type"] == "extra_forbidden":
        known = sorted(owner.model_fields)
        near = get_close_matches(path[-1], known, n=3, cutoff=0.5)
        return f"no setting {key!r}, " + (
            f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        )
    if details["type"] == "missing":
        return f"{key!r} is missing"
    if any(Secret in _models_in(annotation) for annotation in fields):
        return f"{key!r} is a secret: write env:NAME, the name of the environment variable that holds it"
    message, value = details["msg"], details["input"]
    told = f"{message[:1].lower()}{message[1:]}"
    if details["type"] == "value_error":
        return told.removeprefix("value error, ")
    if isinstance(value, bool):
        told += " (yes, no, on and off are true and false in YAML: quote them)"
    # Where models belong, what was given instead may be the secret that belongs inside them.
    shown = type(value).__name__ if not fields or _models_in(fields[-1]) else repr(value)
    return f"{key!r} is {shown}: {told}"


def _along(model: type[BaseModel], path: Sequence[str]) -> tuple[list[Any], type[BaseModel]]:
    """The annotations of the settings on a dotted path, and the innermost model reached; list places are passed."""
    fields = []
    for part in path:
        if part in model.model_fields:
            fields.append(model.model_fields[part].annotation)
            inner = _models_in(fields[-1])
            model = inner[0] if inner else model
    return fields, model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for arg in get_args(annotation) for found in _models_in(arg)]
