"""Sequence classifiers as rankers: parity with transformers, the laws of a ranker, names, and what is no classifier."""

import json
import os
import shutil
import warnings
from pathlib import Path
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

import tiny  # noqa: E402
import tiny_cross_encoders  # noqa: E402
import tiny_students  # noqa: E402

import whyrank  # noqa: E402
from whyrank import rankers  # noqa: E402
from whyrank.config import AskSettings  # noqa: E402
from whyrank.errors import BadInput, Corrupt, MissingFile, ModelUnavailable, UnknownName  # noqa: E402
from whyrank.rankers.building import check_name, resolve  # noqa: E402
from whyrank.rankers.classifier import ClassifierRanker, load_classifier  # noqa: E402
from whyrank.rankers.classifier_folder import write_classifier  # noqa: E402
from whyrank.rankers.classifier_network import context, is_head  # noqa: E402
from whyrank.rankers.known import full_id, known_classifiers, known_models, short_names  # noqa: E402
from whyrank.rankers.pair_format import PairFormat  # noqa: E402
from whyrank.types import Document, Ranking, Reranker  # noqa: E402

EXACT, CLOSE = 1e-6, 1e-5
NETWORK = "WHYRANK_TEST_HUB"
"""Environment variable: the released checkpoints are fetched and compared with the scores of their examples."""
PLAIN = PairFormat("query: {query}", "document: {document}", 32, 193, 228, "plain")
DEAR = known_classifiers()["abdoelsayed/dear-8b-reranker-ce-v1"].pair
FORMATS = {"llama": DEAR, "lora": PLAIN, "bert": PairFormat(), "modernbert": PairFormat(), "deberta-v2": PairFormat()}
PADDING = tiny_cross_encoders.PADDING


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("classifiers")
    base = tiny.llama(root / "base", tiny_cross_encoders.llama_tokenizer())
    return {
        "base": base,
        "llama": tiny_cross_encoders.llama(root / "llama"),
        "lora": tiny_cross_encoders.lora(root / "lora", base),
        **{n: tiny_cross_encoders.encoder(root / n, n) for n in ("bert", "modernbert", "deberta-v2")},
    }


