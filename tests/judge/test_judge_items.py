"""What is looked at, in which order, by whom, and on which side."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from judging import (
    AIR,
    ANN,
    BEN,
    BREAD,
    CLEO,
    LOAF,
    SKY,
    WATER,
    direct,
    evidence_system,
    ranking,
    student_system,
    study_in,
    written,
)

from whyrank.config import load
from whyrank.errors import BadInput, DuplicateId, MissingFile
from whyrank.judge.assignment import HELD_S, LONGEST_NAME, Assignment, judge_name, sides_for
from whyrank.judge.items import Item, has_reasons, items_of
from whyrank.judge.settings import GRADES, QUESTIONS, JudgeSettings
from whyrank.judge.study import open_study
from whyrank.types import Comparison, Counterfactual, Explanations, Ranking, Span


def test_documents_are_graded_before_reasons_are_read(tmp_path: Path) -> None:
    study = study_in(tmp_path, depth=2)
    kinds = [(item.query.id, item.kind) for item in study.items]
    queries = list(dict.fromkeys(query for query, _ in kinds))
    assert sorted(queries) == ["bread", "sea", "sky"]
    for query in queries:
        own = [kind for name, kind in kinds if name == query]
        assert own == sorted(own)  # grade before reasons
    graded = {item.document.id for item in study.items if item.kind == "grade" and item.query.id == "sky"}
    assert graded == {"air", "water", "loaf"}  # the best two of either


def test_each_document_is_seen_once_with_all_that_is_said_of_it(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    sides = {(item.query.id, item.document.id): item.sides for item in study.items if item.kind == "reasons"}
    assert sides == {
        ("sky", "air"): (("evidence-own",), ("student-own",)),
        ("sky", "water"): (("evidence-own",),),
        ("sky", "loaf"): (("student-own",),),
        ("bread", "loaf"): (("evidence-own", "student-own"),),  # they say the same
        ("sea", "water"): (("evidence-own",), ("student-own",)),
        ("sea", "air"): (("student-own",),),
    }
    [air] = [item for item in study.items if item.sides and (item.query.id, item.document.id) == ("sky", "air")]
    said = air.reasons["evidence-own"]
    assert (said.rank, said.direct.text) == (1, "Says why.")
    assert said.comparison is not None
    assert said.lower == WATER
    assert air.is_pair


def test_what_two_say_is_the_same_only_if_a_judge_sees_the_same() -> None:
    quote = "Ovens bake bread."
    one = [ranking(BREAD, [LOAF, AIR], [direct(LOAF, "Yes.", quote, source="one")])]
    alike = [ranking(BREAD, [LOAF, WATER], [direct(LOAF, "Yes.", quote, source="another")])]
    lower = [ranking(BREAD, [WATER, LOAF], [direct(LOAF, "Yes.", quote)])]
    other = [ranking(BREAD, [LOAF, WATER], [direct(LOAF, "Yes.", "starch")])]
    for system, sides in ((alike, 1), (lower, 2), (other, 2)):
        found = items_of({"a": one, "b": system}, depth=3, seed=0, with_grades=False, with_reasons=True)
        assert [len(item.sides) for item in found] == [sides]


def test_more_than_two_systems_are_set_side_by_side_in_drawn_pairs() -> None:
    systems = {
        f"s{n}": [ranking(replace(SKY, id=f"q{q}"), [AIR], [direct(AIR, f"reason {n}")]) for q in range(40)]
        for n in range(3)
    }
    found = items_of(systems, depth=1, seed=0, with_grades=False, with_reasons=True)
    assert Counter(len(item.sides) for item in found) == {1: 40, 2: 40}
    said = Counter((item.query.id, system) for item in found for side in item.sides for system in side)
    assert set(said.values()) == {1}  # each is seen once
    pairs = Counter(item.sides for item in found if item.is_pair)
    assert set(pairs) == {(("s0",), ("s1",)), (("s0",), ("s2",)), (("s1",), ("s2",))}
    assert min(pairs.values()) >= 6


def test_the_order_of_documents_tells_nothing_of_their_places() -> None:
    documents = [replace(AIR, id=f"d{n}") for n in range(4)]
    own = [ranking(replace(SKY, id=f"q{n}"), documents, []) for n in range(60)]
    found = items_of({"a": own}, depth=4, seed=0, with_grades=True, with_reasons=False)
    firsts = Counter(found[place].document.id for place in range(0, len(found), 4))
    assert set(firsts) == {"d0", "d1", "d2", "d3"}
    assert max(firsts.values()) < 30


def test_reasons_that_were_not_given_are_none() -> None:
    refused = ranking(SKY, [AIR], [direct(AIR, "No reason was given.", status="refused")])
    assert not has_reasons(refused, 3)
    assert not has_reasons(Ranking.of("q", ["text"]), 3)
    assert has_reasons(ranking(SKY, [WATER, AIR], [direct(AIR, "Why.", status="repaired")]), 2)
    assert not has_reasons(ranking(SKY, [WATER, AIR], [direct(AIR, "Why.")]), 1)  # it stands too low


def test_ids_follow_from_content_and_seed_alone(tmp_path: Path) -> None:
    ids = [item.id for item in study_in(tmp_path).items]
    assert ids == [item.id for item in study_in(tmp_path, title="Other", overlap=1).items]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {item.id for item in study_in(tmp_path, seed=1).items}


def test_queries_are_drawn_from_those_that_all_have(tmp_path: Path) -> None:
    both = study_in(tmp_path, queries=2)
    assert len(both.rankings["evidence-own"]) == 2
    drawn = {
        tuple(r.query.id for r in study_in(tmp_path, queries=1, seed=seed).rankings["student-own"]) for seed in range(9)
    }
    assert drawn == {("sky",), ("sea",), ("bread",)}
    fewer = {"evidence-own": evidence_system(), "student-own": student_system()[1:]}
    common = study_in(tmp_path, results=fewer, queries=None)
    assert {item.query.id for item in common.items} == {"bread", "sea"}
    silent = {"evidence-own": evidence_system(), "student-own": [Ranking.of(SKY, [AIR]), *student_system()[1:]]}
    assert {item.query.id for item in study_in(tmp_path, results=silent).items} == {"bread", "sea"}


def test_documents_are_graded_without_reasons_if_that_is_all_that_is_asked(tmp_path: Path) -> None:
    silent = {"a": [Ranking.of(SKY, [AIR, WATER])]}
    study = study_in(tmp_path, results=silent, questions=[], depth=1)
    assert [(item.kind, item.document.id) for item in study.items] == [("grade", "air")]


def test_where_nothing_but_the_better_is_asked_only_pairs_are_shown(tmp_path: Path) -> None:
    study = study_in(tmp_path, questions=[], grades=[])
    assert [(item.query.id, item.document.id) for item in study.items] == [("sky", "air"), ("sea", "water")]
    alike = [ranking(SKY, [AIR], [direct(AIR, "Why.")])]
    with pytest.raises(BadInput, match="no document has two different reasons"):
        study_in(tmp_path, results={"a": alike, "b": alike}, questions=[], grades=[])


def test_queries_of_which_one_system_says_nothing_are_counted(tmp_path: Path) -> None:
    sky, bread, sea = evidence_system()
    quiet = [replace(sky, explanations=Explanations()), bread]
    study = study_in(tmp_path, results={"whole": [sky, bread, sea], "quiet": quiet})
    assert [ranking.query.id for ranking in study.rankings["whole"]] == ["bread"]
    assert study.silent == {"quiet": 1}


def test_systems_that_tell_their_names_are_known(tmp_path: Path) -> None:
    results = {
        "student": [ranking(SKY, [AIR], [direct(AIR, "The Student points at it, with evidence.")])],
        "evidence": [ranking(SKY, [AIR], [direct(AIR, "Carries evidence.")])],
    }
    assert study_in(tmp_path, results=results).telling == ("student",)
    turn = Counterfactual("flips", (Span(0, 9),), ("Molecules",), text="Without it, Student puts Air lower.")
    above = Comparison("air", "water", "So.", counterfactual=turn)
    results["student"] = [ranking(SKY, [AIR, WATER], [direct(AIR, "Says why.")], above)]
    assert study_in(tmp_path, results=results).telling == ("student", "evidence")
    assert study_in(tmp_path).telling == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"a": [Ranking.of(SKY, [AIR])]}, "system 'a' gives no reason for the best 3 of any query"),
        (
            {"a": evidence_system()[:1], "b": student_system()[1:]},
            r"no query with reasons in common \('a' has 1, 'b' has 2; the first: 'sky'\)",
        ),
        (
            {"a": evidence_system(), "b": [ranking(replace(SKY, text="other"), [AIR], [direct(AIR, "x")])]},
            "query 'sky' is not the same text in 'a' and 'b'",
        ),
        (
            {"a": evidence_system(), "b": [ranking(SKY, [replace(WATER, text="x")], [direct(WATER, "x")])]},
            "document 'water' of query 'sky' is not the same text in 'a' and 'b'",
        ),
        (
            {"a": evidence_system(), "b": [ranking(SKY, [replace(AIR, title="x")], [direct(AIR, "x")])]},
            "document 'air' of query 'sky' is not the same text",
        ),
    ],
)
def test_systems_that_cannot_be_set_side_by_side_are_told(
    tmp_path: Path, change: dict[str, list[Ranking]], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        study_in(tmp_path, results=change)


def test_files_that_are_no_results_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="absent"):
        open_study(JudgeSettings(systems={"a": str(tmp_path / "absent.jsonl")}))
    (tmp_path / "twice.jsonl").write_text(Path(written(tmp_path, {"a": evidence_system()})["a"]).read_text() * 2)
    with pytest.raises(DuplicateId, match="query id"):
        open_study(JudgeSettings(systems={"a": str(tmp_path / "twice.jsonl")}))
    (tmp_path / "nothing.jsonl").write_text('{"text": "no ranking"}\n')
    with pytest.raises(BadInput, match="no ranking"):
        open_study(JudgeSettings(systems={"a": str(tmp_path / "nothing.jsonl")}))


def test_the_sides_are_drawn_for_each_item_and_judge_and_stay(tmp_path: Path) -> None:
    [pair, *_] = [item for item in study_in(tmp_path).items if item.is_pair]
    judges = [f"judge {number}" for number in range(400)]
    first = Counter(sides_for(pair, judge, 0)[0] for judge in judges)
    assert 150 < first["evidence-own",] < 250
    assert all(sides_for(pair, judge, 0) == sides_for(pair, judge, 0) for judge in judges)
    assert any(sides_for(pair, judge, 0) != sides_for(pair, judge, 1) for judge in judges)
    assert all(set(sides_for(pair, judge, 0)) == set(pair.sides) for judge in judges)


def test_a_judge_is_given_each_item_once_in_order(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    assignment = Assignment(study)
    done: dict[str, set[str]] = {ANN: set()}
    given: list[Item] = []
    while item := assignment.next(ANN, done):
        assert assignment.left(ANN, done) == len(study.items) - len(given)
        given.append(item)
        done[ANN].add(item.id)
    assert tuple(given) == study.items


def test_an_item_is_given_to_as_many_judges_as_are_wanted(tmp_path: Path) -> None:
    study = study_in(tmp_path, overlap=1)
    now = 0.0
    assignment = Assignment(study, lambda: now)
    first, second, *_ = study.items
    assert assignment.next(ANN, {}) == first
    assert assignment.next(BEN, {}) == second  # the first is being judged
    assert assignment.next(ANN, {}) == first  # she looks at it again
    assert assignment.next(CLEO, {ANN: {first.id}}) == study.items[2]
    now = HELD_S + 1
    assert assignment.next(CLEO, {ANN: {first.id}}) == second  # Ben has left
    everything = {ANN: set(study.by_id)}
    assert assignment.next(BEN, everything) is None
    assert assignment.left(BEN, everything) == 0
    two = Assignment(study_in(tmp_path, overlap=2))
    assert two.next(BEN, everything) == first
    assert two.next(CLEO, {**everything, BEN: {first.id}}) == second


def test_reasons_wait_for_grades_that_others_are_at(tmp_path: Path) -> None:
    study = study_in(tmp_path, overlap=1)
    now = 0.0
    assignment = Assignment(study, lambda: now)
    first = assignment.next(ANN, {})
    assert first is not None
    done: dict[str, set[str]] = {BEN: set()}
    given: list[Item] = []
    while item := assignment.next(BEN, done):
        given.append(item)
        done[BEN].add(item.id)
        now = HELD_S + 1 if item.kind == "reasons" else now  # Ann has left
    assert {item.id for item in given} == set(study.by_id)
    assert given[given.index(first) :].count(first) == 1
    before = given[: given.index(first)]
    assert not [item for item in before if item.kind == "reasons" and item.query == first.query]


def test_reasons_are_given_before_a_grade_where_nothing_else_is_open(tmp_path: Path) -> None:
    study = study_in(tmp_path, overlap=1)
    assignment = Assignment(study, lambda: 0.0)
    first = assignment.next(ANN, {})
    assert first is not None
    done: dict[str, set[str]] = {BEN: set()}
    while item := assignment.next(BEN, done):
        done[BEN].add(item.id)
    assert done[BEN] == set(study.by_id) - {first.id}


@pytest.mark.parametrize(
    ("given", "name"),
    [(" Ann  Lee ", "Ann Lee"), ("A\u030ake", "Åke"), ("李", "李"), ("x" * LONGEST_NAME, "x" * LONGEST_NAME)],
)
def test_names_are_kept_in_one_form(given: str, name: str) -> None:
    assert judge_name(given) == name


@pytest.mark.parametrize("given", ["", " \n ", "x" * (LONGEST_NAME + 1), "A\u202enn", "A\x00", "\ud800"])
def test_names_that_are_none_are_told(given: str) -> None:
    with pytest.raises(BadInput, match="a judge's name"):
        judge_name(given)


def test_settings_are_read_as_a_person_writes_them(tmp_path: Path) -> None:
    (tmp_path / "exp.yaml").write_text(
        "systems: [runs/evidence.jsonl, student.jsonl.gz]\n"
        "grades: [no, yes]\n"
        "questions:\n"
        '  - {id: true, ask: "True?", answers: [no, partly, yes]}\n'
        '  - {id: good, ask: "Good?", answers: [1, 2, 3]}\n'
    )
    settings = load(JudgeSettings, tmp_path / "exp.yaml")
    assert dict(settings.systems) == {"evidence": "runs/evidence.jsonl", "student": "student.jsonl.gz"}
    assert settings.grades == ("no", "yes")
    assert [question.id for question in settings.questions] == ["true", "good"]
    assert [question.answers for question in settings.questions] == [("no", "partly", "yes"), ("1", "2", "3")]


def test_what_is_not_said_has_its_default() -> None:
    settings = JudgeSettings(systems={"a": "a.jsonl"})
    assert (settings.questions, settings.grades, settings.depth, settings.overlap) == (QUESTIONS, GRADES, 3, 2)
    assert not settings.prefers  # there is nothing to prefer
    assert settings.served.trusted is not None
    open_to_all = JudgeSettings(systems={"a": "a.jsonl"}, host="0.0.0.0")
    assert open_to_all.served.trusted is None


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("systems={}", "'systems' is"),
        ("systems=[a/x.jsonl, b/x.jsonl]", "two systems are called 'x'"),
        ("systems=[1]", "1 is no name and no file"),
        ("systems={'': a.jsonl}", "a system has an empty name"),
        (
            "questions=[{id: a, ask: A, answers: [x, y]}, {id: a, ask: B, answers: [x, y]}]",
            "'a' stands twice among the ids",
        ),
        ("questions=[{id: grade, ask: A, answers: [x, y]}]", "the id 'grade'"),
        ("questions=[{id: 'a b', ask: A, answers: [x, y]}]", "the id 'a b'"),
        ("questions=[{id: a, ask: A, answers: [x]}]", "questions.0.answers"),
        ("questions=[{id: a, ask: A, answers: [x, x]}]", "'x' stands twice among the answers of the question 'a'"),
        ("grades=[only]", "'grades' holds one grade"),
        ("grades=[a, b, a]", "'a' stands twice among the grades"),
        ("depth=0", "'depth' is 0"),
        ("overlap=0", "'overlap' is 0"),
        ("token=geheim", "'token' is a secret"),
        ("query=3", "did you mean queries"),
    ],
)
def test_settings_that_cannot_be_are_told(setting: str, told: str) -> None:
    with pytest.raises(BadInput, match="overrides: ") as raised:
        load(JudgeSettings, None, ["systems={a: a.jsonl}", setting])
    assert told in str(raised.value)


def test_an_experiment_that_asks_nothing_is_told() -> None:
    with pytest.raises(BadInput, match="nothing is asked"):
        load(JudgeSettings, None, ["systems={a: a.jsonl}", "questions=[]", "grades=[]"])
