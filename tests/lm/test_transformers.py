"""Reading with models of real architectures: equal to a plain full forward, in whichever company."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import tiny  # noqa: E402

from whyrank.errors import BadInput, MissingFile, ModelError, ModelRejected, ModelUnavailable  # noqa: E402
from whyrank.lm.base import LM, Capability, Choose, Generate, Likelihood, Message, Reply, Request  # noqa: E402
from whyrank.lm.transformers import Transformers  # noqa: E402
from whyrank.lm.transformers_reading import can_share  # noqa: E402

CLOSE = 1e-5
CHOICES = (" yes", " no")
MODEL_NAMES = sorted(tiny.MODELS)
OTHERS: dict[str, dict[str, Any]] = {
    "gemma2": {"final_logit_softcapping": 0.5, "head_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8},
    "cohere": {"logit_scale": 0.25},
    "granite": {"logits_scaling": 3.0},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "mistral": {"sliding_window": 8},
}
"""Heads that scale or cap, windows that slide, positions that are learned."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    parent = tmp_path_factory.mktemp("models")
    made = {name: make(parent / name) for name, make in tiny.MODELS.items()}
    return made | {name: other(parent / name, name, more) for name, more in OTHERS.items()}


def other(folder: Path, name: str, more: dict[str, Any]) -> str:
    torch.manual_seed(7)
    tokenizer = tiny.byte_tokenizer()
    sizes = {} if name == "gpt2" else tiny.SIZES
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    config = transformers.AutoConfig.for_model(name, vocab_size=len(tokenizer), **{**sizes, **ids, **more})
    model = transformers.AutoModelForCausalLM.from_config(config)
    return tiny.save(folder, tiny.sharpen(model), tokenizer)


@pytest.fixture(scope="module")
def lms(folders: dict[str, str]) -> Callable[..., Transformers]:
    kept: dict[Any, Transformers] = {}

    def loaded(name: str, **how: Any) -> Transformers:
        key = (name, *sorted(how.items()))
        if key not in kept:
            kept[key] = Transformers(folders[name], device="cpu", **how)
        return kept[key]

    return loaded


def prompts(count: int = 6, queries: int = 2) -> list[str]:
    """Prompts of a few queries with documents of quite different lengths, mixed."""
    lots = Random(3)
    words = tiny.WORDS.split()

    def text(length: int) -> str:
        return " ".join(lots.choices(words, k=length))

    asked = [text(12) for _ in range(queries)]
    made = [
        f"Judge the passage. query: {query}\npassage: {text(lots.choice((2, 9, 40)))}\nrelevant:"
        for query in asked
        for _ in range(count)
    ]
    lots.shuffle(made)
    return made


def choices_of(lm: Transformers, name: str) -> tuple[str, ...]:
    return ("yes", "no") if name == "t5" else CHOICES