@pytest.fixture(scope="module", params=["llama", "lora", "bert"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def ranker(folders: dict[str, str], kind: str) -> ClassifierRanker:
    return load_classifier(folders[kind], device="cpu", fmt=FORMATS[kind])


@pytest.fixture(scope="module")
def isolated(folders: dict[str, str], kind: str) -> ClassifierRanker:
    return load_classifier(folders[kind], device="cpu", fmt=FORMATS[kind], mode="isolated")


def reference(folders: dict[str, str], kind: str) -> Any:
    """The model as transformers and peft load it, with nothing of ours."""
    import peft
    from transformers import AutoModelForSequenceClassification

    source = folders["base"] if kind == "lora" else folders[kind]
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=1)
    if kind == "lora":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            model = peft.PeftModel.from_pretrained(model, folders[kind]).merge_and_unload()
    if kind in ("llama", "lora"):
        model.config.pad_token_id = None  # of a single row transformers then reads the last token
    return model.eval()


def texts(count: int = 12) -> list[str]:
    lots = Random(5)
    drawn = [" ".join(lots.choices(tiny_students.WORDS, k=lots.choice((1, 5, 30)))) for _ in range(count)]
    return [*drawn, "", f"the sea {PADDING} {PADDING}"]


def rankings() -> list[Ranking]:
    return [Ranking.of(query, texts()) for query in ("moon tide", "how do you bake an apple tart", PADDING)]


def by_text(ranked: list[Ranking]) -> dict[tuple[str, str], float | None]:
    return {(r.query.text, hit.document.text): hit.score for r in ranked for hit in r}


# Parity


@pytest.mark.parametrize("kind", FORMATS)
def test_scores_are_those_of_transformers(folders: dict[str, str], kind: str) -> None:
    fmt = FORMATS[kind]
    expected = {}
    model = reference(folders, kind)
    own = load_classifier(folders[kind], device="cpu", fmt=fmt)
    for ranking in rankings():
        for document in ranking.documents:
            pair = (ranking.query.text, fmt.text_of(document))
            tokenizer = own.network.tokenizer
            if fmt.joined == "pair":
                inputs = tokenizer([pair[0]], [pair[1]], return_tensors="pt")
            else:
                halves = [f"query: {pair[0]}", f"document: {pair[1]}"]
                ids = [tokenizer(half, add_special_tokens=False)["input_ids"] for half in halves]
                between = [tokenizer.bos_token_id] if fmt.joined == "each" else []
                inputs = {"input_ids": torch.tensor([[tokenizer.bos_token_id, *ids[0], *between, *ids[1]]])}
            with torch.inference_mode():
                expected[pair[0], document.text] = float(model(**inputs).logits)
    assert len({round(score, 5) for score in expected.values()}) > 30  # what is read decides
    hows: list[dict[str, Any]] = [{}, {"batch_tokens": 1}, {"batch_tokens": 300}, {"mode": "isolated"}]
    for how in hows:
        ranker = load_classifier(folders[kind], device="cpu", fmt=fmt, **how)
        for many in (rankings(), rankings()[::-1]):
            assert by_text(ranker.rerank_many(many)) == pytest.approx(expected, abs=EXACT, rel=EXACT)


def test_what_the_configuration_calls_padding_does_not_matter(folders: dict[str, str]) -> None:
    ranker = load_classifier(folders["llama"], device="cpu", fmt=PLAIN, mode="isolated")
    pair = ("tide", f"the sea {PADDING}")
    [row] = ranker.network.rows([pair])
    assert row.tokens[-1] == ranker.network.model.config.pad_token_id
    before = ranker.score_many([pair])
    ranker.network.model.config.pad_token_id = 0
    assert ranker.score_many([pair]) == before
    assert abs(ranker.score_many([("tide", "the sea")])[0] - before[0]) > 0.01


def test_a_token_that_begins_a_text_stands_there_once(folders: dict[str, str]) -> None:
    for kind, count in (("lora", 1), ("llama", 2)):
        network = load_classifier(folders[kind], device="cpu", fmt=FORMATS[kind]).network
        [row] = network.rows([("moon", "sea")])
        begin = network.tokenizer.bos_token_id
        assert row.tokens.count(begin) == count
        assert (begin, begin) not in zip(row.tokens, row.tokens[1:], strict=False)


def test_half_precision_has_logits_that_do_not_tie(folders: dict[str, str], kind: str) -> None:
    ranker = load_classifier(folders[kind], device="cpu", fmt=FORMATS[kind], dtype="bfloat16")
    exact = load_classifier(folders[kind], device="cpu", fmt=FORMATS[kind])
    pairs = [("moon tide", text) for text in texts()]
    found, wanted = ranker.score_many(pairs), exact.score_many(pairs)
    assert found == pytest.approx(wanted, abs=max(map(abs, wanted)) / 4)
    assert any(score != float(torch.tensor(score).bfloat16()) for score in found)
    assert (ranker.tolerance, exact.tolerance) == (2**-5, CLOSE)
    assert ranker.name != exact.name


# Laws


def test_a_score_is_the_same_in_any_company(ranker: ClassifierRanker, isolated: ClassifierRanker) -> None:
    assert isinstance(ranker, Reranker)
    many = rankings()
    turned = [Ranking.of(r.query.text, [d.text for d in r.documents[::-1]]) for r in many[::-1]]
    exact, again = by_text(isolated.rerank_many(many)), by_text(isolated.rerank_many(turned))
    assert exact == again
    fast, other = by_text(ranker.rerank_many(many)), by_text(ranker.rerank_many(turned))
    assert fast == pytest.approx(exact, abs=CLOSE)
    assert other == pytest.approx(exact, abs=CLOSE)
    written = isolated.network.fmt.text_of
    alone = {key: isolated.score_many([(key[0], written(Document("1", key[1])))])[0] for key in exact}
    assert alone == exact
    assert ranker.name != isolated.name


def test_nothing_is_lost(ranker: ClassifierRanker) -> None:
    given = ["a tide", "", "a tide", "sea " * 5_000]
    [empty, ranked] = ranker.rerank_many([Ranking.of("moon", []), Ranking.of("moon", [*given, "unread"])], depth=4)
    assert len(empty) == 0
    assert sorted(ranked.ids) == ["1", "2", "3", "4", "5"]
    assert ranked.ids[-1] == "5"
    scores = [hit.score for hit in ranked.hits[:4]]
    assert scores == sorted(scores, key=lambda score: -(score or 0))
    one, other = (ranked.ids.index(identifier) for identifier in ("1", "3"))
    assert other == one + 1
    assert ranked.hits[one].score == ranked.hits[other].score
    [cut] = [hit.cut for hit in ranked if hit.document.id == "4"]
    assert 15_000 < cut < 20_000
    assert any("read only in part: 4" in note for note in ranked.notes)
    assert ranker.rerank_many([]) == []
    assert ranker.rerank(Ranking.of("", [""])).ids == ("1",)


def test_a_pair_that_comes_again_is_read_once(
    ranker: ClassifierRanker, isolated: ClassifierRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    scores = isolated.network.scores

    def counted(rows: Any, prefix: Any = None) -> Any:
        read.append(len(rows))
        return scores(rows, prefix)

    monkeypatch.setattr(isolated.network, "scores", counted)
    first, second = isolated.rerank_many([Ranking.of("moon", ["sea", "sun", "sea"]), Ranking.of("moon", ["sun"])])
    assert sum(read) == 2
    assert (first.usage.documents, second.usage.documents) == (2, 0)
    assert second.usage.prompt_tokens == second.usage.cached_tokens > 0
    assert 0 < first.usage.cached_tokens < first.usage.prompt_tokens
    told: list[tuple[int, int]] = []
    ranked = ranker.rerank_many(rankings(), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (42, 42)
    assert sum(r.usage.documents for r in ranked) == 42


def test_a_query_is_read_once_for_its_documents(folders: dict[str, str]) -> None:
    query = "how do you bake an apple tart in the oven when the moon is up"
    ranking = Ranking.of(query, [f"the {word}" for word in tiny_students.WORDS])
    causal = load_classifier(folders["llama"], device="cpu", fmt=PLAIN).rerank(ranking)
    prefix = len(f"query: {query}".split())
    assert causal.usage.cached_tokens >= prefix * (len(ranking) - 1)
    encoder = load_classifier(folders["bert"], device="cpu").rerank(ranking)
    assert encoder.usage.cached_tokens == 0


# What is no ranker, and what goes wrong


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"mode": "slow"}, "fast or isolated"),
        ({"batch_tokens": 0}, "batch_tokens=0"),
        ({"dtype": "narrow"}, "no dtype 'narrow'"),
        ({"fmt": PairFormat(max_tokens=5_000)}, "rows of 5000 tokens do not fit a context of 512"),
    ],
)
def test_settings_of_a_ranker(folders: dict[str, str], how: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        load_classifier(folders["llama"], device="cpu", **how)
    with pytest.raises(BadInput, match="depth is 0"):
        load_classifier(folders["llama"], device="cpu").rerank_many(rankings(), depth=0)


def test_models_that_are_no_ranker(folders: dict[str, str], tmp_path: Path) -> None:
    two = tiny_cross_encoders.llama(tmp_path / "two", num_labels=2)
    with pytest.raises(BadInput, match="a classifier with 2 logits; a ranker needs"):
        load_classifier(two, device="cpu")
    with pytest.raises(BadInput, match=r"lack 1 tensors \(score.weight\)"):
        load_classifier(_headless(folders["base"], tmp_path / "headless"), device="cpu")
    with pytest.raises(MissingFile, match="no such folder"):
        load_classifier(tmp_path / "nowhere")
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(BadInput, match=r"no config\.json in it"):
        load_classifier(bare)


CTRL = {"n_positions": 512, "n_embd": 32, "n_layer": 2, "n_head": 4, "dff": 64}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["ctrl", "modernbert-decoder"])
def test_a_classifier_that_reads_padding_is_refused(kind: str, dtype: str, tmp_path: Path) -> None:
    folder = tiny_cross_encoders.encoder(tmp_path / kind, kind, **(CTRL if kind == "ctrl" else {}))
    with pytest.raises(BadInput, match=r"ForSequenceClassification looks at padding, .* give a causal model with a"):
        load_classifier(folder, device="cpu", dtype=dtype)


