"""What an experiment file may say."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from whyrank.config import AskSettings, Count, ModelSettings, Settings, named_by_stem
from whyrank.evaluate import Ties
from whyrank.rankers import DEFAULT

Check: TypeAlias = Literal["statements", "counterfactuals", "stability", "erasure", "rationales"]
CHECKS: tuple[Check, ...] = ("statements", "counterfactuals", "stability", "erasure", "rationales")


class System(Settings):
    """A ranker in an experiment: its name alone, or a mapping.

    Attributes:
        ranker: a name that `whyrank methods` lists; with a model, None is what it is made for.
        name: what tables call it; by default the ranker's name, or that of its model without what is no part of a
            file's name.
        depth: candidates it reads; the experiment's by default.
        model: a language model that ranks.
        ask: how it is asked.
    """

    ranker: str | None = None
    name: str = ""
    depth: Count | None = None
    model: ModelSettings | None = None
    ask: AskSettings | None = None

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.name or self.model is None:
            return self.name or self.ranker or DEFAULT
        parts = [self.ranker, self.model.name.partition(":")[2] or self.model.name]
        return "-".join(re.sub(r"[^\w.+-]+", "-", part).strip("-.") for part in parts if part)


class Reasons(Settings):
    """Which reasons are given, and what they are checked for.

    Attributes:
        top: hits that get reasons, in each query.
        queries: how many queries, drawn with the seed; all if None.
        checks: see docs/explanations.md. "statements": quotes, numbers, signs and claims about the order;
            "counterfactuals": removed sentences, scored again; "stability": the same reasons for shuffled documents;
            "erasure": sufficiency and comprehensiveness; "rationales": ranking by the rationales alone.
        depth: candidates of each query that "erasure" and "rationales" read.
        judges: who scores changed documents: "self" is the ranker that gave the reasons, "bm25" is independent of it,
            and any ranker's name may stand here.
    """

    top: Count = 3
    queries: Count | None = 50
    checks: tuple[Check, ...] = CHECKS
    depth: Annotated[int, Field(ge=2)] = 10
    judges: tuple[str, ...] = ("self", "bm25")


_NAME = re.compile(r"\w(?:[\w.+ -]*[\w+-])?")


def _system(value: Any) -> Any:
    return {"ranker": value} if isinstance(value, str) else value


def _runs(value: Any) -> Any:
    return named_by_stem(value, "run")


class ExperimentSettings(Settings):
    """An experiment.

    Attributes:
        dataset: a name that `whyrank evaluate --datasets` lists, or a folder.
        split: which queries and judgements; the dataset's test split by default.
        queries: how many queries, drawn with the seed; all if None.
        first_stage: a run of the dataset, a run file, or "bm25", which is searched if the dataset has no such run.
        depth: candidates that are taken from the first stage.
        rankers: what reranks them.
        runs: finished runs to set beside: names of the dataset's runs or files, as a list or by name.
        measures: as `ir_measures` writes them.
        ties: "rank", or "trec_eval" to reproduce published values.
        only_relevant: leave out queries that have no relevant document.
        baseline: what the others are compared with; the first stage by default.
        reasons: what to check; no reasons are given if None.
        calibrate: fit a curve from each ranker's scores to probabilities, on half of the queries, and measure it on the
            other half; none is fitted if None.
        seed: of every sample and test.
        threads: processor threads; as many as there are if None.
        output: the folder of the results.
    """

    dataset: str
    split: str | None = None
    queries: Count | None = None
    first_stage: str = "bm25"
    depth: Count = 100
    rankers: tuple[Annotated[System, BeforeValidator(_system)], ...] = (System(ranker=DEFAULT),)
    runs: Annotated[Mapping[str, str], BeforeValidator(_runs)] = {}
    measures: Annotated[tuple[str, ...], Field(min_length=1)] = ("nDCG@10", "RR@10", "R@100")
    ties: Ties = "rank"
    only_relevant: bool = False
    baseline: str | None = None
    reasons: Reasons | None = Reasons()
    calibrate: Literal["temperature", "isotonic"] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Count | None = None
    output: str

    @model_validator(mode="after")
    def _names_differ(self) -> "ExperimentSettings":
        names = [self.first_stage_label, *(system.label for system in self.rankers), *self.runs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two systems are called {twice[0]!r}; give one another name")
        if strange := [name for name in names if not _NAME.fullmatch(name)]:
            raise ValueError(
                f"a system is called {strange[0]!r}; names become names of files: letters, digits, and . _ + - within"
            )
        if self.baseline is not None and self.baseline not in names:
            raise ValueError(f"the baseline {self.baseline!r} is none of the systems {', '.join(names)}")
        return self

    @property
    def first_stage_label(self) -> str:
        """What tables call the first stage."""
        return PurePath(self.first_stage).name.split(".")[0]