def plain_logits(folder: str, prompt: str, decoder: Sequence[int] = ()) -> Any:
    """Logits [T, V] of a full forward of one text: the whole of transformers, none of ours."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    model = PLAIN.setdefault(folder, None) or kind.from_pretrained(folder)
    PLAIN[folder] = model
    tokens = tokenizer(prompt, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        if config.is_encoder_decoder:
            return model(input_ids=tokens, decoder_input_ids=torch.tensor([[0, *decoder]])).logits[0].double()
        tokens = torch.cat([tokens, torch.tensor([list(decoder)], dtype=torch.long)], dim=1)
        return model(input_ids=tokens, use_cache=False).logits[0].double()


PLAIN: dict[str, Any] = {}


def plain_choice(folder: str, prompt: str, choices: Sequence[str]) -> list[float]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    [*ids] = (tokenizer(choice, add_special_tokens=False)["input_ids"] for choice in choices)
    assert all(len(own) == 1 for own in ids)
    row = plain_logits(folder, prompt)[-1]
    return [float(row[own[0]]) for own in ids]


def plain_likelihood(folder: str, prompt: str, continuation: str) -> list[float]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    following = tokenizer(continuation, add_special_tokens=False)["input_ids"]
    logs = plain_logits(folder, prompt, following[:-1])[-len(following) :].log_softmax(dim=-1)
    return [float(row[token]) for row, token in zip(logs, following, strict=True)]


def answers(lm: LM, requests: Sequence[Request]) -> list[Reply]:
    replies = lm.ask(requests)
    assert all(isinstance(reply, Reply) for reply in replies), replies
    return [reply for reply in replies if isinstance(reply, Reply)]


def values(lm: LM, requests: Sequence[Request]) -> list[tuple[float, ...]]:
    return [reply.logprobs for reply in answers(lm, requests)]


@contextmanager
def tokens_read(lm: Transformers) -> Iterator[list[int]]:
    """Tokens that go through the model (of seq2seq ones, through the encoder) in each pass, padding included."""
    model: Any = lm._reader._model
    body = model.get_encoder() if model.config.is_encoder_decoder else model
    embeddings = body.get_input_embeddings()
    read: list[int] = []
    hook = embeddings.register_forward_hook(lambda _module, inputs, _output: read.append(inputs[0].numel()))
    yield read
    hook.remove()


@pytest.mark.parametrize("name", [*MODEL_NAMES, *OTHERS])
@pytest.mark.parametrize("batch_tokens", [16_384, 300, 1])
def test_choices_are_the_logits_of_a_full_forward(
    lms: Callable[..., Transformers], folders: dict[str, str], name: str, batch_tokens: int
) -> None:
    lm = lms(name, batch_tokens=batch_tokens)
    texts = prompts()
    found = values(lm, [Choose(text, choices_of(lm, name)) for text in texts])
    wanted = [plain_choice(folders[name], text, choices_of(lm, name)) for text in texts]
    assert [list(own) for own in found] == [pytest.approx(own, abs=CLOSE) for own in wanted]
    assert max(own[0] - own[1] for own in wanted) - min(own[0] - own[1] for own in wanted) > 100 * CLOSE


@pytest.mark.parametrize("name", [*MODEL_NAMES, *OTHERS])
def test_likelihoods_are_those_of_a_full_forward(
    lms: Callable[..., Transformers], folders: dict[str, str], name: str
) -> None:
    lm = lms(name)
    pairs = list(
        zip(prompts(), itertools.cycle((" what is the tide", " moon", " the apple tart in the oven")), strict=False)
    )
    found = values(lm, [Likelihood(text, continuation) for text, continuation in pairs])
    wanted = [plain_likelihood(folders[name], text, continuation) for text, continuation in pairs]
    assert [list(own) for own in found] == [pytest.approx(own, abs=CLOSE) for own in wanted]


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_order_and_company_do_not_matter(lms: Callable[..., Transformers], name: str) -> None:
    lm = lms(name)
    requests: list[Request] = [Choose(text, choices_of(lm, name)) for text in prompts()]
    requests += [Likelihood(text, " the tide") for text in prompts(2)]
    found = values(lm, requests)
    turned = values(lm, requests[::-1])[::-1]
    alone = [values(lm, [request])[0] for request in requests]
    for one, other_order, single in zip(found, turned, alone, strict=True):
        assert one == pytest.approx(other_order, abs=CLOSE)
        assert one == pytest.approx(single, abs=CLOSE)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_equal_prompts_are_read_once_but_for_their_last_token(lms: Callable[..., Transformers], name: str) -> None:
    lm = lms(name)
    text = "the query is about the moon and the tide of the sea and the light of the sun on the water"
    requests: list[Request] = [Choose(text, choices_of(lm, name))] * 5
    found = answers(lm, requests)
    [single] = answers(lm, requests[:1])
    assert all(reply.logprobs == pytest.approx(single.logprobs, abs=CLOSE) for reply in found)
    shared = 0 if name == "t5" else single.usage.prompt_tokens - 1
    assert sorted(reply.usage.cached_tokens for reply in found) == [0, shared, shared, shared, shared]


def test_nothing_is_asked(lms: Callable[..., Transformers]) -> None:
    assert lms("qwen2").ask([]) == []


def test_several_threads_may_ask(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    batches: list[list[Request]] = [[Choose(text, CHOICES) for text in prompts()[i::4]] for i in range(4)]
    wanted = [values(lm, batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda batch: values(lm, batch), batches)) == wanted


@pytest.mark.parametrize("name", ["qwen2", "t5", "gemma2"])
def test_half_precision_is_near(lms: Callable[..., Transformers], folders: dict[str, str], name: str) -> None:
    lm = lms(name, dtype="bfloat16")
    texts = prompts(2)
    found = values(lm, [Choose(text, choices_of(lm, name)) for text in texts])
    wanted = [plain_choice(folders[name], text, choices_of(lm, name)) for text in texts]
    assert [list(own) for own in found] == [pytest.approx(own, abs=0.05) for own in wanted]
    assert found != [tuple(own) for own in wanted]


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_isolated_scores_are_the_same_bits_beside_anything(lms: Callable[..., Transformers], name: str) -> None:
    lm = lms(name, mode="isolated")
    texts = prompts()
    found = values(lm, [Choose(text, choices_of(lm, name)) for text in texts])
    for changed in range(0, len(texts), 3):
        others = [text + " and more of it" if i == changed else text for i, text in enumerate(texts)]
        again = values(lm, [Choose(text, choices_of(lm, name)) for text in others])
        assert again[:changed] + again[changed + 1 :] == found[:changed] + found[changed + 1 :]
        assert again[changed] != found[changed]
    assert values(lm, [Choose(texts[0], choices_of(lm, name))]) == found[:1]


def test_isolated_is_a_plain_forward_to_the_bit(lms: Callable[..., Transformers], folders: dict[str, str]) -> None:
    text = prompts()[0]
    [found] = answers(lms("qwen2", mode="isolated"), [Choose(text, CHOICES)])
    assert found.logprobs == pytest.approx(plain_choice(folders["qwen2"], text, CHOICES), abs=1e-6)
    assert found.usage.cached_tokens == 0


@pytest.mark.parametrize("name", ["qwen2", "mistral", "t5"])
def test_usage_adds_up_to_the_tokens_that_were_read(lms: Callable[..., Transformers], name: str) -> None:
    lm = lms(name, batch_tokens=300)
    requests = [Choose(text, choices_of(lm, name)) for text in prompts()]
    with tokens_read(lm) as read:
        usage = [reply.usage for reply in answers(lm, requests)]
    assert [own.prompt_tokens for own in usage] == [len(lm._prompts.encode(r.prompt).tokens) for r in requests]
    paid = sum(own.prompt_tokens - own.cached_tokens for own in usage)
    assert 0 <= sum(read) - paid < 0.35 * paid  # the rest is padding
    assert all(own.calls == 1 and own.cost == 0.0 and own.seconds > 0 and own.generated_tokens == 0 for own in usage)
    if name != "t5":
        assert paid < sum(own.prompt_tokens for own in usage) - 200
    else:
        assert all(own.cached_tokens == 0 for own in usage)


def test_usage_without_padding_is_exact(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    text = "the moon and the tide of the sea " * 5
    requests = [Choose(f"{text}{word} yes:", CHOICES) for word in ("apple", "light", "water", "query")]
    assert len({lm.tokens.count(str(request.prompt)) for request in requests}) == 1
    with tokens_read(lm) as read:
        usage = [reply.usage for reply in answers(lm, requests)]
    assert len(read) == 2  # the prefix, and all that follows it
    assert sum(own.prompt_tokens - own.cached_tokens for own in usage) == sum(read)
    assert [own.cached_tokens for own in usage].count(0) == 1
    assert {own.cached_tokens for own in usage} == {0, read[0]}


def test_a_continuation_costs_all_but_its_last_token(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    [reply] = answers(lm, [Likelihood("the moon", " the tide of")])
    assert reply.usage.prompt_tokens == lm.tokens.count("the moon") + len(reply.logprobs) - 1


def test_the_head_is_never_applied_to_more_than_is_asked(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    shapes: list[tuple[int, ...]] = []
    hook = lm._reader._head.register_forward_hook(lambda _m, _i, output: shapes.append(tuple(output.shape)))
    answers(lm, [Choose(text, CHOICES) for text in prompts()])
    answers(lm, [Likelihood(text, " the tide") for text in prompts()])
    hook.remove()
    vocabulary = lm._reader.vocabulary
    chosen = [shape for shape in shapes if shape[2] == 2]
    assert sum(shape[1] for shape in chosen) == len(prompts())
    assert sum(shape[1] for shape in shapes if shape[2] == vocabulary) == 2 * len(prompts())
    assert all(shape[1] == 0 for shape in shapes if shape[2] == 0)


def test_one_failing_batch_loses_no_other(lms: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch) -> None:
    lm = lms("qwen2", batch_tokens=1)
    read = lm._reader.read

    def failing(batch: Any, prefix: Any = None) -> Any:
        if batch[0].place == 1:
            raise RuntimeError("a layer broke\nwith a long story")
        if batch[0].place == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        return read(batch, prefix)

    monkeypatch.setattr(lm._reader, "read", failing)
    seen: dict[int, Reply | ModelError] = {}
    replies = lm.ask([Choose(text, CHOICES) for text in prompts()[:4]], lambda i, reply: seen.update({i: reply}))
    assert [type(reply) for reply in replies] == [Reply, ModelError, ModelUnavailable, Reply]
    assert str(replies[1]) == "transformers:qwen2 failed on this request: RuntimeError: a layer broke"
    assert "batch_tokens (now 1)" in str(replies[2])
    assert [seen[i] for i in range(4)] == replies


def test_an_interrupt_passes(lms: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch) -> None:
    lm = lms("qwen2")

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(lm._reader, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lm.ask([Choose("the moon", CHOICES)])


def test_what_does_not_fit_is_rejected_in_its_place(folders: dict[str, str]) -> None:
    lm = Transformers(folders["qwen2"], device="cpu", context=8)
    long = "the moon and the tide of the sea and the light"
    size = lm.tokens.count(long)
    replies = lm.ask(
        [Choose(long, CHOICES), Choose("the", CHOICES), Generate("the", max_tokens=8), Likelihood("the", long)]
    )
    assert [type(reply) for reply in replies] == [ModelRejected, Reply, ModelRejected, ModelRejected]
    assert f"a prompt of {size} tokens" in str(replies[0])
    assert "8 tokens of transformers:qwen2" in str(replies[0])
    assert "an answer of up to 8 do not fit" in str(replies[2])


def test_the_context_is_what_model_and_tokenizer_say(folders: dict[str, str], lms: Callable[..., Transformers]) -> None:
    assert lms("qwen2").context == 512
    assert Transformers(folders["qwen2"], device="cpu", context=100).context == 100


def test_names_and_capabilities(lms: Callable[..., Transformers]) -> None:
    causal, seq2seq = lms("qwen2"), lms("t5")
    assert isinstance(causal, LM)
    assert causal.name == "transformers:qwen2"
    written = {Capability.GENERATE, Capability.LOGPROBS, Capability.LIKELIHOOD}
    assert causal.capabilities == written | {Capability.PREFILL}
    assert seq2seq.capabilities == written


def test_what_is_no_model_is_said_so(tmp_path: Path, folders: dict[str, str]) -> None:
    with pytest.raises(MissingFile, match="no such folder"):
        Transformers(str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match=r"no config\.json"):
        Transformers(str(tmp_path))
    wrong: list[dict[str, Any]] = [{"batch_tokens": 0}, {"threads": 0}, {"context": 0}]
    for arguments in [{"mode": "quick"}, {"dtype": "float7"}, *wrong]:
        with pytest.raises(BadInput, match=str(next(iter(arguments.values())))):
            Transformers(folders["qwen2"], **arguments)


def test_an_encoder_is_no_language_model(tmp_path: Path) -> None:
    config = transformers.DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=16)
    tiny.save(tmp_path, transformers.DistilBertForMaskedLM(config), tiny.byte_tokenizer())
    with pytest.raises(BadInput, match="DistilBertForMaskedLM is no model that writes text"):
        Transformers(str(tmp_path))


def test_a_classifier_lacks_the_head(tmp_path: Path) -> None:
    config = transformers.Qwen2Config(vocab_size=700, tie_word_embeddings=False, **tiny.SIZES)
    model = transformers.Qwen2ForSequenceClassification(config)
    tiny.save(tmp_path, model, tiny.byte_tokenizer())
    with pytest.raises(BadInput, match=r"its weights lack 1 tensors \(lm_head\.weight\)"):
        Transformers(str(tmp_path))


def test_pickled_weights_are_not_read(tmp_path: Path, folders: dict[str, str]) -> None:
    source = Path(folders["qwen2"])
    for path in source.iterdir():
        if path.suffix == ".json" or path.suffix == ".jinja":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BadInput, match="no weights as safetensors"):
        Transformers(str(tmp_path))


def test_a_recurrent_model_shares_nothing_and_is_right(tmp_path: Path) -> None:
    folder = other(tmp_path / "mamba", "mamba", {"hidden_size": 32, "state_size": 4, "num_hidden_layers": 2})
    lm = Transformers(folder, device="cpu")
    assert not can_share(lm._reader._model)
    texts = prompts(2)
    found = answers(lm, [Choose(text, CHOICES) for text in texts])
    assert all(reply.usage.cached_tokens == 0 for reply in found)
    for reply, text in zip(found, texts, strict=True):
        assert reply.logprobs == pytest.approx(plain_choice(folder, text, CHOICES), abs=CLOSE)


def test_conversations_share_too(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    asked = [
        Choose((Message("system", "Judge the passage for the moon."), Message("user", f"{word} yes?")), ("yes", "no"))
        for word in ("moon", "tart", "the tide of the sea", "light")
    ]
    found = answers(lm, asked)
    assert sum(reply.usage.cached_tokens == 0 for reply in found) == 1
    for reply, request in zip(found, asked, strict=True):
        assert reply.logprobs == pytest.approx(values(lm, [request])[0], abs=CLOSE)
