"""What an agent app brings: a recipe. Registering one gives it runs, versions, pages, API and schedule.

class Churn(Recipe):
    name = "churn"
    ...

class ChurnConfig(AppConfig):
    def ready(self):
        register(Churn())
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.functional import Promise

from crm_agents.models import Agent, ScoreRow, SideRow
from handoff.config import TrainingConfig

Text = str | Promise


@dataclass(frozen=True)
class Gate:
    """A version goes live only if `metric` beats every named baseline by `margin` on the test window.

    `margin` is a share of the baseline's value (0.02 = 2 % better). `also` are further conditions on the
    model's test metrics: against a number, e.g. {"ece": ("<=", 0.15)}, or against a baseline's value of the
    same metric, e.g. {"brier": ("<", "base_rate")}, which counts where the test window defines it.
    `sure` asks besides that chance hardly explains the lead over each baseline: the whole interval of the
    difference must lie on the better side. On a few hundred customers that can fail for a good model; leave
    it out there.
    """

    metric: str
    baselines: tuple[str, ...]
    margin: float = 0.0
    higher_is_better: bool = True
    also: Mapping[str, tuple[str, float | str]] = field(default_factory=dict)
    sure: bool = False


@dataclass(frozen=True)
class Panel:
    """One block of a customer's page."""

    title: Text
    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """What an agent says of one customer in a list; `tone` colours it (good, warn, bad, calm, or a tier)."""

    text: Text
    tone: str = "neutral"


@dataclass(frozen=True)
class Answer:
    """One answer that annotators choose from: the stored word, and the words for people.

    `scored` marks the answer whose probability the agent's score is.
    """

    value: str
    text: Text
    scored: bool = False


@dataclass(frozen=True)
class LabelTemplate:
    """A question ready to be put to annotators; `subject` is one of `models.Subject`."""

    name: Text
    subject: str
    question: Text
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class SideTable:
    """A table that is filled beside the scores: the scorer writes a side file `name`, see `handoff.scores`.

    `model` keeps its rows; with `customers` they name customers.
    """

    name: str
    model: type[SideRow]
    customers: bool = False


class Recipe:
    """One agent, declared. Subclasses set the class attributes and override what differs."""

    name: ClassVar[str]
    title: ClassVar[Text]
    description: ClassVar[Text] = ""
    gate: ClassVar[Gate]
    score_model: ClassVar[type[ScoreRow]]
    side_tables: ClassVar[tuple[SideTable, ...]] = ()  # what scoring fills beside `score_model`
    panel_order: ClassVar[int] = 100
    column: ClassVar[Text] = ""  # heading of the agent's column in the list of customers; none where empty
    label_sets: ClassVar[tuple[LabelTemplate, ...]] = ()  # what people may be asked besides the usual
    # Dotted path of a module whose `urlpatterns` join the REST API; a path, since recipes import no views.
    api_urlconf: ClassVar[str] = ""
    offers_popularity: ClassVar[bool] = False  # whether `popular_payload` has an answer
    # The groups by which staff act on a score, the most pressing first; empty where there are none.
    tiers: ClassVar[Mapping[str, Text]] = {}

    def tier(self, score: float | None) -> str:
        """Return the tier of a score, one of `tiers`; "" where the agent has none."""
        return ""

    def defaults(self) -> dict[str, Any]:
        """Return this agent's `TrainingConfig` values, less agent, dataset and what is left at default."""
        raise NotImplementedError

    def score_fields(self, score: float | None, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the score table's own columns (beyond ScoreRow) for one customer."""
        return {}

    def popular_payload(self, agent: Agent) -> dict[str, Any] | None:
        """Return what is popular with everyone, as a payload of the score table: for control groups.

        None where the agent has no such answer; its control groups are shown nothing then.
        """
        return None

    def customer_panel(self, request: HttpRequest, agent: Agent, customer_id: str) -> Panel | None:
        """Return the block of the customer's page in the admin, or None for no block."""
        return None

    def customer_summary(self, agent: Agent, customer_id: str) -> dict[str, Any] | None:
        """Return the agent's entry in `GET /customers/{id}/`, JSON values only."""
        return None

    def customer_cells(self, agent: Agent, customer_ids: list[str]) -> dict[str, Cell]:
        """Return the agent's column for those customers of one page that have any; one query."""
        return {}


class PanelProvider:
    """A block of the customer's page that no agent owns (profile traits, say)."""

    name: ClassVar[str]
    panel_order: ClassVar[int] = 0

    def customer_panel(self, request: HttpRequest, tenant: str, customer_id: str) -> Panel | None:
        raise NotImplementedError

    def customer_summary(self, tenant: str, customer_id: str) -> dict[str, Any] | None:
        return None


_recipes: dict[str, Recipe] = {}
_providers: dict[str, PanelProvider] = {}


def register(recipe: Recipe) -> None:
    """Register an agent. Call it in the app's `AppConfig.ready`."""
    present = _recipes.get(recipe.name)
    if present is not None and type(present) is not type(recipe):
        raise ImproperlyConfigured(
            f"Two recipes are named {recipe.name!r}: {type(present)} and {type(recipe)}."
        )
    _recipes[recipe.name] = recipe


def register_provider(provider: PanelProvider) -> None:
    """Register a block of the customer's page that belongs to no agent."""
    _providers[provider.name] = provider


def recipes() -> list[Recipe]:
    return sorted(_recipes.values(), key=lambda recipe: recipe.panel_order)


def providers() -> list[PanelProvider]:
    return sorted(_providers.values(), key=lambda provider: provider.panel_order)


def get_recipe(name: str) -> Recipe:
    """Return a registered recipe. Raises LookupError naming the known ones."""
    try:
        return _recipes[name]
    except KeyError:
        known = ", ".join(sorted(_recipes)) or "none"
        raise LookupError(f"No agent is named {name!r}. Registered: {known}.") from None


def training_config(recipe: Recipe, **values: Any) -> TrainingConfig:
    """Merge the recipe's defaults with overrides; later keys win. Raises HandoffError for a bad value."""
    return TrainingConfig.from_mapping({**recipe.defaults(), "agent": recipe.name, **values})
