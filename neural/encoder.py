"""The encoder, whole: products → visits → a customer's state after each visit.

    bag of products + kind + numbers ─▶ visit token ─▶ backbone (causal) ─▶ state      (B, T, D)

Every backbone maps (B, T, D) to (B, T, D) and lets position t see positions 0..t only; visits are padded
at the end, so no mask is needed. Shapes: B customers, T visits, D width, H heads, P products.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neural.data.attributes import BUCKETS
from neural.data.batches import CALENDAR, NUMBERS, Batch

RIDGE = 1.0  # of the regression on words, times the mean square of their columns


@dataclass(frozen=True)
class Shape:
    """Sizes of the encoder: with the weights, all that is needed to build it again."""

    backbone: str
    width: int
    layers: int
    heads: int
    dropout: float
    max_visits: int
    products: int  # with an embedding of their own
    kinds: int
    categories: int
    facts: int  # numeric columns of the attributes
    calendar: bool = True  # whether visits carry the season
    head_width: int = 0  # of an attention head; 0: width / heads
    units: int = 0  # inside a layer: feed-forward, channels or hidden units; 0: as many as are usual
    text: int = 0  # width of the vectors of the products' names; 0 where none are read


class Products(nn.Module):
    """A product is its own vector plus its category's plus its price's, plus what its name says.

    One that was never sold has no vector of its own: its words place it.
    """

    row: Tensor
    category_of: Tensor
    price: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.own = nn.Embedding(shape.products + 1, shape.width)  # row 0: products never seen in training
        self.category = nn.Embedding(shape.categories, shape.width)
        self.by_price = nn.Linear(1, shape.width)
        nn.init.normal_(self.own.weight, std=0.05)
        nn.init.normal_(self.category.weight, std=0.05)
        nn.init.zeros_(self.by_price.weight)
        self.by_words = nn.Linear(shape.text, shape.width, bias=False) if shape.text else None
        if self.by_words is not None:
            nn.init.zeros_(self.by_words.weight)

    @torch.no_grad()
    def begin_at(self, vectors: Tensor, text: Tensor) -> None:
        """Let the known products begin at `vectors` (K, D), and any product where its words, (K, W), predict.

        A ridge regression splits the vectors into what the words tell and the rest, which stays the product's
        own: so words place a product from the first step, which gradients alone would hardly teach them.
        """
        if self.by_words is not None and len(vectors):
            gram = text.T @ text  # (W, W)
            gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
            weight = torch.linalg.solve(gram, text.T @ vectors)  # (W, D)
            self.by_words.weight.copy_(weight.T)
            vectors = vectors - text @ weight
        self.own.weight[1:].copy_(vectors)

    def forward(self, row: Tensor, category: Tensor, price: Tensor, text: Tensor) -> Tensor:
        """Vectors of all products of the catalogue. (P,), (P,), (P,), (P, W) -> (P, D)"""
        vectors: Tensor = self.own(row) + self.category(category) + self.by_price(price.unsqueeze(1))
        return vectors if self.by_words is None else vectors + self.by_words(text)


class Encoder(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.products = Products(shape)
        self.kind = nn.Embedding(shape.kinds, shape.width)
        self.numbers = nn.Linear(NUMBERS + (CALENDAR if shape.calendar else 0), shape.width)
        self.words = nn.EmbeddingBag(BUCKETS, shape.width, mode="sum", padding_idx=0)
        self.facts = nn.Linear(shape.facts, shape.width) if shape.facts else None
        self.enter = nn.LayerNorm(shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        self.backbone: nn.Module = BACKBONES[shape.backbone](shape)
        self.leave = nn.LayerNorm(shape.width)
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, batch: Batch, products: Tensor) -> Tensor:
        """State after each visit; products (P, D) come from `self.products`. -> (B, T, D)"""
        size = batch.kind.shape
        bags = F.embedding_bag(
            batch.bag,
            products,
            batch.bag_start,
            mode="sum",
            per_sample_weights=batch.bag_weight.to(products.dtype),
        )  # (B * T, D)
        numbers = batch.numbers if self.shape.calendar else batch.numbers[..., :NUMBERS]
        token = bags.view(*size, -1) * 8 + self.kind(batch.kind) + self.numbers(numbers)  # (B, T, D)
        state: Tensor = self.leave(self.backbone(self.dropout(self.enter(token))))
        return state

    def at_queries(self, batch: Batch, products: Tensor) -> Tensor:
        """State at each query, with the customer's static attributes. -> (Q, D)"""
        state = self(batch, products)[batch.row, batch.position]  # (Q, D)
        static = self.words(batch.words)  # (B, D)
        if self.facts is not None:
            static = static + self.facts(batch.facts)
        result: Tensor = state + static[batch.row]
        return result


