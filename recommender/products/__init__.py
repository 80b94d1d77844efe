"""What is asked of a product: whom to call about it, what replaces it, what is bought with it.

    ProductAudience ─ callers.callers_for ─▶ customers whom the user may see, the likeliest first
    ProductRelations ─ related.substitutes_for, related.bundles_for ─▶ products, with the facts in words

`found.find_product` says whether there is such a product; `why` says why an answer is empty.
"""
