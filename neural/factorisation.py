"""Matrix factorisation: vectors of customers and products whose products tell who would buy what.

Counts say that something was bought, never that it is disliked, so every pair counts: a pair that was bought
should score 1 and any other 0, and what was bought often counts for more. After Hu, Koren & Volinsky (2008),
*Collaborative Filtering for Implicit Feedback Datasets*. Given the products' vectors, those of the customers
solve a linear system each, and the other way round; the two take turns. The pairs not bought enter through
one (K, K) product of all vectors, so time and memory follow the counts and never customers times products.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

Floats32 = npt.NDArray[np.float32]

SPREAD = 0.1  # standard deviation of the vectors' entries before the first step
CELLS = 1 << 19  # numbers of vectors that are gathered at once


def factorise(
    counts: sparse.csr_array,
    rank: int,
    l2: float,
    alpha: float,
    iterations: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> Floats32:
    """Find vectors of products by alternating least squares; `fold_in` gives the customers'. (P, rank)

    `counts` (N, P) are not negative: how often, or with what weight, each customer bought each product. The
    confidence in a pair is 1 + alpha * count. Products that nobody bought get 0. The same seed gives the same
    vectors on the same device. Raises ValueError.
    """
    if rank < 1 or iterations < 1:
        raise ValueError("Rank and iterations must be at least 1.")
    by_customer = _Rows.of(counts, device)
    by_product = _Rows.of(counts.T.tocsr(), device)
    noise = torch.Generator().manual_seed(seed)
    products = torch.randn(counts.shape[1], rank, generator=noise).mul_(SPREAD).to(device)
    for _ in range(iterations):
        customers = _solved(by_customer, products, l2, alpha)
        products = _solved(by_product, customers, l2, alpha)
    return np.asarray(products.cpu())


def fold_in(
    counts: sparse.csr_array,
    vectors: Floats32,
    l2: float,
    alpha: float,
    device: str | torch.device = "cpu",
) -> Floats32:
    """Find the best vectors of customers, new ones included, beside given ones of products. (Q, K)

    `counts` (Q, P) as in `factorise`, `vectors` (P, K). A customer without purchases gets 0. With `counts`
    turned over, it finds vectors of products beside those of customers. Raises ValueError.
    """
    if counts.shape[1] != len(vectors):
        raise ValueError(f"There are counts of {counts.shape[1]} products and vectors of {len(vectors)}.")
    others = torch.from_numpy(np.ascontiguousarray(vectors, np.float32)).to(device)
    return np.asarray(_solved(_Rows.of(counts, device), others, l2, alpha).cpu())


def objective(
    counts: sparse.csr_array, customers: Floats32, products: Floats32, l2: float, alpha: float
) -> float:
    """What `factorise` makes least: squared errors of all pairs by confidence, and l2 times all squares."""
    table = sparse.coo_array(_bought(counts))
    mine, theirs = customers.astype(np.float64), products.astype(np.float64)
    score = np.einsum("nk,nk->n", mine[table.row], theirs[table.col])  # of what was bought
    error = (1 + alpha * table.data) * (1 - score) ** 2 - score**2
    everywhere = np.sum((mine.T @ mine) * (theirs.T @ theirs))  # squared scores of all pairs
    return float(error.sum() + everywhere + l2 * (np.sum(mine**2) + np.sum(theirs**2)))


class _Rows:
    """The counts of R rows on a device, to be read in batches of rows about equally long."""

    def __init__(self, start: Tensor, column: Tensor, count: Tensor, longest_last: Tensor) -> None:
        self.start = start  # (R + 1,)
        self.column, self.count = column, count  # 2 x (n,)
        self.longest_last = longest_last  # (r,) rows that have any

    @classmethod
    def of(cls, counts: sparse.csr_array, device: str | torch.device) -> "_Rows":
        table = _bought(counts)
        size = np.diff(table.indptr)
        order = np.argsort(size, kind="stable")
        found = (
            table.indptr.astype(np.int64),
            table.indices.astype(np.int64),
            table.data.astype(np.float32),
            order[size[order] > 0],
        )
        return cls(*(torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in found))

    def __len__(self) -> int:
        return len(self.start) - 1

    def batches(self, rank: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows (B,) and where their counts begin and end (B, 2), B so many that memory is bounded."""
        size = (self.start[1:] - self.start[:-1])[self.longest_last].tolist()
        begin = 0
        while begin < len(size):
            end, most = begin + 1, CELLS // rank
            while end < len(size) and (end + 1 - begin) * max(size[end], rank) <= most:
                end += 1
            rows = self.longest_last[begin:end]
            yield rows, torch.stack([self.start[rows], self.start[rows + 1]], dim=1)
            begin = end


def _bought(counts: sparse.csr_array) -> sparse.csr_array:
    """Each pair once, and only those above 0."""
    table = counts.astype(np.float64)  # a copy, always
    table.sum_duplicates()
    if not np.all(np.isfinite(table.data)) or table.data.min(initial=0) < 0:
        raise ValueError("Counts must be numbers of at least 0.")
    table.eliminate_zeros()
    return table


def _solved(rows: _Rows, others: Tensor, l2: float, alpha: float) -> Tensor:
    """The vectors of rows that make the objective least beside the `others` (C, K). (R, K)"""
    if l2 <= 0 or alpha < 0:
        raise ValueError("l2 must be above 0, and alpha must be at least 0.")
    rank = others.shape[1]
    found = others.new_zeros(len(rows), rank)
    ridge = others.T @ others + l2 * torch.eye(rank, device=others.device)  # (K, K)
    for chosen, bounds in rows.batches(rank):
        left, right = _system(rows, bounds, others, alpha)
        factor, failed = torch.linalg.cholesky_ex(left + ridge)
        if bool(failed.any()):
            raise ValueError(f"l2 is too small for counts as large as these: {l2}")
        found[chosen] = torch.cholesky_solve(right[:, :, None], factor)[:, :, 0]
    return found


def _system(rows: _Rows, bounds: Tensor, others: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """What the purchases of B rows add to the two sides of their equations. (B, K, K), (B, K)"""
    batch, rank = len(bounds), others.shape[1]
    left, right = others.new_zeros(batch, rank, rank), others.new_zeros(batch, rank)
    longest = int((bounds[:, 1] - bounds[:, 0]).max())
    step = max(CELLS // (batch * rank), 1)
    for first in range(0, longest, step):  # a row may be too long to be gathered whole
        place = bounds[:, :1] + torch.arange(first, min(first + step, longest), device=others.device)
        there = place < bounds[:, 1:]  # (B, L)
        place = torch.where(there, place, 0)
        vector = others[rows.column[place]]  # (B, L, K)
        extra = alpha * rows.count[place] * there  # confidence beyond that of any pair
        left.baddbmm_(vector.transpose(1, 2), vector * extra[:, :, None])
        right += torch.einsum("blk,bl->bk", vector, extra + there)
    return left, right
