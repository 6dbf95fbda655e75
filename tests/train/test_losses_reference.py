"""Where our losses equal sentence-transformers 6.2.0, and where they differ and who is right.

Its values on fixed lists are written down here, so they hold where it is not installed; where it is, it is asked again.
"""

import math
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import pytest

torch = pytest.importorskip("torch")

from whyrank.train import losses  # noqa: E402

Rows = tuple[list[float], ...]

# Four lists of 4, 3, 1 and 2 candidates; no two scores of a list are equal.
SCORES = ([0.3, -1.2, 2.0, 0.7], [1.5, 0.1, -0.4], [0.8], [-2.5, 1.0])
DISTINCT = ([2.0, 0.0, 1.0, 3.0], [0.0, 2.0, 1.0], [1.0], [1.0, 0.0])
TIED = ([1.0, 0.0, 1.0, 3.0], [0.0, 0.0, 2.0], [1.0], [1.0, 1.0])
AS_GIVEN = ([0.0, -1.0, -2.0, -3.0], [0.0, -1.0, -2.0], [0.0], [0.0, -1.0])
# Lists of one length.
EVEN = ([0.3, -1.2, 2.0, 0.7], [1.5, 0.1, -0.4, 0.6])
EVEN_TIED = ([1.0, 0.0, 1.0, 3.0], [0.0, 0.0, 2.0, 0.0])
EVEN_BELOW = ([0.9, 0.4, 0.4, 0.4], [0.7, -0.2, -0.2, -0.2])
LONG = ([math.sin(i) for i in range(200)],)
LONG_ORDER = ([200.0 - i for i in range(200)],)
# Three queries and six documents, each query's own among the first three.
ALL = ([0.3, -1.2, 2.0, 0.7, 0.0, 1.1], [1.5, 0.1, -0.4, 0.6, -2.0, 0.4], [0.8, 0.2, 1.9, -0.3, 0.5, 1.0])
OWN = ([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
# Vectors of queries, and of their texts.
QUERIES = ([1.0, 2.0, -1.0], [0.5, 0.0, 2.0], [-1.0, 1.0, 1.0])
TEXTS = ([1.0, 1.0, 0.0], [0.0, -1.0, 3.0], [2.0, 0.5, 1.0])


def table(rows: Rows, dtype: Any = torch.float64) -> Any:
    """[Q, D], not a number where a row is shorter."""
    widest = max(map(len, rows))
    return torch.tensor([[*row, *[math.nan] * (widest - len(row))] for row in rows], dtype=dtype)


def ours(loss: Callable[..., Any], scores: Any, targets: Rows, **settings: Any) -> Any:
    return loss(scores, table(targets), ~table(targets).isnan(), **settings)


def each(loss: Callable[..., Any], scores: Any, targets: Rows, **settings: Any) -> list[Any]:
    """The loss of every list alone."""
    return [ours(loss, scores[q : q + 1, : len(row)], (row,), **settings) for q, row in enumerate(targets)]


def rank_net_in_bits(scores: Any, targets: Rows) -> Any:
    return ours(losses.rank_net, scores, targets) / math.log(2)


def pooled_adr_mse(scores: Any, targets: Rows) -> Any:
    """Over the candidates of the batch."""
    sizes = [len(row) for row in targets]
    return sum(n * loss for n, loss in zip(sizes, each(losses.adr_mse, scores, targets), strict=True)) / sum(sizes)


def pooled_lambda_rank(scores: Any, targets: Rows, **settings: Any) -> Any:
    """Over the pairs of the batch."""
    pairs = sum(a > b for row in targets for a in row for b in row)
    return sum(each(losses.lambda_rank, scores, targets, **settings)) / pairs


def cross_entropy_of_sigmoids(scores: Any, targets: Rows) -> Any:
    return ours(losses.softmax_cross_entropy, 10 * scores.sigmoid(), targets)


def info_nce(queries: Any, texts: Rows, **settings: Any) -> Any:
    return losses.info_nce(queries, table(texts), **settings)


class Reference(NamedTuple):
    """Their losses of cross-encoders and of bi-encoders, and a cross-encoder that gives these scores [Q, D]."""

    cross: Any
    bi: Any
    scoring: Callable[[Any], Any]


Theirs = Callable[[Reference, Any, Rows], Any]


def lists(name: str, **settings: Any) -> Theirs:
    """Their loss of that name, called with lists of documents."""

    def called(reference: Reference, scores: Any, targets: Rows) -> Any:
        texts = [[str(i) for i in range(len(row))] for row in targets]
        loss = getattr(reference.cross, name)(reference.scoring(scores), **settings)
        return loss([[str(q) for q in range(len(targets))], texts], [torch.tensor(row) for row in targets])

    return called


def lambdas(**settings: Any) -> Theirs:
    def called(reference: Reference, scores: Any, targets: Rows) -> Any:
        scheme = reference.cross.LambdaRankScheme()
        loss = lists("LambdaLoss", weighting_scheme=scheme, reduction_log="natural", **settings)
        return loss(reference, scores, targets)

    return called


def margins(reference: Reference, scores: Any, targets: Rows) -> Any:
    """The first document is the positive, the others are negatives."""
    texts = [[str(i)] * len(targets) for i in range(len(targets[0]))]
    loss = reference.cross.MarginMSELoss(reference.scoring(scores))
    return loss([[str(q) for q in range(len(targets))], *texts], torch.tensor(targets))


def in_batch(**settings: Any) -> Theirs:
    """Documents 0 to 2 are positives, 3 to 5 hard negatives."""

    def called(reference: Reference, scores: Any, _: Rows) -> Any:
        model = reference.scoring(scores)
        loss = reference.cross.MultipleNegativesRankingLoss(model, num_negatives=None, **settings)
        return loss([["0", "1", "2"], ["0", "1", "2"], ["3", "4", "5"]], None)

    return called


def distilled(temperature: float) -> Theirs:
    """A score is the product of a query's one with a document's score."""

    def called(reference: Reference, scores: Any, targets: Rows) -> Any:
        loss = reference.bi.DistillKLDivLoss(None, temperature=temperature)
        vectors = [torch.ones(len(targets), 1), *(column[:, None] for column in scores.T)]
        return loss.compute_loss_from_embeddings(vectors, torch.tensor(targets))

    return called


def contrasted(scale: float) -> Theirs:
    def called(reference: Reference, queries: Any, texts: Rows) -> Any:
        loss = reference.bi.MultipleNegativesRankingLoss(None, scale=scale)
        return loss.compute_loss_from_embeddings([queries, torch.tensor(texts)], None)

    return called


class Case(NamedTuple):
    """What of ours should be what of theirs, and the value that theirs gave."""

    name: str
    scores: Rows
    targets: Rows
    ours: Callable[[Any, Rows], Any]
    theirs: Theirs
    recorded: float


SORTED = {"respect_input_order": False}
NATURAL = {"reduction_log": "natural"}
PLAIN = {"activation_fn": torch.nn.Identity(), "scale": 1.0}
EQUAL = [
    Case("RankNet", SCORES, TIED, partial(ours, losses.rank_net), lists("RankNetLoss", **NATURAL), 0.77832013),
    Case(
        "RankNet, steep", SCORES, DISTINCT,
        partial(ours, losses.rank_net, temperature=0.5), lists("RankNetLoss", sigma=2.0, **NATURAL), 2.05432749,
    ),
    Case("ListNet", SCORES, TIED, partial(ours, losses.list_net), lists("ListNetLoss"), 1.36000979),
    Case("KL", EVEN, EVEN_TIED, partial(ours, losses.kl), distilled(1.0), 1.06243670),
    Case("KL, soft", EVEN, EVEN_TIED, partial(ours, losses.kl, temperature=2.0), distilled(2.0), 1.06001353),
    Case("ListMLE", SCORES, DISTINCT, partial(ours, losses.list_mle), lists("ListMLELoss", **SORTED), 2.73681784),
    Case("p-ListMLE", SCORES, DISTINCT, partial(ours, losses.p_list_mle), lists("PListMLELoss", **SORTED), 1.73643780),
    Case(
        "p-ListMLE, long", LONG, LONG_ORDER,
        partial(ours, losses.p_list_mle), lists("PListMLELoss", **SORTED), 5.23535061,
    ),
    Case("margin-MSE", EVEN, EVEN_BELOW, partial(ours, losses.margin_mse), margins, 1.31666672),
    Case("ADR-MSE", EVEN, EVEN_TIED, partial(ours, losses.adr_mse), lists("ADRMSELoss"), 1.07291031),
    Case(
        "ADR-MSE, steep", EVEN, EVEN_TIED,
        partial(ours, losses.adr_mse, temperature=0.25), lists("ADRMSELoss", alpha=4.0), 1.64691210,
    ),
    Case("softmax", ALL, OWN, partial(ours, losses.softmax_cross_entropy), in_batch(**PLAIN), 1.80288982),
    Case("InfoNCE", QUERIES, TEXTS, info_nce, contrasted(20.0), 3.27560687),
    Case("InfoNCE, soft", QUERIES, TEXTS, partial(info_nce, temperature=1.0), contrasted(1.0), 0.90860939),
]  # fmt: skip
CONVERTED = [
    Case("RankNet, their default", SCORES, TIED, rank_net_in_bits, lists("RankNetLoss"), 1.12287867),
    # Their default reads no targets: the first document given is the best.
    Case("ListMLE, their default", SCORES, AS_GIVEN, partial(ours, losses.list_mle), lists("ListMLELoss"), 2.53847098),
    Case("LambdaRank, pooled", SCORES, TIED, pooled_lambda_rank, lambdas(), 0.23500374),
    Case(
        "LambdaRank, pooled, steep", SCORES, DISTINCT,
        partial(pooled_lambda_rank, sigma=2.0), lambdas(sigma=2.0), 0.50250828,
    ),
    Case("ADR-MSE, pooled", SCORES, TIED, pooled_adr_mse, lists("ADRMSELoss"), 0.58364892),
    Case("softmax, their default", ALL, OWN, cross_entropy_of_sigmoids, in_batch(), 2.37209511),
]  # fmt: skip


def named(cases: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", named(EQUAL + CONVERTED))
def test_equals_what_sentence_transformers_gave(case: Case) -> None:
    assert float(case.ours(table(case.scores), case.targets)) == pytest.approx(case.recorded, abs=1e-6)


SOFT = {x: math.log1p(math.exp(x)) for x in (-2, -1)}
SECOND = 1 / math.log2(3)  # nDCG's discount of the second place


class Differs(NamedTuple):
    """A list on which the two differ, with both values worked by hand."""

    name: str
    scores: Rows
    targets: Rows
    ours: Callable[[Any, Rows], Any]
    right: float
    theirs: Theirs
    recorded: float


DIFFERENT = [
    # A cut at 1, gains 3, 0 and 1: a document that falls below the cut loses all its gain, whatever its place there.
    Differs(
        "LambdaRank, cut", ([3.0, 2.0, 1.0],), ([2.0, 0.0, 1.0],),
        partial(ours, losses.lambda_rank, top=1), (3 * SOFT[-1] + 2 * SOFT[-2]) / 3,
        lambdas(k=1), ((1 - SECOND) * SOFT[-1] + (1 - 1 / 2) * 2 / 3 * SOFT[-2]) / 2,
    ),
    # A pair and a list of three with the same error at each swap: the mean of the two sums, not their sum over 4 pairs.
    Differs(
        "LambdaRank, lengths", ([1.0, 0.0], [2.0, 1.0, 0.0]), ([1.0, 0.0], [1.0, 0.0, 0.0]),
        partial(ours, losses.lambda_rank),
        (2 * (1 - SECOND) * SOFT[-1] + SOFT[-2] / 2) / 2,
        lambdas(), (2 * (1 - SECOND) * SOFT[-1] + SOFT[-2] / 2) / 3,
    ),
    # Gains 3, 1 and 0 in the worst order, the last first; theirs leaves equal scores as they come, best first here.
    Differs(
        "LambdaRank, equal scores", ([0.0, 0.0, 0.0],), ([2.0, 1.0, 0.0],),
        partial(ours, losses.lambda_rank),
        (2 * (SECOND - 1 / 2) + 3 * (1 - 1 / 2) + (1 - SECOND)) / (3 + SECOND) * math.log(2),
        lambdas(), (2 * (1 - SECOND) + 3 * (1 - 1 / 2) + (SECOND - 1 / 2)) / (3 + SECOND) * math.log(2) / 3,
    ),
    # Errors of a pair: half a place at ranks 1 and 2. A single candidate has none, and is a third of all candidates.
    Differs(
        "ADR-MSE, lengths", ([0.0, 0.0], [5.0]), ([1.0, 0.0], [1.0]),
        partial(ours, losses.adr_mse), (0.25 + 0.25 * SECOND) / 2 / 2,
        lists("ADRMSELoss"), (0.25 + 0.25 * SECOND) / 3,
    ),
    # Margins 2, 3 and 1; the teacher's are 1, 2 and 1, and the last is between what they call negatives.
    Differs(
        "margin-MSE, graded", ([3.0, 1.0, 0.0],), ([2.0, 1.0, 0.0],),
        partial(ours, losses.margin_mse), 2 / 3, margins, 1.0,
    ),
    # The teacher holds the positive and the negative equal: it prefers neither.
    Differs(
        "margin-MSE, tied", ([2.0, 1.0],), ([1.0, 1.0],), partial(ours, losses.margin_mse), 0.0, margins, 1.0,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in DIFFERENT])
def test_differs_from_what_sentence_transformers_gives(case: Differs) -> None:
    assert float(case.ours(table(case.scores), case.targets)) == pytest.approx(case.right, abs=1e-12)
    assert case.right != pytest.approx(case.recorded, abs=1e-2)


@pytest.fixture(scope="module")
def reference() -> Reference:
    library = pytest.importorskip("sentence_transformers")
    if not version("sentence-transformers").startswith("6.2."):
        pytest.skip("the values are those of sentence-transformers 6.2")
    from sentence_transformers.cross_encoder import losses as cross
    from sentence_transformers.sentence_transformer import losses as bi

    def scoring(scores_QD: Any) -> Any:
        model = kind.__new__(kind)
        torch.nn.Module.__init__(model)
        model.scores_QD = scores_QD
        return model

    def numbers(_: Any, pairs: list[tuple[str, str]], **__: Any) -> dict[str, Any]:
        return {"pairs": torch.tensor([[int(query), int(document)] for query, document in pairs])}

    def forward(model: Any, given: dict[str, Any]) -> dict[str, Any]:
        queries, documents = given["pairs"].T
        return {"scores": model.scores_QD[queries, documents][:, None]}

    members = {
        "num_labels": 1, "device": torch.device("cpu"), "preprocess": numbers, "forward": forward,
    }  # fmt: skip
    kind: Any = type("Scoring", (library.CrossEncoder,), members)
    return Reference(cross, bi, scoring)


@pytest.mark.slow
@pytest.mark.parametrize("case", named(EQUAL + CONVERTED))
def test_sentence_transformers_itself_gives_the_same_values_and_gradients(case: Case, reference: Reference) -> None:
    mine, other = table(case.scores).requires_grad_(), table(case.scores, torch.float32).requires_grad_()
    case.ours(mine, case.targets).backward()
    theirs = case.theirs(reference, other, case.targets)
    theirs.backward()
    assert float(theirs.detach()) == pytest.approx(case.recorded, abs=1e-6)
    assert torch.allclose(mine.grad, other.grad.double(), atol=1e-6, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in DIFFERENT])
def test_sentence_transformers_itself_differs_as_told(case: Differs, reference: Reference) -> None:
    theirs = case.theirs(reference, table(case.scores, torch.float32), case.targets)
    assert float(theirs) == pytest.approx(case.recorded, abs=1e-6)
