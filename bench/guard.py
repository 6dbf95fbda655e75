"""What the guard of `DualStage` saves from a stage 2 that ranks noise, and what it keeps of one that is of use.

    python bench/guard.py [--seeds 5] [--cost] [--set "trecqa dev" --agreement 0.4]

TREC DL 2019 passages (WHYRANK_DATA), BM25's best hundred, stage 1 is the ranker "evidence" (its scores are kept under
build/guard), stage 2 reads its best 30 in windows of 20 with a step of 10, with the prompt `dear`. Nothing was chosen
on these queries. Stage 2 is one of

    random      each answer is a random permutation
    malformed   each answer is one that GPT-3.5 or GPT-4 gave to RankGPT and that its parser flagged, drawn at random
    untidy      the same with the answers of Vicuna to RankLLM that are tagged as other than clean
    identity    each answer is the order as it was shown
    oracle s    each answer sorts by grade, with a normal error of s grades, drawn anew for every document and question

"as it comes" puts the order of stage 2 in the place of stage 1's (fusion weight 1, no guard); "fused" fuses both
without a guard; "guarded" is `DualStage` as it is by default. nDCG@10, means over seeds; the interval is of the mean
difference to stage 1 over queries (bootstrap, 95 %); the worst is that of the seeds' means. With --cost: what is asked
against RankGPT's windows over all hundred.
"""

import argparse
import gzip
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from whyrank import datasets, evaluate
from whyrank.lm.base import Request
from whyrank.lm.fake import Fake
from whyrank.prompts import load
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.dual_stage import TOP, DualStage
from whyrank.rankers.evidence import CALIBRATED, EvidenceRanker
from whyrank.rankers.fusion import Fusion
from whyrank.rankers.guard import Guard, agreement
from whyrank.rankers.listwise import Written
from whyrank.rankers.matter import Showing, Shown
from whyrank.rankers.outcome import in_order
from whyrank.types import Progress, Qrels, Ranking, Usage

DATA = Path(os.environ.get("WHYRANK_DATA", Path(__file__).parents[2] / "shared" / "data"))
CACHE = Path("build/guard")
SCRIPTS = Path(__file__).parents[1] / "scripts"
DL19 = "trec-dl19-passage"
MEASURE = "nDCG@10"
ERRORS = (0.25, 0.5, 1.0)

Draw = Callable[[random.Random, Shown], str]


class Stored:
    """Stage 1, from scores that were computed before."""

    def __init__(self, name: str, scores: dict[str, dict[str, float]]) -> None:
        self.name, self.scores = name, scores

    def rerank_many(
        self,
        rankings: Sequence[Ranking],
        *,
        depth: int | None = None,
        progress: Progress | None = None,  # noqa: ARG002 - of the protocol
    ) -> list[Ranking]:
        """The ranking of the stored scores."""
        return [
            in_order(r, [self.scores[r.query.id][i] for i in r.ids[:depth]], ranker=self.name, usage=Usage())
            for r in rankings
        ]


def stored(rankings: Sequence[Ranking], path: Path) -> Stored:
    """The scores of the ranker "evidence", from the cache if it holds them."""
    ranker = EvidenceRanker()
    known = json.loads(path.read_text()) if path.exists() else {}
    if known.get("ranker") != ranker.name or any(r.query.id not in known["scores"] for r in rankings):
        scores = {r.query.id: {h.document.id: h.score for h in r} for r in ranker.rerank_many(rankings)}
        known = {"ranker": ranker.name, "scores": scores}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known))
    return Stored(known["ranker"], known["scores"])


class Answers:
    """A stage 2 that is asked as a language model is, and answers as it is told to."""

    def __init__(self, draw: Draw, seed: int) -> None:
        self._draw, self._seed = draw, seed
        self._shown: dict[str, Shown] = {}

    def ranker(self, on_show: Callable[[Shown], None] | None = None) -> LMReranker:
        """It, behind the prompt and the windows of DeAR."""
        template = load("dear")
        judge = Written(template, reasoning_tokens=template.max_tokens)
        windows = algorithm("sliding-window")
        options = (("size", 20), ("stride", 10))

        def keep(shown: Shown) -> None:
            self._shown[shown.tag] = shown
            if on_show is not None:
                on_show(shown)

        return LMReranker(Fake(self._answer), judge, windows, Showing(template), options, on_show=keep)

    def _answer(self, request: Request) -> str:
        return self._draw(random.Random(f"{self._seed}/{request.tag}"), self._shown[request.tag])