@pytest.mark.parametrize("kind", ["fnet", "canine"])
def test_an_encoder_that_reads_beyond_its_mask_is_refused(kind: str, tmp_path: Path) -> None:
    """Fourier mixing knows no mask; the other's windows hang on the length of the batch."""
    folder = tiny_cross_encoders.encoder(tmp_path / kind, kind)
    with pytest.raises(BadInput, match="looks at padding"):
        load_classifier(folder, device="cpu")


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "electra", "modernbert"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_encoders_that_keep_to_their_mask_are_not_refused(kind: str, dtype: str, tmp_path: Path) -> None:
    folder = tiny_cross_encoders.encoder(tmp_path / kind, kind)
    pairs = [("moon tide", text) for text in texts()]
    fast, alone = (load_classifier(folder, device="cpu", dtype=dtype, mode=mode) for mode in ("fast", "isolated"))
    assert fast.score_many(pairs) == pytest.approx(alone.score_many(pairs), abs=CLOSE if dtype == "float32" else 2**-5)


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path) -> None:
    sizes = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    folder = tiny_cross_encoders.encoder(tmp_path / "bart", "bart", **sizes, **heads)
    with pytest.raises(BadInput, match="BartForSequenceClassification cannot be a sequence classifier of one row"):
        load_classifier(folder, device="cpu")


