"""How a query and a document become one row of tokens for a classifier."""

from typing import Any

import pytest

pytest.importorskip("transformers")

import tiny
import tiny_cross_encoders
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.rankers.known import known_classifiers
from whyrank.rankers.pair_format import Joined, PairFormat, Row
from whyrank.types import Document

BEGIN = tiny_cross_encoders.BEGIN
WORDED: dict[str, Any] = {"query": "query: {query}", "document": "document: {document}"}
DEAR = known_classifiers()["abdoelsayed/dear-8b-reranker-ce-v1"].pair
LLAMA, BERT = tiny_cross_encoders.llama_tokenizer(), tiny_cross_encoders.bert_tokenizer()


def row(fmt: PairFormat, query: str, document: str, tokenizer: Any = LLAMA) -> Row:
    [found] = fmt.rows(tokenizer, [(query, document)])
    return found


@pytest.mark.parametrize(
    ("joined", "expected"),
    [
        ("plain", f"{BEGIN}query: the moondocument: a tide"),
        ("each", f"{BEGIN}query: the moon{BEGIN}document: a tide"),
        ("pair", f"{BEGIN}query: the moon{BEGIN}document: a tide"),
    ],
)
def test_the_forms_of_a_pair(joined: Joined, expected: str) -> None:
    found = row(PairFormat(**WORDED, joined=joined), "the moon", "a tide")
    assert LLAMA.decode(found.tokens) == expected
    assert found.tokens.count(LLAMA.bos_token_id) == expected.count(BEGIN)
    assert found.left_out == 0


def test_a_tokenizer_without_a_beginning_gets_none() -> None:
    bare = tiny.byte_tokenizer()
    for joined in ("plain", "each"):
        found = row(PairFormat(**WORDED, joined=joined), "moon", "sea", bare)
        assert bare.decode(found.tokens) == "query: moondocument: sea"


def test_an_encoder_reads_its_own_form_with_types() -> None:
    own = BERT("the moon", "a tide and the sea")
    found = row(PairFormat(), "the moon", "a tide and the sea", BERT)
    assert list(found.tokens) == own["input_ids"]
    assert list(found.types) == own["token_type_ids"]
    assert sorted(set(found.types)) == [0, 1]


def test_dear_reads_as_its_examples_do() -> None:
    document = Document("1", "the sea and the sun")
    titled = Document("2", "the sea and the sun", title="tide")
    for one, words in ((document, "document:  the sea and the sun"), (titled, "document: tide the sea and the sun")):
        found = row(DEAR, "the moon", DEAR.text_of(one))
        assert list(found.tokens) == LLAMA("query: the moon", words)["input_ids"]
    long = row(DEAR, "moon " * 99, "sea " * 999)
    assert len(long.tokens) == 1 + 32 + 1 + 193
    assert LLAMA.decode(long.tokens[1:33]).startswith("query: moon moon")


@pytest.mark.parametrize(("tokenizer", "joined"), [(LLAMA, "plain"), (LLAMA, "each"), (LLAMA, "pair"), (BERT, "pair")])
def test_what_is_cut_is_counted_in_characters(tokenizer: Any, joined: Joined) -> None:
    fmt = PairFormat(**WORDED, query_tokens=8, max_tokens=24, joined=joined)
    text = "the sea and the moon " * 30
    found = row(fmt, "light", text, tokenizer)
    assert len(found.tokens) == 24
    kept = text[: len(text) - found.left_out]
    assert row(fmt, "light", kept, tokenizer).tokens == found.tokens
    assert row(fmt, "light", kept, tokenizer).left_out == 0
    assert row(fmt, "light", "sea", tokenizer).left_out == 0


def test_a_long_document_is_put_into_tokens_only_as_far_as_it_is_read() -> None:
    found = row(PairFormat(**WORDED, max_tokens=64, query_tokens=8, joined="plain"), "moon", "word " * 50_000)
    assert len(found.tokens) == 64
    assert 249_000 < found.left_out < 250_000


def test_documents_of_a_query_begin_alike() -> None:
    rows = PairFormat(**WORDED, joined="plain").rows(LLAMA, [("the moon", "sea"), ("the moon", "\n the sun " * 9)])
    shared = len(LLAMA("query: the moon")["input_ids"])
    assert rows[0].tokens[:shared] == rows[1].tokens[:shared]


@given(st.text(max_size=60), st.text(max_size=200))
def test_no_text_gets_a_control_token_in(query: str, document: str) -> None:
    dirty = f"{query}<|im_end|>{BEGIN}", f"{document}[SEP]<|im_end|>{BEGIN}[CLS]"
    one = row(DEAR, *dirty)
    assert one.tokens.count(LLAMA.bos_token_id) == 2
    assert LLAMA.eos_token_id not in one.tokens
    assert len(one.tokens) <= DEAR.max_tokens
    other = row(PairFormat(), *dirty, BERT)
    assert (other.tokens.count(BERT.cls_token_id), other.tokens.count(BERT.sep_token_id)) == (1, 2)
    assert len(other.types) == len(other.tokens) <= 512


def test_empty_texts_are_rows_too() -> None:
    for joined in ("plain", "each", "pair"):
        assert row(PairFormat(joined=joined), "", "").tokens
    assert row(PairFormat(), "", "", tiny.byte_tokenizer()).tokens
    assert row(PairFormat(), "", "", BERT).tokens == (BERT.cls_token_id, BERT.sep_token_id, BERT.sep_token_id)
    assert PairFormat().rows(LLAMA, []) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"query": "query: "}, "end with {query}"),
        ({"document": "{document} {document}"}, "end with {document}"),
        ({"joined": "glued"}, "no form of pairs 'glued'"),
        ({"query_tokens": 0}, "query_tokens=0"),
        ({"document_tokens": 0}, "document_tokens=0"),
        ({"max_tokens": 40, "query_tokens": 32}, "max_tokens=40; give at least 44"),
    ],
)
def test_formats_that_cannot_be(how: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        PairFormat(**how)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tokens": 9}, "no setting 'tokens' of pairs; known: query, document"),
        ({"max_tokens": "9"}, "give a whole number"),
        ({"max_tokens": None}, "give a whole number"),
        ({"joined": 1}, "give a text"),
    ],
)
def test_values_that_are_no_format(values: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        PairFormat.parse(values)


def test_a_format_is_read_back() -> None:
    from dataclasses import asdict

    assert PairFormat.parse(asdict(DEAR)) == DEAR
    assert PairFormat.parse({"document_tokens": None}) == PairFormat()


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(BadInput, match="Slow gives no offsets"):
        PairFormat().rows(Slow(), [("moon", "sea")])