def written(labels: Sequence[str]) -> str:
    """An answer in the form that is asked for."""
    return "### Final Reranking: " + " > ".join(f"[{label}]" for label in labels)


def recorded(folder: str, *, is_clean: bool) -> list[str]:
    """Recorded answers about 20 passages; of those with tags only the others than clean ones."""
    with gzip.open(DATA / folder / "responses.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [r["response"] for r in rows if r["n_passages"] == 20 and (is_clean or r.get("tags") != ["clean"])]


def oracle(qrels: Qrels, error: float) -> Draw:
    """Sorts by grade, with errors."""

    def draw(draws: random.Random, shown: Shown) -> str:
        grades = qrels[shown.tag.partition("#")[0].partition("/")[0]]
        worth = {
            label: grades.get(i, 0) + draws.gauss(0, error) for label, i in zip(shown.labels, shown.ids, strict=True)
        }
        return written(sorted(shown.labels, key=lambda label: -worth[label]))

    return draw


def stages(qrels: Qrels) -> Iterator[tuple[str, Draw]]:
    """Every stage 2, by name."""
    malformed = recorded("llm-outputs-rankgpt-malformed", is_clean=True)
    untidy = recorded("llm-outputs-rankllm", is_clean=False)
    yield "random", lambda draws, shown: written(draws.sample(shown.labels, len(shown.labels)))
    yield f"malformed ({len(malformed)})", lambda draws, _: draws.choice(malformed)
    yield f"untidy ({len(untidy)})", lambda draws, _: draws.choice(untidy)
    yield "identity", lambda _, shown: written(shown.labels)
    for error in ERRORS:
        yield f"oracle {error:g}", oracle(qrels, error)


class Came(NamedTuple):
    """What came of one pipeline over the seeds: S seeds, Q queries."""

    values_SQ: np.ndarray
    calls: float
    tokens: float
    outcomes: Counter[str]


def pipelines(stage1: Stored, agreed: float) -> dict[str, Callable[[LMReranker], DualStage]]:
    """Name → what is made of a stage 2."""
    calibrated = Calibration.load(CALIBRATED).of(stage1.name)
    return {
        "as it comes": lambda lm: DualStage(stage1, lm, fusion=Fusion(1.0), guard=Guard.off(), calibrated=calibrated),
        "fused": lambda lm: DualStage(stage1, lm, guard=Guard.off(), calibrated=calibrated),
        "guarded": lambda lm: DualStage(stage1, lm, guard=Guard(agreement=agreed), calibrated=calibrated),
    }


def ndcg(rankings: Sequence[Ranking], qrels: Qrels) -> np.ndarray:
    """nDCG@10 of each query."""
    return np.array(evaluate.measure("", rankings, qrels, [MEASURE], only_relevant=True).of(MEASURE))


def came(
    make: Callable[[LMReranker], DualStage], draw: Draw, first: Sequence[Ranking], qrels: Qrels, seeds: int
) -> Came:
    """Run a pipeline with every seed."""
    values, outcomes, usage = [], Counter[str](), Usage()
    for seed in range(seeds):
        dual = make(Answers(draw, seed).ranker())
        ranked = dual.rerank_many(first)
        for ranking in ranked:
            account = dual.account(ranking)
            assert account is not None
            outcomes[account.decision.outcome] += 1
            usage += ranking.usage
        values.append(ndcg(ranked, qrels))
    count = seeds * len(first)
    return Came(np.array(values), usage.calls / count, (usage.prompt_tokens + usage.generated_tokens) / count, outcomes)


def table(first: Sequence[Ranking], qrels: Qrels, stage1: Stored, seeds: int, agreed: float) -> None:
    """What every pipeline makes of every stage 2."""
    alone = ndcg(stage1.rerank_many(first), qrels)
    bm25 = ndcg(first, qrels).mean()
    print(f"{len(alone)} queries, {seeds} seeds; {stage1.name} alone: {alone.mean():.4f}; BM25 {bm25:.4f}\n")
    print("| stage 2 | pipeline | nDCG@10 | against stage 1, points | worst seed | calls a query | outcomes |")
    print("|---|---|---:|---|---:|---:|---|")
    for name, draw in stages(qrels):
        for pipeline, make in pipelines(stage1, agreed).items():
            found = came(make, draw, first, qrels, seeds)
            low, high = evaluate.interval(found.values_SQ.mean(axis=0) - alone)[:2]
            mean, worst = found.values_SQ.mean(), found.values_SQ.mean(axis=1).min() - alone.mean()
            total = sum(found.outcomes.values())
            told = ", ".join(f"{outcome} {count / total:.0%}" for outcome, count in found.outcomes.most_common())
            gained = f"{100 * (mean - alone.mean()):+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
            print(
                f"| {name} | {pipeline} | {mean:.4f} | {gained} | {100 * worst:+.2f} | {found.calls:.2f} | {told} |",
                flush=True,
            )


def chance(seed: int = 0, runs: int = 4_000) -> None:
    """How well two random orders agree, and how often well enough by chance."""
    draws, least = random.Random(seed), Guard().agreement
    print(f"\n| candidates | tau of two random orders, standard deviation | at least {least:g} |\n|---:|---:|---:|")
    for count in (2, 3, 5, 10, 20, 30):
        taus = [agreement(draws.sample(range(count), count), range(count)) for _ in range(runs)]
        print(f"| {count} | {np.std(taus):.3f} | {np.mean([tau >= least for tau in taus]):.2%} |")


def costs(first: Sequence[Ranking], stage1: Stored) -> None:
    """Calls, tokens and depth of a query: two stages against windows over all hundred."""
    shown: list[Shown] = []
    answers = Answers(lambda _, one: written(one.labels), 0)
    windows = answers.ranker(shown.append)
    best = [ranking.top(TOP) for ranking in stage1.rerank_many(first)]
    print("| what asks | calls | passages shown | prompt tokens, about | rounds one after another |")
    print("|---|---:|---:|---:|---:|")
    for name, lists, orders in (
        ("windows of 20, step 10, over 100 (RankGPT)", first, 1),
        (f"stage 2 over the best {TOP}, shown once", best, 1),
        (f"stage 2 over the best {TOP}, shown in two orders", best, 2),
    ):
        shown.clear()
        windows.rerank_many(lists)
        passages = sum(len(one.ids) for one in shown)
        estimate = windows.rehearse(lists)
        means = [orders * total / len(lists) for total in (estimate.calls, passages, estimate.prompt_tokens)]
        print(f"| {name} | " + " | ".join(f"{mean:,.0f}" for mean in means) + f" | {estimate.batches} |")


def judged(name: str, limit: int | None) -> tuple[list[Ranking], Qrels]:
    """Queries with their candidates, and judgements: DL 2019, or a split that `scripts/fit_evidence.py` names."""
    if name == DL19:
        dataset = datasets.load(DATA / DL19)
        first, qrels = list(dataset.rankings("bm25", depth=100))[:limit], dataset.qrels
    else:
        sys.path.insert(0, str(SCRIPTS))
        from fit_evidence import SPLITS, candidates

        first, qrels = candidates(SPLITS[name], limit or 60)
    return first, {ranking.query.id: qrels[ranking.query.id] for ranking in first}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--queries", type=int, help="the first so many")
    parser.add_argument("--set", default=DL19, help="another set, to choose on, such as 'trecqa dev'")
    parser.add_argument("--agreement", type=float, default=Guard().agreement)
    parser.add_argument("--cost", action="store_true", help="what is asked, and nothing else")
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no judged collections at {DATA}; set WHYRANK_DATA")
    first, qrels = judged(given.set, given.queries)
    stage1 = stored(first, CACHE / f"{given.set.replace(' ', '-')}-evidence.json")
    if given.cost:
        costs(first, stage1)
    else:
        table(first, qrels, stage1, given.seeds, given.agreement)
        chance()


if __name__ == "__main__":
    main()
