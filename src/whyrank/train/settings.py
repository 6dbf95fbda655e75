"""What the configuration of a training run may say. Defaults are those of Reason-to-Rank (arXiv 2410.05168).

settings = config.load(TrainSettings, "config.yaml", ["data.limit=500", "reasons=direct"])
"""

from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, model_validator

from whyrank.config import Count, Settings
from whyrank.rankers.student_prompt import Kind
from whyrank.train.student_settings import StudentSettings, for_its_kind

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pairwise: TypeAlias = Literal["rank_net", "lambda_rank", "margin_mse"]
Listwise: TypeAlias = Literal["kl", "list_net", "list_mle", "p_list_mle", "adr_mse", "softmax_cross_entropy"]
Targets: TypeAlias = Literal["order", "scores", "labels"]
ReasonsTaught: TypeAlias = Literal["none", "direct", "comparison", "both"]
Tracked: TypeAlias = Literal["tensorboard", "trackio", "wandb"]
KINDS: dict[ReasonsTaught, tuple[Kind, ...]] = {
    "none": (),
    "direct": ("direct",),
    "comparison": ("comparison",),
    "both": get_args(Kind),
}

_OF_PERMUTATIONS = {"data": ("prompt", "conversation", "thoughts", "orders", "answers")}
_OF_SCORES = {
    "data": ("targets",),
    "model": ("query_tokens", "layout", "reasons_at_once"),
    "loss": ("pairwise", "listwise", "temperature", "distillation_temperature", "weights"),
}
"""Groups of settings → those that mean something only where permutations, or scores, are learnt."""


def _listed(given: object) -> object:
    """What a person means who writes one text where a list is taken."""
    return (given,) if isinstance(given, str) else given


class LoraSettings(Settings):
    """The adapter.

    Attributes:
        r: rank of the added matrices; 0 for no adapter: all weights of a classifier are trained.
        alpha: their product is multiplied by alpha / r.
        dropout: share of an adapter's inputs that are dropped while training.
        targets: names of the linear layers that get one; "all-linear" for every one but the output head, which is
            usual for classifiers.
    """

    r: Annotated[int, Field(ge=0)] = 8
    alpha: Positive = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    targets: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)] = ("q_proj", "v_proj")


class DataSettings(Settings):
    """Teacher records (`whyrank teach`), JSON Lines, plain or gzipped.

    Attributes:
        path: a folder that holds train.jsonl and, if there is one, dev.jsonl (or .jsonl.gz); or one file to train on.
        dev: a file of records to measure on, in place of the folder's.
        limit: how many lists to train on, drawn with the seed; a smaller draw is a part of a larger one. All if None.
        filters: which records may teach, by names that `whyrank teach filter` lists.
        targets: what a document is worth to the losses over pairs and lists: its place in the teacher's order, the
            score the teacher gave it, or its judged grade (0 if it has none). Distillation always takes the scores.
        repaired: whether an order teaches that was not stated as it is: documents that the answer left out, or that
            got no score, stand below as they were shown. Where only a reason is missing, the order was not repaired.
        prompt: of permutations: the name of a listwise prompt, or a .toml file.
        conversation: of permutations: the form of a conversation (`whyrank.prompts.conversation`); None for the
            tokenizer's own, or "tagged" where it has none.
        thoughts: of permutations: whether a list must have a thought to be learnt ("required"), may lack one
            ("optional"), or is learnt without ("none": the ranking alone).
        orders: of permutations: in how many orders each list is shown, the teacher's and others that are drawn.
        answers: of permutations: how many lists are answered each time it is measured on dev data.
    """

    path: str = "data"
    dev: str | None = None
    limit: Count | None = None
    filters: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    targets: Targets = "order"
    repaired: bool = False
    prompt: str = "dear"
    conversation: str | None = None
    thoughts: Literal["required", "optional", "none"] = "required"
    orders: Count = 1
    answers: Annotated[int, Field(ge=0)] = 8


class LossWeights(Settings):
    """What each part of the loss counts; 0 leaves it out.

    DeAR's (1 − α) · main + α · T² · KL with its α = 0.1 is {pairwise: 0, listwise: 0.9, distillation: 0.1}; with its
    hybrid main loss {pairwise: 0.45, listwise: 0.45, distillation: 0.1}. Its students write no reasons: generation: 0.
    """

    pairwise: Weight = 0.4
    listwise: Weight = 0.4
    distillation: Weight = 0.0
    generation: Weight = 0.2

    @property
    def scored(self) -> bool:
        """Whether anything is learnt from scores."""
        return bool(self.pairwise or self.listwise or self.distillation)


class LossSettings(Settings):
    """The loss: a weighted sum of a loss over pairs, one over lists, a distillation and the cross-entropy of reasons.

    Attributes:
        pairwise: a function of `whyrank.train.losses`.
        listwise: another.
        temperature: targets are divided by it before a softmax, in `kl` and `list_net`.
        distillation_temperature: T of the distillation, T² · KL of the teacher's scores over T and the student's.
        weights: of the parts.
    """

    pairwise: Pairwise = "rank_net"
    listwise: Listwise = "kl"
    temperature: Positive = 1.0
    distillation_temperature: Positive = 2.0
    weights: LossWeights = LossWeights()

    @model_validator(mode="after")
    def _tempered(self) -> "LossSettings":
        if self.temperature != 1 and self.listwise not in ("kl", "list_net"):
            raise ValueError(f"'loss.temperature' is {self.temperature}: {self.listwise} takes none; leave it at 1")
        return self


