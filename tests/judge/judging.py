"""Experiments for judges, small enough to be read: three queries, two systems that rank and say otherwise."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from whyrank.formats.rankings import to_json
from whyrank.judge.records import Answer, Sheet
from whyrank.judge.settings import JudgeSettings
from whyrank.judge.study import Study, open_study
from whyrank.types import Comparison, Counterfactual, Direct, Document, Evidence, Explanations, Query, Ranking, Span

SKY = Query("sky", "why is the sky blue?")
BREAD = Query("bread", "why does bread go stale?")
SEA = Query("sea", "why is the sea salty?")
AIR = Document(
    "air", "Molecules scatter blue light more than red. That is why the sky is blue. 🌌 Clouds are white.", "Air"
)
WATER = Document("water", "The sea is blue because water absorbs red light. Rivers carry salt into the sea.")
LOAF = Document("loaf", "Bread goes stale when starch crystallises. Ovens bake bread.")
ANN, BEN, CLEO = "Ann", "Ben", "Cleo"


def direct(document: Document, text: str, *quotes: str, status: Any = "ok", source: str = "") -> Direct:
    """A reason whose quotes are looked up; what is not there has no span."""
    evidence = []
    for quote in quotes:
        start = document.text.find(quote)
        span = Span(start, start + len(quote)) if start >= 0 else None
        evidence.append(Evidence(quote, span, contribution=0.5))
    return Direct(document.id, text, tuple(evidence), status=status, source=source)


def ranking(query: Query, documents: Iterable[Document], reasons: Iterable[Direct], *above: Comparison) -> Ranking:
    """A ranking with its reasons."""
    return replace(
        Ranking.of(query, documents), explanations=Explanations(tuple(reasons), tuple(above)), ranker="secret-ranker"
    )


def evidence_system() -> list[Ranking]:
    """What the first system says."""
    turn = Counterfactual("flips", (Span(44, 72),), (AIR.text[44:72],), text="Without one sentence it would fall.")
    above = Comparison("air", "water", "Air says ‘sky’, water does not.", counterfactual=turn)
    return [
        ranking(SKY, [AIR, WATER, LOAF], [direct(AIR, "Says why.", AIR.text[44:72]), direct(WATER, "On blue.")], above),
        ranking(BREAD, [LOAF, AIR, WATER], [direct(LOAF, "Says when.", "Bread goes stale when starch crystallises.")]),
        ranking(SEA, [WATER, AIR, LOAF], [direct(WATER, "Rivers.", "Rivers carry salt into the sea.")]),
    ]


def student_system() -> list[Ranking]:
    """What the second says: in its own words, and of one document the same."""
    said = direct(AIR, "The model read it.", "blue light", "never said", source="secret-model")
    return [
        ranking(SKY, [AIR, LOAF, WATER], [said, direct(LOAF, "No idea.")]),
        ranking(BREAD, [LOAF, WATER, AIR], [direct(LOAF, "Says when.", "Bread goes stale when starch crystallises.")]),
        ranking(SEA, [AIR, WATER, LOAF], [direct(AIR, "Blue."), direct(WATER, "Salt.", "salt")]),
    ]


def written(folder: Path, systems: Mapping[str, Iterable[Ranking]]) -> dict[str, str]:
    """Results as files: system → file."""
    files = {}
    for name, rankings in systems.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(f"{to_json(own)}\n" for own in rankings), encoding="utf-8")
        files[name] = str(path)
    return files


def settings_in(folder: Path, **given: Any) -> JudgeSettings:
    """An experiment of the two systems in a folder."""
    systems = {"evidence-own": evidence_system(), "student-own": student_system()}
    given = {"systems": written(folder, given.pop("results", systems)), "store": str(folder / "judged.sqlite")} | given
    return JudgeSettings(**given)


def study_in(folder: Path, **given: Any) -> Study:
    """The same with its items."""
    return open_study(settings_in(folder, **given))


def sheet(item: str, judge: str, *values: int, question: str = "useful", seconds: float = 2.5) -> Sheet:
    """Answers of a judge to one question, of one system after the other."""
    at = "2026-11-22T00:00:00.000+00:00"
    answers = [Answer(item, judge, question, f"s{n}", "", value, seconds, at) for n, value in enumerate(values)]
    return Sheet(item, judge, tuple(answers))
