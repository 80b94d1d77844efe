"""From what was scored to what is shown: rules, filters, order and variety, at the moment of reading.

`choose.Shelf` reads what several customers' lists need at once, `choose.Shelf.list_for` makes one list:

    stored items ─ rules.governed ─▶ filters.sieved ─▶ value.priced ─▶ picking.picked ─▶ the list
                   (out, up, down)   (what is wanted)  (order)         (pins, limits, variety)
"""
