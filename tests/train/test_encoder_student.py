"""Classifiers in training: encoders and causal models with a head learn, are saved plainly, and are taken up again."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import lessons
import mimetic
import pytest
import tiny
import tiny_classifiers
import torch
from safetensors.torch import load_file
from test_distributed import rows, same_gradient, torchrun
from test_loop import Interrupted, interrupt, same

import whyrank
from whyrank.config import checked, load, resolved
from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.rankers.classifier import ClassifierRanker, load_classifier
from whyrank.rankers.classifier_network import is_head
from whyrank.rankers.pair_format import PairFormat
from whyrank.rankers.student_folder import Lora
from whyrank.teach.records import TeacherRecord
from whyrank.train.encoder import EncoderStudent, merged
from whyrank.train.loop import train
from whyrank.train.settings import TrainSettings
from whyrank.types import Document, Query

WORDS = tuple(f"w{number}" for number in range(12))
HELD_OUT = 10**6
ADAPTER = Lora(r=4, alpha=8, dropout=0.0, targets=("all-linear",))
WHOLE = Lora(r=0)
PAIR = PairFormat(query_tokens=4, max_tokens=24)
PLAIN = PairFormat("query: {query}", "document: {document}", query_tokens=6, max_tokens=48, joined="plain")
LISTS = [("w1 w2", ["w1 w3 w4", "w5", "w6 w7 w8 w9 w10 w1 w2"]), ("w3", ["w3 w1", "w4 w4 w2"])]
PAIRS = [(query, document) for query, documents in LISTS for document in documents]


def record(number: int, asked: str = "", *, documents: int = 4) -> TeacherRecord:
    """One of the documents ends with the word of the query; no other holds it."""
    lots = random.Random(number)
    asked = asked or lots.choice(WORDS)
    others = [word for word in WORDS if word != asked]
    texts = [" ".join(lots.sample(others, 2)) for _ in range(documents)]
    best = lots.randrange(documents)
    texts[best] = f"{lots.choice(others)} {asked}"
    return TeacherRecord(
        key=f"k{number}",
        query=Query(f"q{number}", asked),
        documents=tuple(Document(f"d{place}", text) for place, text in enumerate(texts)),
        order=(best, *(place for place in range(documents) if place != best)),
        labels={f"d{best}": 1.0},
    )


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_classifiers.bert(tmp_path_factory.mktemp("models") / "bert", WORDS)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return mimetic.llama(tmp_path_factory.mktemp("models") / "llama", [*WORDS, "query:", "document:"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    held_out = [record(HELD_OUT + number) for number in range(20)]
    return lessons.written(tmp_path_factory.mktemp("data"), [record(number) for number in range(400)], held_out)


def settings(base: str, data: str, output: Path, **more: Any) -> TrainSettings:
    model: dict[str, Any] = {
        "kind": "classifier",
        "base": base,
        "dtype": "float32",
        "max_tokens": 24,
        "query_tokens": 4,
    }
    if "llama" in Path(base).name:
        model |= {"pair": {"joined": "plain"}}
    given: dict[str, Any] = {
        "model": {**model, **more.pop("model", {})},
        "lora": {"r": 8, "alpha": 16, "dropout": 0.0},
        "data": {"path": data, "targets": "labels", "limit": more.pop("limit", None)},
        "loss": {"listwise": "softmax_cross_entropy", "weights": {"pairwise": 0, "listwise": 1}},
        "optimizer": {"lr": 0.005, "batch": 8, "schedule": "linear", "warmup": 0.1, "weight_decay": 0.0},
        "checkpoints": {"every": 1, "keep": 9},
        "threads": 1,
        "output": str(output),
    }
    return checked(TrainSettings, given | more)


def noisy(base: str, lora: Lora, fmt: PairFormat, **more: Any) -> EncoderStudent:
    """A student whose trained weights are moved, so that adapter and head count."""
    student = EncoderStudent.create(base, lora, fmt, device="cpu", **more)
    lots = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in student.parameters_by_name().values():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=lots))
    student.train(False)
    return student


def scored(student: EncoderStudent) -> list[float]:
    with torch.no_grad():
        return [float(score) for scores in student.score(LISTS) for score in scores]


@pytest.fixture(params=["bert", "llama"])
def given(request: pytest.FixtureRequest) -> tuple[str, PairFormat]:
    """A base, and how it reads."""
    return request.getfixturevalue(request.param), PAIR if request.param == "bert" else PLAIN


@pytest.mark.parametrize(("name", "asked"), [("bert", ""), ("llama", "w3")])
def test_a_planted_rule_is_learnt(name: str, asked: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Chance is nDCG@10 0.64: the one relevant document stands anywhere among four.

    The encoder learns to compare words; the causal model, for which that takes minutes, to look for one.
    """
    held_out = [record(HELD_OUT + number, asked) for number in range(20)]
    data = lessons.written(tmp_path / "data", [record(number, asked) for number in range(400)], held_out)
    done = train(settings(request.getfixturevalue(name), data, tmp_path / "run", checkpoints={"every": 1_000}))
    assert lessons.log(tmp_path / "run")[0]["dev/nDCG@10"] < 0.8
    assert done.figures["dev/nDCG@10"] >= 0.95
    ranker = whyrank.load(str(done.folder))
    assert isinstance(ranker, ClassifierRanker)
    best = ranker.rerank(whyrank.Ranking.of("w3", ["w1 w2", "w4 w5", "w6 w3", "w7 w8"])).hits[0]
    assert best.document.text == "w6 w3"


