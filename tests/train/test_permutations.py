"""Permutations to write: what is learnt of a record, what is refused, packed rows, and a training that resumes."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import chains
import lessons
import pytest
import tiny

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from test_distributed import same_gradient, torchrun  # noqa: E402

import whyrank  # noqa: E402
from whyrank.config import checked, load  # noqa: E402
from whyrank.errors import BadInput  # noqa: E402
from whyrank.rankers.asking import LMReranker  # noqa: E402
from whyrank.teach.records import TeacherRecord  # noqa: E402
from whyrank.train import learner, permutations  # noqa: E402
from whyrank.train.loop import train  # noqa: E402
from whyrank.train.permutation_objective import tau  # noqa: E402
from whyrank.train.permutation_student import TOO_LONG, TOO_MUCH_TOLD, PermutationStudent  # noqa: E402
from whyrank.train.permutations import PermutationExample, prepare, relabelled, thought_of  # noqa: E402
from whyrank.train.settings import DataSettings, TrainSettings  # noqa: E402
from whyrank.types import Document, Ranking  # noqa: E402

PROMPT = """
kind = "listwise"
form = "text"
parser = "ranking"
passage = "[{label}] {passage}"
join = "\\n"
max_tokens = 40
passage_tokens = 12
reasons = true
source = "a test"
paper = "a test"
licence = "Apache-2.0"
text = "{passages}\\nRank for {query}:\\n"
"""


def record(number: int, **more: Any) -> TeacherRecord:
    given = {"documents": 2 + number % 3, "has_reasons": False, "thought": "the first need: [2] and [1]", **more}
    return lessons.record(number, **given)


def records(count: int, **more: Any) -> list[TeacherRecord]:
    return [record(number, **more) for number in range(count)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of 1,024 tokens, a prompt, and data."""
    folder = tmp_path_factory.mktemp("permutations")
    tokenizer = tiny.byte_tokenizer(begins=True)
    tokenizer.model_max_length = 1024
    tiny.llama(folder / "base", tokenizer, max_position_embeddings=1024)
    (folder / "short.toml").write_text(PROMPT, encoding="utf-8")
    lessons.written(folder / "data", records(6), records(3))
    return folder


def settings(root: Path, output: Path, **more: Any) -> TrainSettings:
    given: dict[str, Any] = {
        "learns": "permutations",
        "model": {"base": str(root / "base"), "dtype": "float32", "max_tokens": 300},
        "data": {"path": str(root / "data"), "prompt": str(root / "short.toml"), "answers": 1},
        "optimizer": {"lr": 0.01, "epochs": 2, "accumulation": 2},
        "checkpoints": {"every": 2},
        "output": str(output),
    }
    for name, value in more.items():
        group, _, key = name.partition("__")
        given[group] = {**given.get(group, {}), key: value} if key else value
    return checked(TrainSettings, given)


@pytest.fixture(scope="module")
def student(root: Path) -> PermutationStudent:
    """An untrained student, its adapter filled with noise so that it counts, without dropout."""
    made = PermutationStudent.create(settings(root, root / "none"), device="cpu")
    lots = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters_by_name().values():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=lots))
    made.train(False)
    return made


def examples(some: Sequence[TeacherRecord], **more: Any) -> list[PermutationExample]:
    data = DataSettings(**more.pop("data", {}))
    return [one for one in prepare(some, data, seed=0, **more).examples if isinstance(one, PermutationExample)]


# From records to examples


