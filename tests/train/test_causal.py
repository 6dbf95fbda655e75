"""The causal student in training: what it scores, what it learns from, what it saves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

import tiny  # noqa: E402
import tiny_students  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable  # noqa: E402
from whyrank.rankers.student_folder import Lora  # noqa: E402
from whyrank.rankers.student_network import last  # noqa: E402
from whyrank.train.causal import CausalStudent, Told  # noqa: E402

CLOSE = 1e-5
TOLD = [
    Told("direct", "moon tide", "the moon and the sea", None, "it is about the moon and the sea"),
    Told("comparison", "moon tide", "the moon", "a tart from the oven " * 8, "the other is about a tart"),
]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    parent = tmp_path_factory.mktemp("bases")
    return {name: tiny_students.base(parent / name, name) for name in tiny_students.MODELS}


@pytest.fixture
def llama(bases: dict[str, str]) -> Any:
    return tiny_students.student(bases["llama"])


def flat(scores: Any) -> Any:
    return torch.cat(list(scores)).detach()


@pytest.mark.parametrize("name", tiny_students.MODELS)
def test_a_score_is_the_pairs_own(bases: dict[str, str], name: str) -> None:
    student = tiny_students.student(bases[name], name)
    together = flat(student.score(tiny_students.LISTS, packed=False))
    pairs = [(query, text) for query, texts in tiny_students.LISTS for text in texts]
    alone = torch.cat([flat(student.score([(query, [text])], packed=False)) for query, text in pairs])
    assert torch.allclose(together, alone, atol=CLOSE, rtol=0)
    assert alone.unique().numel() == len(pairs)
    turned = [(query, texts[::-1]) for query, texts in tiny_students.LISTS[::-1]]
    back = flat([scores.flip(0) for scores in student.score(turned, packed=False)[::-1]])
    assert torch.allclose(together, back, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("name", tiny_students.MODELS)
def test_padding_on_either_side_changes_nothing(bases: dict[str, str], name: str) -> None:
    network = tiny_students.student(bases[name], name).network
    rows = [network.renderer.scored(query, text) for query, texts in tiny_students.LISTS for text in texts]
    longest = max(map(len, rows)) + 3
    left = torch.tensor([[*[5] * (longest - len(row)), *row] for row in rows])
    there = torch.arange(longest) >= torch.tensor([[longest - len(row)] for row in rows])
    with torch.inference_mode():
        alone = torch.cat([network.scores([row]) for row in rows])
        padded_left = network.head(last(network.hidden(left, there), there))
        padded_right = network.scores([*rows, [7] * longest])[:-1]
    assert torch.allclose(padded_left, alone, atol=CLOSE, rtol=0)
    assert torch.allclose(padded_right, alone, atol=CLOSE, rtol=0)


def test_lists_without_documents_have_no_scores(llama: Any) -> None:
    assert [len(scores) for scores in llama.score([("moon", []), ("sea", ["water"]), ("sun", [])])] == [0, 1, 0]
    assert [len(scores) for scores in llama.score([("moon", [])])] == [0]


def test_adapter_and_head_learn_and_nothing_else(llama: Any) -> None:
    trained = llama.parameters_by_name()
    before = {name: p.detach().clone() for name, p in llama.network.causal.named_parameters()}
    optimizer = torch.optim.SGD(trained.values(), lr=0.1)
    (flat_sum(llama.score(tiny_students.LISTS)) + llama.generation_loss(TOLD)).backward()
    optimizer.step()
    assert {name.partition(".")[0] for name in trained} == {"adapter", "head"}
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in trained.values())
    for name, parameter in llama.network.causal.named_parameters():
        is_adapter = "lora_" in name
        assert (f"adapter.{name}" in trained) == is_adapter
        assert torch.equal(parameter, before[name]) != is_adapter
        assert (parameter.grad is None) != is_adapter


def flat_sum(scores: Any) -> Any:
    return torch.cat(list(scores)).sum()


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_generation_loss_is_that_of_the_reasons_tokens(bases: dict[str, str], name: str) -> None:
    student = tiny_students.student(bases[name], name)
    renderer = student.network.renderer
    logs = []
    for one in TOLD:
        prompt, reason = renderer.asked(one.kind, one.query, one.document, one.other), renderer.told(one.text)
        assert reason[-1] == student.network.tokenizer.eos_token_id
        with torch.inference_mode():
            logits = student.network.causal(torch.tensor([[*prompt, *reason]])).logits[0].log_softmax(1)
        logs += [float(logits[len(prompt) - 1 + n, token]) for n, token in enumerate(reason)]
    assert float(student.generation_loss(TOLD).detach()) == pytest.approx(-sum(logs) / len(logs), abs=CLOSE)
    with pytest.raises(BadInput, match="no reasons to learn"):
        student.generation_loss([])


def test_gradient_checkpointing_changes_no_gradient(bases: dict[str, str]) -> None:
    found, calls = [], []
    for how in (False, True):
        student = tiny_students.student(bases["llama"], gradient_checkpointing=how)
        calls.append(0)

        def counted(*_: Any) -> None:
            calls[-1] += 1

        student.network.causal.model.layers[0].mlp.register_forward_pre_hook(counted)
        (flat_sum(student.score(tiny_students.LISTS)) + student.generation_loss(TOLD)).backward()
        found.append(torch.cat([p.grad.flatten() for p in student.parameters_by_name().values()]))
    assert torch.allclose(*found, atol=CLOSE, rtol=0)
    assert calls == [2, 4]


def test_the_same_seed_is_the_same_student(bases: dict[str, str]) -> None:
    one, again, other = (
        CausalStudent.create(bases["llama"], Lora(), device="cpu", seed=seed, **tiny_students.SETTINGS)
        for seed in (1, 1, 2)
    )
    states = [student.parameters_by_name() for student in (one, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])
    a = next(name for name in states[0] if "lora_A" in name)
    assert not torch.equal(states[0][a], states[2][a])


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_saved_student_scores_the_same_to_the_bit(bases: dict[str, str], name: str, tmp_path: Path) -> None:
    student = tiny_students.student(bases[name], name, layout="document-first")
    student.save(tmp_path / "student", reasons="both", trained={"lists": 3})
    again = CausalStudent.load(tmp_path / "student", device="cpu")
    assert torch.equal(flat(again.score(tiny_students.LISTS)), flat(student.score(tiny_students.LISTS)))
    assert torch.equal(again.generation_loss(TOLD), student.generation_loss(TOLD))
    assert again.manifest.trained == {"lists": 3}
    assert again.manifest.prompt == student.manifest.prompt
    assert set(again.parameters_by_name()) == set(student.parameters_by_name())
    suffixes = {path.suffix for path in (tmp_path / "student").rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".safetensors", ".jinja"}


def test_the_base_is_neither_saved_nor_changed(llama: Any, tmp_path: Path) -> None:
    llama.save(tmp_path / "student")
    saved = load_file(tmp_path / "student" / "adapter" / "adapter_model.safetensors")
    assert saved
    assert all("lora_" in name for name in saved)
    assert set(load_file(tmp_path / "student" / "rank_head.safetensors")) == {"weight", "bias"}


def saved(llama: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "student"
    llama.save(folder)
    return folder


def another_model(folder: Path) -> None:
    content = json.loads((folder / "reranker.json").read_text())
    other = tiny.llama(folder.parent / "other", num_hidden_layers=1)
    (folder / "reranker.json").write_text(json.dumps({**content, "base": other}))


def another_seed(folder: Path) -> None:
    """The same shapes and the same configuration, and other weights."""
    import transformers

    content = json.loads((folder / "reranker.json").read_text())
    shutil.copytree(content["base"], folder.parent / "other")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder.parent / "other")
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight.mul_(-1)
    model.save_pretrained(folder.parent / "other")
    (folder / "reranker.json").write_text(json.dumps({**content, "base": str(folder.parent / "other")}))


def no_base(folder: Path) -> None:
    content = json.loads((folder / "reranker.json").read_text())
    (folder / "reranker.json").write_text(json.dumps({**content, "base": str(folder.parent / "gone")}))


def turned_bit(folder: Path) -> None:
    path = folder / "adapter" / "adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def other_format(folder: Path) -> None:
    content = json.loads((folder / "reranker.json").read_text())
    (folder / "reranker.json").write_text(json.dumps({**content, "kind": "encoder-student"}))


@pytest.mark.parametrize(
    ("harm", "error", "words"),
    [
        (lambda folder: (folder / "rank_head.safetensors").unlink(), Corrupt, "rank head is missing"),
        (lambda folder: shutil.rmtree(folder / "adapter"), Corrupt, "adapter is missing"),
        (lambda folder: (folder / "reranker.json").unlink(), MissingFile, "no reranker.json"),
        (lambda folder: (folder / "reranker.json").write_text("{"), Corrupt, "damaged"),
        (lambda folder: (folder / "reranker.json").write_text("[]"), Corrupt, "damaged"),
        (other_format, BadInput, "a encoder-student of whyrank-reranker/1"),
        (turned_bit, Corrupt, "sha256 is not the one"),
        (another_model, BadInput, "is another model"),
        (another_seed, BadInput, "is another model"),
        (no_base, MissingFile, r"write where it is as \"base\" into .*reranker\.json"),
    ],
)
def test_a_harmed_student_is_refused(
    llama: Any, tmp_path: Path, harm: Callable[[Path], None], error: type[Exception], words: str
) -> None:
    folder = saved(llama, tmp_path)
    harm(folder)
    with pytest.raises(error, match=words):
        CausalStudent.load(folder, device="cpu")


def test_a_base_that_moved_is_named(bases: dict[str, str], llama: Any, tmp_path: Path) -> None:
    folder = saved(llama, tmp_path)
    shutil.copytree(bases["llama"], tmp_path / "moved")
    no_base(folder)
    again = CausalStudent.load(folder, base=str(tmp_path / "moved"), device="cpu")
    assert torch.equal(flat(again.score(tiny_students.LISTS)), flat(llama.score(tiny_students.LISTS)))


@pytest.mark.parametrize("full_at", ["rank_head.safetensors", "adapter/adapter_model.safetensors", "reranker.json"])
def test_a_full_disk_leaves_the_old_student_whole(
    llama: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    folder = saved(llama, tmp_path)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in ("write_bytes", "write_text"):
        monkeypatch.setattr(Path, name, until_full(full_at, getattr(Path, name)))
    with torch.no_grad():
        llama.network.head.weight.add_(1)
    with pytest.raises(Unwritable, match="No space left"):
        llama.save(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["student"]
    monkeypatch.undo()
    llama.save(folder)
    again = CausalStudent.load(folder, device="cpu")
    assert torch.equal(again.network.head.weight, llama.network.head.weight)


def until_full(name: str, write: Callable[..., int]) -> Callable[..., int]:
    def written(path: Path, content: Any, **how: Any) -> int:
        if path.as_posix().endswith(name):
            write(path, content[: len(content) // 2], **how)
            raise OSError(28, "No space left on device")
        return write(path, content, **how)

    return written


def test_a_tokenizer_that_cannot_be_written_is_said(
    llama: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_how: Any) -> None:
        raise Exception("No space left on device (os error 28)")  # as tokenizers raises it

    monkeypatch.setattr(type(llama.network.tokenizer), "save_pretrained", full)
    with pytest.raises(Unwritable, match="No space left"):
        llama.save(tmp_path / "student")
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_never_replaced(llama: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(Unwritable, match="something else stands there"):
        llama.save(tmp_path / "mine")
    with pytest.raises(Unwritable, match="does not exist"):
        llama.save(tmp_path / "no" / "folder")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


@pytest.mark.parametrize(
    ("lora", "more", "words"),
    [
        (Lora(targets=("query",)), {}, "linear layers are .*q_proj"),
        (Lora(targets=("lm_head",)), {}, "embeddings"),
        (Lora(targets=("q_proj", "embed_tokens")), {}, "embeddings"),
        (Lora(), {"max_tokens": 500, "reason_tokens": 24}, "do not fit a context of 512"),
        (Lora(), {"max_tokens": 40}, "max_tokens=40"),
        (Lora(), {"layout": "sideways"}, "query-first or document-first"),
        (Lora(), {"dtype": "float31"}, "float31"),
    ],
)
def test_what_cannot_be_a_student(bases: dict[str, str], lora: Lora, more: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        CausalStudent.create(bases["llama"], lora, device="cpu", **{**tiny_students.SETTINGS, **more})


def test_a_model_that_reads_with_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="sequence-to-sequence"):
        CausalStudent.create(tiny.t5(tmp_path), Lora(), device="cpu")


def test_every_linear_layer_can_get_an_adapter(bases: dict[str, str]) -> None:
    every = CausalStudent.create(
        bases["llama"], Lora(targets=("all-linear",)), device="cpu", **tiny_students.SETTINGS
    ).parameters_by_name()
    assert {name.split(".")[-4] for name in every if "lora_A" in name} == set(
        "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj".split()
    )


def test_dropout_is_of_training_only(bases: dict[str, str]) -> None:
    student = CausalStudent.create(bases["llama"], Lora(dropout=0.5), device="cpu", **tiny_students.SETTINGS)
    with torch.no_grad():
        for name, parameter in student.parameters_by_name().items():
            if "lora_B" in name:
                parameter.fill_(0.3)
    torch.manual_seed(0)
    one, other = (flat(student.score(tiny_students.LISTS)) for _ in range(2))
    assert not torch.equal(one, other)
    student.train(False)
    one, other = (flat(student.score(tiny_students.LISTS)) for _ in range(2))
    assert torch.equal(one, other)
