"""Writing: what `generate` writes for each prompt alone, in whichever company."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import tiny  # noqa: E402

from whyrank.errors import BadInput, ModelError  # noqa: E402
from whyrank.lm.base import Choose, Generate, Message, Reply  # noqa: E402
from whyrank.lm.transformers import Transformers  # noqa: E402
from whyrank.lm.transformers_work import Row, Written, first_stop, parted  # noqa: E402

TEXTS = ["the moon", "the tide of the sea and the light of the sun are", "bake", "an apple tart " * 9, "query: the"]
STEPS = 12
BART = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    parent = tmp_path_factory.mktemp("models")
    return {name: make(parent / name) for name, make in tiny.MODELS.items()}


@pytest.fixture(scope="module")
def lms(folders: dict[str, str]) -> Callable[..., Transformers]:
    kept: dict[Any, Transformers] = {}

    def loaded(name: str, **how: Any) -> Transformers:
        key = (name, *sorted(how.items()))
        if key not in kept:
            kept[key] = Transformers(folders[name], device="cpu", **how)
        return kept[key]

    return loaded


def alone(folder: str, text: str) -> str:
    """What transformers writes by itself, greedily."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    tokens = tokenizer(text, return_tensors="pt")["input_ids"]
    written = kind.from_pretrained(folder).generate(
        tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=STEPS
    )
    start = 1 if config.is_encoder_decoder else tokens.shape[1]
    return str(tokenizer.decode(written[0, start:], skip_special_tokens=True))


def replies(lm: Transformers, requests: list[Generate]) -> list[Reply]:
    found = lm.ask(requests)
    assert all(isinstance(reply, Reply) for reply in found), found
    return [reply for reply in found if isinstance(reply, Reply)]


@pytest.mark.parametrize("mode", ["fast", "isolated"])
@pytest.mark.parametrize("name", sorted(tiny.MODELS))
def test_greedy_is_generate_on_each_prompt_alone(
    lms: Callable[..., Transformers], folders: dict[str, str], name: str, mode: str
) -> None:
    lm = lms(name, mode=mode)
    found = replies(lm, [Generate(text, max_tokens=STEPS) for text in TEXTS])
    assert [reply.text for reply in found] == [alone(folders[name], text) for text in TEXTS]
    assert [reply.usage.prompt_tokens for reply in found] == [len(lm._prompts.encode(text).tokens) for text in TEXTS]


def test_each_row_has_its_own_length_and_finish(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    found = replies(lm, [Generate("the moon", max_tokens=length) for length in (1, 3, 9)])
    assert [reply.usage.generated_tokens for reply in found] == [1, 3, 9]
    assert {reply.finish for reply in found} == {"length"}
    assert found[2].text.startswith(found[1].text)


def test_the_end_of_a_text_stops_it_and_no_other_setting_of_the_model_counts(
    folders: dict[str, str], tmp_path: Path
) -> None:
    rows = [Row([300, 301], STEPS), Row([5, 6, 7], STEPS)]
    whole, other = Transformers(folders["qwen3"], device="cpu")._writer.write(rows)
    end = next(token for token in whole.tokens[1:] if token not in other.tokens and token != whole.tokens[0])
    assert len(set(other.tokens)) < STEPS  # a penalty for repetitions would change it
    folder = shutil.copytree(folders["qwen3"], tmp_path / "model")
    settings = json.loads((folder / "generation_config.json").read_text())
    settings |= {"eos_token_id": [settings["eos_token_id"], end], "repetition_penalty": 5.0, "do_sample": True}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    lm = Transformers(str(folder), device="cpu")
    ended, same = lm._writer.write(rows)
    assert ended == Written(whole.tokens[: whole.tokens.index(end) + 1], "stop")
    assert same == other
    assert lm._writer.text(ended, ()) == lm._writer.text(Written(ended.tokens[:-1], "length"), ())


def test_an_encoder_with_learned_positions_is_padded_on_the_right(tmp_path: Path) -> None:
    tokenizer = tiny.piece_tokenizer()
    torch.manual_seed(7)
    sizes = {f"{side}_{what}": size for side in ("encoder", "decoder") for what, size in BART.items()}
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1, "decoder_start_token_id": 0}
    config = transformers.BartConfig(
        vocab_size=len(tokenizer), d_model=32, max_position_embeddings=128, forced_eos_token_id=None, **ids, **sizes
    )
    model = tiny.sharpen(transformers.BartForConditionalGeneration(config))
    folder = tiny.save(tmp_path, model, tokenizer)
    lm = Transformers(folder, device="cpu")
    found = replies(lm, [Generate(text, max_tokens=STEPS) for text in TEXTS])
    assert [reply.text for reply in found] == [alone(folder, text) for text in TEXTS]
    assert len({reply.text for reply in found}) > 1


