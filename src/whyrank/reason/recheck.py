"""The part of a verification that asks the ranker again: the same bits, the same terms, the same flips."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

from whyrank.reason.checks import Check, is_close, same_bits
from whyrank.reason.comparison import differ
from whyrank.reason.counterfactual import BUDGET
from whyrank.reason.writers import has_numbers
from whyrank.types import Comparison, Counterfactual, Decomposition, Difference, Hit, Ranking, Scorer, Span, Term

RETRIED = BUDGET
"""Sets that a claim about all of them is checked against: as many as may have been scored to make it."""


def recheck(ranking: Ranking, scorer: Scorer) -> Iterator[Check]:
    """Score a ranking and what its reasons claim again."""
    subject = f"query {ranking.query.id!r}"
    if ranking.ranker not in ("", scorer.name):
        message = f"made by {ranking.ranker!r}, verified with {scorer.name!r}; verify with the ranker that made it"
        yield Check("ranker", subject, False, message)
        return
    yield Check("ranker", subject, True, "" if ranking.ranker else "the ranking does not say what made it")
    read = [hit for hit in ranking.hits if hit.score is not None]
    again = scorer.score(ranking.query, [h.document for h in read], [h.first_score for h in read])
    for hit, score in zip(read, again, strict=True):
        ok = same_bits(hit.score, score)
        message = f"the saved score is {hit.score!r}; scored again it is {score!r}"
        yield Check("rescored", f"{subject}, document {hit.document.id!r}", ok, "" if ok else message)
    if ranking.explanations is not None:
        yield from _reasons(ranking, scorer, {hit.document.id: hit for hit in read})


def unlike(differences: Sequence[Difference], upper: Sequence[Term] | None, lower: Sequence[Term] | None) -> str:
    """How saved differences deviate from those of the terms; "" if they do not. A side that is None is not known."""
    expected = {(d.part, d.query_term): d for d in differ(upper or (), lower or ())}
    found = {(d.part, d.query_term): d for d in differences}
    if len(found) != len(differences):
        return "a part and query term is given twice"
    if upper is not None and lower is not None and set(found) != set(expected):
        return f"the differences are about {sorted(map(str, found))}, the terms about {sorted(map(str, expected))}"
    for key in {**found, **expected}:
        saved, given = found.get(key), expected.get(key)
        for side, terms in (("upper", upper), ("lower", lower)):
            if terms is None:
                continue
            says = (getattr(saved, side, 0.0), getattr(saved, f"{side}_span", None))
            gives = (getattr(given, side, 0.0), getattr(given, f"{side}_span", None))
            if not is_close(says[0], gives[0]) or says[1] != gives[1]:
                return f"{' / '.join(filter(None, key))} of the {side} is {says}; its terms give {gives}"
    return ""


def _reasons(ranking: Ranking, scorer: Scorer, hits: dict[str, Hit]) -> Iterator[Check]:
    assert ranking.explanations is not None
    directs = [d for d in ranking.explanations.direct if has_numbers(d) and d.document_id in hits]
    pairs = [c for c in ranking.explanations.comparisons if c.upper_id in hits and c.lower_id in hits]
    wanted = [hits[i] for i in dict.fromkeys([d.document_id for d in directs] + [i for c in pairs for i in _ids(c)])]
    fresh = scorer.decompose(ranking.query, [h.document for h in wanted], [h.first_score for h in wanted])
    apart = {hit.document.id: decomposition for hit, decomposition in zip(wanted, fresh, strict=True)}
    for direct in directs:
        subject = f"query {ranking.query.id!r}, document {direct.document_id!r}"
        message = _unlike_terms(direct.terms, apart[direct.document_id].terms)
        yield Check("terms", subject, not message, message)
        pointed = apart[direct.document_id].pointed
        if direct.pointed is not None or pointed is not None:
            ok = direct.pointed == pointed
            message = "" if ok else f"is said to point at {direct.pointed}; read again it points at {pointed}"
            yield Check("pointed", subject, ok, message)
    for comparison in pairs:
        subject = f"query {ranking.query.id!r}, {comparison.upper_id!r} above {comparison.lower_id!r}"
        if comparison.differences:
            message = unlike(comparison.differences, *(apart[i].terms for i in _ids(comparison)))
            yield Check("terms", subject, not message, message)
        if comparison.counterfactual is not None:
            claim = _Claim(ranking, scorer, hits[comparison.upper_id], hits[comparison.lower_id], subject)
            yield from claim.check(comparison.counterfactual, apart[comparison.upper_id])


def _ids(comparison: Comparison) -> tuple[str, str]:
    return comparison.upper_id, comparison.lower_id


def _unlike_terms(saved: Sequence[Term], fresh: Sequence[Term]) -> str:
    if len(saved) != len(fresh):
        return f"{len(saved)} terms are saved; taken apart again it has {len(fresh)}"
    for old, new in zip(saved, fresh, strict=True):
        same = (old.part, old.query_term, old.span) == (new.part, new.query_term, new.span)
        if not same or not is_close(old.value, new.value):
            return f"the saved term is {old}; taken apart again it is {new}"
    return ""


class _Claim:
    """A counterfactual of one pair, to be tried again."""

    def __init__(self, ranking: Ranking, scorer: Scorer, upper: Hit, lower: Hit, subject: str) -> None:
        self.query, self.scorer, self.upper, self.lower, self.subject = ranking.query, scorer, upper, lower, subject

    def check(self, found: Counterfactual, decomposition: Decomposition) -> Iterator[Check]:
        sentences = decomposition.sentences
        strange = [span for span in found.removed if span not in sentences]
        message = f"removes {strange}, which are not sentences of {self.upper.document.id!r}"
        yield Check("counterfactual", self.subject, not strange, message if strange else "")
        if strange or found.status == "unknown":
            return
        if found.status == "impossible":
            yield self._impossible(sentences)
            return
        [score] = self._scores([found.removed])
        ok = same_bits(score, found.score) and self._flips(score)
        message = f"claims the score {found.score!r} and a flip; scored again it is {score!r}, {self._against()}"
        yield Check("counterfactual", self.subject, ok, "" if ok else message)
        if found.minimal:
            yield self._none_flips("minimal", sentences, range(1, len(found.removed)), "claims to be the smallest")

    def _impossible(self, sentences: Sequence[Span]) -> Check:
        if not self._flips(self.scorer.floor(self.upper.first_score)):
            return Check("counterfactual", self.subject, True)
        if 2 ** len(sentences) - 1 > RETRIED:
            message = (
                f"claims to be impossible, but no bound shows it and {len(sentences)} sentences are too many to try"
            )
            return Check("counterfactual", self.subject, False, message)
        return self._none_flips("counterfactual", sentences, range(1, len(sentences) + 1), "claims to be impossible")

    def _none_flips(self, name: str, sentences: Sequence[Span], sizes: range, claim: str) -> Check:
        tries = sum(comb(len(sentences), size) for size in sizes)
        if tries > RETRIED:
            note = f"{claim}: {tries} sets would have to be scored, more than {RETRIED}; not checked"
            return Check(name, self.subject, True, note)
        sets = [removed for size in sizes for removed in combinations(sentences, size)]
        for removed, score in zip(sets, self._scores(sets), strict=True):
            if self._flips(score):
                message = f"{claim}, but without {list(removed)} the score is {score!r}, {self._against()}"
                return Check(name, self.subject, False, message)
        return Check(name, self.subject, True)

    def _scores(self, sets: Sequence[Sequence[Span]]) -> list[float]:
        if not sets:
            return []
        documents = [self.upper.document.without(removed) for removed in sets]
        return self.scorer.score(self.query, documents, [self.upper.first_score] * len(sets))

    def _flips(self, score: float) -> bool:
        assert self.lower.score is not None
        return self.upper.standing(score) > self.lower.standing(self.lower.score)

    def _against(self) -> str:
        return f"against {self.lower.score!r} of {self.lower.document.id!r}"
