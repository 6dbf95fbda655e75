"""The folder of two stages: written whole, loaded over one base, named as any ranker is; a second stage by settings."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_students import base, student

from ended import Run
from whyrank import rankers
from whyrank.config import (
    FusionSettings,
    GuardSettings,
    RerankSettings,
    StageSettings,
    ThenSettings,
    checked,
)
from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.building import check_name, resolve
from whyrank.rankers.dual_folder import is_dual, load_dual, read_dual, with_second_stage, write_dual
from whyrank.rankers.dual_stage import DualStage
from whyrank.rankers.fusion import Fusion
from whyrank.rankers.guard import Guard
from whyrank.types import Ranking

TEXTS = ["bake an apple tart", "the moon and the sea", "water", "the sun and light"]
CONTEXT = 4096


def roomy(folder: Path, name: str) -> str:
    """A tiny model with room for a list."""
    made = base(folder, name, max_position_embeddings=CONTEXT)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_max_length": CONTEXT}), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage 1 and a stage 2 on one tiny base, and another stage 2 on another."""
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    from whyrank.train.permutation_student import PermutationStudent
    from whyrank.train.settings import TrainSettings

    root = tmp_path_factory.mktemp("stages")
    bases = {"stage2": roomy(root / "base", "llama"), "other": roomy(root / "other-base", "qwen3")}
    student(bases["stage2"]).save(root / "stage1")
    for name, folder in bases.items():
        values: dict[str, Any] = {
            "learns": "permutations",
            "model": {"base": folder, "max_tokens": 2048, "reason_tokens": 16, "dtype": "float32"},
            "lora": {"targets": ["q_proj", "v_proj"]},
            "data": {"path": "none.jsonl"},
            "reasons": "none",
            "output": str(root / "unused"),
        }
        PermutationStudent.create(checked(TrainSettings, values), device="cpu").save(root / name)
    return root


@pytest.fixture
def dual(stages: Path, tmp_path: Path) -> Path:
    settings = StageSettings(top=3, fusion=FusionSettings(weight=0.25), guard=GuardSettings(least_stake=0.0))
    write_dual(tmp_path / "dual", stages / "stage1", stages / "stage2", settings)
    return tmp_path / "dual"


def test_what_is_written_is_loaded_over_one_base(dual: Path) -> None:
    assert is_dual(dual)
    made = rankers.load(str(dual))
    assert isinstance(made, DualStage)
    assert (made.top, made.fusion, made.guard) == (3, Fusion(0.25), Guard(least_stake=0.0))
    assert made.name == load_dual(dual, device="cpu").name
    given = Ranking.of("moon tide", TEXTS)
    [ranking] = made.rerank_many([given])
    assert sorted(ranking.ids) == sorted(given.ids)
    alone = rankers.load(str(dual / "stage1")).rerank_many([given])[0]
    assert {h.document.id: h.score for h in ranking} == {h.document.id: h.score for h in alone}  # adapters are switched
    assert made.rerank_many([given])[0].hits == ranking.hits
    check_name(str(dual))
    assert isinstance(resolve(str(dual)).ranker, DualStage)


def test_adapters_of_different_bases(stages: Path, tmp_path: Path) -> None:
    write_dual(tmp_path / "mixed", stages / "stage1", stages / "other")
    with pytest.raises(BadInput, match="first stage"):
        load_dual(tmp_path / "mixed", device="cpu")


def test_stage_1_may_be_a_ranker_of_ours(stages: Path, tmp_path: Path) -> None:
    write_dual(tmp_path / "dual", "bi-encoder", stages / "stage2")
    made = load_dual(tmp_path / "dual", device="cpu")
    assert made.stage1.name == rankers.load("bi-encoder").name
    assert isinstance(made.stage2, LMReranker)


def test_nothing_is_written_over(dual: Path, stages: Path) -> None:
    before = (dual / "dual.json").read_bytes()
    with pytest.raises(Unwritable, match="something else stands there"):
        write_dual(dual, stages / "stage1", stages / "stage2")
    assert (dual / "dual.json").read_bytes() == before


def test_a_student_is_not_written_over(stages: Path, tmp_path: Path) -> None:
    precious = tmp_path / "student"
    shutil.copytree(stages / "stage1", precious)
    before = sorted(path.name for path in precious.rglob("*"))
    with pytest.raises(Unwritable, match="something else stands there"):
        write_dual(precious, "evidence", stages / "stage2")
    assert sorted(path.name for path in precious.rglob("*")) == before


