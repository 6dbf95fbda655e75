"""What --config and other options say together."""

from pathlib import Path

import pytest

from whyrank.cli.configured import configured
from whyrank.errors import BadInput


def test_files_settings_and_flags(tmp_path: Path) -> None:
    odd = tmp_path / "a=b.yaml"
    odd.write_text("")
    found = configured([str(odd), "depth=3"], {"top_k": 5, "ranker": None})
    assert found.names("anything")
    assert found == (str(odd), ["depth=3", "top_k=5"])
    assert configured(["depth=3"], {}).names("depth")
    assert not configured(["depth=3"], {}).names("dep")


def test_a_setting_may_be_longer_than_the_name_of_a_file() -> None:
    setting = f"ask.instruction={'x' * 5_000}"
    assert configured([setting], {}) == (None, [setting])


def test_one_file_is_enough() -> None:
    with pytest.raises(BadInput, match=r"--config names 2 files \(a.yaml, b.yaml\)"):
        configured(["a.yaml", "b.yaml"], {})
