"""The agents in a shop of django-oscar, from its tables to what its staff sees. Run by `./run`.

Every step is what an integrator would do: migrate, check the Source, start a worker, train, look.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.utils import timezone

OURS = ("crm_data", "crm_agents", "crm_agents_profiling", "crm_agents_recommender", "crm_agents_churn")
PATIENCE = 300  # seconds for a run, and for its scores, to be done


def main() -> None:
    before = hash_of_the_host()
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("check", fail_level="WARNING")
    call_command(
        "makemigrations", *OURS, check_changes=True, dry_run=True
    )  # whatever key type the host prefers
    fill_once()
    call_command("crm_source", "check")
    with worker():
        train()
        publish_anyway()
    look_at_the_snapshot()
    look_at_the_admin()
    look_at_the_rest()
    if hash_of_the_host() != before:
        raise SystemExit("Files of django-oscar were changed.")
    say("django-oscar: everything holds")


def hash_of_the_host() -> str:
    """Return one hash over every source file of oscar."""
    import oscar

    folder = Path(oscar.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def fill_once() -> None:
    from oscar.core.loading import get_model

    if not get_model("order", "Order").objects.exists():
        from oscar_host.filling import fill

        fill(timezone.now())


@contextmanager
def worker() -> Iterator[None]:
    """Run a Celery worker of the host's own app, as a process of its own."""
    # No -Q: a host that routes nothing has all tasks in its own default queue.
    command = [sys.executable, "-m", "celery", "-A", "oscar_host", "worker"]
    command += ["-P", "prefork", "-c", "1", "--loglevel", "WARNING"]
    process = subprocess.Popen(command, env=os.environ)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def train() -> None:
    from crm_agents.models import TrainingRun

    call_command("agent", "train", "recommender")
    run = TrainingRun.objects.latest("created_at")
    wait_for(lambda: run.refresh_from_db() or not run.is_active, "the run to end")
    say(f"run: {run.status} {run.error} {run.missing}")
    if run.status != "succeeded":
        raise SystemExit(run.log_tail)


def publish_anyway() -> None:
    """Publish a version that the gate held back, with a reason: this shop is a test of the path."""
    from crm_agents.services.agents import get_agent

    agent = get_agent("recommender")
    version = agent.versions.order_by("-number").first()
    if version is None:
        raise SystemExit("Training left no version.")
    say(f"gate: {version.verdict} {version.verdict_reasons}")
    if version.verdict != "passed":
        call_command("agent", "promote", "recommender", str(version.number), "--reason", "a test of the path")
    wait_for(lambda: agent.refresh_from_db() or agent.live_version_id == version.pk, "scores to be published")


def look_at_the_snapshot() -> None:
    from oscar.core.loading import get_model

    from crm_data.models import Snapshot
    from crm_data.selectors import snapshot_folder
    from handoff.dataset import Dataset

    lines = get_model("order", "Line").objects
    products = get_model("catalogue", "Product").objects
    data = Dataset.open(snapshot_folder(Snapshot.objects.first()))  # type: ignore[arg-type]
    expect("events", data.manifest.events, lines.filter(order__user__isnull=False).count())
    expect("guests", lines.filter(order__user__isnull=True).count() > 0, True)
    expect("products", data.manifest.products, products.exclude(structure="parent").count())
    names = dict(data.products().select("product", "name").collect().rows())
    variant = products.filter(structure="child").first()
    expect("a variant's name", names[str(variant.pk)], variant.parent.title)


def look_at_the_admin() -> None:
    """Open the customer's page and the agents' pages as staff, and as a shopper."""
    from django.urls import reverse

    staff, shopper = clients()
    customer = best_customer()
    page = staff.get(reverse("admin:crm_agents_customer", args=[customer]))
    expect("customer page", page.status_code, 200)
    text = page.content.decode()
    name = first_recommendation(customer)
    expect(f"{name!r} on the customer page", name in text, True)
    for address in ("admin:index", "admin:crm_agents_customers", "admin:crm_agents_agent_changelist"):
        expect(address, staff.get(reverse(address)).status_code, 200)
    expect("a shopper", shopper.get(reverse("admin:crm_agents_customer", args=[customer])).status_code, 302)


def look_at_the_rest() -> None:
    staff, shopper = clients()
    customer = best_customer()
    answer = staff.get(f"/api/v1/customers/{customer}/recommendations/")
    expect("REST", answer.status_code, 200)
    first = answer.json()["items"][0]
    expect("REST names the product", first["name"], first_recommendation(customer))
    expect("REST list", staff.get("/api/v1/customers/").status_code, 200)
    expect("REST of nobody", staff.get("/api/v1/customers/999999/").status_code, 404)
    for address in ("/api/v1/customers/", f"/api/v1/customers/{customer}/"):
        answer = shopper.get(address)
        expect(f"a shopper at {address}", answer.status_code == 200 and answer.json()["results"] != [], False)


def best_customer() -> str:
    from crm_agents.selectors import live_scores
    from crm_agents.services.agents import get_agent

    row = live_scores(get_agent("recommender")).filter(score__isnull=False).order_by("-score").first()
    if row is None:
        raise SystemExit("No customer has a recommendation.")
    return str(row.customer_id)


def first_recommendation(customer: str) -> str:
    from crm_agents.selectors import live_score
    from crm_agents.services.agents import get_agent
    from crm_data.selectors import product_records

    row = live_score(get_agent("recommender"), customer)
    assert row is not None
    product = row.payload["items"][0]["product"]
    return product_records([product])[product].name


def clients() -> tuple[Any, Any]:
    """Return a browser of a member of staff and one of a customer of the shop."""
    from django.contrib.auth.models import User
    from django.test import Client

    boss, _made = User.objects.get_or_create(
        username="boss", defaults={"is_staff": True, "is_superuser": True}
    )
    staff, shopper = Client(), Client()
    backend = "django.contrib.auth.backends.ModelBackend"
    staff.force_login(boss, backend=backend)
    shopper.force_login(User.objects.filter(is_staff=False).first(), backend=backend)
    return staff, shopper


def wait_for(done: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > until:
            raise SystemExit(f"Waited {PATIENCE} s for {what}.")
        time.sleep(0.5)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def expect(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: {found!r}, expected {wanted!r}")
    say(f"  {what}: {found!r}")


if __name__ == "__main__":
    main()
