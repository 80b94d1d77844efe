"""From texts to vectors: tokens, the pretrained encoder, pooling. B texts, T tokens, D width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from neural.text.pretrained import Pretrained, load_encoder, load_tokenizer

Vectors = npt.NDArray[np.float32]  # (N, D), of length 1
BATCH = 64  # texts of similar length


@dataclass(frozen=True)
class Tokens:
    ids: Tensor  # (B, T)
    mask: Tensor  # (B, T) 1 where there is a token

    def to(self, device: torch.device) -> "Tokens":
        return Tokens(self.ids.to(device), self.mask.to(device))


class TextEncoder(nn.Module):
    """A pretrained encoder that gives each text one vector of length 1."""

    def __init__(self, backbone: nn.Module, pooling: str) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling

    def forward(self, tokens: Tokens) -> Tensor:
        """-> (B, D)"""
        hidden = self.backbone(
            input_ids=tokens.ids, attention_mask=tokens.mask
        ).last_hidden_state  # (B, T, D)
        hidden = hidden.float()
        if self.pooling == "cls":
            return F.normalize(hidden[:, 0], dim=1)
        mask = tokens.mask[..., None].to(hidden.dtype)  # (B, T, 1)
        return F.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0), dim=1)


@dataclass(frozen=True)
class Reader:
    """Tokenizer and encoder together: what reads texts, in training and later."""

    tokenizer: PreTrainedTokenizerBase
    encoder: TextEncoder
    max_length: int
    half: bool = False  # multiply in bfloat16

    @classmethod
    def load(cls, found: Pretrained, half: bool = False) -> "Reader":
        encoder = TextEncoder(load_encoder(found.folder), found.pooling).eval()
        return cls(load_tokenizer(found.folder), encoder, found.max_length, half)

    def tokens(self, texts: Sequence[str]) -> Tokens:
        return tokens_of(self.tokenizer, texts, self.max_length)

    def vectors(self, texts: Sequence[str], check: Any = None) -> Vectors:
        """Vector of each text, (N, D); `check` is called between batches and may raise."""
        device = next(self.encoder.parameters()).device
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        width = int(self.encoder.backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
        result = np.zeros((len(texts), width), np.float32)
        self.encoder.eval()
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.half):
            for begin in range(0, len(order), BATCH):
                if check is not None:
                    check()
                part = order[begin : begin + BATCH]
                tokens = self.tokens([texts[index] for index in part]).to(device)
                result[part] = self.encoder(tokens).cpu().numpy()
        return result


def tokens_of(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> Tokens:
    found = tokenizer(list(texts), padding=True, truncation=True, max_length=max_length, return_tensors="pt")
    return Tokens(found["input_ids"], found["attention_mask"])


def fast_half(device: torch.device) -> bool:
    """Whether bfloat16 pays on this device: it halves the time where the processor multiplies it itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    known = (
        getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return device.type == "cpu" and any(ask() for ask in known if ask is not None)