class OptimizerSettings(Settings):
    """AdamW and its schedule. A step is `batch` x `accumulation` lists, in every process of torchrun.

    Attributes:
        lr: the highest learning rate.
        schedule: after the warm-up: "constant"; "linear" and "cosine" fall to 0 at the end; "exponential" multiplies
            by `gamma` after each epoch.
        gamma: of "exponential".
        warmup: share of all steps in which the rate rises from 0.
        weight_decay: of AdamW.
        betas: of AdamW.
        clip: highest norm of the gradient; None for any.
        epochs: how often each list is read.
        batch: lists in one pass.
        accumulation: passes in one step.
    """

    lr: Positive = 1e-4
    schedule: Literal["constant", "linear", "cosine", "exponential"] = "exponential"
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.85
    warmup: Share = 0.0
    weight_decay: Weight = 0.01
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    clip: Positive | None = 1.0
    epochs: Count = 1
    batch: Count = 1
    accumulation: Count = 1


class CheckpointSettings(Settings):
    """What an interrupted run is taken up from.

    Attributes:
        every: steps between two checkpoints.
        keep: how many are kept, the newest.
    """

    every: Count = 50
    keep: Count = 2


class TrackingSettings(Settings):
    """Where figures go beside log.jsonl, which is always written.

    Attributes:
        to: further trackers.
        project: what they file the run under.
        run: its name there; the output folder's by default.
    """

    to: Annotated[tuple[Tracked, ...], BeforeValidator(_listed)] = ()
    project: str = "whyrank"
    run: str | None = None


class CardSettings(Settings):
    """What the model card says that no file knows.

    Attributes:
        name: of the model; the output folder's by default.
        license: of the adapter, an identifier of the hub such as "apache-2.0".
        base_license: of the base model.
        data_license: of the queries, the documents and the teacher's answers.
        language: codes of the languages.
    """

    name: str | None = None
    license: str | None = None
    base_license: str | None = None
    data_license: str | None = None
    language: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("en",)


class TrainSettings(Settings):
    """A training run.

    Attributes:
        learns: "scores", to score documents, and to give reasons; "permutations", to write the ranking of a list
            after a thought about it (DeAR's second stage).
        model: what learns. Of permutations `max_tokens` are those of a list with its prompt and its answer, and
            `reason_tokens` those of a thought (None for what the prompt suggests).
        lora: its adapter.
        data: what it learns from.
        reasons: which reasons it learns to write; a classifier writes none.
        loss: by which loss.
        optimizer: how.
        checkpoints: how often it is saved on the way.
        tracking: where figures go.
        card: what the model card says.
        seed: of the first weights, the draw, the order of lists, and dropout.
        threads: processor threads; torch's own choice if None.
        output: the folder of the result.
    """

    learns: Literal["scores", "permutations"] = "scores"
    model: StudentSettings
    lora: LoraSettings = LoraSettings()
    data: DataSettings = DataSettings()
    reasons: ReasonsTaught = "both"
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    checkpoints: CheckpointSettings = CheckpointSettings()
    tracking: TrackingSettings = TrackingSettings()
    card: CardSettings = CardSettings()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    threads: Count | None = None
    output: str

    @model_validator(mode="before")
    @classmethod
    def _for_its_kind(cls, values: Any) -> Any:
        return for_its_kind(values)

    @model_validator(mode="after")
    def _can_be_taught(self) -> "TrainSettings":
        if self.model.kind == "classifier" and self.reasons != "none":
            raise ValueError(
                f"'reasons' is {self.reasons!r}, and a classifier writes none; leave it out, or set 'model.kind' to "
                "causal"
            )
        if self.model.kind == "causal" and not self.lora.r:
            raise ValueError("'lora.r' is 0, and a causal student learns by an adapter; give 1 or more")
        return self

    @model_validator(mode="after")
    def _fits_what_it_learns(self) -> "TrainSettings":
        if self.learns == "permutations" and (self.model.kind != "causal" or self.model.shard != "none"):
            raise ValueError("'learns' is permutations, for which 'model.kind' is causal and 'model.shard' none")
        strange = [
            f"{group}.{name}"
            for group, names in (_OF_SCORES if self.learns == "permutations" else _OF_PERMUTATIONS).items()
            for own in [getattr(self, group)]
            for name in names
            if getattr(own, name) != type(own).model_fields[name].default
        ]
        if strange:
            raise ValueError(f"'{strange[0]}' has no effect where {self.learns} are learnt; leave it out")
        return self

    @model_validator(mode="after")
    def _teaches_something(self) -> "TrainSettings":
        weights = self.loss.weights
        if not (weights.scored or self.kinds):
            raise ValueError("every weight of 'loss.weights' that counts is 0: nothing would be learnt; raise one")
        return self

    @model_validator(mode="after")
    def _learns_from_any_score(self) -> "TrainSettings":
        loss = self.loss
        if self.data.targets == "scores" and loss.weights.listwise and loss.listwise == "softmax_cross_entropy":
            raise ValueError(
                "'data.targets' is scores, and softmax_cross_entropy ('loss.listwise') learns nothing from one below "
                "0; take kl, list_net or list_mle, or targets: order or labels"
            )
        return self

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of reasons it learns to write; none where they count nothing."""
        return KINDS[self.reasons] if self.loss.weights.generation and self.learns == "scores" else ()

    @property
    def taught(self) -> ReasonsTaught:
        """Which reasons it learns to write, as `reranker.json` and the model card say it."""
        return self.reasons if self.kinds else "none"
