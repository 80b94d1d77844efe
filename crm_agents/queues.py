"""What a site adds to its Celery settings: which queue a task goes to, and what is done by the clock.

    CELERY_TASK_ROUTES = {**TASK_ROUTES, …}
    CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE, …}

Imported by settings modules, so nothing of Django is imported here.
"""

from typing import Any

from celery.schedules import crontab

SWEEP_SECONDS = 15.0
WATCH_SECONDS = 300.0

# Training and scoring go to the workers with a GPU, what people wait for to the interactive worker;
# everything else to the site's default queue.
TASK_ROUTES: dict[str, dict[str, str]] = {
    "crm_agents.tasks.execute_run": {"queue": "gpu"},
    "crm_agents.tasks.score_shard": {"queue": "gpu"},
    "crm_agents.tasks.judge_scoring": {"queue": "gpu"},
    "crm_agents.tasks.measure_live_again": {"queue": "gpu"},
    # Somebody may be looking: a worker of its own keeps the live models loaded for these.
    "crm_agents.tasks.refresh": {"queue": "interactive"},
    "crm_agents.tasks.warm_up": {"queue": "interactive"},
}


def beat_schedule(
    sweep_seconds: float = SWEEP_SECONDS, watch_seconds: float = WATCH_SECONDS
) -> dict[str, dict[str, Any]]:
    """Return the entries without which killed work stays where it is, scores grow old and nobody hears."""
    return {
        "Heal stranded work": {
            "task": "crm_agents.tasks.sweep",
            "schedule": sweep_seconds,
            "options": {"expires": 2 * sweep_seconds},  # sweeps of a stopped worker must not pile up
        },
        "Keep watch": {
            "task": "crm_agents.tasks.keep_watch",
            "schedule": watch_seconds,
            "options": {"expires": watch_seconds},
        },
        "Clear up": {
            "task": "crm_agents.tasks.tidy",
            "schedule": watch_seconds,
            "options": {"expires": watch_seconds},
        },
        "Score with the live versions": {
            "task": "crm_agents.tasks.score_live_agents",
            "schedule": crontab(hour="3", minute="30"),
        },
    }


BEAT_SCHEDULE = beat_schedule()
