"""The best products of many queries, with memory that does not grow with the catalogue.

Shapes: Q queries, P products, D width, R pairs, k length of a list.
"""

from neural.retrieval.exact import exact_top_k
from neural.retrieval.found import Found, Pairs
from neural.retrieval.index import ExactIndex, Index, make_index

__all__ = ["ExactIndex", "Found", "Index", "Pairs", "exact_top_k", "make_index"]
