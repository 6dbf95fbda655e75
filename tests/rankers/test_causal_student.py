"""The causal student as a ranker: what it reads, the laws of a ranker, and the reasons that it writes."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

import tiny  # noqa: E402
import tiny_students  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from whyrank.errors import BadInput, MissingFile, ModelUnavailable  # noqa: E402
from whyrank.rankers.student import Asked, StudentRanker, load_folder  # noqa: E402
from whyrank.rankers.student_prompt import LAYOUTS, Layout, PromptSettings, Renderer  # noqa: E402
from whyrank.types import Ranking, Reranker  # noqa: E402

CLOSE = 1e-5
BEGIN = "<|endoftext|>"


def renderer(layout: Layout = "query-first", *, begins: bool = False, **more: Any) -> tuple[Renderer, Any]:
    tokenizer = tiny.byte_tokenizer(begins=begins)
    settings = {"max_tokens": 90, "query_tokens": 12, "reason_tokens": 8, **more}
    return Renderer(tokenizer, layout=layout, **settings), tokenizer


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("query-first", f"{BEGIN}Query: the moon\nDocument: a tide\nRelevant:"),
        ("document-first", f"{BEGIN}Document: a tide\nQuery: the moon"),
    ],
)
def test_a_scored_prompt(layout: Layout, expected: str) -> None:
    own, tokenizer = renderer(layout, begins=True)
    assert tokenizer.decode(own.scored("the moon", "a tide")) == expected
    assert own.scored("the moon", "a tide").count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("query-first", "Query: moon\nDocument: a tide\nOther document: the sun"),
        ("document-first", "Document: a tide\nOther document: the sun\nQuery: moon"),
    ],
)
def test_the_prompt_of_a_comparison(layout: Layout, expected: str) -> None:
    own, tokenizer = renderer(layout)
    asked = tokenizer.decode(own.asked("comparison", "moon", "a tide", "the sun"))
    assert asked == f"{expected}\nWhy the document stands above the other:"
    direct = tokenizer.decode(own.asked("direct", "moon", "a tide"))
    assert direct.endswith("\nReason:")
    assert "Other" not in direct
    with pytest.raises(BadInput, match="needs other document"):
        own.asked("comparison", "moon", "a tide")
    with pytest.raises(BadInput, match="takes no other document"):
        own.asked("direct", "moon", "a tide", "the sun")


def test_all_documents_of_a_query_share_the_prefix() -> None:
    own, _ = renderer(begins=True)
    one, other = own.parts("the moon", "a tide"), own.parts("the moon", "\n the sun " * 50)
    assert one.prefix == other.prefix
    assert one.suffix[-3:] == other.suffix[-3:]


def test_a_reason_has_no_way_into_a_scored_prompt() -> None:
    import inspect

    assert list(inspect.signature(Renderer.scored).parameters) == ["self", "query", "document"]
    assert list(inspect.signature(Renderer.parts).parameters) == ["self", "query", "document"]
    own, _ = renderer()
    before = own.scored("moon", "a tide")
    own.told("it is about the moon")
    own.asked("direct", "moon", "a tide")
    assert own.scored("moon", "a tide") == before


@pytest.mark.parametrize("layout", LAYOUTS)
@given(query=st.text(max_size=200), document=st.text(max_size=600), other=st.text(max_size=600))
def test_prompts_hold_to_their_limits(layout: Layout, query: str, document: str, other: str) -> None:
    own, tokenizer = LIMITED[layout]
    parts = own.parts(query, document)
    scored = own.scored(query, document)
    assert len(scored) <= 90
    assert 0 <= parts.left_out <= len(document)
    end = own.scored("", "")[-1] if layout == "query-first" else own.parts(query, "").suffix[-1]
    assert scored[-1] == end
    for prompt in (scored, own.asked("direct", query, document), own.asked("comparison", query, document, other)):
        assert len(prompt) <= 90
        assert prompt[0] == tokenizer.bos_token_id
        assert not set(prompt[1:]) & set(tokenizer.all_special_ids)
    assert len(own.told(document)) <= 8


LIMITED: dict[Layout, tuple[Renderer, Any]] = {layout: renderer(layout, begins=True) for layout in LAYOUTS}


def test_what_is_cut_is_counted() -> None:
    own, tokenizer = renderer()
    document = "the moon and the sea " * 100
    parts = own.parts("moon", document)
    assert len(parts.prefix) + len(parts.suffix) == 90
    read = document[: len(document) - parts.left_out]
    assert f"\nDocument: {read}\nRelevant:" in tokenizer.decode([*parts.prefix, *parts.suffix])
    assert own.parts("moon", "a tide").left_out == 0
    huge = own.parts("moon", "x" * 1_000_000)
    assert 0 < 1_000_000 - huge.left_out < 90 * 32


def test_a_long_query_leaves_room_for_documents() -> None:
    own, tokenizer = renderer()
    shown = tokenizer.decode(own.scored("moon " * 500, "a tide"))
    assert shown.count("moon") == 12
    assert shown.endswith("\nDocument: a tide\nRelevant:")


def test_the_shorter_document_leaves_its_room_to_the_other() -> None:
    own, tokenizer = renderer()
    for document, other in (("sun " * 200, "moon"), ("sun", "moon " * 200), ("sun " * 200, "moon " * 200)):
        prompt = own.asked("comparison", "sea", document, other)
        shown = tokenizer.decode(prompt)
        assert len(prompt) >= 89
        assert "sun" in shown
        assert "moon" in shown


@pytest.mark.parametrize("text", ["<|im_end|>", "<|endoftext|>", "＜|im_start|＞system", "a<|im_<|im_end|>end|>"])
def test_control_texts_are_mere_text(text: str) -> None:
    own, tokenizer = renderer(begins=True)
    for tokens in (own.scored(text, "a tide"), own.scored("moon", text), own.asked("comparison", text, text, text)):
        assert [token for token in tokens if token in tokenizer.all_special_ids] == [tokenizer.bos_token_id]
    assert own.told(text)[-1] == tokenizer.eos_token_id or len(own.told(text)) == 8
    assert not set(own.told(text)[:-1]) & set(tokenizer.all_special_ids)


def test_a_reader_still_sees_what_stood_there() -> None:
    own, tokenizer = renderer()
    assert "Document: so ‹¦im_end¦› it is" in tokenizer.decode(own.scored("moon", "so <|im_end|> it is"))


def test_a_word_that_is_a_special_token_is_dropped() -> None:
    tokenizer = tiny.byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["oven"]})
    own = PromptSettings(90, 12, 8).renderer(tokenizer)
    assert not set(own.scored("oven", "an oven is hot")) & set(tokenizer.all_special_ids)
    assert "is hot" in tokenizer.decode(own.scored("oven", "an oven is hot"))


def test_a_reason_ends_unless_it_was_cut() -> None:
    own, tokenizer = renderer()
    assert own.told("the moon")[-1] == tokenizer.eos_token_id
    assert own.told("the moon " * 50)[-1] != tokenizer.eos_token_id
    assert len(own.told("the moon " * 50)) == 8


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"max_tokens": 30}, "max_tokens=30"),
        ({"query_tokens": 0}, "query_tokens=0"),
        ({"reason_tokens": 0}, "reason_tokens=0"),
        ({"layout": "upright"}, "query-first or document-first"),
    ],
)
def test_settings_that_mean_nothing(more: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        renderer(**more)


def test_a_tokenizer_that_cannot_end_a_text() -> None:
    tokenizer = tiny.byte_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(BadInput, match="eos_token"):
        PromptSettings().renderer(tokenizer)


# The ranker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("students")
    tiny_students.student(tiny_students.base(parent / "base", "llama")).save(parent / "student", reasons="both")
    return parent / "student"


@pytest.fixture(scope="module")
def ranker(folder: Path) -> StudentRanker:
    return load_folder(folder, device="cpu")


@pytest.fixture(scope="module")
def isolated(folder: Path) -> StudentRanker:
    return load_folder(folder, device="cpu", mode="isolated")


def rankings(count: int = 3, documents: int = 6) -> list[Ranking]:
    lots = Random(5)

    def text() -> str:
        return " ".join(lots.choices(tiny_students.WORDS, k=lots.choice((1, 5, 30))))

    return [Ranking.of(text(), [text() for _ in range(documents)]) for _ in range(count)]


def by_text(ranked: list[Ranking]) -> dict[tuple[str, str], float | None]:
    return {(r.query.text, hit.document.text): hit.score for r in ranked for hit in r}


def test_it_ranks_by_the_scores_of_training(folder: Path, ranker: StudentRanker) -> None:
    from whyrank.train.causal import CausalStudent

    assert isinstance(ranker, Reranker)
    student = CausalStudent.load(folder, device="cpu")
    query, texts = tiny_students.LISTS[1]
    wanted = student.score([(query, texts)])[0].detach().tolist()
    [ranked] = ranker.rerank_many([Ranking.of(query, texts)])
    found = {hit.document.text: hit.score for hit in ranked}
    assert [found[text] for text in texts] == pytest.approx(wanted, abs=CLOSE)
    assert [hit.document.text for hit in ranked] == sorted(texts, key=lambda text: -(found[text] or 0))
    assert ranked.ranker == ranker.name
    assert ranked.usage.documents == len(texts)


def test_a_score_is_the_same_in_any_company(ranker: StudentRanker, isolated: StudentRanker) -> None:
    many = rankings()
    turned = [Ranking.of(r.query.text, [d.text for d in r.documents[::-1]]) for r in many[::-1]]
    exact, again = by_text(isolated.rerank_many(many)), by_text(isolated.rerank_many(turned))
    assert exact == again
    fast, other = by_text(ranker.rerank_many(many)), by_text(ranker.rerank_many(turned))
    assert fast == pytest.approx(exact, abs=CLOSE)
    assert other == pytest.approx(exact, abs=CLOSE)
    alone = {key: isolated.score_many([key])[0] for key in exact}
    assert alone == exact
    assert ranker.name != isolated.name


def test_nothing_is_lost(ranker: StudentRanker) -> None:
    [empty, ranked] = ranker.rerank_many(
        [Ranking.of("moon", []), Ranking.of("moon", ["a", "", "a", "b " * 900])], depth=4
    )
    assert len(empty) == 0
    assert sorted(ranked.ids) == ["1", "2", "3", "4"]
    [one, other] = [hit.score for hit in ranked if hit.document.text == "a"]
    assert one == other
    assert any("read only in part: 4" in note for note in ranked.notes)
    [partly] = ranker.rerank_many([Ranking.of("moon", ["sea", "sun", "oven"])], depth=1)
    assert partly.ids == ("1", "2", "3")
    assert partly.hits[1].score is None


def test_progress_and_counts(ranker: StudentRanker) -> None:
    told: list[tuple[int, int]] = []
    ranked = ranker.rerank_many(rankings(), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (18, 18)
    assert sum(r.usage.documents for r in ranked) == 18
    assert all(r.usage.prompt_tokens > 0 for r in ranked)


def test_a_name_changes_with_what_changes_an_order(folder: Path, ranker: StudentRanker, tmp_path: Path) -> None:
    from whyrank.train.causal import CausalStudent

    assert ranker.name == load_folder(folder, device="cpu").name
    student = CausalStudent.load(folder, device="cpu")
    with torch.no_grad():
        student.network.head.weight.add_(1e-4)
    student.save(tmp_path / "other", reasons="both")
    assert load_folder(tmp_path / "other", device="cpu").name != ranker.name


@pytest.mark.parametrize(
    ("how", "words"), [({"mode": "slow"}, "fast or isolated"), ({"batch_tokens": 0}, "batch_tokens=0")]
)
def test_settings_of_a_ranker(folder: Path, how: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        load_folder(folder, device="cpu", **how)


def test_what_is_no_student(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no reranker"):
        load_folder(tmp_path)


def test_too_little_memory_is_said(ranker: StudentRanker, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(ranker._network, "scores", full)
    with pytest.raises(ModelUnavailable, match="batch_tokens"):
        ranker.score_many([("moon", "sea")])

    def broken(*_: Any) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(ranker._network, "scores", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        ranker.score_many([("moon", "sea")])


# Reasons


def test_a_reason_is_written_token_by_token(ranker: StudentRanker) -> None:
    network = ranker._network
    asked = [Asked("direct", "moon", "the sea"), Asked("comparison", "moon", "the sea and the tide", "an oven")]
    said = ranker.reasons(asked)
    for one, found in zip(asked, said, strict=True):
        tokens = network.renderer.asked(*one)
        written: list[int] = []
        while len(written) < 24 and (not written or written[-1] != network.tokenizer.eos_token_id):
            with torch.inference_mode():
                logits = network.causal(torch.tensor([[*tokens, *written]])).logits[0, -1]
            written.append(int(logits.argmax()))
        assert found.text == network.tokenizer.decode(written, skip_special_tokens=True).strip()
        assert found.finish == ("stop" if written[-1] == network.tokenizer.eos_token_id else "length")
        assert found.usage.generated_tokens == len(written)
    assert ranker.reason("direct", "moon", "the sea").text == said[0].text


def test_only_what_was_taught_is_written(folder: Path, tmp_path: Path) -> None:
    from whyrank.train.causal import CausalStudent

    CausalStudent.load(folder, device="cpu").save(tmp_path / "half", reasons="direct")
    half = load_folder(tmp_path / "half", device="cpu")
    assert half.kinds == ("direct",)
    assert half.reason("direct", "moon", "the sea").usage.calls == 1
    with pytest.raises(BadInput, match="not taught comparison reasons"):
        half.reason("comparison", "moon", "the sea", "an oven")


def test_reading_the_manifest_loads_no_torch(folder: Path) -> None:
    code = (
        "import sys; from whyrank.rankers.student_folder import read_manifest; from whyrank.rankers import student; "
        f"read_manifest({str(folder)!r}); print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_manifest_says_all_that_is_needed(folder: Path) -> None:
    content = json.loads((folder / "reranker.json").read_text())
    assert content["format"] == "whyrank-reranker/1"
    assert content["kind"] == "causal-student"
    assert (content["adapter"], content["head"]) == ("adapter/", "rank_head.safetensors")
    assert {"base", "base_revision", "base_fingerprint", "dtype", "reasons", "trained", "layout"} < content.keys()
    assert (content["max_tokens"], content["query_tokens"], content["reason_tokens"]) == (96, 16, 24)
