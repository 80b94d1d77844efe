"""One plot as plain data, and its markup."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.safestring import SafeString

from crm_agents.plots.scale import Scale, number, pixels, ticks

Text = str | Promise

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 14, 48


@dataclass(frozen=True)
class Tick:
    at: str
    label: str


@dataclass(frozen=True)
class Line:
    """`series` picks colour and dash of the stylesheet: 1 to 4, or 0 for a thin reference line."""

    points: str
    series: int = 1
    dots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    series: int = 1


@dataclass(frozen=True)
class Label:
    x: str
    y: str
    text: Text
    anchor: str = "start"  # "start" | "middle" | "end"


@dataclass(frozen=True)
class Plot:
    """Everything a figure shows. `heads` and `rows` are its data table."""

    slug: str
    title: Text
    description: Text
    heads: Sequence[Text]
    rows: Sequence[Sequence[str | Text]]
    x_title: Text = ""
    y_title: Text = ""
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()
    lines: Sequence[Line] = ()
    bars: Sequence[Bar] = ()
    labels: Sequence[Label] = ()
    legend: Sequence[tuple[int, Text]] = ()
    width: int = WIDTH
    height: int = HEIGHT
    grid: dict[str, str] = field(
        default_factory=lambda: {
            "left": str(LEFT),
            "right": str(WIDTH - RIGHT),
            "top": str(TOP),
            "bottom": str(HEIGHT - BOTTOM),
            "middle": pixels((LEFT + WIDTH - RIGHT) / 2),
            "centre": pixels((TOP + HEIGHT - BOTTOM) / 2),
        }
    )


def render(plot: Plot) -> SafeString:
    """Return the plot as a `<figure>`: SVG, legend and data table."""
    return render_to_string("crm_agents/plots/plot.html", {"plot": plot})


def x_scale(low: float, high: float) -> Scale:
    return Scale(low, high, LEFT, WIDTH - RIGHT)


def y_scale(low: float, high: float) -> Scale:
    return Scale(low, high, HEIGHT - BOTTOM, TOP)


def axis(scale: Scale, *, whole: bool = False) -> list[Tick]:
    """Return the ticks of a scale; `whole` keeps whole numbers only (epochs, say)."""
    found = ticks(scale.low, scale.high)
    return [Tick(pixels(scale(at)), number(at)) for at in found if not whole or at == int(at)]


def line(
    points: Iterable[tuple[float, float]], x: Scale, y: Scale, *, series: int = 1, dots: bool = False
) -> Line:
    """Return a polyline through `points` (values), with a dot at each where asked."""
    placed = tuple((pixels(x(a)), pixels(y(b))) for a, b in points)
    return Line(" ".join(f"{a},{b}" for a, b in placed), series, placed if dots else ())
