"""Labelled texts in two languages, and a random BERT small enough to be made in a tenth of a second."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from handoff.config import TrainingConfig
from handoff.dataset import LABELS, Dataset, write_manifest, write_table
from tests.neural.shop import START, event, write_dataset

SENTENCES = {
    "refund": ["I want my money back for this", "please refund the order", "ich möchte mein Geld zurück"],
    "delivery": ["where is my parcel today", "the delivery is late again", "wo bleibt mein Paket heute"],
    "invoice": [
        "send me the invoice please",
        "the bill shows a wrong address",
        "die Rechnung fehlt noch immer",
    ],
}
OTHERS = ["a", "b", "hello", "danke", "now", "really", "since monday", "bitte schnell", "for the third time"]


def make_model(folder: Path, *, width: int = 32, layers: int = 2, seed: int = 0) -> Path:
    """Write a WordPiece tokenizer of the sentences and a BERT with random weights."""
    texts = [text for group in SENTENCES.values() for text in group] + OTHERS
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    # Every word and, for the others, every letter. A trainer would number them anew in each process.
    words = sorted({word for text in texts for word in text.lower().split()})
    letters = sorted({letter for word in words for letter in word})
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters), *words]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    raw = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(
        zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True)
    )
    whole: Any = PreTrainedTokenizerFast
    whole(tokenizer_object=raw, **names).save_pretrained(folder)
    torch.manual_seed(seed)
    shape = BertConfig(
        vocab_size=raw.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=40,
        initializer_range=0.3,  # far enough apart that different words give different vectors
    )
    BertModel(shape).save_pretrained(folder, safe_serialization=True)
    return folder


def labelled(count: int, *, seed: int = 0, every: float = 1.0, **values: Any) -> list[dict[str, Any]]:
    """Rows of LABELS, one each `every` days: a sentence of a label with some other words around it."""
    rng = np.random.default_rng(seed)
    names = sorted(SENTENCES)
    rows = []
    for number in range(count):
        label = names[number % len(names)]
        words = [str(rng.choice(OTHERS)), str(rng.choice(SENTENCES[label])), str(rng.choice(OTHERS))]
        base = {"agent": "intents", "subject": "question", "customer": f"c{number % 7}", "key": f"q{number}"}
        at: datetime = START + timedelta(days=number * every)
        rows.append({**base, "at": at, "said_at": at, "label": label, "text": " ".join(words), **values})
    return rows


def write_labels(folder: Path, rows: list[dict[str, Any]]) -> Dataset:
    """A dataset of hardly any event but with these labels."""
    dataset = write_dataset(folder, [event(f"c{number}", number, "p1") for number in range(7)])
    write_table(folder, "labels", pl.DataFrame(rows, schema=LABELS), LABELS)
    write_manifest(folder, dataset.manifest)
    return Dataset.open(folder)


def text_config(dataset: Dataset, **values: Any) -> TrainingConfig:
    base = {
        "agent": "intents",
        "task": "text_label",
        "dataset": str(dataset.folder),
        "horizon_days": 20,
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "precision": "fp32",
        "baselines": ["majority", "tfidf_svm", "frozen"],
    }
    return TrainingConfig.from_mapping({**base, **values})
