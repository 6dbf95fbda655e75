"""The listwise student as a ranker: its folder, its answers whatever they are, and its adapter beside another."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

import tiny  # noqa: E402
import tiny_students  # noqa: E402

import whyrank  # noqa: E402
from whyrank.config import checked  # noqa: E402
from whyrank.errors import BadInput, Corrupt, MissingFile, ModelError  # noqa: E402
from whyrank.lm.base import Generate, Reply  # noqa: E402
from whyrank.lm.fake import Fake  # noqa: E402
from whyrank.prompts import load  # noqa: E402
from whyrank.rankers.adapters import Adapters  # noqa: E402
from whyrank.rankers.asking import LMReranker  # noqa: E402
from whyrank.rankers.listwise_folder import Asking, fingerprint, prompt_of, read_manifest  # noqa: E402
from whyrank.rankers.listwise_student import asked_by, load_listwise  # noqa: E402
from whyrank.rankers.student import StudentRanker, load_folder  # noqa: E402
from whyrank.train.permutation_student import PermutationStudent  # noqa: E402
from whyrank.train.settings import TrainSettings  # noqa: E402
from whyrank.types import Ranking  # noqa: E402

PROMPT = """
kind = "listwise"
form = "text"
parser = "ranking"
passage = "[{label}] {passage}"
join = "\\n"
max_tokens = 24
passage_tokens = 12
reasons = true
source = "a test"
paper = "a test"
licence = "Apache-2.0"
text = "{passages}\\nRank for {query}:\\n"
"""
QUERY, DOCUMENTS = "moon tide", ["the moon and the sea", "the sun", "light", "a tart"]


def noisy(made: Any, seed: int = 3) -> Any:
    lots = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters_by_name().values():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=lots))
    return made


def saved(root: Path, base: str, name: str, **lora: Any) -> Path:
    """A listwise student over a base, its adapter filled with noise."""
    (root / "short.toml").write_text(PROMPT, encoding="utf-8")
    given = {
        "learns": "permutations",
        "model": {"base": base, "dtype": "float32", "max_tokens": 300},
        "lora": {"targets": ["q_proj", "o_proj"], **lora},
        "data": {"prompt": str(root / "short.toml")},
        "output": str(root / "none"),
    }
    student = noisy(PermutationStudent.create(checked(TrainSettings, given), device="cpu"))
    student.save(root / name, trained={"steps": 0})
    return root / name


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, a first stage and a second stage on it."""
    folder = tmp_path_factory.mktemp("dear")
    base = tiny_students.base(folder / "base", "llama")
    tiny_students.student(base).save(folder / "first", reasons="both")
    saved(folder, base, "second")
    return folder


@pytest.fixture
def first(root: Path) -> StudentRanker:
    return load_folder(root / "first", device="cpu")


def asked_alone(root: Path) -> list[tuple[tuple[str, ...], str]]:
    return told(load_listwise(root / "second", device="cpu"))


def told(ranker: LMReranker) -> list[tuple[tuple[str, ...], str]]:
    """Orders and answers of two lists."""
    requests = [Generate("the moon", max_tokens=12), Generate("the sun and the sea", max_tokens=12)]
    answers = [reply.text for reply in ranker.lm.ask(requests) if isinstance(reply, Reply)]
    ranked = ranker.rerank_many([Ranking.of(QUERY, DOCUMENTS), Ranking.of("sea", DOCUMENTS[::-1])])
    return [(one.ids, answer) for one, answer in zip(ranked, answers, strict=True)]


def scores(ranker: StudentRanker) -> list[float]:
    return ranker.score_many([(QUERY, text) for text in DOCUMENTS])


# The folder


def test_the_folder_says_all_that_is_needed(root: Path) -> None:
    content = json.loads((root / "second" / "reranker.json").read_text(encoding="utf-8"))
    assert (content["format"], content["kind"]) == ("whyrank-reranker/1", "listwise-student")
    assert (content["prompt"], content["conversation"], content["max_tokens"]) == ("short", "", 300)
    assert (content["answer_tokens"], content["window"], content["stride"]) == (24, 20, 10)
    assert {"base", "base_revision", "base_fingerprint", "prompt_fingerprint", "dtype", "trained"} < content.keys()
    manifest = read_manifest(root / "second")
    template = prompt_of(root / "second", manifest.asking)
    assert (template.name, fingerprint(template)) == ("short", content["prompt_fingerprint"])


