"""What a version's page and its one-file card say of intervals, slices and where it comes from."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.test import Client

from crm_agents.models import Agent, ModelVersion
from crm_data.models import Snapshot
from tests.crm_agents_admin.compared import churn_examples, told_evaluation
from tests.crm_agents_admin.support import inline_parts, make_version, text_of, write_artifact_config

LIST = "/admin/crm_agents/modelversion/"
RANKING = {
    "metrics": {
        "model": {"ndcg@10": 0.31, "novelty@10": 5.1},
        "baselines": {"popularity": {"ndcg@10": 0.11, "novelty@10": 2.0}},
    },
    "curves": {
        "by_length": {
            "model": {"ndcg": [[1, 0.2], [10, 0.31]], "recall": [[1, 0.02], [10, 0.2]]},
            "popularity": {"ndcg": [[1, 0.1], [10, 0.11]], "recall": [[1, 0.01], [10, 0.07]]},
        },
        "by_customer": [{"from": 0.0, "to": 0.5, "count": 70}, {"from": 0.5, "to": 1.0, "count": 30}],
        "popularity": [
            {"upto": 0.01, "listed": 0.3, "bought": 0.1},
            {"upto": 1.0, "listed": 0.7, "bought": 0.9},
        ],
    },
}


@pytest.fixture
def told(agent: Agent, snapshot: Snapshot, version: ModelVersion) -> ModelVersion:
    """A version that knows its intervals and slices, made from the first one."""
    return make_version(
        agent, snapshot, number=2, evaluation=told_evaluation(churn_examples(600)), parent=version
    )


def page(version: ModelVersion) -> str:
    return f"{LIST}{version.pk}/change/"


def test_every_figure_of_the_test_window_has_its_interval_beneath(viewer: Client, told: ModelVersion) -> None:
    answer = viewer.get(page(told))
    text = text_of(answer)

    low, high = told.evaluation["intervals"]["methods"]["model"]["roc_auc"]
    assert f'<span class="crm-interval">{low:.4f} to {high:.4f}</span>' in text
    assert "Beneath each figure: where it lies in 95 % of 200 resamples of the 600 customers." in text
    assert inline_parts(answer) == []


def test_it_says_how_surely_each_rule_is_beaten(viewer: Client, told: ModelVersion) -> None:
    text = text_of(viewer.get(page(told)))

    assert "How far ahead of simple rules" in text
    assert '<span class="crm-badge crm-badge--good">surely better</span>' in text


def test_the_weakest_slice_stands_first(viewer: Client, told: ModelVersion) -> None:
    text = text_of(viewer.get(page(told)))

    assert "Where it is weak" in text
    table = text[text.index("Where it is weak") :]
    first = table[table.index("<tbody>") : table.index("</tr>", table.index("<tbody>"))]
    assert '<td>Country</td><th scope="row">France</th><td class="crm-figure">150</td>' in first
    assert '<span class="crm-badge crm-badge--warn">surely weaker</span>' in first
    assert '<title id="slices-title">ROC-AUC of the weakest slices</title>' in text


def test_it_names_the_version_it_was_made_from(
    viewer: Client, told: ModelVersion, version: ModelVersion
) -> None:
    text = text_of(viewer.get(page(told)))

    assert f'<dt>Made from</dt><dd><a href="{page(version)}">spare v1</a></dd>' in text
    assert viewer.get(f"{LIST}{told.pk}/model-card.json").json()["made_from"]["version"] == 1
    assert "Made from" not in text_of(viewer.get(page(version)))


def test_preparation_is_told_in_words(viewer: Client, version: ModelVersion, agents_root: Path) -> None:
    write_artifact_config(
        agents_root,
        version,
        '{"cleaning": {"duplicates": "drop", "outliers": "clip", "quantile": 0.999}, "excluded": ["sex"],'
        ' "label_weight": 3.0, "epochs": 6}',
    )
    text = text_of(viewer.get(page(version)))

    assert "<dt>Lines that are equal in every column</dt><dd>counted once</dd>" in text
    assert "<dd>clipped at the 99.9 % quantile of the training window</dd>" in text
    assert "<dt>Fields taken out</dt><dd>sex</dd>" in text
    assert "<code>cleaning</code>" not in text
    assert "<dt><code>epochs</code></dt><dd>6</dd>" in text


def test_the_limits_that_training_found_are_told(
    viewer: Client, version: ModelVersion, agents_root: Path
) -> None:
    done = '{"duplicates": "keep", "outliers": "clip", "quantile": 0.99, "amount": 1312.91, "quantity": null}'
    write_artifact_config(agents_root, version, '{"cleaning": {"outliers": "clip", "quantile": 0.99}}')
    folder = agents_root / "artifacts" / version.artifact
    (folder / "model_card.json").write_text(f'{{"cleaning": {done}}}')

    assert "99.0 % quantile of the training window (amount 1,312.91)</dd>" in text_of(
        viewer.get(page(version))
    )
    assert viewer.get(f"{LIST}{version.pk}/model-card.json").json()["cleaning"]["amount"] == 1312.91


def test_recommendations_have_plots_of_their_own(viewer: Client, agent: Agent, snapshot: Snapshot) -> None:
    text = text_of(viewer.get(page(make_version(agent, snapshot, number=3, evaluation=RANKING))))

    drawn = [
        name
        for name in ("by-length-ndcg", "by-length-recall", "by-customer", "popularity")
        if f'<title id="{name}-title">' in text
    ]
    assert len(drawn) == 4
    assert '<td class="crm-figure">5.1000</td><td class="crm-figure">2.0000</td>' in text  # no best novelty


class _Parts(HTMLParser):
    """Collects what a file from disk could not load, or would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag in ("script", "link", "img", "iframe", "a"):
            self.found.append(tag)
        self.found += [name for name in names if name.startswith("on") or name in ("src", "href")]
        if names.get("id"):
            self.ids.append(str(names["id"]))


def test_the_html_card_is_one_file_that_needs_nothing_else(viewer: Client, told: ModelVersion) -> None:
    answer = viewer.get(f"{LIST}{told.pk}/model-card.html")
    text = answer.content.decode()
    parts = _Parts()
    parts.feed(text)

    assert answer["Content-Disposition"] == 'attachment; filename="spare-v2-model-card.html"'
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert parts.found == []
    assert len(set(parts.ids)) == len(parts.ids)
    assert "url(" not in text
    assert "@import" not in text
    assert ".crm-card {" in text
    assert "prefers-color-scheme: dark" in text
    for words in ("Model card of spare v2", "Where it is weak", "gate passed", "made from".capitalize()):
        assert words in text


def test_a_stranger_gets_no_card(stranger: Client, told: ModelVersion) -> None:
    assert stranger.get(f"{LIST}{told.pk}/model-card.html").status_code == 403


def test_markup_in_a_customers_attribute_stays_text(viewer: Client, agent: Agent, snapshot: Snapshot) -> None:
    evaluation = told_evaluation(churn_examples(600))
    evaluation["slices"]["groups"][0]["which"] = "<script>alert(1)</script>"
    made = make_version(agent, snapshot, number=3, evaluation=evaluation)

    for url in (page(made), f"{LIST}{made.pk}/model-card.html"):
        text = viewer.get(url).content.decode()
        assert "<script>alert(1)" not in text
        assert "&lt;script&gt;alert(1)" in text
