"""The packed row: scores, losses and gradients of the padded batch, and models that cannot read it."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

import tiny  # noqa: E402
import tiny_students  # noqa: E402

from whyrank.train import losses  # noqa: E402
from whyrank.train.packing import Group, layout, prepare  # noqa: E402

CLOSE = 1e-5
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    parent = tmp_path_factory.mktemp("bases")
    return {name: tiny_students.base(parent / name, name) for name in tiny_students.MODELS}


def loss_and_gradients(student: Any, *, packed: bool) -> tuple[Any, Any]:
    for parameter in student.parameters_by_name().values():
        parameter.grad = None
    scores = student.score(tiny_students.LISTS, packed=packed)
    scores_QD = torch.nn.utils.rnn.pad_sequence(scores, batch_first=True)
    mask_QD = torch.arange(scores_QD.shape[1]) < torch.tensor([[len(own)] for own in scores])
    targets_QD = torch.arange(scores_QD.shape[1], 0, -1.0).expand_as(scores_QD)
    loss = losses.rank_net(scores_QD, targets_QD, mask_QD) + losses.list_net(scores_QD, targets_QD, mask_QD)
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in student.parameters_by_name().items()}


@pytest.mark.parametrize("name", tiny_students.MODELS)
@pytest.mark.parametrize("first", ["query-first", "document-first"])
def test_the_same_loss_and_gradients_as_padded(bases: dict[str, str], name: str, first: str) -> None:
    student = tiny_students.student(bases[name], name, layout=first)
    assert student.why_not_packed == ""
    padded, wanted = loss_and_gradients(student, packed=False)
    packed, found = loss_and_gradients(student, packed=True)
    assert torch.allclose(packed, padded, atol=CLOSE, rtol=0)
    for parameter, gradient in wanted.items():
        # The slopes of this random GPT-2 reach 10, and with them what rounding comes to.
        largest = max(1.0, float(gradient.abs().max())) if name == "gpt2" else 1.0
        assert torch.allclose(found[parameter], gradient, atol=CLOSE * largest, rtol=0), parameter
    assert max(float(gradient.abs().max()) for gradient in wanted.values()) > 100 * CLOSE


def test_neighbours_in_a_row_see_nothing_of_each_other(bases: dict[str, str]) -> None:
    student = tiny_students.student(bases["llama"])
    query, texts = tiny_students.LISTS[0]
    before = student.score([(query, texts)])[0][0].detach()
    others = student.score([("sun", ["oven " * 20]), (query, [texts[0], "apple tart " * 9, "yes"])])[1][0].detach()
    assert torch.allclose(before, others, atol=CLOSE, rtol=0)


def test_a_row_by_hand() -> None:
    row = layout([Group([10, 11], [[1, 2, 3], [4]]), Group([20], [[5, 6]])], CPU, blocks=2)
    assert row.tokens_N.tolist() == [10, 11, 20, 4, 5, 6, 1, 2, 3]
    assert row.positions_N.tolist() == [0, 1, 0, 2, 1, 2, 2, 3, 4]
    assert row.ends_R.tolist() == [8, 3, 5]
    assert row.prefixes_LP.tolist() == [[0, 1], [2, 0]]
    short, long = row.blocks
    assert short.places_DS.tolist() == [[3, 0], [4, 5]]
    assert short.owners_D.tolist() == [0, 1]
    # Of [prefix, prefix, own, own]: document 4 behind two tokens, document 5 6 behind one.
    assert short.seen_DS[:, 0].int().tolist() == [[[1, 1, 1, 0], [1, 1, 1, 1]], [[1, 0, 1, 0], [1, 0, 1, 1]]]
    assert long.places_DS.tolist() == [[6, 7, 8]]
    ends = [*row.prefixes_LP.flatten(), *short.places_DS.flatten(), *long.places_DS.flatten()]
    assert [int(ends[place]) for place in row.back_N] == list(range(9))


def test_a_window_is_found_out(tmp_path: Path) -> None:
    student = tiny_students.student(tiny_students.base(tmp_path, "mistral", sliding_window=16))
    assert "differ" in student.why_not_packed
    assert student.network.causal.config._attn_implementation == "sdpa"
    packed, padded = (student.score(tiny_students.LISTS, packed=how) for how in (True, False))
    assert all(torch.equal(one, other) for one, other in zip(packed, padded, strict=True))


def test_a_window_wider_than_a_prompt_is_no_hindrance(tmp_path: Path) -> None:
    student = tiny_students.student(tiny_students.base(tmp_path, "mistral", sliding_window=200))
    assert student.why_not_packed == ""


@pytest.mark.parametrize(
    ("name", "sizes", "targets"),
    [
        ("mamba", {"state_size": 4, "hidden_size": 32, "num_hidden_layers": 2}, ("in_proj",)),
        ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}, ("query_key_value",)),
        ("gemma2", {**tiny.SIZES, "head_dim": 8, "attn_logit_softcapping": 0.5}, ("q_proj",)),
    ],
)
def test_other_attention_is_left_alone(
    tmp_path: Path, name: str, sizes: dict[str, Any], targets: tuple[str, ...]
) -> None:
    import transformers

    from whyrank.rankers.student_folder import Lora
    from whyrank.train.causal import CausalStudent

    tokenizer = tiny.byte_tokenizer()
    torch.manual_seed(7)
    config = transformers.AutoConfig.for_model(name, vocab_size=len(tokenizer), **sizes)
    model = transformers.AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    base = tiny.save(tmp_path, model, tokenizer)
    student = CausalStudent.create(base, Lora(targets=targets), device="cpu", **tiny_students.SETTINGS)
    assert student.why_not_packed
    scores = student.score(tiny_students.LISTS)
    alone = student.score([(query, [texts[0]]) for query, texts in tiny_students.LISTS])
    first = torch.stack([own[0] for own in scores]).detach()
    assert torch.allclose(first, torch.cat(alone).detach(), atol=CLOSE, rtol=0)


def test_an_attention_that_ours_would_not_match_is_left_alone(bases: dict[str, str]) -> None:
    network = tiny_students.student(bases["llama"]).network
    network.causal.set_attn_implementation("eager")
    assert "'eager'" in prepare(network, 40)
    assert network.causal.config._attn_implementation == "eager"
