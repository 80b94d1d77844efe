"""Losses of ranking: the logits of a query's products against the set that was truly bought."""

import torch
import torch.nn.functional as F
from torch import Tensor

LOOKED_AT = 20  # places of a list that count
RIVALS = 200  # best products against which the true ones are held
NEVER = -1e4  # logit of what is no candidate


def set_loss(logits: Tensor, query: Tensor, product: Tensor, weight: Tensor | None = None) -> Tensor:
    """Softmax cross-entropy against a set: the mean over queries of the mean over each one's products.

    logits (Q, P); query and product (R,) are the pairs of the sets; queries without any count for nothing.
    `weight` (R,) makes the mean over a query's products a weighted one.
    """
    log_norm = torch.logsumexp(logits, dim=1)  # (Q,)
    chosen = logits[query, product] - log_norm[query]  # (R,)
    share = torch.ones_like(chosen) if weight is None else weight.to(chosen.dtype)
    total = torch.zeros(len(logits), device=share.device, dtype=share.dtype).index_add(0, query, share)
    return -(chosen * share / total[query]).sum() / (total > 0).sum().clamp(min=1)


def places_loss(logits: Tensor, query: Tensor, product: Tensor, weight: Tensor | None = None) -> Tensor:
    """LambdaRank: each true product against each better-placed false one, by the NDCG a swap would gain.

    Arguments as `set_loss`. Only swaps that touch the first LOOKED_AT places gain anything, and only the
    RIVALS best products are held against the true ones.
    Source: Burges, "From RankNet to LambdaRank to LambdaMART" (2010); Wang et al., "The LambdaLoss
    framework" (CIKM 2018).
    """
    rivals = min(RIVALS, logits.shape[1])
    value, rival = logits.topk(rivals, dim=1)  # (Q, C)
    true = torch.zeros_like(logits, dtype=torch.bool)
    true[query, product] = True
    place = torch.arange(rivals, device=logits.device)
    gain = torch.where(place < LOOKED_AT, 1 / torch.log2(place + 2.0), 0.0)  # (C,)
    mine = logits[query, product]  # (R,)
    with torch.no_grad():
        better = (value[query] > mine[:, None]).sum(1)  # (R,) place of each true product, 0 for the first
        at_place = torch.where(better < LOOKED_AT, 1 / torch.log2(better + 2.0), 0.0)  # (R,)
        size = torch.bincount(query, minlength=len(logits))  # (Q,)
        best = torch.cumsum(1 / torch.log2(torch.arange(LOOKED_AT, device=logits.device) + 2.0), dim=0)
        ideal = best[size.clamp(1, LOOKED_AT) - 1]  # (Q,) gain of a perfect list
        swap = (gain[None, :] - at_place[:, None]).abs() / ideal[query][:, None]  # (R, C)
        false = ~true.gather(1, rival) & (value > NEVER / 2)  # (Q, C)
        swap = swap * false[query]
        if weight is not None:
            swap = swap * weight[:, None]
    margin = mine[:, None] - value[query]  # (R, C)
    return (F.softplus(-margin) * swap).sum() / (size > 0).sum().clamp(min=1)
