"""The embedded body as a folder of Hugging Face is the body that the engine runs."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from whyrank.encode.engine import Encoder

SCRIPT = Path(__file__).parents[2] / "scripts" / "export_body.py"
TEXT = "The moon raises the tides of the sea, and 3.5 Äpfel."


def exported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--out", str(folder)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_an_exported_body_gives_the_vectors_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models" / "minilm"
    exported(folder, monkeypatch)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = Encoder(threads=1)
    [passages] = engine.passages([TEXT])
    [(_, vectors)] = engine.run(passages)
    given = tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        own = model(**given).last_hidden_state[0].numpy()
    assert np.abs(own - vectors).max() < 1e-5
    assert tokenizer(TEXT, TEXT)["token_type_ids"][-1] == 1

    kept = (folder / "model.safetensors").read_bytes()
    with pytest.raises(SystemExit, match="something else stands there"):
        exported(folder, monkeypatch)
    assert (folder / "model.safetensors").read_bytes() == kept
