"""Matching and weighing, by hand: what a passage gives, how passages merge, which weight belongs to which part."""

import math
from pathlib import Path

import numpy as np
import pytest

from whyrank.encode.passages import CLS, SEP, Passage
from whyrank.rankers import evidence
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.rankers.matching import Asked, Match, Sheet, match
from whyrank.types import Document, Query, Ranking, Span

DOCUMENT = Document("d", "Up it. Along up.")
SHEET = Sheet.of(DOCUMENT)
UP, ALONG = [0.0, 1.0], [1.0, 0.0]
ASKED = Asked(np.array(ALONG, np.float32), np.array([UP, ALONG], np.float32), ("up", "along"), 4)


def found(
    words: list[float],
    places: list[int],
    sentence: list[float],
    place: int,
    document: float = 0.0,
    alone: tuple[float, ...] = (0.0, 0.0),
) -> Match:
    cosines, by_sentence = np.array(sentence, np.float32), np.array(alone, np.float32)
    return Match(document, np.array(words, np.float32), np.array(places), cosines, place, by_sentence)


def test_one_passage() -> None:
    """Tokens up (twice as long) and it (between both) in the first sentence, along and up in the second."""
    passage = Passage((CLS, 1, 2, 3, 1, SEP), ((0, 2), (3, 5), (7, 12), (13, 15)))
    vectors = np.array([[0, 0], [0, 2], [1, 1], [1, 0], [0, 1], [0, 0]], np.float32)
    one = match(ASKED, SHEET, passage, vectors)
    assert one is not None
    assert SHEET.spans == (Span(0, 6), Span(7, 16))
    assert one.words.tolist() == [1.0, 1.0]
    assert one.word_places.tolist() == [0, 1]  # "up" stands in both sentences: the earlier has it
    assert one.sentence_place == 1  # there both words are met in full; in the first, along only by √½
    assert one.sentence.tolist() == [1.0, 1.0]
    assert one.by_sentence.tolist() == pytest.approx([(1 + math.sqrt(0.5)) / 2, 1.0])
    assert one.document == pytest.approx(2 / math.sqrt(2**2 + 4**2))


def test_a_sentence_that_was_not_read_is_told_from_one_that_does_not_match() -> None:
    passage = Passage((CLS, 3, SEP), ((7, 12),))
    one = match(ASKED, SHEET, passage, np.array([[0, 0], [0, -1], [0, 0]], np.float32))
    assert one is not None
    assert one.by_sentence.tolist() == [-1.0, -0.5]


def test_passages_merge_to_the_better_of_both_in_either_order() -> None:
    first = found([0.9, 0.2], [0, 0], [0.9, 0.2], 0, document=0.3, alone=(0.55, 0.1))
    second = found([0.4, 0.8], [3, 2], [0.4, 0.8], 3, document=0.5, alone=(-1.0, 0.6))
    for merged in (first.merge(second), second.merge(first)):
        assert merged.words.tolist() == pytest.approx([0.9, 0.8])
        assert merged.word_places.tolist() == [0, 2]
        assert merged.sentence.tolist() == pytest.approx([0.4, 0.8])
        assert merged.sentence_place == 3
        assert merged.document == 0.5
        assert merged.by_sentence.tolist() == pytest.approx([0.55, 0.6])


def test_equal_passages_merge_to_the_earlier_sentence() -> None:
    early, late = found([0.5], [1], [0.5], 1), found([0.5], [4], [0.5], 4)
    for merged in (early.merge(late), late.merge(early)):
        assert (merged.word_places.tolist(), merged.sentence_place) == ([1], 1)


def settings(**values: float) -> str:
    return "\n".join(f"{name} = {value}" for name, value in values.items())


@pytest.fixture
def odd_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EvidenceRanker:
    """Weights that cannot be mistaken for one another."""
    path = tmp_path / "odd.toml"
    scored = settings(document=1.0, words=10.0, sentence=100.0, first_stage=1000.0, half=3.0)
    bare = settings(document=2.0, words=20.0, sentence=200.0)
    path.write_text(f'version = "1"\n[with_first_stage]\n{scored}\n[without_first_stage]\n{bare}\n')
    monkeypatch.setattr(evidence, "FITTED", path)
    return EvidenceRanker(threads=1)


def test_each_part_has_its_own_weight(odd_weights: EvidenceRanker) -> None:
    query, document = Query("q", "why is the sky blue?"), Document("d", "Bread is baked. The sky is blue.")
    [[parts]] = odd_weights.similarities([Ranking.of(query, [document])])
    assert 0 < parts.sentence < parts.words < 1
    scored, bare = (odd_weights.score(query, [document], [first])[0] for first in (9.0, None))
    similar = parts.document + 10 * parts.words + 100 * parts.sentence
    assert scored == pytest.approx(similar + 1000 * 9 / (3 + 9), abs=1e-4)
    assert bare == pytest.approx(2 * similar, abs=1e-4)
    [against] = odd_weights.score(query, [document], [-9.0])
    assert against == pytest.approx(similar - 1000 * 9 / (3 + 9), abs=1e-4)


def test_other_weights_make_another_name(odd_weights: EvidenceRanker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert EvidenceRanker(threads=1).name != odd_weights.name
