import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from crm_agents.models import AuditEntry, ItemStatus, LabelItem
from crm_agents.services.labelling.answering import annotate
from crm_data.models import Customer
from tests.crm_agents.labelling.support import annotator, label_set_of

pytestmark = pytest.mark.django_db


def labels(*arguments: str) -> str:
    out = io.StringIO()
    call_command("agent", "labels", *arguments, stdout=out)
    return out.getvalue()


def test_how_far_a_set_is() -> None:
    label_set = label_set_of()
    LabelItem.objects.update(drawn=True, probabilities={"left": 0.9, "stayed": 0.1})
    annotate(label_set.items.order_by("place")[0], user=annotator("anna"), label="left")

    assert labels("status", "churn").splitlines() == [
        "Left\tcustomer\t3: 2 open, 1 labelled, 0 annotators disagree, 0 cannot be told",
        "    anna\t1",
        "    accuracy 1.000 (0.207 to 1.000) on 1 drawn at random",
    ]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_labels_travel_by_file(tmp_path: Path, ending: str) -> None:
    for code in ("C1", "C2", "C3"):
        Customer.objects.create(code=code)
    label_set = label_set_of()
    annotate(label_set.items.order_by("place")[0], user=annotator("anna"), label="left")
    file = tmp_path / f"labels.{ending}"

    assert labels("export", "churn", "--file", str(file)) == ""
    assert labels("export", "churn", "--format", ending) == file.read_bytes().decode()
    label_set_of((), name="Other")
    text = labels("import", "churn", "--set", "Other", "--file", str(file))

    assert text == "3 rows: 3 new items, 1 answers, 0 final labels.\n"
    assert LabelItem.objects.filter(label_set__name="Other", label="left", customer_id="C1").count() == 1
    assert AuditEntry.objects.filter(action="labels.exported").count() == 2


def test_mistakes_are_told_and_store_nothing(tmp_path: Path) -> None:
    label_set_of()
    file = tmp_path / "labels.csv"
    file.write_text("customer,label\nC1,gone\n")
    with pytest.raises(CommandError, match="Line 2: label is 'gone'"):
        labels("import", "churn", "--file", str(file))
    with pytest.raises(CommandError, match="No such file"):
        labels("import", "churn", "--file", str(tmp_path / "none.csv"))
    with pytest.raises(CommandError, match="churn has no such label set"):
        labels("export", "churn", "--set", "Other")
    label_set_of((), name="Other")
    with pytest.raises(CommandError, match="choose one with --set: Other, Left"):
        labels("export", "churn")
    assert not LabelItem.objects.exclude(status=ItemStatus.OPEN).exists()