def test_what_is_no_stage(stages: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no student in it"):
        write_dual(tmp_path / "dual", stages / "stage1", tmp_path)
    assert not (tmp_path / "dual").exists()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{", Corrupt, "damaged"),
        ("[]", Corrupt, "holds list, not settings"),
        ('{"format": "whyrank-dual/2"}', BadInput, "format"),
        ('{"top": 1}', BadInput, "'top'"),
        ('{"tops": 30}', BadInput, "no setting 'tops', did you mean top"),
        ('{"fusion": {"weight": "much"}}', BadInput, "'fusion.weight'"),
        ('{"fusion": {"weight": NaN}}', BadInput, "'fusion.weight'"),
        ('{"guard": {"agreement": 2}}', BadInput, "'guard.agreement'"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, content: str, error: type[Exception], message: str) -> None:
    (tmp_path / "dual.json").write_text(content, encoding="utf-8")
    with pytest.raises(error, match=message):
        read_dual(tmp_path)


def test_a_stage_that_is_gone(dual: Path) -> None:
    (dual / "stage1").rename(dual / "elsewhere")
    with pytest.raises(MissingFile, match=r"names no stage 1"):
        load_dual(dual)
    (dual / "stage2" / "reranker.json").unlink()
    with pytest.raises(MissingFile, match="no listwise student in it"):
        load_dual(dual)
    with pytest.raises(MissingFile, match=r"no dual\.json"):
        read_dual(dual / "stage2")


def test_settings_have_the_defaults_of_what_they_set() -> None:
    settings = StageSettings()
    assert Fusion(**settings.fusion.model_dump()) == Fusion()
    assert Guard(**settings.guard.model_dump()) == Guard()
    assert settings.top == DualStage(rankers.load("bi-encoder"), rankers.load("bi-encoder")).top


def test_a_second_stage_by_settings(stages: Path) -> None:
    stage1 = rankers.load("bi-encoder")
    told = {"model": {"name": f"transformers:{stages / 'base'}", "device": "cpu"}, "top": 12}
    made = with_second_stage(stage1, checked(ThenSettings, told))
    assert isinstance(made.stage2, LMReranker)
    assert made.stage2.showing.template.name == "dear"
    assert (made.stage2.algorithm.name, made.stage2.options) == ("sliding-window", (("size", 20), ("stride", 10)))
    assert made.top == 12
    asked = {**told, "ask": {"options": {"size": 8, "stride": 4}}}
    other = with_second_stage(stage1, checked(ThenSettings, asked))
    assert isinstance(other.stage2, LMReranker)
    assert other.stage2.options == (("size", 8), ("stride", 4))
    listwise = with_second_stage(stage1, checked(ThenSettings, {"ranker": str(stages / "stage2")}))
    assert listwise.stage2.name.startswith("listwise/dear/sliding-window/listwise-student")
    with pytest.raises(BadInput, match=r"names nothing that ranks; give then\.model\.name"):
        with_second_stage(stage1, ThenSettings())


def test_a_file_of_settings_may_have_a_second_stage() -> None:
    values = {"ranker": "evidence", "then": {"model": {"name": "openai:gpt-4.1-mini"}, "guard": {"second": False}}}
    settings = checked(RerankSettings, values)
    assert settings.then is not None
    assert settings.then.guard.second == "off"
    with pytest.raises(BadInput, match=r"'then\.top' is 1"):
        checked(RerankSettings, {"then": {"top": 1}})


def test_on_the_command_line(dual: Path, stages: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "docs.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    ended = run("rerank", "moon tide", "docs.txt", "--ranker", str(dual), "--format", "jsonl")
    assert ended.code == 3, ended.err  # random weights never end: stage 1 stands, and the answer was unusable
    [row] = [json.loads(line) for line in ended.out.splitlines()]
    assert row["ranker"].startswith("dual/causal-student")
    assert any(note.startswith("stage 2 ") for note in row["notes"])
    settings = ["--config", f"then.ranker={stages / 'stage2'}", "--config", "then.top=2"]
    ended = run("rerank", "moon tide", "docs.txt", "--ranker", "evidence", *settings, "--explain", "1", "-f", "jsonl")
    assert ended.code == 0, ended.err
    [row] = [json.loads(line) for line in ended.out.splitlines()]
    assert row["ranker"].startswith("dual/evidence")
    assert row["notes"] == ["stage 2 not asked (stage 1 is sure): at stake 0.00"]
    assert row["explanations"]["direct"]
    rehearsed = run("rerank", "moon tide", "docs.txt", "--ranker", "evidence", *settings, "--dry-run")
    assert rehearsed.code == 0, rehearsed.err
    assert "calls      2" in rehearsed.out
