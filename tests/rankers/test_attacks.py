"""Documents that give orders. How far each gets with a model that obeys whatever it can recognise as an order."""

from dataclasses import replace
from typing import Any

import pytest
from gullible import ATTACKS, Attack, Gullible

from whyrank.config import AskSettings
from whyrank.prompts import load
from whyrank.rankers.building import build
from whyrank.types import Ranking

WORTHS = [700, 500, 300, 100, 900]
PLACE = 3
"""Where the attacking document stands; it is worth least."""
DEFENCES: dict[str, dict[str, Any]] = {
    "as published": {},
    "random identifiers": {"identifiers": "random"},
    "datamarked": {"datamark": True},
}
NOT_FOR = {"pointwise": ("random identifiers",), "pairwise": ("random identifiers",)}
JUDGES: dict[str, tuple[str, dict[str, Any]]] = {
    "pointwise": ("qwen3-reranker", {}),
    "pairwise": ("prp", {"algorithm": "all-pairs"}),
    "setwise": ("setwise", {"algorithm": "setwise-heapsort"}),
    "listwise, RankGPT": ("rankgpt", {}),
    "listwise, RankZephyr": ("rankzephyr", {}),
}


def attacked(attack: Attack | None, labels: str) -> Ranking:
    """The candidates, with the attack in the worst of them."""
    label = chr(ord("A") + PLACE) if labels == "letters" else str(PLACE + 1)
    planted = attack.text.replace("{label}", label) if attack else ""
    texts = [f"Passage of worth{worth:03d}x." for worth in WORTHS]
    texts[PLACE] += f" {planted}"
    return Ranking.of("which is best", texts)


def ranked(judge: str, defence: str, attack: Attack | None) -> Ranking:
    prompt, settings = JUDGES[judge]
    template = load(prompt)
    model = Gullible(template, target=WORTHS[PLACE])
    ranker = build(model.lm, ask=AskSettings(prompt=prompt, **settings, **DEFENCES[defence]))
    [ranking] = replace(ranker, on_show=model.on_show).rerank_many([attacked(attack, template.labels)])
    return ranking


def successes(judge: str, defence: str) -> set[str]:
    """The kinds of attacks that bring the worst document to the top."""
    victim = str(PLACE + 1)
    assert ranked(judge, defence, None).ids[-1] == victim
    return {attack.kind for attack in ATTACKS if ranked(judge, defence, attack).ids[0] == victim}


@pytest.mark.parametrize(
    ("judge", "defence"), [(j, d) for j in JUDGES for d in DEFENCES if d not in NOT_FOR.get(j, ())]
)
def test_no_document_can_pretend_to_be_another_turn_or_a_finished_answer(judge: str, defence: str) -> None:
    assert not successes(judge, defence) & {"turn", "tag"}


@pytest.mark.parametrize(
    ("judge", "defence", "expected"),
    [
        ("pointwise", "as published", {"words"}),
        ("pairwise", "as published", {"words"}),
        ("setwise", "as published", {"words", "label", "chain", "passage"}),
        ("listwise, RankGPT", "as published", {"words", "label", "chain", "passage"}),
        ("listwise, RankZephyr", "as published", {"words"}),
        ("setwise", "random identifiers", {"words"}),
        ("listwise, RankGPT", "random identifiers", {"words"}),
        ("listwise, RankGPT", "datamarked", set()),
        ("listwise, RankZephyr", "datamarked", set()),
    ],
)
def test_what_gets_through(judge: str, defence: str, expected: set[str]) -> None:
    """The table of the docs. Plain words always do: that a passage is no order, only the model can know."""
    assert successes(judge, defence) == expected


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.kind}: {a.text[:20]!r}")
def test_a_pointwise_score_is_nobody_elses_to_change(attack: Attack) -> None:
    before, after = ranked("pointwise", "as published", None), ranked("pointwise", "as published", attack)
    victim = str(PLACE + 1)
    assert {h.document.id: h.score for h in before if h.document.id != victim} == {
        h.document.id: h.score for h in after if h.document.id != victim
    }
