"""What the configuration of a training run may say. Defaults are those of Reason-to-Rank (arXiv 2410.05168).

settings = config.load(TrainSettings, "config.yaml", ["data.limit=500", "reasons=direct"])
"""

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, model_validator

from whyrank.config import Count, Settings
from whyrank.rankers.student_prompt import Kind, Layout

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pairwise: TypeAlias = Literal["rank_net", "lambda_rank", "margin_mse"]
Listwise: TypeAlias = Literal["kl", "list_net", "list_mle", "p_list_mle", "adr_mse", "softmax_cross_entropy"]
ReasonsTaught: TypeAlias = Literal["none", "direct", "comparison", "both"]
Tracked: TypeAlias = Literal["tensorboard", "trackio", "wandb"]
KINDS: dict[ReasonsTaught, tuple[Kind, ...]] = {
    "none": (),
    "direct": ("direct",),
    "comparison": ("comparison",),
    "both": get_args(Kind),
}


def _listed(given: object) -> object:
    """What a person means who writes one text where a list is taken."""
    return (given,) if isinstance(given, str) else given


class StudentSettings(Settings):
    """The model that learns.

    Attributes:
        base: a causal language model: id on the hub, or folder.
        revision: of the base on the hub.
        dtype: of the base's weights; what is trained is held in fp32.
        device: as torch names it; None takes a GPU where there is one, and in torchrun the process's own.
        shard: "fsdp" keeps a part of each frozen layer in each process of torchrun; "none" all of it.
        gradient_checkpointing: compute activations twice instead of keeping them: the same gradients in less memory.
        max_tokens: most tokens of a prompt, query and document together; a document is cut to fit.
        query_tokens: of these, most tokens of the query.
        reason_tokens: most tokens of a reason, which follows a prompt; None for 192, or what the model has room for.
        layout: what stands first in a prompt.
        packed: the documents of a list are read in one row behind what they share, where the model can; false reads
            them as a padded batch.
        reasons_at_once: reasons of a list in one batch; fewer take less memory, the loss stays the same.
    """

    base: str
    revision: str | None = None
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    device: str | None = None
    shard: Literal["none", "fsdp"] = "none"
    gradient_checkpointing: bool = False
    max_tokens: Count = 618
    query_tokens: Count = 64
    reason_tokens: Count | None = None
    layout: Layout = "query-first"
    packed: bool = True
    reasons_at_once: Count = 8


class LoraSettings(Settings):
    """The adapter.

    Attributes:
        r: rank of the added matrices.
        alpha: their product is multiplied by alpha / r.
        dropout: share of an adapter's inputs that are dropped while training.
        targets: names of the linear layers that get one; "all-linear" for every one but the output head.
    """

    r: Count = 8
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
        targets: what a document is worth: its place in the teacher's order, or the score the teacher gave it.
    """

    path: str = "data"
    dev: str | None = None
    limit: Count | None = None
    filters: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    targets: Literal["order", "scores"] = "order"


class LossWeights(Settings):
    """What each part of the loss counts; 0 leaves it out."""

    pairwise: Weight = 0.4
    listwise: Weight = 0.4
    generation: Weight = 0.2


class LossSettings(Settings):
    """The loss: a weighted sum of a loss over pairs, one over lists and the cross-entropy of reasons.

    Attributes:
        pairwise: a function of `whyrank.train.losses`.
        listwise: another.
        temperature: targets are divided by it before a softmax, in `kl` and `list_net`.
        weights: of the parts.
    """

    pairwise: Pairwise = "rank_net"
    listwise: Listwise = "kl"
    temperature: Positive = 1.0
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
        model: what learns.
        lora: its adapter.
        data: what it learns from.
        reasons: which reasons it learns to write.
        loss: by which loss.
        optimizer: how.
        checkpoints: how often it is saved on the way.
        tracking: where figures go.
        card: what the model card says.
        seed: of the first weights, the draw, the order of lists, and dropout.
        threads: processor threads; torch's own choice if None.
        output: the folder of the result.
    """

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

    @model_validator(mode="after")
    def _teaches_something(self) -> "TrainSettings":
        weights = self.loss.weights
        if not (weights.pairwise or weights.listwise or self.kinds):
            raise ValueError("every weight of 'loss.weights' that counts is 0: nothing would be learnt; raise one")
        return self

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of reasons it learns to write; none where they count nothing."""
        return KINDS[self.reasons] if self.loss.weights.generation else ()
