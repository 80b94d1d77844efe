from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from crm_data.models import Customer

pytestmark = pytest.mark.django_db


def test_the_command_fills_an_empty_crm(tmp_path: Path) -> None:
    out = StringIO()
    call_command(
        "simulate_shop", customers=20, seed=3, reps=2, truth=tmp_path / "truth", stdout=out, stderr=StringIO()
    )
    assert Customer.objects.count() == 20
    assert sorted(User.objects.values_list("username", flat=True)) == ["anna", "wei"]
    assert out.getvalue().startswith("20 customers, 240 products, ")
    assert str(tmp_path / "truth") in out.getvalue()


def test_a_second_time_is_refused(tmp_path: Path) -> None:
    Customer.objects.create(code="1", name="Mine")
    with pytest.raises(CommandError, match="not empty"):
        call_command("simulate_shop", customers=20, truth=tmp_path / "truth")
    assert Customer.objects.count() == 1


def test_a_senseless_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="customers is 0"):
        call_command("simulate_shop", customers=0, truth=tmp_path / "truth")
    assert Customer.objects.count() == 0
