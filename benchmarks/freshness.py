"""How soon a purchase changes its customer's recommendations: `python -m benchmarks.freshness [--data FILE]`.

A shop is filled (the simulator's, or a file of transactions), a recommender is trained and published, then
gunicorn and the interactive worker stand as in production. A purchase is written through REST, and the
customer's list is read through REST until it is another one. DATABASE_URL (a PostgreSQL server, on which a
database of its own is made and dropped) and CELERY_BROKER_URL choose the parts; without them these are SQLite
and the folder.
"""

import argparse
import io
import json
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.report import report
from benchmarks.scratch import is_postgresql, scratch_database

POLL_SECONDS = 0.01
PATIENCE = 60.0
PORT = 8765
Answer = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=3000, help="of the simulated shop")
    parser.add_argument("--data", type=Path, help="a file of transactions instead")
    parser.add_argument("--number", type=int, default=30, help="of purchases")
    parser.add_argument("--epochs", type=int, default=2, help="of the training")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between two purchases")
    arguments = parser.parse_args()
    with site():
        measure(arguments)


@contextmanager
def site() -> Iterator[None]:
    """Name a site of the benchmark's own in the environment: this process and its children read it there."""
    url = os.environ.get("DATABASE_URL", "")
    os.environ |= {"LOG_LEVEL": "WARNING", "API_READ_RATE": "1000000/min", "API_WRITE_RATE": "1000000/min"}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_site.settings")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CRM_VAR"] = folder
        if not is_postgresql(url):
            yield
            return
        with scratch_database(url) as scratch:
            os.environ["DATABASE_URL"] = scratch
            yield


