"""The demo collection keeps its promises: whole, judged, and hard for whoever only counts words."""

import re

import pytest

from whyrank.datasets.demo import Demo, load_demo
from whyrank.types import Document

FUNCTION_WORDS = """a an and another as at be by can do does for from how in is it its my of on one only or that
the their to what when why with you your"""
STOP = frozenset(FUNCTION_WORDS.split())


def content_words(text: str) -> frozenset[str]:
    return frozenset(w for w in re.findall(r"[a-z]+", text.lower()) if len(w) > 1 and w not in STOP)


def shared(query: str, document: Document) -> int:
    return len(content_words(query) & content_words(document.full_text))


@pytest.fixture(scope="module")
def demo() -> Demo:
    return load_demo()


def test_there_is_enough_of_it_and_no_id_twice(demo: Demo) -> None:
    assert len(demo.documents) >= 38
    assert len({d.id for d in demo.documents}) == len(demo.documents)
    assert [q.id for q in demo.queries] == ["cookies", "bread", "heat-pump", "python", "cats", "eggs"]


def test_every_judgement_is_of_something_that_exists(demo: Demo) -> None:
    assert set(demo.qrels) == {q.id for q in demo.queries}
    assert {d for grades in demo.qrels.values() for d in grades} <= {d.id for d in demo.documents}
    assert {g for grades in demo.qrels.values() for g in grades.values()} == {0.0, 1.0, 2.0}


def test_texts_are_clean_and_of_the_promised_length(demo: Demo) -> None:
    for document in demo.documents:
        assert document.text == document.text.strip()
        assert "\n" not in document.text
        assert 2 <= len(re.findall(r"[.?!](?:\s|$)", document.text)) <= 10, document.id
        assert document.title is None or document.title.strip()
    assert any(d.title is None for d in demo.documents)
    assert max(len(d.text) for d in demo.documents) > 900


def test_every_query_has_an_answer_and_four_documents_that_only_share_its_words(demo: Demo) -> None:
    for query in demo.queries:
        grades = demo.qrels[query.id]
        assert sum(grade == 2 for grade in grades.values()) == 1
        decoys = [d for d in demo.documents if grades.get(d.id) == 0 and shared(query.text, d) >= 2]
        assert len(decoys) >= 4, query.id


def test_counting_shared_words_puts_a_wrong_document_first_for_most_queries(demo: Demo) -> None:
    wrong = [
        query.id
        for query in demo.queries
        if not demo.qrels[query.id].get(max(demo.documents, key=lambda d: shared(query.text, d)).id)
    ]
    assert len(wrong) >= 4