def test_a_model_without_a_limit_has_no_context(folders: dict[str, str]) -> None:
    network = load_classifier(folders["llama"], device="cpu", fmt=PLAIN).network
    network.model.config.max_position_embeddings = -1  # what that of XLNet says
    network.tokenizer.model_max_length = 300
    assert context(network.model, network.tokenizer) == 300
    network.tokenizer.model_max_length = 10**30
    assert context(network.model, network.tokenizer) is None


def test_an_adapter_that_is_no_lora(folders: dict[str, str], tmp_path: Path) -> None:
    import peft
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folders["base"], num_labels=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        adapted = peft.get_peft_model(model, peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2))
    adapted.save_pretrained(str(tmp_path / "prompt"))
    with pytest.raises(BadInput, match=r"prompt: an adapter of kind PROMPT_TUNING; give a LoRA adapter"):
        load_classifier(tmp_path / "prompt", device="cpu")


@pytest.mark.parametrize("kind", ["lora", "bert", "xlm-roberta"])
def test_a_head_is_read_as_it_is_stored(folders: dict[str, str], kind: str, tmp_path: Path) -> None:
    folder = folders.get(kind) or tiny_cross_encoders.encoder(tmp_path / kind, kind)
    half, exact = (load_classifier(folder, device="cpu", fmt=FORMATS.get(kind), dtype=d) for d in ("bfloat16", "auto"))
    assert half.network.model.base_model.dtype == torch.bfloat16
    found, wanted = dict(half.network.model.named_parameters()), dict(exact.network.model.named_parameters())
    heads = [name for name in wanted if is_head(exact.network.model, name)]
    assert any("score" in name or "classifier" in name for name in heads)
    assert all(torch.equal(found[name], wanted[name]) for name in heads)
    assert any(not torch.equal(found[name].float(), wanted[name]) for name in wanted.keys() - set(heads))


def _headless(base: str, folder: Path) -> str:
    """A language model whose configuration says that it has one logit."""
    shutil.copytree(base, folder)
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"id2label": {"0": "LABEL_0"}}))
    return str(folder)