def measure(arguments: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from crm_demo.demo.processes import Processes
    from crm_demo.demo.show import interactive_command, web_command, worker_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    data, token = filled(arguments)
    queue = settings.CELERY_BROKER_URL.partition(":")[0]
    facts = {"database": connection.vendor, "broker": queue, "epochs": arguments.epochs}
    with Processes(folder=Path(settings.VAR) / "log", cwd=Path(settings.BASE_DIR)) as processes:
        processes.start("worker", worker_command(), environment={})
        facts["training_seconds"] = round(seconds_until(lambda: published(arguments.epochs)))
    with Processes(folder=Path(settings.VAR) / "log", cwd=Path(settings.BASE_DIR)) as processes:
        processes.start("web", web_command(PORT), environment={})
        seconds_until(answers_at_all)
        processes.start("interactive", interactive_command(), environment={})
        rest = Rest(token)
        first = rest.purchase_seen(*next(purchases(1, seed=0)))
        report(figure="freshness_first", value=first["seconds"], unit="s", data=data, **facts)
        seen = []
        for customer, product, moment in purchases(arguments.number, seed=1):
            time.sleep(arguments.pause)
            seen.append(rest.purchase_seen(customer, product, moment))
        facts["memory_mb"] = memory(processes)
    told(seen, data, facts)
    connection.close()


def filled(arguments: argparse.Namespace) -> tuple[str, str]:
    """Fill the tables; return the data in words, and a token for REST."""
    from django.conf import settings
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from crm_demo.services.filling import fill
    from crm_demo.services.users import make_manager
    from crm_demo.simulator import ShopSpec

    manager = make_manager("manager", password=None)
    manager.is_superuser = True
    manager.save()
    if arguments.data is not None:
        call_command("import_transactions", str(arguments.data), stdout=io.StringIO())
        data = arguments.data.name
    else:
        spec = ShopSpec(customers=arguments.customers, seed=1)
        fill(spec, owners=[manager], truth_folder=Path(settings.VAR) / "truth")
        data = f"simulated shop of {arguments.customers} customers"
    return data, Token.objects.create(user=manager).key


def published(epochs: int) -> bool:
    """Start the training where there is none, promote what it made, and say whether scores are live."""
    from crm_agents.models import RunStatus
    from crm_agents.services.agents import get_agent
    from crm_agents.services.publishing import promote_version
    from crm_agents.services.runs import start_run

    agent = get_agent("recommender")
    run = agent.runs.first()
    if run is None:
        agent.config = {"epochs": epochs}
        agent.save()
        start_run(agent)
    elif not run.is_active and run.status != RunStatus.SUCCEEDED:
        raise SystemExit(f"The training ended as {run.status}: {run.error}\n{run.log_tail}")
    elif not run.is_active and run.version.verdict != "passed" and not agent.scorings.exists():
        promote_version(run.version, override_reason="only the time is measured")
    return agent.live_scoring_id is not None


def purchases(number: int, *, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield customers, products that each did not buy lately, and moments after the scores'."""
    from crm_agents.selectors import live_scores
    from crm_agents.services.agents import get_agent

    agent = get_agent("recommender")
    assert agent.live_scoring is not None  # noqa: S101  published above
    rows = list(live_scores(agent).exclude(score=None).order_by("customer_id"))
    rng = Random(seed)  # noqa: S311
    for place, row in enumerate(rng.sample(rows, min(number, len(rows))), start=1):
        other = rng.choice(rows)
        product = other.payload["items"][0]["product"]
        moment = agent.live_scoring.as_of + timedelta(minutes=place)
        yield row.customer_id, product, moment.isoformat()


class Rest:
    """The client: a token, and one request after the other."""

    def __init__(self, token: str) -> None:
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def ask(self, path: str, body: Any = None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{PORT}/api/v1/{path}"
        request = urllib.request.Request(url, data, self.headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return dict(json.load(answer))

    def recommendations(self, customer: str) -> Answer:
        return self.ask(f"customers/{customer}/recommendations/?limit=20")

    def purchase_seen(self, customer: str, product: str, moment: str) -> Answer:
        """Write one purchase and read until the list is of after it."""
        before = self.recommendations(customer)
        row = {"customer": customer, "kind": "purchase", "at": moment, "product": product, "quantity": 1}
        begun = time.monotonic()
        self.ask("interactions/", {"rows": [{**row, "amount": 5.0, "basket": f"new-{customer}"}]})
        written = time.monotonic()
        while (now := self.recommendations(customer))["refreshed_at"] == before["refreshed_at"]:
            if time.monotonic() - begun > PATIENCE:
                raise SystemExit(f"The list of {customer} was not refreshed within {PATIENCE:.0f} s.")
            time.sleep(POLL_SECONDS)
        ended = time.monotonic()
        begun_reading = time.monotonic()
        self.recommendations(customer)
        return {
            "seconds": ended - begun,
            "writing": written - begun,
            "reading": time.monotonic() - begun_reading,
            "changed": [i["product"] for i in now["items"]] != [i["product"] for i in before["items"]]
            or [i["score"] for i in now["items"]] != [i["score"] for i in before["items"]],
        }


def told(seen: list[Answer], data: str, facts: dict[str, Any]) -> None:
    spans = sorted(row["seconds"] for row in seen)
    for name, value in (
        ("freshness_median", statistics.median(spans)),
        ("freshness_p95", spans[max(0, round(0.95 * len(spans)) - 1)]),
        ("freshness_most", spans[-1]),
    ):
        report(
            figure=name,
            value=value,
            unit="s",
            data=data,
            **facts,
            purchases=len(seen),
            lists_changed=sum(row["changed"] for row in seen),
            writing=round(statistics.median(row["writing"] for row in seen), 3),
            reading=round(statistics.median(row["reading"] for row in seen), 3),
            load=round(os.getloadavg()[0], 1),
        )


def memory(processes: Any) -> dict[str, int]:
    """Memory of each process with what it started, in MB."""
    from crm_demo.demo.process_tree import descendants, memory_mb

    running = processes.running.items()
    return {name: round(memory_mb([each.pid, *descendants(each.pid)])) for name, each in running}


def answers_at_all() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=2):  # noqa: S310
            return True
    except OSError:
        return False


def seconds_until(ready: Callable[[], bool]) -> float:
    begun = time.monotonic()
    while not ready():
        if time.monotonic() - begun > 3600:
            raise SystemExit("Waited an hour in vain.")
        time.sleep(0.5)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