def test_it_is_loaded_by_its_folder(root: Path) -> None:
    ranker = whyrank.load(str(root / "second"))
    assert isinstance(ranker, LMReranker)
    assert dict(ranker.options) == {"size": 20, "stride": 10}
    [ranked] = ranker.rerank_many([Ranking.of(QUERY, DOCUMENTS)])
    assert sorted(ranked.ids) == ["1", "2", "3", "4"]
    assert ranked.usage.calls == 1
    again = load_listwise(root / "second", device="cpu")
    assert again.name == ranker.name


@pytest.mark.parametrize("name", ["prompt/short.toml", "adapter/adapter_model.safetensors"])
def test_a_damaged_folder(name: str, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "second", tmp_path / "second")
    path = tmp_path / "second" / name
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(Corrupt, match="sha256"):
        load_listwise(tmp_path / "second")
    path.unlink()
    with pytest.raises(Corrupt, match="is missing, so its scores would be noise"):
        load_listwise(tmp_path / "second")


def test_a_prompt_that_would_be_rendered_otherwise(root: Path) -> None:
    manifest = read_manifest(root / "second")
    asking = Asking("short", "0123456789abcdef")
    with pytest.raises(BadInput, match="short@0123456789abcdef, of which this version"):
        prompt_of(root / "second", asking)
    assert prompt_of(root / "second", manifest.asking).name == "short"


def test_what_is_no_listwise_student(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"no reranker\.json"):
        load_listwise(tmp_path)
    with pytest.raises(BadInput, match="a listwise-student of whyrank-reranker/1 was expected"):
        load_listwise(root / "first")
    with pytest.raises(BadInput, match="temperature=-1"):
        load_listwise(root / "second", temperature=-1)


def test_a_base_that_is_gone_or_another(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="the model that it was trained on is not there"):
        load_listwise(root / "second", base=str(tmp_path / "gone"))
    other = tiny.llama(tmp_path / "other", rms_norm_eps=1e-3)
    with pytest.raises(BadInput, match=r"is another model \("):
        load_listwise(root / "second", base=other)


# Two adapters on one base


def test_the_first_stage_scores_the_same_bits_beside_the_second(root: Path, first: StudentRanker) -> None:
    before = scores(first)
    second = load_listwise(root / "second", beside=first._network)
    assert scores(first) == before
    assert told(second) == asked_alone(root)
    assert scores(first) == before


def test_the_base_is_in_memory_once(root: Path, first: StudentRanker) -> None:
    network = first._network
    base = {p.data_ptr(): p.numel() for n, p in network.causal.named_parameters() if "lora" not in n}
    count = sum(p.numel() for p in network.causal.parameters())
    load_listwise(root / "second", beside=network)
    adapter = (root / "second" / "adapter" / "adapter_model.safetensors").stat().st_size // 4
    after = {p.data_ptr(): p.numel() for n, p in network.causal.named_parameters() if "lora" not in n}
    assert after == base
    added = sum(p.numel() for p in network.causal.parameters()) - count
    assert 0 < added <= adapter
    load_listwise(root / "second", beside=network)  # once more adds nothing
    assert sum(p.numel() for p in network.causal.parameters()) - count == added
    assert network.adapted.active_adapter == "default"


def test_reasons_of_the_first_stage_stay_its_own(root: Path, first: StudentRanker) -> None:
    before = first.reason("direct", "moon", "the sea").text
    second = load_listwise(root / "second", beside=first._network)
    second.rerank_many([Ranking.of(QUERY, DOCUMENTS)])
    assert first.reason("direct", "moon", "the sea").text == before


def test_a_call_that_fails_puts_the_first_adapter_back(root: Path, first: StudentRanker) -> None:
    before = scores(first)
    second = load_listwise(root / "second", beside=first._network)
    with pytest.raises(BadInput, match="max_tokens"):
        second.lm.ask([Generate("moon", max_tokens=0)])
    assert scores(first) == before


def test_passes_of_other_threads_wait(root: Path, first: StudentRanker) -> None:
    network = first._network
    before = scores(first)
    load_listwise(root / "second", beside=network)
    name = next(name for name in network.adapted.peft_config if name != "default")
    found: list[list[float]] = []
    started = threading.Event()

    def score() -> None:
        started.set()
        found.append(scores(first))

    with Adapters(network).using(name):
        within = scores(first)  # the thread that switched is not its own obstacle
        other = threading.Thread(target=score)
        other.start()
        started.wait()
        other.join(timeout=0.2)
        assert not found
    other.join()
    assert within != before
    assert found == [before]