def test_stop_texts_end_it_and_are_no_part_of_it(lms: Callable[..., Transformers]) -> None:
    lm = lms("llama")
    [whole] = replies(lm, [Generate(TEXTS[1], max_tokens=STEPS)])
    stop = whole.text[4:7]
    place = whole.text.index(stop)
    [stopped, other] = replies(
        lm,
        [Generate(TEXTS[1], max_tokens=STEPS, stop=("nowhere to be seen", stop)), Generate("bake", max_tokens=STEPS)],
    )
    assert (stopped.text, stopped.finish) == (whole.text[:place], "stop")
    assert stopped.usage.generated_tokens < STEPS
    assert other.usage.generated_tokens == STEPS


def test_a_seed_is_the_same_text_in_any_company(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    request = Generate("the moon", max_tokens=STEPS, temperature=1.0, seed=5)
    beside = [Generate(text, max_tokens=STEPS, temperature=0.7, seed=i) for i, text in enumerate(TEXTS)]
    [single] = replies(lm, [request])
    assert replies(lm, [*beside, request])[-1].text == single.text
    [another] = replies(lm, [Generate("the moon", max_tokens=STEPS, temperature=1.0, seed=6)])
    assert another.text != single.text


def test_no_seed_is_another_text_each_time(lms: Callable[..., Transformers]) -> None:
    request = Generate("the moon", max_tokens=STEPS, temperature=1.5)
    first, second = replies(lms("qwen2"), [request, request])
    assert first.text != second.text


def test_temperature_near_zero_is_greedy(lms: Callable[..., Transformers]) -> None:
    cold, greedy = replies(lms("qwen2"), [Generate("the sea", temperature=1e-4, seed=1), Generate("the sea")])
    assert cold.text == greedy.text


def test_several_answers(lms: Callable[..., Transformers]) -> None:
    lm = lms("qwen2")
    [sampled] = replies(lm, [Generate("the moon", max_tokens=5, temperature=1.0, seed=3, n=3)])
    assert len({sampled.text, *sampled.others}) == 3
    assert sampled.usage.generated_tokens == 15
    [fewer] = replies(lm, [Generate("the moon", max_tokens=5, temperature=1.0, seed=3, n=2)])
    assert (fewer.text, *fewer.others) == (sampled.text, *sampled.others[:1])
    [greedy] = replies(lm, [Generate("the moon", max_tokens=5, n=3)])
    assert greedy.others == (greedy.text, greedy.text)
    assert greedy.usage.generated_tokens == 5


def test_numbers_outside_their_range(lms: Callable[..., Transformers]) -> None:
    bad: list[dict[str, Any]] = [{"max_tokens": 0}, {"n": 0}, {"temperature": -0.1}, {"temperature": float("nan")}]
    for wrong in bad:
        with pytest.raises(BadInput, match=f"{next(iter(wrong))}="):
            lms("qwen2").ask([Generate("the moon", **wrong)])


def test_one_failing_batch_loses_no_other(lms: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch) -> None:
    lm = lms("qwen2", mode="isolated")
    write = lm._writer.write

    def failing(rows: Any) -> Any:
        if rows[0].max_tokens == 3:
            raise RuntimeError("a layer broke")
        return write(rows)

    monkeypatch.setattr(lm._writer, "write", failing)
    found = lm.ask([Generate("the moon", max_tokens=2), Generate("the sea", max_tokens=3), Choose("the", (" yes",))])
    assert [type(reply) for reply in found] == [Reply, ModelError, Reply]


def test_reasoning_is_parted_from_the_answer() -> None:
    assert parted("<think>\nso\n</think>\n\nyes", is_inside=False) == ("yes", "so")
    assert parted(" <think></think>yes", is_inside=False) == ("yes", "")
    assert parted("so\n</think>\n\nyes", is_inside=True) == ("yes", "so")
    assert parted("<think>on and on", is_inside=False) == ("", "on and on")
    assert parted("on and on", is_inside=True) == ("", "on and on")
    assert parted("yes <think>no</think>", is_inside=False) == ("yes <think>no</think>", "")
    assert parted("yes", is_inside=False) == ("yes", "")


def test_reasoning_of_a_reply(lms: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch) -> None:
    lm = lms("qwen2")
    tokenizer = lm._writer._tokenizer
    thought = tokenizer("<think>the moon</think>", add_special_tokens=False)["input_ids"]
    answer = tokenizer(" [1] > [2]", add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(lm._writer, "write", lambda rows: [Written([*thought, *answer], "stop") for _ in rows])
    [reply] = replies(lm, [Generate("the")])
    assert (reply.text, reply.reasoning) == ("[1] > [2]", "the moon")
    assert reply.usage.reasoning_tokens == len(thought)
    assert reply.usage.generated_tokens == len(thought) + len(answer)
    monkeypatch.setattr(lm._writer, "write", lambda rows: [Written(thought[:-1], "length") for _ in rows])
    [broken_off] = replies(lm, [Generate((Message("user", "the"), Message("assistant", "<think>")))])
    assert (broken_off.text, broken_off.finish) == ("", "length")
    assert broken_off.usage.reasoning_tokens == len(thought) - 1


def test_first_stop() -> None:
    assert first_stop("one two three", ("three", "two")) == 4
    assert first_stop("one", ("two",)) == 3
    assert first_stop("one", ()) == 3
