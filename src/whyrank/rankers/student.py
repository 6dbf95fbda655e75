"""The causal student as a ranker: a language model with an adapter and a rank head, trained by `whyrank train`.

A score is read at the last token of a prompt that holds the query and one document, so it belongs to those two: the
same whatever stands beside them, to the bit in isolated mode, to 1e-5 in fast mode. The same weights write reasons,
after the order is made, and in their own words: what they quote is looked up by whoever shows it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from whyrank._extras import require
from whyrank.errors import BadInput, MissingFile
from whyrank.lm.prefixes import buckets
from whyrank.lm.transformers_work import Row
from whyrank.rankers.outcome import check_depth
from whyrank.rankers.pair_reading import Mode, PairRead, check_reading, reranked, within_memory
from whyrank.rankers.student_folder import FILES, KIND, Manifest, read_manifest
from whyrank.rankers.student_prompt import Kind
from whyrank.types import Progress, Ranking, Usage

if TYPE_CHECKING:
    from whyrank.rankers.student_network import Network

TAUGHT: dict[str, tuple[Kind, ...]] = {
    "none": (),
    "direct": ("direct",),
    "comparison": ("comparison",),
    "both": ("direct", "comparison"),
}
"""What a student was taught → the kinds of reasons that it writes."""
TOLERANCES = {"float32": 1e-5}
HALF_PRECISION = 2.0**-5
"""Of other number formats: four units in the last place of bfloat16."""
_PURPOSE = "a causal student"


class Asked(NamedTuple):
    """A reason to write: why the document answers the query, or why it stands above the other."""

    kind: Kind
    query: str
    document: str
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a student wrote.

    Attributes:
        text: its words.
        finish: "stop", it had said all; "length", it was cut off.
        usage: what it cost.
    """

    text: str
    finish: Literal["stop", "length"]
    usage: Usage


