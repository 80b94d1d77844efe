from django.conf import settings

from crm_site.celery import app


def test_tasks_carry_json_and_are_acknowledged_early() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.task_acks_late is False
    assert app.conf.task_ignore_result is True
    assert app.conf.worker_prefetch_multiplier == 1


def test_long_jobs_have_a_queue_of_their_own() -> None:
    def queue_of(name: str) -> str:
        return str(app.amqp.router.route({}, f"crm_agents.tasks.{name}", (), {})["queue"].name)

    assert queue_of("execute_run") == "gpu"
    assert queue_of("score_shard") == "gpu"
    assert queue_of("sweep") == "default"


def test_stranded_work_is_looked_for_all_the_time() -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["Heal stranded work"]

    assert entry["task"] == "crm_agents.tasks.sweep"
    assert entry["schedule"] == 15.0
