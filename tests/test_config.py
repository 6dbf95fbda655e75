from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from whyrank import __version__, config
from whyrank.config import RerankSettings, Secret, Settings
from whyrank.errors import BadInput, MissingFile, Unwritable


class Endpoint(Settings):
    url: str = "local"
    key: Secret | None = None
    tries: int = 3


class Job(Settings):
    rerank: RerankSettings = RerankSettings()
    endpoint: Endpoint = Endpoint()
    more: tuple[Endpoint, ...] = ()
    token: Secret = Secret("env:TOKEN")
    rate: float = 0.5


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(content)
    return path


def test_defaults_file_and_overrides_in_this_order(tmp_path: Path) -> None:
    path = written(tmp_path, "rerank: {depth: 50, ranker: bi-encoder}\nrate: 2\n")
    assert config.load(Job) == Job()
    assert config.load(Job, path).rerank == RerankSettings(depth=50, ranker="bi-encoder")
    job = config.load(Job, path, ["rerank.depth=7", "endpoint.url=http://x?a=b", "rerank.top_k=", "rate=1e-3"])
    assert (job.rerank.depth, job.rerank.ranker, job.rerank.top_k) == (7, "bi-encoder", None)
    assert (job.endpoint.url, job.rate) == ("http://x?a=b", 0.001)


def test_the_settings_of_rerank() -> None:
    settings = RerankSettings()
    assert settings.model_dump() == {
        "ranker": None,
        "depth": 1000,
        "top_k": None,
        "explain": 0,
        "min_probability": None,
        "calibration": None,
        "threads": None,
        "model": None,
        "ask": None,
        "then": None,
    }
    with pytest.raises(ValidationError):
        settings.depth = 3


@pytest.mark.parametrize("setting", ["depth=0", "top_k=0", "explain=-1", "threads=0", "depth=many"])
def test_values_out_of_range_are_named(setting: str) -> None:
    key, _, value = setting.partition("=")
    with pytest.raises(BadInput, match=rf"^overrides: '{key}' is '?{value or ''}"):
        config.load(RerankSettings, overrides=[setting])


def test_everything_wrong_is_listed_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "rerank: {depht: 3, explain: x}\nratee: 1\nzzz: 1\n")
    with pytest.raises(BadInput) as caught:
        config.load(Job, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for part in (
        "no setting 'rerank.depht', did you mean depth?",
        "'rerank.explain' is 'x': input should be a valid integer",
        "no setting 'ratee', did you mean rate?",
        "no setting 'zzz', known: endpoint, more, rate, rerank, token",
    ):
        assert part in message


def test_missing_settings_are_named() -> None:
    class Needs(Settings):
        name: str

    with pytest.raises(BadInput, match="'name' is missing"):
        config.load(Needs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rate: 1\nrate: 2\n", r"job\.yaml:2: not valid YAML \(the key 'rate' stands twice\)"),
        ("rerank:\n  depth: 1\n  depth: 1\n", r"job\.yaml:3: .*'depth' stands twice"),
        ("rate: [1\n", r"job\.yaml:2: not valid YAML"),
        ("- 1\n", "holds list; give 'key: value' lines"),
        ("just words\n", "holds str"),
        ("1: 2\n", "a key is no text"),
        ("rate: !!python/object:os.system x\n", "not valid YAML"),
        ("a: \0\n", "not valid YAML"),
        ("a: &x {b: *x}\n", "not valid YAML"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        config.load(Job, written(tmp_path, content))


def test_anchors_and_merges_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "more:\n- &base {url: a, tries: 5}\n- {<<: *base, url: b}\n")
    assert [(endpoint.url, endpoint.tries) for endpoint in config.load(Job, path).more] == [("a", 5), ("b", 5)]


def test_empty_absent_and_undecodable_files(tmp_path: Path) -> None:
    assert config.load(Job, written(tmp_path, "")) == Job()
    with pytest.raises(MissingFile):
        config.load(Job, tmp_path / "absent.yaml")
    (tmp_path / "job.yaml").write_bytes(b"rate: \xff")
    with pytest.raises(BadInput, match="not UTF-8 at byte 6"):
        config.load(Job, tmp_path / "job.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rate", "override 'rate' cannot be read; give key=value"),
        ("=3", "cannot be read"),
        ("a..b=3", "cannot be read"),
        ("rate=[1", "override 'rate':1: not valid YAML"),
        ("rate.x=1", "'rate' is a single value and has no 'x'"),
    ],
)
def test_overrides_that_are_wrong(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        config.load(Job, written(tmp_path, "rate: 1"), [override])


def test_a_name_called_no() -> None:
    with pytest.raises(BadInput, match=r"'ranker' is False: .*quote them"):
        config.load(RerankSettings, overrides=["ranker=no"])
    assert config.load(RerankSettings, overrides=["ranker='no'"]).ranker == "no"


def test_secrets_are_names_and_are_read_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    job = config.load(Job, overrides=["endpoint.key=env:WHYRANK_TEST_KEY"])
    assert job.endpoint.key is not None
    with pytest.raises(BadInput, match="environment variable WHYRANK_TEST_KEY is not set"):
        job.endpoint.key.reveal()
    monkeypatch.setenv("WHYRANK_TEST_KEY", "hush")
    assert job.endpoint.key.reveal() == "hush"
    assert "hush" not in repr(job) + str(job) + config.resolved(job)


@pytest.mark.parametrize(
    "override",
    [
        "token=sk-hush",
        "token=[sk-hush]",
        "endpoint.key=sk-hush",
        "endpoint.key={x: sk-hush}",
        "endpoint=sk-hush",
        "more=[{key: sk-hush}]",
        "more=[sk-hush]",
        "more=sk-hush",
        "endpoint.kee=sk-hush",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(override: str) -> None:
    with pytest.raises(BadInput) as caught:
        config.load(Job, overrides=[override])
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_secret_in_a_file_is_told_where_it_belongs() -> None:
    with pytest.raises(BadInput, match=r"'endpoint\.key' is a secret: write env:NAME"):
        config.load(Job, overrides=["endpoint.key=sk-hush"])


def test_the_resolved_copy_is_read_back(tmp_path: Path) -> None:
    job = config.load(Job, overrides=["rerank.depth=9", "endpoint.key=env:K", "more=[{url: ä}]"])
    path = tmp_path / "resolved.yaml"
    config.dump_resolved(job, path)
    assert config.load(Job, path) == job
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# whyrank {__version__}: ")
    assert yaml.safe_load(text)["more"] == [{"url": "ä", "key": None, "tries": 3}]
    with pytest.raises(Unwritable):
        config.dump_resolved(job, tmp_path / "absent" / "resolved.yaml")