def test_files_that_are_absent(folders: dict[str, str], tmp_path: Path) -> None:
    silent = shutil.copytree(folders["llama"], tmp_path / "silent")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (silent / name).unlink()
    with pytest.raises(BadInput, match="no tokenizer in it"):
        load_classifier(silent, device="cpu")
    pickled = shutil.copytree(folders["llama"], tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(MissingFile, match="pickled"):
        load_classifier(pickled, device="cpu")
    adapter = shutil.copytree(folders["lora"], tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(BadInput, match="safetensors only"):
        load_classifier(adapter, device="cpu")


def test_adapters_that_do_not_fit(folders: dict[str, str], tmp_path: Path) -> None:
    headless = tiny_cross_encoders.lora(tmp_path / "headless", folders["base"], modules_to_save=None, task_type=None)
    with pytest.raises(BadInput, match=r"neither the adapter nor .* holds score\.weight"):
        load_classifier(headless, device="cpu")
    gone = tiny_cross_encoders.lora(tmp_path / "gone", folders["base"])
    config = Path(gone) / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "./gone/base"}))
    with pytest.raises(MissingFile, match=r"the model that this adapter is put on is not there .*; give base="):
        load_classifier(gone, device="cpu")
    found = load_classifier(gone, base=folders["base"], device="cpu", fmt=PLAIN)
    assert (
        found.network.fingerprint
        == load_classifier(
            tiny_cross_encoders.lora(tmp_path / "again", folders["base"]), device="cpu", fmt=PLAIN
        ).network.fingerprint
    )
    weights = Path(gone) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(Corrupt, match="damaged"):
        load_classifier(gone, base=folders["base"], device="cpu")


def test_logits_that_are_no_numbers_are_said(folders: dict[str, str]) -> None:
    ranker = load_classifier(folders["llama"], device="cpu", fmt=PLAIN)
    with torch.no_grad():
        ranker.network.model.score.weight.fill_(float("nan"))
    with pytest.raises(BadInput, match=r"gives the logit nan for the query 'moon', document 'sea'; its weights"):
        ranker.score_many([("moon", "sea")])


