"""Fine-tuning a pretrained text encoder: the model that learns, and its lessons for `neural.fitting`."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from handoff.config import TrainingConfig
from neural.data.history import Floats, Ints
from neural.text.linear import Linear
from neural.text.lora import prepare_training
from neural.text.noise import Noise, add_noise
from neural.text.vectors import Reader, TextEncoder, Tokens

SMOOTHING = 0.1  # of the labels: without it a fine-tuned model is sure of everything
FEWEST = 30  # texts of a label, on average: below, fine-tuning gains nothing (docs/decisions/0012)


class TextClassifier(nn.Module):
    """The encoder and one linear layer on its vectors, beginning as the logistic regression on them."""

    def __init__(self, encoder: TextEncoder, begin: Linear, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        labels, width = begin.weight.shape
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, labels)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(begin.weight))
            self.head.bias.copy_(torch.from_numpy(begin.bias))

    def forward(self, tokens: Tokens) -> Tensor:
        """-> (B, labels)"""
        scores: Tensor = self.head(self.dropout(self.encoder(tokens)))
        return scores

    def linear(self) -> Linear:
        weight, bias = (part.detach().float().cpu().numpy() for part in (self.head.weight, self.head.bias))
        return Linear(weight, bias)


def begin_tuning(reader: Reader, dense: Linear, weight: float, config: TrainingConfig) -> TextClassifier:
    """Copy the encoder, choose what learns, and let the head begin as `dense`, scaled to be calibrated."""
    torch.manual_seed(config.seed)
    encoder = copy.deepcopy(reader.encoder)
    prepare_training(encoder.backbone, config.freeze_layers, config.lora_rank)
    begin = Linear((dense.weight * weight).astype(np.float32), (dense.bias * weight).astype(np.float32))
    return TextClassifier(encoder, begin, config.dropout)


@dataclass(frozen=True)
class TextLessons:
    """Batches of texts of similar length, so that little is computed on padding."""

    texts: Sequence[str]
    label: Ints  # (N,)
    reader: Reader
    config: TrainingConfig
    weight: Tensor | None  # of each label in the loss

    def epoch(self, rng: np.random.Generator) -> list[Ints]:
        """The order within like lengths, and that of the batches, differ from epoch to epoch."""
        length = np.asarray([len(text) for text in self.texts]) * (1 + 0.2 * rng.random(len(self.texts)))
        order: Ints = np.argsort(length, kind="stable")
        size = self.config.batch_size
        batches = [order[begin : begin + size] for begin in range(0, len(order), size)]
        return [batches[number] for number in rng.permutation(len(batches))]

    def size(self, batch: Ints) -> int:
        return len(batch)

    def loss(self, model: TextClassifier, batch: Ints, rng: np.random.Generator) -> Tensor:
        device = model.head.weight.device
        texts = add_noise([self.texts[number] for number in batch.tolist()], Noise.of(self.config), rng)
        scores = model(self.reader.tokens(texts).to(device)).float()  # (B, labels)
        label = torch.from_numpy(self.label[batch]).to(device)
        weight = None if self.weight is None else self.weight.to(device)
        return F.cross_entropy(scores, label, weight, label_smoothing=SMOOTHING)


def label_weights(label: Ints, labels: int, class_weight: str) -> Tensor | None:
    """ "balanced" gives every label the same say, however rare; the mean over the texts stays 1."""
    if class_weight == "none":
        return None
    counts: npt.NDArray[np.int64] = np.bincount(label, minlength=labels)
    found: Floats = len(label) / (labels * np.maximum(counts, 1))
    return torch.from_numpy(found.astype(np.float32))
