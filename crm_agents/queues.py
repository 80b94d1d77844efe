"""What a site adds to its Celery settings: which queue a task goes to, and what is done by the clock.

    CELERY_TASK_ROUTES = {**TASK_ROUTES, …}
    CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE, …}

Imported by settings modules, so nothing of Django is imported here.
"""

from typing import Any

from celery.schedules import crontab

SWEEP_SECONDS = 15.0

# Training and scoring go to the workers with a GPU; everything else to the site's default queue.
TASK_ROUTES: dict[str, dict[str, str]] = {
    "crm_agents.tasks.execute_run": {"queue": "gpu"},
    "crm_agents.tasks.score_shard": {"queue": "gpu"},
}


def beat_schedule(sweep_seconds: float = SWEEP_SECONDS) -> dict[str, dict[str, Any]]:
    """Return the entries without which killed work stays where it is and scores grow old."""
    return {
        "Heal stranded work": {
            "task": "crm_agents.tasks.sweep",
            "schedule": sweep_seconds,
            "options": {"expires": 2 * sweep_seconds},  # sweeps of a stopped worker must not pile up
        },
        "Score with the live versions": {
            "task": "crm_agents.tasks.score_live_agents",
            "schedule": crontab(hour="3", minute="30"),
        },
    }


BEAT_SCHEDULE = beat_schedule()