def test_too_little_memory_is_said(ranker: ClassifierRanker, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(ranker.network, "scores", full)
    with pytest.raises(ModelUnavailable, match="give fewer batch_tokens"):
        ranker.score_many([("moon", "sea")])

    def broken(*_: Any) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(ranker.network, "scores", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        ranker.score_many([("moon", "sea")])


# Names and folders


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that classifiers were loaded by, none of which is."""
    names: list[str] = []

    def load(name: str, *, threads: int | None = None) -> str:
        names.append(name)
        return name

    monkeypatch.setattr("whyrank.rankers.classifier.load_classifier", load)
    return names


@pytest.mark.parametrize("name", [name for name in short_names() if "listwise" not in name])
def test_a_short_name_loads_its_checkpoint(name: str, opened: list[str]) -> None:
    check_name(name)
    resolve(name)
    rankers.load(full_id(name))
    assert opened == [full_id(name)] * 2
    assert full_id(name).startswith("abdoelsayed/")
    with pytest.raises(BadInput, match="asks no language model"):
        resolve(name, ask=AskSettings(strict=True))


def test_the_table_of_classifiers() -> None:
    known = known_classifiers()
    assert not known.keys() & known_models().keys()
    assert set(short_names().values()) <= {*known, *known_models()}
    assert full_id("dear-8b") == "abdoelsayed/dear-8b-reranker-ce-v1"
    assert known[full_id("dear-3b-ranknet-lora")].base == "meta-llama/Llama-3.2-3B"
    for identifier, classifier in known.items():
        assert identifier.count("/") == 1
        assert classifier.licence
        assert classifier.paper
        assert ("lora" in identifier) == bool(classifier.base)
    dear = [classifier.pair for identifier, classifier in known.items() if identifier.startswith("abdoelsayed/")]
    assert set(dear) == {DEAR}


def test_the_listwise_checkpoints_stay_language_models(opened: list[str]) -> None:
    assert full_id("dear-8b-listwise-lora") in known_models()
    check_name("dear-8b-listwise")
    with pytest.raises(UnknownName, match="llm_ranker"):
        rankers.load("dear-8b-listwise")
    assert not opened


def test_a_misspelt_name_is_told() -> None:
    with pytest.raises(UnknownName, match="did you mean dear-8b"):
        check_name("dear-8bb")
    with pytest.raises(UnknownName, match="cross-encoder/ms-marco-MiniLM-L6-v2"):
        check_name("cross-encoder/ms-marco-MiniLM-L66-v2")


def test_a_folder_is_known_by_what_it_holds(
    folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("llama", "lora", "bert"):
        check_name(folders[kind])
        found = resolve(folders[kind]).ranker
        assert isinstance(found, ClassifierRanker)
        assert found.name == load_classifier(folders[kind]).name
    with pytest.raises(UnknownName):
        rankers.load(folders["base"])
    shutil.copytree(folders["bert"], tmp_path / "listwise")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="listwise asks a language model; name one"):
        resolve("listwise")
    assert isinstance(resolve("./listwise").ranker, ClassifierRanker)


def test_the_form_of_a_folder_without_one_is_the_tokenizers_own(folders: dict[str, str], tmp_path: Path) -> None:
    assert load_classifier(folders["bert"]).network.fmt == PairFormat()
    short = tiny_cross_encoders.encoder(tmp_path / "short", max_position_embeddings=64)
    assert load_classifier(short).network.fmt == PairFormat(max_tokens=64, query_tokens=32)


def test_a_trained_classifier_reads_as_it_was_trained(folders: dict[str, str], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["llama"], tmp_path / "trained")
    write_classifier(folder, PLAIN, {"steps": 3})
    found = whyrank.load(str(folder))
    assert isinstance(found, ClassifierRanker)
    assert found.network.fmt == PLAIN
    wanted = load_classifier(folders["llama"], fmt=PLAIN)
    assert found.score_many([("moon", "sea")]) == wanted.score_many([("moon", "sea")])
    content = json.loads((folder / "reranker.json").read_text())
    assert (content["format"], content["kind"], content["trained"]) == (
        "whyrank-reranker/1",
        "classifier",
        {"steps": 3},
    )
    (folder / "reranker.json").write_text(json.dumps(content | {"pair": {"joined": "glued"}}))
    with pytest.raises(Corrupt, match="glued"):
        rankers.load(str(folder))
    (folder / "reranker.json").write_text(json.dumps(content))
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    with pytest.raises(Corrupt, match=r"config\.json: is missing, or its sha256"):
        rankers.load(str(folder))


# The released checkpoints, with the scores that their examples name

GOLDEN = {
    "dear-8b-ce": {4: -2.015625, 1: -5.6875, 2: -6.375, 0: -6.5, 3: -6.78125},
    "dear-8b-ranknet": {4: -2.984375, 1: -6.375, 3: -7.4375, 0: -7.75, 2: -8.125},
    "dear-3b-ce": {4: -6.0625, 1: -10.1875, 0: -11.125, 3: -11.625, 2: -12.0625},
    "dear-3b-ranknet": {4: -1.3046875, 1: -5.125, 3: -6.3125, 0: -6.4375, 2: -6.96875},
}
BULB = [
    "Lightning strike at Seoul National University",
    "Thomas Edison tried to invent a device for car but failed",
    "Coffee is good for diet",
    "KEPCO fixes light problems",
    "Thomas Edison invented the light bulb in 1879",
]


@pytest.mark.skipif(NETWORK not in os.environ, reason=f"fetches gigabytes; set {NETWORK} to a short name, or to all")
@pytest.mark.parametrize("name", GOLDEN)
def test_the_released_checkpoints_score_as_their_examples(name: str) -> None:
    if os.environ[NETWORK] not in (name, "all"):
        pytest.skip(f"{NETWORK}={os.environ[NETWORK]}")
    ranked = load_classifier(name, dtype="bfloat16").rerank(
        Ranking.of("When did Thomas Edison invent the light bulb?", BULB)
    )
    found = {int(hit.document.id) - 1: hit.score for hit in ranked}
    # Theirs are in bfloat16 from a padded batch: a step of 2^-7, in passes whose hidden states are rounded so as well.
    assert found == pytest.approx(GOLDEN[name], abs=0.15)
    assert ranked.ids[:2] == ("5", "2")
