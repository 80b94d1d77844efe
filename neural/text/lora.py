"""Low-rank adapters: a frozen matrix W learns as W + (alpha / r) B A, with A (r, in) and B (out, r).

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models": on the attention's query and value.
B begins at zero, so that the first step starts from the very model that was pretrained.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from handoff.errors import HandoffError

ALPHA = 2.0  # alpha / r: with it kept, another rank needs no other learning rate
# What the attention's query and value are called in BERT and RoBERTa, DistilBERT, MPNet and T5, Llama.
TARGETS = ("query", "value", "q_lin", "v_lin", "q", "v", "q_proj", "v_proj")


class Lora(nn.Module):
    """A linear layer that is left as it is, beside a low-rank one that learns."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.empty(rank, base.in_features))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) -> (…, out)"""
        base: Tensor = self.base(x)
        return base + F.linear(F.linear(x, self.a), self.b) * ALPHA

    def merged(self) -> nn.Linear:
        """Return one plain layer that answers the same."""
        with torch.no_grad():
            self.base.weight += ALPHA * self.b @ self.a
        return self.base


def layers_of(encoder: nn.Module) -> nn.ModuleList:
    """The encoder's blocks. Raises HandoffError for an architecture without a list of them."""
    depth = getattr(getattr(encoder, "config", None), "num_hidden_layers", None)
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise HandoffError(
        f"The text model {type(encoder).__name__} has no list of layers, so it cannot be fine-tuned: "
        "choose another text_model."
    )


def prepare_training(encoder: nn.Module, freeze_layers: int, lora_rank: int) -> None:
    """Decide what learns: all layers above the first `freeze_layers`, or only adapters in these.

    The word vectors never learn: they are half of a small model's weights, and few labels teach them little.
    """
    blocks = layers_of(encoder)
    if freeze_layers > len(blocks):
        raise HandoffError(f"freeze_layers is {freeze_layers}; the text model has {len(blocks)} layers.")
    encoder.requires_grad_(False)
    free = blocks[freeze_layers:]
    if lora_rank:
        if not sum([_adapt(block, lora_rank) for block in free]) and len(free):
            raise HandoffError(
                f"lora_rank is {lora_rank}, but no query or value layer was found in "
                f"{type(encoder).__name__}: set lora_rank to 0."
            )
    else:
        for block in free:
            block.requires_grad_(True)


def _adapt(block: nn.Module, rank: int) -> int:
    """Put adapters into one block and return their number."""
    found = [
        (parent, name)
        for parent in block.modules()
        for name, child in parent.named_children()
        if name in TARGETS and isinstance(child, nn.Linear)
    ]
    for parent, name in found:
        setattr(parent, name, Lora(getattr(parent, name), rank))
    return len(found)


def merge(encoder: nn.Module) -> None:
    """Add every adapter to its matrix, so that the plain architecture remains."""
    for parent in list(encoder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Lora):
                setattr(parent, name, child.merged())