class StudentRanker:
    """Reranks by the rank head of a student; implements `Reranker`. Made by `load_folder`.

    Args:
        network: with the adapter and the head that were trained.
        manifest: what it was saved with.
        mode: "fast" reads prompts of similar length in one batch, with differences in the last digits; "isolated"
            reads each prompt alone.
        batch_tokens: most tokens of a batch, padding included.

    Attributes:
        name: base and fingerprint: another base, adapter, head, prompt or mode has another name.
        kinds: the reasons that it was taught to write.
        tolerance: how far two scores of the same pair may lie apart, of 1 or of the score if that is more: by which
            batches they were read in. 0 in isolated mode.
    """

    def __init__(
        self,
        network: "Network",
        manifest: Manifest,
        *,
        mode: Mode = "fast",
        batch_tokens: int = 16_384,
    ) -> None:
        from whyrank.lm.transformers_reading import can_share
        from whyrank.lm.transformers_writing import Writer

        check_reading(mode, batch_tokens)
        self.kinds = TAUGHT.get(manifest.reasons, ())
        self.mode = mode
        self.tolerance = 0.0 if mode == "isolated" else TOLERANCES.get(manifest.dtype, HALF_PRECISION)
        self._network = network
        self._writer = Writer(network.causal, network.tokenizer, is_seq2seq=False)
        self._batch_tokens = batch_tokens if mode == "fast" else 1
        # Padding on the left would change what a recurrent model has seen.
        self._writing_tokens = self._batch_tokens if can_share(network.causal) else 1
        made_of = [manifest.base_fingerprint, asdict(manifest.prompt), dict(manifest.files), manifest.dtype, mode]
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
        self.name = f"{KIND}/{manifest.base.rstrip('/').rpartition('/')[2]}@{digest}"

    @property
    def network(self) -> "Network":
        """The network: what a second stage on the same base shares."""
        return self._network

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list; what was cut of a document is noted.

        Args:
            rankings: candidates in first-stage order.
            depth: candidates read per query; the rest keep their order below.
            progress: called with (documents read, documents to read).

        Raises:
            BadInput: a depth below 1.
            ModelUnavailable: memory does not suffice.
        """
        check_depth(depth)
        return reranked(
            rankings,
            lambda pairs: self._read(pairs, progress),
            text_of=attrgetter("full_text"),
            depth=depth,
            ranker=self.name,
        )

    def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """Rerank one list."""
        return self.rerank_many([ranking], depth=depth)[0]

    def score_many(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> list[float]:
        """One score for each query and document, in order.

        Raises:
            ModelUnavailable: memory does not suffice.
        """
        return [one.score for one in self._read(pairs, progress)]

    def reason(self, kind: Kind, query: str, document: str, other: str | None = None) -> Said:
        """Write one reason: why the document answers the query ("direct"), or why it stands above the other.

        Raises:
            BadInput: it was not taught this kind of reason, or the documents do not fit the kind.
            ModelUnavailable: memory does not suffice.
        """
        return self.reasons([Asked(kind, query, document, other)])[0]

    def reasons(self, asked: Sequence[Asked], on_said: Callable[[int, Said], None] | None = None) -> list[Said]:
        """Write many reasons, each greedily, token by token.

        Args:
            asked: what is wanted.
            on_said: called with (place, what was written) as it comes.

        Raises:
            BadInput: as `reason`.
            ModelUnavailable: memory does not suffice.
        """
        for kind in {one.kind for one in asked} - set(self.kinds):
            taught = ", ".join(self.kinds) or "none"
            raise BadInput(
                f"{self.name} was not taught {kind} reasons (it was taught: {taught}); name a writer for them"
            )
        renderer = self._network.renderer
        prompts = [renderer.asked(*one) for one in asked]
        most = renderer.settings.reason_tokens
        said: dict[int, Said] = {}
        for bucket in buckets([len(prompt) + most for prompt in prompts], self._writing_tokens):
            started = time.perf_counter()
            rows = [Row(prompts[place], most) for place in bucket]
            with within_memory(self.name, self._batch_tokens):
                written = self._writer.write(rows)
            seconds = (time.perf_counter() - started) / len(bucket)
            for place, one in zip(bucket, written, strict=True):
                usage = Usage(1, 0, len(prompts[place]), generated_tokens=len(one.tokens), seconds=seconds)
                said[place] = Said(self._writer.text(one, ()).strip(), one.finish, usage)
                if on_said is not None:
                    on_said(place, said[place])
        return [said[place] for place in range(len(asked))]

    def _read(self, pairs: Sequence[tuple[str, str]], progress: Progress | None) -> list[PairRead]:
        import torch

        distinct = list(dict.fromkeys(pairs))
        parts = [self._network.renderer.parts(query, document) for query, document in distinct]
        rows = [[*one.prefix, *one.suffix] for one in parts]
        found: dict[tuple[str, str], PairRead] = {}
        for bucket in buckets([len(row) for row in rows], self._batch_tokens):
            with torch.inference_mode(), within_memory(self.name, self._batch_tokens):
                scores = self._network.scores([rows[place] for place in bucket]).tolist()
            for place, score in zip(bucket, scores, strict=True):
                found[distinct[place]] = PairRead(score, len(rows[place]), parts[place].left_out)
            if progress:
                progress(len(found), len(distinct))
        return [found[pair] for pair in pairs]


def load_folder(
    folder: str | Path,
    *,
    base: str | None = None,
    device: str | None = None,
    mode: Mode = "fast",
    batch_tokens: int = 16_384,
    threads: int | None = None,
) -> StudentRanker:
    """Load a student; `reranker.json` says all that is needed.

    Args:
        folder: where it was saved, or its id on the hub.
        base: the model that it was trained on, where it is not where it was.
        device: as torch names it; None takes a GPU where there is one.
        mode: as `StudentRanker`.
        batch_tokens: as `StudentRanker`.
        threads: of torch, for the whole process; None leaves them as they are.

    Raises:
        MissingExtra: torch, transformers or peft are not installed.
        MissingFile: there is no student, or its base is gone.
        Corrupt: a file of it is damaged or absent.
        BadInput: the base is another one than it was trained on; an argument is outside its range.
    """
    root = fetched(folder)
    manifest = read_manifest(root)
    torch = require("torch", extra="hf", purpose=_PURPOSE)
    require("transformers", extra="hf", purpose=_PURPOSE)
    from whyrank.rankers.student_opening import open_network

    if threads is not None:
        torch.set_num_threads(threads)
    network = open_network(root, manifest, base=base, device=device)
    return StudentRanker(network, manifest, mode=mode, batch_tokens=batch_tokens)


def fetched(folder: str | Path) -> Path:
    """The folder itself, or the one that an id on the hub is fetched to."""
    path = Path(folder).expanduser()
    name = str(folder)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        return path
    hub = require("huggingface_hub", extra="hf", purpose="a student on the hub")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=FILES))
    except (OSError, ValueError) as error:
        cause = str(error).partition("\n")[0]
        raise MissingFile(f"{folder}: no such folder, and no student of this id could be fetched: {cause}") from error
