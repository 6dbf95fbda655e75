"""Fit how scores of stage 1 and places of stage 2 are fused, on development queries.

    python scripts/fit_fusion.py --stage1 evidence --then settings.yaml [--splits "trecqa dev" "nfcorpus dev"]
    python scripts/fit_fusion.py --dual FOLDER
    python scripts/fit_fusion.py --stage1 evidence --stage2 student

Reads the training and development splits that `fit_evidence.py` names, never a judged test set. Stage 2 is asked about
every query, in both orders, without a guard; what goes into the settings is the middle of the plateau of the mean
nDCG@10 (`whyrank.evaluate.fusing`). Prints the line to write under `fusion:`, into a file of settings or `dual.json`.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace

from fit_evidence import DATA, SPLITS, candidates

from whyrank import config
from whyrank.evaluate.fusing import Opinions, fit
from whyrank.rankers import load
from whyrank.rankers.dual_folder import load_dual, with_second_stage
from whyrank.rankers.dual_stage import DualStage
from whyrank.rankers.fusion import Fusion
from whyrank.rankers.guard import Guard


def named(given: argparse.Namespace) -> DualStage:
    """The two stages that the command names."""
    if given.dual:
        return load_dual(given.dual)
    stage1 = load(given.stage1, threads=given.threads)
    if given.then:
        return with_second_stage(stage1, config.load(config.ThenSettings, given.then))
    return DualStage(stage1, load(given.stage2, threads=given.threads))


def opinions(dual: DualStage, split: str, limit: int) -> list[Opinions]:
    """What both stages think of the queries of a split."""
    rankings, qrels = candidates(SPLITS[split], limit)
    found = []
    for ranking in dual.rerank_many(rankings):
        account = dual.account(ranking)
        assert account is not None
        if not account.places:
            continue
        ids = [i for i in ranking.ids if i in account.places]  # with weight 0 they stand as in stage 1
        places = [account.places[i] for i in ids]
        grades = {i: max(0, int(grade)) for i, grade in qrels[ranking.query.id].items()}
        rest = [i for i in ranking.ids if i not in account.places]
        found.append(Opinions(ids, [p.value for p in places], [p.rank for p in places], rest, grades))
    return found


def main() -> None:
    """Print the fit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage1", default="evidence")
    parser.add_argument("--stage2", default="student", help="a ranker whose order is taken for stage 2's")
    parser.add_argument("--then", help="a file of settings of a second stage that asks a model")
    parser.add_argument("--dual", help="a folder of two stages")
    parser.add_argument("--splits", nargs="+", default=["trecqa dev", "nfcorpus dev"])
    parser.add_argument("--queries", type=int, default=60, help="of each split")
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no collections at {DATA}; set WHYRANK_DATA")
    dual = named(given)
    asked = DualStage(
        dual.stage1,
        dual.stage2,
        top=dual.top,
        fusion=Fusion(weight=0.0),
        guard=replace(Guard.off(), second=dual.guard.second),
        calibrated=dual.calibrated,
    )
    found = fit({split: opinions(asked, split, given.queries) for split in given.splits})
    print(f"stage 1 {found.stage1:.4f}, stage 2 {found.stage2:.4f}, best {found.best:.4f}, fitted {found.value:.4f}")
    print(f"fusion: {json.dumps(asdict(found.fusion))}")


if __name__ == "__main__":
    main()
