"""A model: the encoder and one head, with the catalogue's constants as buffers that are not saved."""

import torch
from torch import Tensor, nn

from neural.data.batches import Batch
from neural.data.vocabulary import Vocabulary
from neural.data.world import World
from neural.encoder import Encoder, Shape

Inputs = dict[str, Tensor]

# Share of products that stand in as unknown ones at a step of training. Where words are read, they learn to
# place products only while these do without a vector of their own (Volkovs et al. 2017, "DropoutNet").
ALONE, WITH_WORDS = 0.02, 0.1


class Model(nn.Module):
    row: Tensor
    category: Tensor
    price: Tensor
    text: Tensor

    def __init__(self, shape: Shape, head: nn.Module, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.head = head
        self.register_buffer("row", torch.from_numpy(vocabulary.product_row), persistent=False)
        self.register_buffer("category", torch.from_numpy(vocabulary.product_category), persistent=False)
        self.register_buffer("price", torch.from_numpy(vocabulary.product_price), persistent=False)
        self.register_buffer("text", torch.from_numpy(vocabulary.product_text), persistent=False)
        self.known = vocabulary.known

    def forward(self, batch: Batch, inputs: Inputs) -> Tensor:
        """Answers of the head, (Q, …). In training a few products stand in as unknown ones."""
        row, category, price, text = self.row, self.category, self.price, self.text
        if self.training:  # nothing sold later may be known, not even as a candidate
            row, category, price = row[: self.known], category[: self.known], price[: self.known]
            text = text[: self.known]
            stand_in = WITH_WORDS if text.shape[1] else ALONE
            row = torch.where(torch.rand(row.shape, device=row.device) < stand_in, 0, row)
        products = self.encoder.products(row, category, price, text)  # (P, D)
        state = self.encoder.at_queries(batch, products)  # (Q, D)
        answer: Tensor = self.head(state, batch, products, row, inputs)
        return answer


def shape_of(world: World, calendar: bool) -> Shape:
    config, vocabulary = world.config, world.vocabulary
    return Shape(
        backbone=config.backbone,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        dropout=config.dropout,
        max_visits=config.max_visits,
        products=vocabulary.known,
        kinds=len(vocabulary.kinds),
        categories=len(vocabulary.categories),
        facts=world.attributes.numbers.shape[1],
        calendar=calendar,
        text=vocabulary.product_text.shape[1],
    )
