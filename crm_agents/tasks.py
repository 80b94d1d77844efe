"""What the queue may ask for. Tasks carry ids; the rows hold everything else."""

from typing import Any

from celery import shared_task
from celery.signals import beat_embedded_init, worker_process_init, worker_ready

from crm_agents.models import ModelVersion
from crm_agents.services import (
    execution,
    refreshing,
    remeasuring,
    rescoring,
    runs,
    shards,
    sweeping,
    tidying,
)
from crm_agents.services.agents import get_agent
from crm_agents.services.experiments import measuring
from crm_agents.services.freshness import WARM_UP
from crm_agents.services.labelling import jobs as labelling
from crm_agents.services.orphans import die_with_parent
from crm_agents.services.tuning import advancing
from crm_agents.services.waking import ask
from crm_agents.services.watching import judging, keeping_watch

worker_process_init.connect(die_with_parent, dispatch_uid="crm_agents.orphans")
beat_embedded_init.connect(die_with_parent, dispatch_uid="crm_agents.orphans.beat")


@shared_task(name="crm_agents.tasks.execute_run")
def execute_run(run_id: str) -> None:
    execution.execute_run(run_id)


@shared_task(name="crm_agents.tasks.score_shard")
def score_shard(shard_id: str) -> None:
    shards.score_shard(shard_id)


@shared_task(name="crm_agents.tasks.sweep")
def sweep() -> None:
    sweeping.sweep()


@shared_task(name="crm_agents.tasks.tidy")
def tidy() -> None:
    tidying.tidy()


@shared_task(name="crm_agents.tasks.score_live_agents")
def score_live_agents() -> None:
    rescoring.score_live_agents()


@shared_task(name="crm_agents.tasks.advance_sweep")
def advance_sweep(sweep_id: str) -> None:
    advancing.advance(sweep_id)


@shared_task(name="crm_agents.tasks.keep_watch")
def keep_watch() -> None:
    keeping_watch.keep_watch()


@shared_task(name="crm_agents.tasks.judge_scoring")
def judge_scoring(scoring_id: str) -> None:
    judging.judge_scoring(scoring_id)


@shared_task(name="crm_agents.tasks.measure_live_again")
def measure_live_again(version_id: int) -> None:
    remeasuring.measure_live_again(ModelVersion.objects.get(pk=version_id))


@shared_task(name="crm_agents.tasks.measure_experiment")
def measure_experiment(experiment_id: str) -> None:
    measuring.measure_experiment(experiment_id)


@shared_task(name="crm_agents.tasks.train")
def train(agent: str, tenant: str = "") -> None:
    """Start a run by the recipe's name: for schedules made in the admin."""
    runs.start_run(get_agent(agent, tenant=tenant), started_for={"code": "schedule"})


@shared_task(name="crm_agents.tasks.refresh")
def refresh() -> None:
    refreshing.refresh_waiting()


@shared_task(name="crm_agents.tasks.warm_up")
def warm_up() -> None:
    refreshing.warm_up()


@worker_ready.connect(dispatch_uid="crm_agents.warm_up")
def ask_to_warm_up(sender: Any, **_signal: Any) -> None:
    """Have the live models loaded before the first person waits, where the worker serves that queue."""
    routes: dict[str, dict[str, str]] = sender.app.conf.task_routes or {}
    if routes.get(WARM_UP, {}).get("queue") in sender.app.amqp.queues.consume_from:
        ask(WARM_UP)


@shared_task(name="crm_agents.tasks.fill_label_set")
def fill_label_set(label_set_id: int) -> None:
    labelling.fill_label_set(label_set_id)


@shared_task(name="crm_agents.tasks.order_label_set")
def order_label_set(label_set_id: int) -> None:
    labelling.order_label_set(label_set_id)


@shared_task(name="crm_agents.tasks.search_label_errors")
def search_label_errors(label_set_id: int) -> None:
    labelling.search_label_errors(label_set_id)
