"""Checks a saved ranking and its reasons: against themselves, and against the ranker that made them.

Nothing here trusts what it reads. A check that fails says what was expected and what was found.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import isfinite

from whyrank.errors import BadInput
from whyrank.reason import comparison as comparisons
from whyrank.reason import counterfactual as counterfactuals
from whyrank.reason import direct as directs
from whyrank.reason import fused
from whyrank.reason.checks import Check, Report, is_close, same_bits, total
from whyrank.reason.phrases import place, worth_naming
from whyrank.reason.recheck import recheck, unlike
from whyrank.reason.stated import Verdict, comparison_values, direct_values, judge
from whyrank.reason.writers import has_numbers, held, named
from whyrank.types import Comparison, Counterfactual, Direct, Document, Evidence, Hit, Ranking, Scorer, Span

OTHER_WORDING = "not in the words that whyrank writes from these numbers; only its numbers and quotes were checked"


def verify(ranking: Ranking, scorer: Scorer | None = None) -> Report:
    """Check all that can be checked of a ranking and its reasons.

    Without a scorer: that the order follows the scores, that nothing is missing or doubled, that every quote is
    exactly its span, that every sum holds, and that the English says what the numbers say. With one: also that
    it gives the same scores, bit for bit, and that every counterfactual holds when it is scored again.

    Reasons that a language model wrote follow from no numbers: they are held to their quotes and must bear no numbers
    of ours, and a reason that follows from nothing must name its writer. Of hits that were placed without scores
    nothing is claimed but that they stand above those that were not read.

    Args:
        ranking: a ranking, with or without explanations.
        scorer: the ranker that made it.
    """
    checks = [*_permutation(ranking), *_order(ranking)]
    if ranking.explanations is not None:
        hits = {hit.document.id: hit for hit in ranking.hits}
        reasons = {d.document_id: d for d in ranking.explanations.direct if not d.source}
        checks += named(f"query {ranking.query.id!r}", ranking.explanations)
        for direct in ranking.explanations.direct:
            checks += _direct(ranking, hits, direct)
        for comparison in ranking.explanations.comparisons:
            checks += _comparison(ranking, hits, reasons, comparison)
    if scorer is not None:
        checks += recheck(ranking, scorer)
    if scorer is not None and ranking.ranker == scorer.name:
        # Its reasons are ours to the letter: other words were put there by somebody else.
        checks = [replace(check, ok=check.ok and check.message != OTHER_WORDING) for check in checks]
    return Report(tuple(checks))


def _permutation(ranking: Ranking) -> Iterator[Check]:
    subject = f"query {ranking.query.id!r}"
    twice = sorted(name for name, count in Counter(ranking.ids).items() if count > 1)
    yield Check("permutation", subject, not twice, f"documents stand twice: {', '.join(twice)}" if twice else "")
    ranks = Counter(hit.first_rank for hit in ranking.hits)
    if set(ranks) <= {0}:
        note = "no original ranks are saved, so missing documents cannot be told" if ranking.hits else ""
        yield Check("permutation", subject, True, note)
        return
    doubled = sorted(rank for rank, count in ranks.items() if count > 1)
    yield Check("permutation", subject, not doubled, f"original ranks stand twice: {doubled}" if doubled else "")
    given = len(ranking.hits) + ranking.left_out
    last = given if ranking.left_out else max(given, *ranks)
    missing = [] if ranking.left_out else sorted(set(range(1, last + 1)) - set(ranks))
    outside = sorted(rank for rank in ranks if not 1 <= rank <= last)
    message = f"original ranks 1 to {last} were expected; {(missing + outside)[:10]} are missing or out of range"
    yield Check("permutation", subject, not (missing or outside), message if missing or outside else "")


def _order(ranking: Ranking) -> Iterator[Check]:
    for upper, lower in pairwise(ranking.hits):
        subject = f"query {ranking.query.id!r}, documents {upper.document.id!r} and {lower.document.id!r}"
        expected = _disorder(upper, lower)
        found = [f"{hit.document.id!r} (score {hit.score!r}, rank {hit.first_rank})" for hit in (upper, lower)]
        message = f"expected {expected}; found {found[0]} above {found[1]}" if expected else ""
        yield Check("order", subject, not expected, message)
    for count, how in (
        (sum(hit.placed and hit.score is None for hit in ranking.hits), "without scores"),
        (sum(hit.placed and hit.score is not None for hit in ranking.hits), "otherwise than by their scores"),
    ):
        if not count:
            continue
        is_one = count == 1
        message = (
            f"{count} document{' was' if is_one else 's were'} placed {how}: nothing shows "
            f"{'its' if is_one else 'their'} order but the word of the ranker"
        )
        yield Check("order", f"query {ranking.query.id!r}", True, message)


def _disorder(upper: Hit, lower: Hit) -> str:
    """What was expected of two neighbours that stand the wrong way round; "" where they do not."""
    if not upper.is_read:
        if lower.is_read:
            return "documents that were not read below those that were"
        return "" if upper.first_rank <= lower.first_rank else "documents that were not read in their original order"
    if upper.score is None or lower.score is None or upper.placed or lower.placed:
        return "" if upper.placed or not lower.placed else "documents that were placed above those that were not"
    ok = upper.standing(upper.score) <= lower.standing(lower.score)
    ok = ok and isfinite(upper.score) and isfinite(lower.score)
    return "" if ok else "descending scores, ties by original rank, then id"


def _direct(ranking: Ranking, hits: dict[str, Hit], direct: Direct) -> Iterator[Check]:
    subject = f"query {ranking.query.id!r}, document {direct.document_id!r}"
    hit = hits.get(direct.document_id)
    if hit is None:
        yield Check("explained", subject, False, "a reason is given for it, but it is not in the ranking")
        return
    yield held(subject, direct)
    spans = [t.span for t in direct.terms if t.span] + [e.span for e in direct.evidence if e.span]
    spans += [direct.pointed] if direct.pointed else []
    damage = _damage(hit.document, spans, [t.value for t in direct.terms])
    yield Check("spans", subject, not damage, damage)
    if damage:
        return
    if direct.score is not None:
        ok = same_bits(direct.score, hit.score)
        yield Check("score", subject, ok, "" if ok else f"explains {direct.score!r}, but it ranks with {hit.score!r}")
    for number, evidence in enumerate(direct.evidence, 1):
        yield from _evidence(subject, hit.document, direct, evidence, number)
    if direct.score is None and direct.terms:
        yield _text(subject, judge(direct.text, fused.wording(direct.terms), direct_values(direct), [], ranking.query))
    elif has_numbers(direct):
        yield _sums("sum", subject, "terms", total(t.value for t in direct.terms), "score", direct.score)
        quotable = [(hit.document, span) for span in spans]
        expected = directs.wording(hit.document, direct.terms, direct.pointed)
        verdict = judge(direct.text, expected, direct_values(direct), quotable, ranking.query)
        yield _text(subject, verdict)


def _evidence(subject: str, document: Document, direct: Direct, evidence: Evidence, number: int) -> Iterator[Check]:
    yield _found(subject, f"evidence {number}", document, evidence)
    if evidence.span is None:
        return
    if evidence.contribution is None:
        return
    nothing = directs.Carried(evidence.span, 0.0, ())
    carried = {c.span: c for c in directs.carried(direct.terms)}.get(evidence.span, nothing)
    if carried is nothing and evidence.contribution:
        where = f"{evidence.span.field} {evidence.span.start}:{evidence.span.end}"
        message = f"evidence {number} adds {evidence.contribution!r}, but no term belongs to {where}"
        yield Check("evidence", subject, False, message)
        return
    yield _sums("evidence", subject, f"terms of evidence {number}", carried.contribution, "it", evidence.contribution)
    expected = worth_naming(carried.query_terms)
    ok = evidence.query_terms == expected
    message = f"evidence {number} meets {evidence.query_terms}, but its terms give {expected}"
    yield Check("evidence", subject, ok, "" if ok else message)


def _comparison(
    ranking: Ranking, hits: dict[str, Hit], reasons: dict[str, Direct], comparison: Comparison
) -> Iterator[Check]:
    subject = f"query {ranking.query.id!r}, {comparison.upper_id!r} above {comparison.lower_id!r}"
    upper, lower = hits.get(comparison.upper_id), hits.get(comparison.lower_id)
    if upper is None or lower is None:
        absent = comparison.upper_id if upper is None else comparison.lower_id
        yield Check("explained", subject, False, f"document {absent!r} is compared, but it is not in the ranking")
        return
    ok = ranking.ids.index(comparison.upper_id) < ranking.ids.index(comparison.lower_id)
    yield Check("order", subject, ok, "" if ok else f"{comparison.upper_id!r} does not stand above in the ranking")
    yield held(subject, comparison)
    damage = _comparison_damage(upper.document, lower.document, comparison)
    yield Check("spans", subject, not damage, damage)
    if damage:
        return
    for number, evidence in enumerate(comparison.upper_evidence, 1):
        yield _found(subject, f"evidence {number} of the upper", upper.document, evidence)
    for number, evidence in enumerate(comparison.lower_evidence, 1):
        yield _found(subject, f"evidence {number} of the lower", lower.document, evidence)
    if comparison.counterfactual is not None:
        yield from _counterfactual(subject, upper, lower, comparison.counterfactual)
        yield _text(subject, _judge_turning(ranking, upper, lower, comparison, comparison.counterfactual))
    if not has_numbers(comparison):
        return
    yield from _margin(subject, upper, lower, comparison)
    sides = [reasons[d].terms if d in reasons else None for d in (comparison.upper_id, comparison.lower_id)]
    message = unlike(comparison.differences, sides[0], sides[1])
    yield Check("difference", subject, not message, message)
    yield _text(subject, _judge_comparison(ranking, upper.document, lower.document, comparison))


def _margin(subject: str, upper: Hit, lower: Hit, comparison: Comparison) -> Iterator[Check]:
    scored = upper.score is not None and lower.score is not None
    expected = upper.score - lower.score if upper.score is not None and lower.score is not None else None
    found = comparison.margin
    ok = scored and found is not None and expected is not None and is_close(found, expected)
    yield Check("margin", subject, ok, "" if ok else f"the margin is {found!r}; the scores give {expected!r}")
    yield _sums("margin", subject, "differences", total(d.value for d in comparison.differences), "margin", found)


def _judge_comparison(ranking: Ranking, upper: Document, lower: Document, comparison: Comparison) -> Verdict:
    expected = comparisons.wording(upper, lower, comparison.margin or 0.0, comparison.differences)
    values, quotable = comparison_values(comparison), _quotable(upper, lower, comparison)
    return judge(comparison.text, expected, values, quotable, ranking.query)


def _judge_turning(ranking: Ranking, upper: Hit, lower: Hit, comparison: Comparison, found: Counterfactual) -> Verdict:
    kept = comparisons.is_first_score_kept(comparison.differences)
    expected = counterfactuals.wording(upper.document, found, is_first_score_kept=kept)
    values = [v for v in (found.score, upper.score, lower.score) if v is not None]
    quotable = _quotable(upper.document, lower.document, comparison)
    return judge(found.text, expected, values, quotable, ranking.query)


def _quotable(upper: Document, lower: Document, comparison: Comparison) -> list[tuple[Document, Span]]:
    removed = comparison.counterfactual.removed if comparison.counterfactual else ()
    ours = [*removed, *(d.upper_span for d in comparison.differences if d.upper_span)]
    theirs = [d.lower_span for d in comparison.differences if d.lower_span]
    return [*((upper, span) for span in ours), *((lower, span) for span in theirs)]


def _counterfactual(subject: str, upper: Hit, lower: Hit, found: Counterfactual) -> Iterator[Check]:
    counted = len(found.quotes) == len(found.removed)
    message = f"{len(found.removed)} sentences are removed, but {len(found.quotes)} are quoted"
    yield Check("quote", subject, counted, "" if counted else message)
    for number, (span, quote) in enumerate(zip(found.removed, found.quotes, strict=False), 1):
        yield _quote(subject, f"removed sentence {number}", upper.document, span, quote)
    ok = list(found.removed) == sorted(set(found.removed), key=place)
    yield Check("counterfactual", subject, ok, "" if ok else "the removed sentences are not in document order")
    if found.status != "flips":
        ok = not found.removed and found.score is None and not found.minimal
        yield Check("counterfactual", subject, ok, "" if ok else f"says {found.status}, yet names a removal")
        return
    ok = bool(found.removed) and found.score is not None and lower.score is not None
    ok = ok and upper.standing(found.score or 0.0) > lower.standing(lower.score or 0.0)
    message = f"claims a flip, but {upper.document.id!r} with {found.score!r} does not fall below {lower.score!r}"
    yield Check("counterfactual", subject, ok, "" if ok else message)


def _found(subject: str, what: str, document: Document, evidence: Evidence) -> Check:
    if evidence.span is None:
        return Check("quote", subject, True, f"{what} is marked as not found in the document")
    return _quote(subject, what, document, evidence.span, evidence.quote)


def _quote(subject: str, what: str, document: Document, span: Span, quote: str) -> Check:
    found = document.quote(span)
    message = f"{what} says {quote!r}, but {span.field} {span.start}:{span.end} reads {found!r}"
    return Check("quote", subject, quote == found, "" if quote == found else message)


def _sums(name: str, subject: str, parts: str, summed: float, whole: str, said: float | None) -> Check:
    ok = said is not None and is_close(summed, said)
    return Check(name, subject, ok, "" if ok else f"the {parts} sum to {summed!r}, but {whole} says {said!r}")


def _text(subject: str, verdict: Verdict) -> Check:
    if verdict.problems:
        return Check("text", subject, False, "the text " + "; ".join(verdict.problems))
    return Check("text", subject, True, "" if verdict.is_own_wording else OTHER_WORDING)


def _damage(document: Document, spans: Sequence[Span], values: Sequence[float]) -> str:
    """What makes the numbers unusable; "" where nothing does."""
    try:
        for span in spans:
            document.quote(span)
    except BadInput as error:
        return str(error)
    return "" if all(map(isfinite, values)) else "a contribution is no finite number"


def _comparison_damage(upper: Document, lower: Document, comparison: Comparison) -> str:
    removed = comparison.counterfactual.removed if comparison.counterfactual else ()
    ours = [d.upper_span for d in comparison.differences if d.upper_span] + list(removed)
    ours += [e.span for e in comparison.upper_evidence if e.span]
    theirs = [d.lower_span for d in comparison.differences if d.lower_span]
    theirs += [e.span for e in comparison.lower_evidence if e.span]
    values = [v for d in comparison.differences for v in (d.upper, d.lower)]
    values += [comparison.margin] if comparison.margin is not None else []
    return _damage(upper, ours, values) or _damage(lower, theirs, [])