@pytest.mark.parametrize("lora", [ADAPTER, WHOLE], ids=["adapter", "whole"])
def test_what_is_saved_scores_as_what_was_trained(given: tuple[str, PairFormat], lora: Lora, tmp_path: Path) -> None:
    student = noisy(given[0], lora, given[1])
    student.save(tmp_path / "student", trained={"steps": 3})
    ranker = load_classifier(tmp_path / "student", device="cpu", mode="isolated")
    # An adapter beside its weights and the two added up differ by rounding.
    assert ranker.score_many(PAIRS) == pytest.approx(scored(student), abs=1e-5 if lora.r else 1e-6)
    again = EncoderStudent.load(tmp_path / "student", WHOLE, device="cpu")
    again.train(False)
    assert scored(again) == pytest.approx(ranker.score_many(PAIRS), abs=1e-6)
    assert again.network.fmt == given[1]
    told = json.loads((tmp_path / "student" / "reranker.json").read_text(encoding="utf-8"))
    assert (told["kind"], told["trained"]["steps"]) == ("classifier", 3)
    assert told["trained"]["base"] == given[0]


def test_the_adapter_counts_and_stays_beside_its_weights_after_saving(given: tuple[str, PairFormat]) -> None:
    student = noisy(given[0], ADAPTER, given[1])
    bare = EncoderStudent.create(given[0], ADAPTER, given[1], device="cpu")
    before, names = scored(student), set(bare.network.model.state_dict())
    added = merged(student.network.model)
    assert set(added) == {name.replace(".base_layer.", ".") for name in names if ".lora_" not in name}
    [name] = [name for name in added if name.endswith(("0.attention.self.query.weight", "0.self_attn.q_proj.weight"))]
    base = student.network.model.get_parameter(name.replace(".weight", ".base_layer.weight"))
    assert not torch.allclose(added[name], base, atol=1e-2)
    assert scored(student) == before


