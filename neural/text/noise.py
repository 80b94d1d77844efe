"""Noise on training texts: as people type, and never so much that the meaning goes.

The run's settings of augmentation, read for texts:

augment_mask     share of the words in which one letter is missing, doubled, changed or swapped (a typo)
augment_drop     share of the words that are left out, but never all of a text
augment_reorder  chance of a text that two neighbouring words change places
augment_crop     chance of a text that it is written in capitals, in small letters or without punctuation
"""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from handoff.config import TrainingConfig

LETTERS = string.ascii_lowercase


@dataclass(frozen=True)
class Noise:
    """How much of each; 0 draws no random number and changes no text."""

    typo: float = 0.0
    drop: float = 0.0
    swap: float = 0.0
    case: float = 0.0

    @classmethod
    def of(cls, config: TrainingConfig) -> Self:
        return cls(config.augment_mask, config.augment_drop, config.augment_reorder, config.augment_crop)

    def __bool__(self) -> bool:
        return any((self.typo, self.drop, self.swap, self.case))


def add_noise(texts: Sequence[str], noise: Noise, rng: np.random.Generator) -> list[str]:
    """Return the texts a little changed; the same `rng` gives the same changes."""
    return [_noisy(text, noise, rng) for text in texts] if noise else list(texts)


def _noisy(text: str, noise: Noise, rng: np.random.Generator) -> str:
    words = text.split()
    if noise.swap and len(words) > 1 and rng.random() < noise.swap:
        place = int(rng.integers(len(words) - 1))
        words[place : place + 2] = words[place : place + 2][::-1]
    if noise.drop and len(words) > 1:
        rank = rng.random(len(words))
        words = [word for word, r in zip(words, rank, strict=True) if r >= noise.drop or r == rank.max()]
    if noise.typo:
        words = [_typo(word, rng) if rng.random() < noise.typo else word for word in words]
    text = " ".join(words)
    if noise.case and rng.random() < noise.case:
        text = _CASES[int(rng.integers(len(_CASES)))](text)
    return text


def _typo(word: str, rng: np.random.Generator) -> str:
    """One slip of the finger; a word of one or two letters is left alone."""
    if len(word) < 3:
        return word
    place = int(rng.integers(len(word) - 1))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    slips = (
        before + after,
        before + letter + letter + after,
        before + LETTERS[int(rng.integers(len(LETTERS)))] + after,
        before + after[0] + letter + after[1:],
    )
    return slips[int(rng.integers(len(slips)))]


def _plain(text: str) -> str:
    return re.sub(r"[^\w\s]", "", text) or text


_CASES = (str.upper, str.lower, _plain)