def test_an_adapter_that_could_not_be_read_is_not_there_the_next_time(
    root: Path, first: StudentRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise Corrupt("damaged")

    before = set(first._network.adapted.peft_config)
    with monkeypatch.context() as patched:
        patched.setattr("whyrank.rankers.adapters.restore_adapter", damaged)
        for _ in range(2):
            with pytest.raises(Corrupt, match="damaged"):
                load_listwise(root / "second", beside=first._network)
    assert set(first._network.adapted.peft_config) == before
    load_listwise(root / "second", beside=first._network)


def test_adapters_of_different_bases(root: Path, tmp_path: Path, first: StudentRanker) -> None:
    base = tiny_students.base(tmp_path / "base", "llama", rms_norm_eps=1e-3)
    other = saved(tmp_path, base, "second")
    with pytest.raises(BadInput, match="that of the first stage beside it is another model"):
        load_listwise(other, beside=first._network)
    with pytest.raises(BadInput, match="leave base= and device= out"):
        load_listwise(root / "second", beside=first._network, device="cpu")


def test_drawn_answers_only_if_asked_for(root: Path) -> None:
    greedy = load_listwise(root / "second", device="cpu")
    drawn = load_listwise(root / "second", device="cpu", temperature=2.0, seed=1)
    other = load_listwise(root / "second", device="cpu", temperature=2.0, seed=2)
    assert told(greedy)[0][1] == told(greedy)[0][1]
    assert told(drawn)[0][1] == told(drawn)[0][1]
    assert len({told(ranker)[0][1] for ranker in (greedy, drawn, other)}) == 3
    assert len({greedy.name, drawn.name, other.name}) == 3


# Answers, whatever they are


def ranked(*answers: str | Reply | ModelError, documents: int = 4, **how: Any) -> Ranking:
    template = load("dear")
    ranker = asked_by(Fake(answers), template, Asking("dear", fingerprint(template), "tagged", **how))
    [found] = ranker.rerank_many([Ranking.of(QUERY, [f"text {n}" for n in range(1, documents + 1)])])
    return found


@pytest.mark.parametrize(
    ("answer", "order", "status"),
    [
        ("Step 1 ... 2019 [1] > [2]\n\n### Final Reranking: [3] > [1] > [4] > [2]", "3142", "ok"),
        ("### Final Reranking: [3] > [1]", "3124", "repaired"),
        ("### Final Reranking: [3] > [1] > [3] > [1] > [4] > [2]", "3142", "repaired"),
        ("### Final Reranking: [3] > [9] > [1] > [4] > [2]", "3142", "repaired"),
        ("I'm sorry, but I can't help with that.", "1234", "refused"),
        (Reply("I cannot rank [3] > [1]", finish="refused"), "1234", "refused"),
        (Reply("Step 1. the moon is the moon is the moon is", finish="length"), "1234", "truncated"),
        (Reply("need: [2]\n\n### Final Reranking: [3] > [2] > ", finish="length"), "3214", "repaired"),
        ("", "1234", "error"),
        (ModelError("it broke"), "1234", "error"),
    ],
)
def test_an_answer_becomes_a_permutation_and_a_status(answer: Any, order: str, status: str) -> None:
    found = ranked(answer)
    assert "".join(found.ids) == order
    assert found.status == status


def test_an_untidy_answer_is_not_asked_for_again() -> None:
    assert ranked("nothing").usage.calls == 1


def test_a_real_model_that_never_ends_is_cut_and_keeps_all_documents(root: Path) -> None:
    """The noise of this adapter ends no text: its answer is cut at the prompt's limit."""
    ranker = load_listwise(root / "second", device="cpu")
    [found] = ranker.rerank_many([Ranking.of(QUERY, DOCUMENTS)])
    assert found.usage.generated_tokens <= ranker.judge.answer_tokens(4)
    assert sorted(found.ids) == ["1", "2", "3", "4"]
    assert found.status in ("truncated", "error", "repaired")
    assert found.notes


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 0), (3, 1), (20, 1), (25, 2), (30, 2), (37, 3)])
def test_every_document_is_shown_whatever_their_number(count: int, calls: int) -> None:
    shown: list[tuple[str, ...]] = []
    template = load("dear")

    def backwards(request: Any) -> str:
        window = request.prompt.count("Received passage [")
        return "### Final Reranking: " + " > ".join(f"[{n}]" for n in range(window, 0, -1))

    ranker = asked_by(Fake(backwards), template, Asking("dear", fingerprint(template), "tagged"))
    hearing = replace(ranker, on_show=lambda one: shown.append(one.ids))
    [found] = hearing.rerank_many([Ranking.of(QUERY, [f"text {n}" for n in range(count)])])
    assert sorted(found.ids, key=int) == [str(n + 1) for n in range(count)]
    assert found.usage.calls == calls
    assert not calls or {name for window in shown for name in window} == set(found.ids)
