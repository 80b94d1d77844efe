"""Where the files of an agent's life lie, below `CRM_AGENTS["ROOT"]`."""

from pathlib import Path
from uuid import UUID

from crm_agents.models import Agent, Experiment, ModelVersion, ScoringRun, ScoringShard, TrainingRun
from crm_data.conf import root

# The name that `handoff.predictions` gives it; that module loads polars, which pages can do without.
PREDICTIONS = "predictions.parquet"


def run_folder(run: TrainingRun) -> Path:
    """Return the folder in which one run is trained and resumed."""
    return root() / "runs" / str(run.pk)


def artifact_root() -> Path:
    """Return the only folder below which artifacts are loaded."""
    return root() / "artifacts"


def agent_artifacts(agent: Agent) -> Path:
    """Return the folder of an agent's artifacts, one folder a version."""
    return artifact_root() / (f"{agent.name}.{agent.pk}" if agent.tenant else agent.name)


def staging_folder(run: TrainingRun) -> Path:
    """Return the folder in which a run's artifact is checked before it becomes a version's."""
    return agent_artifacts(run.agent) / f".staged-{run.pk}"


def artifact_folder(version: ModelVersion) -> Path:
    return artifact_root() / version.artifact


def records_folder(version: ModelVersion) -> Path:
    """Return what is kept of a version beside its artifact: what names customers, who can be erased."""
    return root() / "records" / version.artifact


def predictions_file(version: ModelVersion) -> Path:
    """Return what the version said of each example of its test window, see `handoff.predictions`."""
    return records_folder(version) / PREDICTIONS


def again_file(version: ModelVersion, newer: ModelVersion) -> Path:
    """Return what `version` said of the test window of a newer one, where it was asked."""
    return records_folder(version) / f"on-{newer.number}" / PREDICTIONS


def score_file(shard: ScoringShard) -> Path:
    """Return the file that the scorer of one shard writes."""
    return score_folder(shard.scoring_id) / f"shard-{shard.shard:04d}.parquet"


def score_folder(scoring: UUID | str) -> Path:
    """Return the folder of the shards' files, which goes once the scoring has ended."""
    return root() / "scores" / str(scoring)


def kept_folder(scoring: ScoringRun) -> Path:
    """Return what is kept of a scoring until its outcomes are known; it names customers."""
    return root() / "scorings" / str(scoring.pk)


def changed_file(scoring: ScoringRun) -> Path:
    """Return the list of customers whom a shadow's scoring sees otherwise than the live one."""
    return kept_folder(scoring) / "changed.json"


def enrolled_folder(experiment: Experiment) -> Path:
    """Return the files of those who take part in an experiment; they name customers."""
    return root() / "experiments" / str(experiment.pk)