def test_what_is_learnt_of_a_record(student: PermutationStudent) -> None:
    [one] = examples([record(1, order=(2, 0, 1), thought="Need: [3]\n### Final Reranking: [3] > [1] > [2]")])
    row = student.row(one)
    tokenizer = student.network.tokenizer
    shown = "\n".join(f"[{label}] {text}" for label, text in enumerate(one.documents, 1))
    assert tokenizer.decode(row.prompt, skip_special_tokens=True) == f"{shown}\nRank for {one.query}:\n"
    assert row.answer[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(row.answer[:-1]) == "Need: [3]\n\n### Final Reranking: [3] > [1] > [2]"


def test_it_reads_in_training_what_it_reads_later(student: PermutationStudent) -> None:
    asked: list[Any] = []
    [one] = examples([record(2)])

    class Hearing:
        def __getattr__(self, name: str) -> Any:
            return getattr(student.ranker.lm, name)

        def ask(self, requests: Sequence[Any], on_reply: Any = None) -> Any:
            asked.extend(requests)
            return student.ranker.lm.ask(requests, on_reply)

    ranker = replace(student.ranker, lm=Hearing())
    ranker.rerank_many([Ranking.of(one.query, one.documents)])
    assert [student._prompts.encode(request.prompt).tokens for request in asked] == [list(student.row(one).prompt)]
    assert asked[0].temperature == 0


def test_records_without_a_thought_are_counted() -> None:
    some = [record(0), record(1, thought=""), record(2, thought=" \n")]
    required = prepare(some, DataSettings(), seed=0)
    assert (len(required.examples), required.skipped) == (1, {permutations.NO_THOUGHT: 2})
    optional = prepare(some, DataSettings(thoughts="optional"), seed=0)
    assert (len(optional.examples), optional.left_out) == (3, {permutations.WITHOUT_THOUGHTS: 2})
    assert [one.thought for one in examples(some, data={"thoughts": "none"})] == ["", "", ""]


def test_an_answer_without_a_thought_is_the_ranking_alone(student: PermutationStudent) -> None:
    [one] = examples([record(1, thought="", order=(1, 2, 0))], data={"thoughts": "optional"})
    assert student.network.tokenizer.decode(student.row(one).answer[:-1]) == "### Final Reranking: [2] > [3] > [1]"


def test_a_thought_ends_before_its_ranking() -> None:
    assert thought_of(record(0, thought="a\n\n## Final Re-ranking: [1] > [2]")) == "a"
    assert thought_of(record(0, thought="the final ranking is easy")) == "the final ranking is easy"


def test_control_texts_of_a_teacher_are_mere_text(student: PermutationStudent) -> None:
    [one] = examples([record(1, thought="so <|im_end|> it is [1]")])
    row = student.row(one)
    assert row.answer.count(student.network.tokenizer.eos_token_id) == 1
    assert not set(row.answer[:-1]) & set(student.network.tokenizer.all_special_ids)


@pytest.mark.parametrize(
    ("thought", "expected"),
    [
        ("[1] says so; [2, 3] and [1] too", "[3] says so; [1, 2] and [3] too"),
        ("Step 1. needs\n2. moon: [2]", "Step 1. needs\n2. moon: [1]"),
        ("in 1999 [3] held 40 % of 12 seas", "in 1999 [2] held 40 % of 12 seas"),
        ("[1]-[3] say so", None),
        ("[1] to [3] say so", None),
        ("passage 2 says so", None),
        ("Documents #1 and [3]", None),
        ("2 and 3 say so", None),
        ("the first passage says so", None),
        ("[4] says so", None),
        ("", ""),
    ],
)
def test_labels_are_written_anew_where_they_are_plain(thought: str, expected: str | None) -> None:
    assert relabelled(thought, [2, 0, 1]) == expected


def test_a_list_in_further_orders_says_the_same() -> None:
    made = examples([record(1, documents=3, order=(2, 0, 1), thought="best [3], then [1]")], orders=6)
    assert len(made) == 6
    assert len({one.documents for one in made}) > 2
    for one in made:
        assert [one.documents[place] for place in one.order] == [made[0].documents[place] for place in made[0].order]
        best, then = (one.documents[int(part[0]) - 1] for part in one.thought.split("[")[1:])
        assert (best, then) == (made[0].documents[2], made[0].documents[0])
        assert [one.grades[place] for place in one.order] == [2, 1, 0]
    again = examples([record(1, documents=3, order=(2, 0, 1), thought="best [3], then [1]")], orders=3)
    assert again == made[:3]


def test_a_thought_that_is_not_plain_is_learnt_in_one_order() -> None:
    found = prepare([record(1, thought="passage 2 is best")], DataSettings(), seed=0, orders=4)
    assert (len(found.examples), found.left_out) == (1, {permutations.ONE_ORDER: 3})


def test_a_list_with_an_empty_document_is_counted() -> None:
    one = record(1, documents=3)
    holed = replace(one, key="holed", documents=(*one.documents[:2], Document("d2", " ")))
    found = prepare([one, holed], DataSettings(), seed=0)
    assert (len(found.examples), found.skipped) == (1, {permutations.NO_TEXT: 1})


# Nothing is cut


def test_what_does_not_fit_is_refused_and_counted(root: Path) -> None:
    student = PermutationStudent.create(settings(root, root / "none", model__max_tokens=90), device="cpu")
    some = [record(0), record(1, thought="[1] " + "and the sea " * 12), record(2, thought="[1] " + "the sea " * 60)]
    found = student.fitting(prepare(some, DataSettings(), seed=0))
    [kept] = found.examples
    assert found.skipped == {TOO_LONG: 2}
    assert isinstance(kept, PermutationExample)
    row = student.row(kept)
    assert (kept.tokens, kept.learnt) == (len(row.tokens), len(row.answer))
    assert len(row.tokens) <= 90


def test_an_answer_that_later_would_be_cut_off_is_refused(student: PermutationStudent) -> None:
    room = student.ranker.judge.answer_tokens(3)
    found = student.fitting(prepare([record(1, documents=3, thought="the sea " * room)], DataSettings(), seed=0))
    assert (found.examples, found.skipped) == ((), {TOO_MUCH_TOLD: 1})


def test_passages_are_cut_as_later_and_the_ranking_never(student: PermutationStudent) -> None:
    long = tuple(Document(f"d{n}", "the moon and the sea " * 50) for n in range(3))
    [one] = examples([replace(record(1, documents=3), documents=long)])
    row, tokenizer = student.row(one), student.network.tokenizer
    assert tokenizer.decode(row.prompt).count("moon") < 3 * 13
    assert len(row.tokens) < 300
    wanted = " > ".join(f"[{place + 1}]" for place in one.order)
    assert tokenizer.decode(row.answer[:-1]).endswith(f"### Final Reranking: {wanted}")


# Packed rows


def mixed() -> list[PermutationExample]:
    return examples([record(n, thought="[1] " + "the sea and the moon " * (n % 4)) for n in range(7)])


def gradients(student: PermutationStudent, some: Sequence[PermutationExample], *, is_packed: bool) -> Any:
    for parameter in student.parameters_by_name().values():
        parameter.grad = None
    loss = student.loss(some, is_packed=is_packed) / sum(len(student.row(one).answer) for one in some)
    loss.backward()
    found = {name: p.grad.clone() for name, p in student.parameters_by_name().items() if p.grad is not None}
    assert found.keys() == student.parameters_by_name().keys()
    return float(loss.detach()), found


def test_packed_rows_give_the_same_loss_and_gradients(student: PermutationStudent) -> None:
    assert student.why_not_packed == ""
    some = mixed()
    (alone, one), (together, other) = (gradients(student, some, is_packed=packed) for packed in (False, True))
    assert together == pytest.approx(alone, abs=1e-5)
    assert max(float(value.abs().max()) for value in one.values()) > 1e-3
    for name, value in one.items():
        assert torch.allclose(value, other[name], atol=1e-5), name


def test_packed_examples_do_not_see_each_other(student: PermutationStudent) -> None:
    some = mixed()
    with torch.no_grad():
        singly = sum(float(student.loss([one])) for one in some)
        together = float(student.loss(some))
        turned = float(student.loss(some[::-1]))
    assert together == pytest.approx(singly, rel=1e-5)
    assert turned == pytest.approx(singly, rel=1e-5)


def test_only_what_is_written_is_learnt(student: PermutationStudent) -> None:
    """The loss is that of transformers with the prompt masked."""
    [one] = examples([record(1)])
    row = student.row(one)
    labels = torch.tensor([[-100] * len(row.prompt) + list(row.answer)])
    with torch.no_grad():
        wanted = student.network.causal(input_ids=torch.tensor([row.tokens]), labels=labels).loss * len(row.answer)
        assert float(student.loss([one])) == pytest.approx(float(wanted), rel=1e-5)


# Training


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing interrupted: 6 steps of two passes of a list."""
    output = tmp_path_factory.mktemp("whole") / "run"
    done = train(settings(root, output))
    assert (done.begun, done.steps) == (0, 6)
    return output


def figures(output: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "train/seconds"} for row in lessons.log(output)]


def adapter(output: Path) -> bytes:
    return (output / "student" / "adapter" / "adapter_model.safetensors").read_bytes()


def test_what_a_training_leaves(whole: Path, root: Path) -> None:
    rows = figures(whole)
    assert [row["step"] for row in rows if "train/loss" in row] == [1, 2, 3, 4, 5, 6]
    measured = [row for row in rows if "dev/loss" in row]
    assert [row["step"] for row in measured] == [0, 2, 4, 6]
    assert {"dev/parsed", "dev/tau", "dev/nDCG@10"} < measured[-1].keys()
    assert measured[-1]["dev/loss"] < measured[0]["dev/loss"]
    saved = json.loads((whole / "student" / "reranker.json").read_text(encoding="utf-8"))
    assert (saved["kind"], saved["prompt"], saved["window"], saved["stride"]) == ("listwise-student", "short", 20, 10)
    assert (whole / "student" / "prompt" / "short.toml").read_text(encoding="utf-8") == PROMPT
    card = (whole / "student" / "README.md").read_text(encoding="utf-8")
    assert "DeAR, stage 2" in card
    ranker = whyrank.load(str(whole / "student"))
    assert isinstance(ranker, LMReranker)
    [ranked] = ranker.rerank_many([Ranking.of("what is moon", ["the sea", "the moon", "a tart"])])
    assert sorted(ranked.ids) == ["1", "2", "3"]


def test_an_interrupted_training_ends_in_the_same_bits(
    whole: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = learner.Learner.step

    def step(self: learner.Learner, number: int, *rest: Any) -> Any:
        if number == 3:
            raise KeyboardInterrupt
        return real(self, number, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(learner.Learner, "step", step)
        with pytest.raises(KeyboardInterrupt):
            train(settings(root, tmp_path / "run"))
    torch.manual_seed(123)
    assert train(settings(root, tmp_path / "run")).begun == 2
    assert adapter(tmp_path / "run") == adapter(whole)
    assert figures(tmp_path / "run") == figures(whole)


def test_two_processes_learn_what_one_learns(root: Path, tmp_path: Path) -> None:
    more = {"lora__dropout": 0.0, "optimizer__epochs": 1, "checkpoints__every": 1, "checkpoints__keep": 9}
    one = settings(root, tmp_path / "one", optimizer__accumulation=2, **more)
    two = settings(root, tmp_path / "two", optimizer__accumulation=1, **more)
    train(one)
    ended = torchrun(two, tmp_path)
    assert ended.returncode == 0, ended.stderr
    same_gradient(tmp_path / "one", tmp_path / "two")
    first, second = figures(tmp_path / "one"), figures(tmp_path / "two")
    assert second[0]["dev/loss"] == pytest.approx(first[0]["dev/loss"], rel=1e-5)


def test_other_words_of_the_prompt_are_another_training(root: Path, tmp_path: Path) -> None:
    train(settings(root, tmp_path / "run", optimizer__epochs=1))
    other = tmp_path / "short.toml"
    other.write_text(PROMPT.replace("Rank for", "Sort for"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"asked\.prompt_fingerprint was"):
        train(settings(root, tmp_path / "run", optimizer__epochs=1, data__prompt=str(other)))


def test_nothing_that_fits(root: Path, tmp_path: Path) -> None:
    lessons.written(tmp_path / "data", records(2, thought="the sea " * 300))
    with pytest.raises(BadInput, match="none of 2 records can be learnt from: 2 with more tokens"):
        train(settings(root, tmp_path / "run", data__path=str(tmp_path / "data")))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"model__shard": "fsdp"}, r"'model\.shard' none"),
        ({"model__layout": "document-first"}, r"'model\.layout' has no effect where permutations"),
        ({"loss__pairwise": "margin_mse"}, r"'loss\.pairwise' has no effect where permutations"),
        ({"learns": "scores"}, r"'data\.prompt' has no effect where scores"),
    ],
)
def test_settings_that_would_mean_nothing(root: Path, tmp_path: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        settings(root, tmp_path / "run", **more)


def test_a_prompt_that_ranks_no_list(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="asks for no ranking of a list"):
        PermutationStudent.create(settings(root, tmp_path, data__prompt="prp"), device="cpu")
    with pytest.raises(BadInput, match=r"'model\.max_tokens' is 5,000"):
        PermutationStudent.create(settings(root, tmp_path, model__max_tokens=5000), device="cpu")


def test_kendalls_tau() -> None:
    assert tau([0, 1, 2, 3], [0, 1, 2, 3]) == 1
    assert tau([3, 2, 1, 0], [0, 1, 2, 3]) == -1
    assert tau([1, 0, 2, 3], [0, 1, 2, 3]) == pytest.approx(4 / 6)


@pytest.mark.parametrize(("size", "base"), [("3b", "meta-llama/Llama-3.2-3B"), ("8b", "meta-llama/Llama-3.1-8B")])
def test_the_settings_of_the_second_stage_are_the_papers(size: str, base: str) -> None:
    found = load(TrainSettings, Path(__file__).parents[2] / "recipes" / f"dear-stage2-{size}.yaml")
    how = found.optimizer
    assert (found.learns, found.model.base, found.model.max_tokens) == ("permutations", base, 5000)
    assert (found.lora.r, how.lr, how.schedule, how.warmup) == (16, 1e-4, "cosine", 0.1)
    assert (how.batch * how.accumulation, how.epochs) == (128, 50)


def test_it_learns_an_order_that_no_single_document_tells(tmp_path: Path) -> None:
    """Three documents: who reads one at a time places the first, and the other two by chance (tau 2/3, exact 1/2)."""

    def chain(number: int) -> TeacherRecord:
        return chains.record(number, (3,), chains.WORDS[:12])

    lessons.written(tmp_path / "data", [chain(number) for number in range(2_560)])
    given = {
        "learns": "permutations",
        "model": {"base": chains.base(tmp_path / "base"), "dtype": "float32", "max_tokens": 96},
        "lora": {"r": 32, "alpha": 64, "dropout": 0.0, "targets": "all-linear"},
        "data": {"path": str(tmp_path / "data"), "prompt": chains.prompt(tmp_path), "conversation": ""},
        "optimizer": {"lr": 0.004, "schedule": "linear", "warmup": 0.05, "batch": 32, "epochs": 4},
        "checkpoints": {"every": 1_000},
        "threads": 1,
        "output": str(tmp_path / "run"),
    }
    done = train(checked(TrainSettings, given))
    unseen = [chain(chains.HELD_OUT + number) for number in range(100)]
    ranker = whyrank.load(str(done.folder))
    ranked = ranker.rerank_many([Ranking.of(one.query, one.documents) for one in unseen])
    orders = [tuple(int(name[1:]) for name in one.ids) for one in ranked]
    assert sum(one.status == "ok" for one in ranked) >= 99
    assert sum(order == one.order for order, one in zip(orders, unseen, strict=True)) >= 90
    assert done.steps == 320


def test_the_tiny_recipe_trains(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = tiny.byte_tokenizer(begins=True)
    tokenizer.model_max_length = 2048
    tiny.llama(tmp_path / "base", tokenizer, max_position_embeddings=2048)
    lessons.written(tmp_path / "data", [record(n, documents=2, thought="[1]") for n in range(8)])
    shutil.copy(Path(__file__).parents[2] / "recipes" / "tiny-permutations.yaml", "config.yaml")
    done = train(load(TrainSettings, "config.yaml"))
    assert len(done.data.examples) == 12
    assert done.figures["train/loss"] > 0
