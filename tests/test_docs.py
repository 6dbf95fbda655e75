"""What the documents show is run: every Python block, every `$ whyrank` line, on the files they show."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


SERVER = "http://localhost:8080/v1"
"""Where the pages say that a language model is served; a real server stands in for it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    llamacpp = pytest.importorskip("llamacpp")
    with llamacpp.LlamaCpp(tmp_path_factory.mktemp("model"), context=4_096) as served:
        yield served.url


@pytest.mark.parametrize("page", SHOWN, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_page_shows_works(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "answers.sqlite"))
    names: dict[str, object] = {}
    ran = 0
    for language, name, content in BLOCK.findall(page.read_text(encoding="utf-8")):
        if name:
            Path(name).write_text(content, encoding="utf-8")
        elif language == "python":
            exec(compile(content, str(page), "exec"), names)
        elif language == "console":
            for line in re.findall(r"^\$ (.*)$", content, re.MULTILINE):
                run(line.replace(SERVER, request.getfixturevalue("server")) if SERVER in line else line)
        ran += 1
    assert ran


def run(line: str) -> None:
    """A line as a user types it, with this interpreter's whyrank; `make` is what CI itself runs."""
    if line.startswith(("make", "pip")):
        return
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    out = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, env=environment)
    assert out.returncode == 0, f"$ {line}\n{out.stdout}{out.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_setting_of_language_models_is_told() -> None:
    from whyrank.config import AskSettings, ModelSettings

    page = (ROOT / "docs" / "language-models.md").read_text(encoding="utf-8")
    for prefix, settings in (("model", ModelSettings), ("ask", AskSettings)):
        for name in settings.model_fields:
            assert f"`{prefix}.{name}`" in page
