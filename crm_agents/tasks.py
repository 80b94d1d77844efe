"""What the queue may ask for. Tasks carry ids; the rows hold everything else."""

from celery import shared_task
from celery.signals import beat_embedded_init, worker_process_init

from crm_agents.models import ModelVersion
from crm_agents.services import execution, remeasuring, rescoring, runs, shards, sweeping, tidying
from crm_agents.services.agents import get_agent
from crm_agents.services.labelling import jobs as labelling
from crm_agents.services.orphans import die_with_parent
from crm_agents.services.tuning import advancing
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


@shared_task(name="crm_agents.tasks.train")
def train(agent: str, tenant: str = "") -> None:
    """Start a run by the recipe's name: for schedules made in the admin."""
    runs.start_run(get_agent(agent, tenant=tenant), started_for={"code": "schedule"})


@shared_task(name="crm_agents.tasks.fill_label_set")
def fill_label_set(label_set_id: int) -> None:
    labelling.fill_label_set(label_set_id)


@shared_task(name="crm_agents.tasks.order_label_set")
def order_label_set(label_set_id: int) -> None:
    labelling.order_label_set(label_set_id)


@shared_task(name="crm_agents.tasks.search_label_errors")
def search_label_errors(label_set_id: int) -> None:
    labelling.search_label_errors(label_set_id)
