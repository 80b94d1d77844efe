"""A shop whose truth is known: seeded, vectorised, written down in `docs/reference/simulator.md`.

numpy and polars only; `crm_demo.services.filling` puts the result into the database.
"""

from crm_demo.simulator.shop import Chunk, Shop
from crm_demo.simulator.spec import ShopSpec

__all__ = ["Chunk", "Shop", "ShopSpec"]