class RunningMean(nn.Module):
    """`mf`: no sequence at all. A customer's factors are the mean of what the visits so far hold."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        counts = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)
        return x.cumsum(1) / counts[:, None]  # (B, T, D) / (T, 1)


class Add(nn.Module):
    """Adds a layer's units to the stream that passes it; a pruned layer reaches only some of its places."""

    place: Tensor | None

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.register_buffer("place", torch.arange(units) if units < width else None)  # (U,)

    def forward(self, x: Tensor, units: Tensor) -> Tensor:
        """(B, T, D), (B, T, U) -> (B, T, D)"""
        return x + units if self.place is None else x.index_add(-1, self.place, units.to(x.dtype))


class Convolutions(nn.Module):
    """`cnn`: gated causal convolutions, each layer looking twice as far back as the one below."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, units = shape.width, shape.units or shape.width
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(shape.layers))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, 2 * units, kernel_size=3, dilation=2**layer) for layer in range(shape.layers)
        )
        self.add = nn.ModuleList(Add(width, units) for _ in range(shape.layers))
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        parts = zip(self.norms, self.convolutions, self.add, strict=True)
        for layer, (norm, convolution, add) in enumerate(parts):
            past = F.pad(
                norm(x).transpose(1, 2), (2 * 2**layer, 0)
            )  # (B, D, pad + T): nothing from the right
            value, gate = convolution(past).transpose(1, 2).chunk(2, dim=-1)  # 2 x (B, T, U)
            x = add(x, self.dropout(value * torch.sigmoid(gate)))
        return x


class Recurrent(nn.Module):
    """`rnn`: a GRU with a residual path."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        dropout = shape.dropout if shape.layers > 1 else 0.0
        units = shape.units or shape.width
        self.gru = nn.GRU(shape.width, units, shape.layers, batch_first=True, dropout=dropout)
        self.add = Add(shape.width, units)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.add(x, self.gru(x)[0])  # (B, T, D), (B, T, U)
        return result


class Transformer(nn.Module):
    """`transformer`: pre-norm blocks of causal attention and a gated feed-forward."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(shape.max_visits, shape.width))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.place[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return x


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, units = shape.width, shape.units or 2 * shape.width
        self.heads = shape.heads
        across = shape.heads * (shape.head_width or width // shape.heads)
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * across, bias=False)
        self.out = nn.Linear(across, width, bias=False)
        self.norm_feed = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * units)
        self.down = nn.Linear(units, width)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attend(self.norm_attention(x)))
        value, gate = self.gate(self.norm_feed(x)).chunk(2, dim=-1)  # 2 x (B, T, U)
        feed: Tensor = self.dropout(self.down(value * F.silu(gate)))
        return x + feed

    def attend(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # 3 x (B, H, T, W)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (B, H, T, W)
        result: Tensor = self.out(mixed.transpose(1, 2).reshape(b, t, -1))  # (B, T, D)
        return result


BACKBONES: dict[str, type[nn.Module]] = {
    "mf": RunningMean,
    "cnn": Convolutions,
    "rnn": Recurrent,
    "transformer": Transformer,
}
