"""What a training's configuration may say."""

from pathlib import Path
from typing import get_args

import pytest

from whyrank.config import checked, load, resolved
from whyrank.errors import BadInput
from whyrank.train import losses
from whyrank.train.settings import Listwise, LossSettings, Pairwise, TrainSettings

LEAST = {"model": {"base": "tiny"}, "output": "run"}


def made(**more: object) -> TrainSettings:
    return checked(TrainSettings, {**LEAST, **more})


def test_defaults_are_those_of_the_paper() -> None:
    found = made()
    assert (found.lora.r, found.lora.alpha, found.lora.dropout) == (8, 32, 0.05)
    assert found.lora.targets == ("q_proj", "v_proj")
    weights = {"pairwise": 0.4, "listwise": 0.4, "distillation": 0.0, "generation": 0.2}
    assert found.loss.weights.model_dump() == weights
    assert (found.optimizer.lr, found.optimizer.gamma, found.optimizer.clip) == (1e-4, 0.85, 1.0)
    assert (found.optimizer.epochs, found.optimizer.batch) == (1, 1)
    assert (found.seed, found.model.max_tokens, found.reasons) == (42, 618, "both")


@pytest.mark.parametrize("name", [*get_args(Pairwise), *get_args(Listwise)])
def test_each_loss_that_can_be_named_is_there(name: str) -> None:
    assert callable(getattr(losses, name))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"optimiser": {}}, "no setting 'optimiser', did you mean optimizer?"),
        ({"lora": {"rank": 8}}, "no setting 'lora.rank'"),
        ({"optimizer": {"lr": 0}}, "'optimizer.lr' is 0: input should be greater than 0"),
        ({"optimizer": {"lr": float("nan")}}, "'optimizer.lr' is nan"),
        ({"lora": {"dropout": 1}}, "'lora.dropout' is 1: input should be less than 1"),
        ({"data": {"limit": 0}}, "'data.limit' is 0"),
        ({"reasons": "all"}, "'reasons' is 'all': input should be 'none', 'direct', 'comparison' or 'both'"),
        ({"loss": {"listwise": "ranknet"}}, "'loss.listwise' is 'ranknet'"),
        ({"loss": {"listwise": "list_mle", "temperature": 0.5}}, "list_mle takes none"),
        ({"seed": -1}, "'seed' is -1"),
        ({"tracking": {"to": ["mlflow"]}}, "'tensorboard', 'trackio' or 'wandb'"),
        ({"loss": {"weights": {"pairwise": 0, "listwise": 0}}, "reasons": "none"}, "nothing would be learnt"),
    ],
)  # fmt: skip
def test_what_is_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        made(**values)
    assert told in str(caught.value)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(BadInput, match=r"'model' is missing; 'output' is missing"):
        checked(TrainSettings, {})


def test_overrides_and_the_resolved_copy(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: {base: tiny}\noutput: run\n", encoding="utf-8")
    overrides = ["data.limit=500", "loss.weights.generation=0", "tracking.to=wandb", "lora.targets=all-linear"]
    found = load(TrainSettings, tmp_path / "config.yaml", overrides)
    assert (found.data.limit, found.kinds) == (500, ())
    assert (found.tracking.to, found.lora.targets) == (("wandb",), ("all-linear",))
    (tmp_path / "again.yaml").write_text(resolved(found), encoding="utf-8")
    assert load(TrainSettings, tmp_path / "again.yaml") == found


@pytest.mark.parametrize(
    ("reasons", "kinds"),
    [("none", ()), ("direct", ("direct",)), ("comparison", ("comparison",)), ("both", ("direct", "comparison"))],
)
def test_kinds_of_reasons(reasons: str, kinds: tuple[str, ...]) -> None:
    assert made(reasons=reasons).kinds == kinds


def test_a_temperature_belongs_to_losses_that_take_one() -> None:
    assert checked(LossSettings, {"listwise": "list_net", "temperature": 2.0}).temperature == 2.0


def test_a_loss_that_learns_nothing_from_scores_below_0_is_refused_for_scores() -> None:
    loss = {"listwise": "softmax_cross_entropy"}
    with pytest.raises(BadInput, match="learns nothing from one below 0"):
        made(data={"targets": "scores"}, loss=loss)
    assert made(data={"targets": "labels"}, loss=loss).loss.listwise == "softmax_cross_entropy"
    made(data={"targets": "scores"}, loss={**loss, "weights": {"listwise": 0}})
