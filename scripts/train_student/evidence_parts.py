"""What the evidence compares on the dev-* sets with an adapter of its own: its parts, as the engine computes them.

    python scripts/train_student/evidence_parts.py --data-folder build/student-dev --adapter build/student/evidence

Writes parts-<set>.npy beside the adapter, a row for each candidate of <set>.npz. Candidates are found again as
`prepare.py` found them.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from prepare import DEV, answerable, candidates
from safetensors.numpy import load_file
from scored_set import evidence, ndcg, opened, weights

from whyrank.encode.adapters import MAIN, Adapter, quantised
from whyrank.encode.engine import Encoder
from whyrank.encode.weights import SHIPPED, read_manifest
from whyrank.rankers.evidence import EvidenceRanker


def encoder(run: Path, rank: int, threads: int) -> Encoder:
    """The body with the run's adapter, in 8 bits as it would ship."""
    body = read_manifest(SHIPPED)["files"]["weights.safetensors"]["sha256"][:12]
    tensors = quantised(load_file(run / MAIN), rank)
    return Encoder(threads=threads, adapter=Adapter(run.name, "unshipped", {"body": body}, tensors))


def main() -> None:
    """Read every set, save, print."""
    parser = argparse.ArgumentParser(description="The evidence's parts with an adapter.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student-dev"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WHYRANK_DATA", "../shared/data")))
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=[name for name in DEV if name != "pubmedqa"])
    parser.add_argument("--queries", type=int, default=100, help="as in the prepared sets")
    parser.add_argument("--depth", type=int, default=50, help="and this too")
    parser.add_argument("--rank", type=int, default=20, help="of the adapter, at most")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    ranker = EvidenceRanker(encoder(given.adapter, given.rank, given.threads))
    for name in given.sets:
        found = opened(given.data_folder / f"dev-{name}.npz")
        chosen = answerable(given.data, DEV[name])[: given.queries]
        rankings = candidates(given.data / DEV[name].folder, DEV[name], chosen, given.depth)
        if [hit.document.id for ranking in rankings for hit in ranking] != found["did"].tolist():
            raise SystemExit(
                f"dev-{name}.npz holds other candidates; prepare it again with these --dev-queries, --dev-depth"
            )
        parts = np.array([part for one in ranker.similarities(rankings) for part in one])
        np.save(given.adapter / f"parts-dev-{name}.npy", parts)
        before, after = (
            np.mean(list(ndcg(found, evidence(p, weights(), found["first"])).values())) for p in (found["parts"], parts)
        )
        print(f"| dev-{name} | {len(chosen)} | {before:.4f} | {after:.4f} |", flush=True)


if __name__ == "__main__":
    main()