def test_an_adapter_is_in_every_linear_layer_of_the_body_and_the_head_is_trained_with_it(bert: str, llama: str) -> None:
    for base, fmt, layers, head in (
        (bert, PAIR, 6, {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"}),
        (llama, PLAIN, 7, {"score.weight"}),
    ):
        names = set(EncoderStudent.create(base, ADAPTER, fmt, device="cpu").parameters_by_name())
        assert {name for name in names if ".lora_" not in name} == head
        assert len(names - head) == 2 * 2 * layers
    some = EncoderStudent.create(bert, Lora(targets=("query", "output.dense")), PAIR, device="cpu")
    adapted = {name.partition(".lora_")[0] for name in some.parameters_by_name() if ".lora_A" in name}
    assert {name.partition("layer.0.")[2] for name in adapted if "layer.0." in name} == {
        "attention.self.query",
        "attention.output.dense",
        "output.dense",
    }
    whole = EncoderStudent.create(bert, WHOLE, PAIR, device="cpu")
    assert len(whole.parameters_by_name()) == len(list(whole.network.model.parameters()))


def test_a_score_belongs_to_its_pair(given: tuple[str, PairFormat]) -> None:
    student = noisy(given[0], ADAPTER, given[1])
    with torch.no_grad():
        alone = [float(student.score([(query, [document])])[0]) for query, document in PAIRS]
    assert scored(student) == pytest.approx(alone, abs=1e-5)
    assert len({round(score, 4) for score in alone}) == len(alone)
    assert [len(scores) for scores in student.score([("w1", []), ("w2", ["w3"])])] == [0, 1]
    assert [len(scores) for scores in student.score([("w1", [])])] == [0]


def test_all_that_is_trained_has_a_gradient(given: tuple[str, PairFormat]) -> None:
    student = noisy(given[0], ADAPTER, given[1])
    torch.cat(student.score(LISTS)).square().sum().backward()
    assert all(one.grad is not None and one.grad.any() for one in student.parameters_by_name().values())
    frozen = [one for one in student.network.model.parameters() if not one.requires_grad]
    assert frozen
    assert all(one.grad is None for one in frozen)


@pytest.mark.parametrize("lora", [ADAPTER, WHOLE], ids=["adapter", "whole"])
def test_half_precision_keeps_what_is_trained_in_fp32(
    given: tuple[str, PairFormat], lora: Lora, tmp_path: Path
) -> None:
    exact, half = (noisy(given[0], lora, given[1], dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert {one.dtype for one in half.parameters_by_name().values()} == {torch.float32}
    assert all(scores.dtype == torch.float32 for scores in half.score(LISTS))
    assert scored(half) == pytest.approx(scored(exact), abs=0.15)
    assert scored(half) != scored(exact)
    torch.cat(half.score(LISTS)).sum().backward()
    half.save(tmp_path / "student")
    body = [
        t for n, t in load_file(tmp_path / "student" / "model.safetensors").items() if "layers.0" in n or "layer.0" in n
    ]
    assert {tensor.dtype for tensor in body} == {torch.bfloat16 if lora.r else torch.float32}
    ranks = load_classifier(tmp_path / "student", device="cpu")
    # Behind an adapter its sum with the base is rounded; all weights learn under autocast and rank without.
    assert ranks.score_many(PAIRS) == pytest.approx(scored(half), abs=0.02)
    read = dict(ranks.network.model.named_parameters())
    heads = {name: one for name, one in half.parameters_by_name().items() if is_head(half.network.model, name)}
    assert heads
    assert all(torch.equal(read[name], one) for name, one in heads.items())


def test_half_precision_ranks_by_the_head_that_was_trained(given: tuple[str, PairFormat], tmp_path: Path) -> None:
    """An adapter that adds nothing leaves the body as it was, so that only the head could make a difference."""
    student = noisy(given[0], ADAPTER, given[1], dtype="bfloat16")
    with torch.no_grad():
        for name, parameter in student.parameters_by_name().items():
            if ".lora_B." in name:
                parameter.zero_()
    student.save(tmp_path / "student")
    for dtype in ("auto", "bfloat16"):
        saved = load_classifier(tmp_path / "student", device="cpu", dtype=dtype).score_many(PAIRS)
        assert saved == pytest.approx(scored(student), abs=1e-4)


def test_gradient_checkpointing_changes_nothing(bert: str) -> None:
    found = []
    for twice in (False, True):
        student = noisy(bert, ADAPTER, PAIR, gradient_checkpointing=twice)
        student.train()
        torch.cat(student.score(LISTS)).square().sum().backward()
        found.append({name: one.grad for name, one in student.parameters_by_name().items() if one.grad is not None})
    assert found[0].keys() == found[1].keys() != set()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_an_interrupted_training_ends_in_the_same_bits(
    bert: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more: dict[str, Any] = {"lora": {"r": 4, "dropout": 0.1}, "checkpoints": {"every": 2}, "limit": 32}
    train(settings(bert, data, tmp_path / "whole", **more))
    with monkeypatch.context() as patched:
        interrupt(patched, 3)
        with pytest.raises(Interrupted):
            train(settings(bert, data, tmp_path / "run", **more))
    torch.manual_seed(123)  # what else the process drew does not matter
    assert train(settings(bert, data, tmp_path / "run", **more)).begun == 2
    assert same(tmp_path / "whole", tmp_path / "run")


def test_two_processes_are_one_with_twice_the_batch(bert: str, data: str, tmp_path: Path) -> None:
    noisy(bert, WHOLE, PAIR).save(tmp_path / "base")  # a new head would let next to nothing through to the body
    more: dict[str, Any] = {"lora": {"r": 0}, "limit": 7}
    for name, batch in (("two", 2), ("one", 4)):
        how = settings(str(tmp_path / "base"), data, tmp_path / name, optimizer={"lr": 0.001, "batch": batch}, **more)
        if name == "two":
            ended = torchrun(how, tmp_path)
            assert ended.returncode == 0, ended.stderr
        else:
            train(how)
    for prefix in ("train/", "dev/"):
        one, two = rows(tmp_path / "one", prefix), rows(tmp_path / "two", prefix)
        assert len(one) == len(two) == (2 if prefix == "train/" else 3)
        for first, second in zip(one, two, strict=True):
            assert second == pytest.approx(first, abs=1e-4)
    same_gradient(tmp_path / "one", tmp_path / "two")


def test_another_base_at_the_same_place_does_not_go_on(data: str, tmp_path: Path) -> None:
    tiny_classifiers.bert(tmp_path / "base", WORDS)
    train(settings(str(tmp_path / "base"), data, tmp_path / "run", limit=2))
    tiny_classifiers.bert(tmp_path / "base", WORDS, seed=1)
    with pytest.raises(BadInput, match="base_fingerprint was"):
        train(settings(str(tmp_path / "base"), data, tmp_path / "run", limit=2))


def test_the_card_says_what_it_is(bert: str, data: str, tmp_path: Path) -> None:
    done = train(settings(bert, data, tmp_path / "run", lora={"r": 0}, limit=2))
    card = (done.folder / "README.md").read_text(encoding="utf-8")
    assert "as a sequence classifier with one logit, of which all its weights learnt" in card
    assert "cross-encoder" in card
    assert "Reason-to-Rank" not in card
    assert "kind: classifier" in card
    assert "| this model | not stated |" in card


def test_sentence_transformers_reads_the_same(bert: str, tmp_path: Path) -> None:
    cross_encoders = pytest.importorskip("sentence_transformers")
    student = noisy(bert, ADAPTER, PAIR)
    student.save(tmp_path / "student")
    model = cross_encoders.CrossEncoder(str(tmp_path / "student"), device="cpu")
    logits = model.predict(PAIRS, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    assert logits.tolist() == pytest.approx(scored(student), abs=1e-5)


@pytest.mark.parametrize("name", ["modernbert", "deberta-v2", "roberta", "qwen3"])
def test_other_architectures(name: str, tmp_path: Path) -> None:
    base = tiny_classifiers.of_kind(tmp_path / "base", name, WORDS)
    fmt = PairFormat(query_tokens=4, max_tokens=24, joined="plain" if name == "qwen3" else "pair")
    for lora in (ADAPTER, WHOLE):
        student = noisy(base, lora, fmt)
        torch.cat(student.score(LISTS)).sum().backward()
        student.save(tmp_path / "student")
        saved = load_classifier(tmp_path / "student", device="cpu", mode="isolated").score_many(PAIRS)
        assert saved == pytest.approx(scored(student), abs=1e-5)


def test_a_saved_head_is_kept(bert: str, tmp_path: Path) -> None:
    noisy(bert, WHOLE, PAIR).save(tmp_path / "student")
    one, other = (EncoderStudent.create(str(tmp_path / "student"), WHOLE, PAIR, device="cpu", seed=n) for n in (1, 2))
    assert torch.equal(one.network.model.classifier.weight, other.network.model.classifier.weight)
    fresh = [EncoderStudent.create(bert, WHOLE, PAIR, device="cpu", seed=n).network.model for n in (1, 1, 2)]
    assert torch.equal(fresh[0].classifier.weight, fresh[1].classifier.weight)
    assert not torch.equal(fresh[0].classifier.weight, fresh[2].classifier.weight)


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def with_two_logits(folder: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).save_pretrained(folder)


def as_adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def with_another_body(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without("tokenizer.json", "tokenizer_config.json"), "no tokenizer in it"),
        (with_two_logits, "has a head of 2 logits; give a classifier with one, or its body"),
        (as_adapter, "an adapter is in it; give a folder that holds a whole model"),
        (without("config.json"), r"no config\.json is in it"),
        (with_another_body, "its weights lack 16 tensors of its body"),
    ],
)
def test_a_base_that_cannot_be_one(spoil: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    base = tiny_classifiers.bert(tmp_path / "base", WORDS)
    spoil(Path(base))
    with pytest.raises(BadInput, match=told):
        EncoderStudent.create(base, ADAPTER, PAIR, device="cpu")


def test_other_bad_input(bert: str, data: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such folder"):
        EncoderStudent.create("./nowhere", ADAPTER, PAIR)
    with pytest.raises(BadInput, match="T5ForConditionalGeneration cannot be a sequence classifier of one row"):
        EncoderStudent.create(tiny.t5(tmp_path / "t5"), ADAPTER, PAIR)
    with pytest.raises(
        BadInput, match=r"no adapter for q_proj, v_proj in BertForSeq\w+: its linear layers are dense, key"
    ):
        EncoderStudent.create(bert, Lora(), PAIR)
    with pytest.raises(BadInput, match="512 tokens do not fit a context of 128"):
        EncoderStudent.create(bert, ADAPTER, PairFormat())
    with pytest.raises(BadInput, match="leaves room for documents"):
        train(settings(bert, data, tmp_path / "run", model={"query_tokens": 22}))


def test_a_saved_folder_is_whole_or_absent(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    student = noisy(bert, ADAPTER, PAIR)
    student.save(tmp_path / "student")
    before = load_classifier(tmp_path / "student", device="cpu").score_many(PAIRS)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(student.network.tokenizer, "save_pretrained", full)
    with pytest.raises(Unwritable, match="tokenizer could not be written"):
        student.save(tmp_path / "student")
    assert [path.name for path in tmp_path.iterdir()] == ["student"]
    assert load_classifier(tmp_path / "student", device="cpu").score_many(PAIRS) == before
    (tmp_path / "student" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Corrupt, match=r"config\.json: is missing, or its sha256"):
        EncoderStudent.load(tmp_path / "student", ADAPTER)


class TestSettings:
    """What a configuration may say of a classifier."""

    LEAST: ClassVar[dict[str, Any]] = {"model": {"kind": "classifier", "base": "b"}, "output": "run"}

    def test_what_is_usual(self) -> None:
        found = checked(TrainSettings, self.LEAST)
        assert (found.reasons, found.kinds, found.model.max_tokens) == ("none", (), 512)
        assert found.lora.targets == ("all-linear",)
        assert found.model.format == PairFormat(query_tokens=64, max_tokens=512)
        given = {**self.LEAST, "lora": {"targets": "query"}, "model": {**self.LEAST["model"], "max_tokens": 256}}
        own = checked(TrainSettings, given)
        assert (own.lora.targets, own.model.max_tokens) == (("query",), 256)

    def test_settings_that_are_written_are_read_back(self, tmp_path: Path) -> None:
        found = checked(TrainSettings, self.LEAST)
        (tmp_path / "config.yaml").write_text(resolved(found), encoding="utf-8")
        assert load(TrainSettings, tmp_path / "config.yaml") == found

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ({"reasons": "direct"}, "'reasons' is 'direct', and a classifier writes none"),
            ({"model": {"kind": "classifier", "base": "b", "shard": "fsdp"}}, "a classifier is whole in each process"),
            (
                {"model": {"kind": "classifier", "base": "b", "layout": "document-first"}},
                "'model.layout' has no effect",
            ),
            ({"model": {"kind": "classifier", "base": "b", "pair": {"joined": "both"}}}, "'model.pair.joined'"),
            ({"model": {"base": "b", "pair": {"joined": "plain"}}}, "'model.pair' has no effect"),
            ({"model": {"base": "b"}, "lora": {"r": 0}}, "a causal student learns by an adapter"),
        ],
    )
    def test_what_is_refused(self, values: dict[str, Any], told: str) -> None:
        with pytest.raises(BadInput, match=told):
            checked(TrainSettings, {**self.LEAST, **values})
