"""A line without axes, for a run page that redraws it while the run goes on."""

from collections.abc import Sequence

from crm_agents.plots.scale import Scale, is_number, pixels, spread

WIDTH, HEIGHT = 300, 60


def sparkline(values: Sequence[float | None], *, most: int = 150) -> str:
    """Return the `points` of an SVG polyline of 300 by 60 through `values`, thinned to `most` of them."""
    known = [value for value in values if is_number(value)]
    if len(known) < 2:
        return ""
    every = -(-len(known) // most)
    # Counted from the end, so that the newest value is always on the line.
    kept = known[::-1][::every][::-1]
    if len(kept) < 2:
        kept = [known[0], known[-1]]
    x = Scale(0, len(kept) - 1, 0, WIDTH)
    y = Scale(*spread(kept), HEIGHT - 2, 2)
    return " ".join(f"{pixels(x(index))},{pixels(y(value))}" for index, value in enumerate(kept))
