"""Stands in for `python -m neural` where a test is about the supervisor, not about the model.

Keeps the contract (files, exit statuses, SIGTERM, resume) in a fraction of a second. The environment
variable CRM_STUB holds a JSON object that changes it:

seconds     how long each step of training takes           epochs        how many steps
evaluating  how long it takes after the last step          weight_bytes  size of the artifact's weights
values      metrics of a trial's epochs, by learning rate: {"0.01": [0.1, 0.2, 0.3]}
model       a metric's value of the model on the test window
outcome     "not_enough_data" or "failed"                   exit          exit status without an outcome
kill        true: dies by SIGKILL at the first step         fail_shard    this shard's scoring fails
scores      score of every customer                         predictions   content of predictions.parquet
sides       true: side files too: every customer a caller about P1
counts      four counts of the one input "orders" in each profile; as in the reference if absent
realised    every metric of a judged scoring                judging       seconds that takes, or "fail"
judged      how many customers it counts
answering   seconds that a served answer takes                          unserved      error of each load
die_at      the served question at which it kills itself, once a file     garbage       true: no reply is one
memory_mb   what it says it holds
"""

import json
import math
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from handoff.artifact import seal_artifact
from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.files import publish_folder, write_json
from handoff.profiles import Bins, Counted, Profile, Reference, profile_path
from handoff.progress import Outcome, ProgressWriter

PR_SET_PDEATHSIG = 1
METRICS = {"ndcg@10": 0.3, "ndcg@10_new": 0.2, "roc_auc": 0.7, "ece": 0.05, "brier": 0.2}
BINS, TESTED = Bins(edges=(1.0, 2.0)), (0, 100, 100, 100)
NOTHING = Outcome("not_enough_data", "Not enough data: no_events.", ({"code": "no_events"},))
REASON = {"code": "popular", "customers": 3, "days": 28}


def main(arguments: list[str]) -> int:
    die_with_parent()
    options = json.loads(os.environ.get("CRM_STUB", "{}"))
    if arguments[0] in ENDINGS:
        return train(arguments[0], Path(arguments[1]), options)
    if arguments[0] == "judge":
        return judge(arguments, options)
    if arguments[0] == "serve":
        return serve(Path(arguments[2]), options)
    return score(arguments, options)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(os.environ["CRM_SUPERVISOR_PID"]):
        sys.exit(1)


def train(command: str, folder: Path, options: dict[str, Any]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    config = TrainingConfig.read(folder)
    say(f"training {config.agent}")
    with (folder / "starts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if options.get("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if "exit" in options:
        say("the stub was told to fail")
        return int(options["exit"])
    if options.get("outcome"):
        failed = options["outcome"] == "failed"
        outcome = Outcome("failed", "The stub failed.") if failed else NOTHING
        outcome.write(folder)
        return 1 if failed else 0
    epochs = options.get("epochs", 3)
    values = trial_values(config, epochs, options) if command == "try" else []
    take_steps(folder, epochs, options.get("seconds", 0.0), values)
    time.sleep(options.get("evaluating", 0.0))
    ENDINGS[command](folder, config, options)
    Outcome("succeeded").write(folder)
    return 0


def trial_values(config: TrainingConfig, epochs: int, options: dict[str, Any]) -> list[float]:
    """Return the metric after each epoch: best at a learning rate of 0.003, and a little better each time."""
    told = options.get("values", {}).get(str(config.learning_rate))
    if told is not None:
        return list(told)
    peak = 1 / (1 + abs(math.log10(config.learning_rate / 0.003)))
    return [round(peak * (0.9 + 0.1 * epoch / epochs), 6) for epoch in range(1, epochs + 1)]


def take_steps(folder: Path, epochs: int, seconds: float, values: list[float]) -> None:
    """Count up from where an earlier attempt stood; each number is written into `steps` once."""
    writer = ProgressWriter(folder, interval=0.0)
    steps = folder / "checkpoints" / "steps"
    steps.parent.mkdir(exist_ok=True)
    done = len(steps.read_text().split()) if steps.exists() else 0
    for step in range(done + 1, epochs + 1):
        time.sleep(seconds)
        with steps.open("a") as file:
            file.write(f"{step} ")
        measured = dict.fromkeys(("ndcg@10", "roc_auc"), values[step - 1]) if values else None
        writer.write("training", step, epochs, loss=1 / step, metrics=measured)
    (folder / "steps").write_text(steps.read_text())
    writer.write("evaluating", 1, 1)


def finish(folder: Path, config: TrainingConfig, options: dict[str, Any]) -> None:
    higher = {name: value * 1.5 for name, value in METRICS.items() if name not in ("ece", "brier")}
    better = {**METRICS, **higher, "brier": 0.1}
    if "model" in options:
        better = dict.fromkeys(better, options["model"])
    baselines = {name: dict(METRICS) for name in config.baselines}
    write_json(folder / "evaluation.json", {"metrics": {"model": better, "baselines": baselines}})
    if "predictions" in options:
        (folder / "predictions.parquet").write_text(options["predictions"])
    staged = folder / ".artifact"
    staged.mkdir(exist_ok=True)
    weights = staged / "weights.safetensors"
    weights.write_bytes(b"weights" * 100)
    if "weight_bytes" in options:
        os.truncate(weights, options["weight_bytes"])
    write_json(staged / "model_card.json", {"agent": config.agent})
    counted = Counted(BINS, list(TESTED))
    Reference("2026-01-01T00:00:00+00:00", sum(TESTED), {"orders": counted}, counted).write(staged)
    config.write(staged)
    seal_artifact(staged)
    publish_folder(staged, folder / "artifact")


def report_trial(folder: Path, config: TrainingConfig, options: dict[str, Any]) -> None:
    epochs = options.get("epochs", 3)
    best = max(trial_values(config, epochs, options))
    validation = {"ndcg@10": best, "roc_auc": best}
    report = {"metric": "ndcg@10", "value": best, "epochs": epochs, "validation": validation, "seconds": 0.1}
    write_json(folder / "report.json", report)


def report_range(folder: Path, config: TrainingConfig, options: dict[str, Any]) -> None:
    points = [
        [10**exponent, loss] for exponent, loss in ((-5, 0.7), (-4, 0.65), (-3, 0.4), (-2, 0.3), (-1, 2))
    ]
    write_json(folder / "report.json", {"points": points, "suggested": 0.001})


def report_inspection(folder: Path, config: TrainingConfig, options: dict[str, Any]) -> None:
    write_json(folder / "report.json", {"findings": []})


ENDINGS = {"train": finish, "try": report_trial, "range": report_range, "inspect": report_inspection}


def score(arguments: list[str], options: dict[str, Any]) -> int:
    import polars as pl

    from handoff.scores import SCORES

    named = dict(zip(arguments[3::2], arguments[4::2], strict=True))
    shard, out = int(named["--shard"]), Path(named["--out"])
    time.sleep(options.get("seconds", 0.0))
    if options.get("fail_shard") == shard:
        say(f"shard {shard} was told to fail")
        return 1
    customers = sorted(Dataset.open(arguments[2]).customers(shard).collect()["customer"].to_list())
    payload = {
        "source": "model",
        "items": [{"product": "P1", "score": 0.5, "reasons": [REASON]}],
        "reasons": [],
    }
    rows = [(customer, options.get("scores", 0.5), json.dumps(payload)) for customer in customers]
    temporary = out.with_suffix(".tmp")
    pl.DataFrame(rows, schema=SCORES, orient="row").write_parquet(temporary)
    if options.get("sides"):
        write_sides(shard, customers, out)
    counts = list(options.get("counts", TESTED))
    Profile(named["--as-of"], sum(counts), {"orders": counts}, counts).write(profile_path(out))
    temporary.rename(out)
    return 0


def serve(root: Path, options: dict[str, Any]) -> int:
    """Answer with the customer's own products, the last bought first."""
    from handoff.serving import Question, Reply

    with (root / "serving").open("a") as file:
        file.write(f"{os.getpid()}\n")
    for number, line in enumerate(sys.stdin):
        question = Question.read(line)
        if options.get("garbage"):
            say("no JSON")
            continue
        reply = Reply(question.id, as_of=question.model.as_of, memory_mb=options.get("memory_mb", 100))
        if question.customer is None:
            error = options.get("unserved", "")
            say(replace(reply, error=error, final=bool(error)).line().strip())
            continue
        died = root / "died"
        if options.get("die_at") == number and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(options.get("answering", 0.0))
        events = question.known.events.sort("at", descending=True)
        products = list(dict.fromkeys(events["product"].drop_nulls()))
        items = [{"product": product, "score": 0.5, "reasons": []} for product in products]
        payload = json.dumps({"source": "model", "items": items})
        last = max([str(events["at"].max()), reply.as_of])
        say(replace(reply, score=0.5 if items else None, payload=payload, as_of=last).line().strip())
    return 0


def write_sides(shard: int, customers: list[str], out: Path) -> None:
    """Every customer of the shard is a caller about P1; the relations of P1 come from shard 0."""
    import polars as pl

    from handoff.scores import AUDIENCE, RELATIONS, side_path

    callers = [("P1", customer, 0.5, 1, 3) for customer in customers]
    pl.DataFrame(callers, schema=AUDIENCE, orient="row").write_parquet(side_path(out, "audience"))
    if shard == 0:
        payload = json.dumps({"offered": True, "orders": 9, "substitutes": [], "bundles": []})
        rows = [("P1", payload)]
        pl.DataFrame(rows, schema=RELATIONS, orient="row").write_parquet(side_path(out, "relations"))


def judge(arguments: list[str], options: dict[str, Any]) -> int:
    import polars as pl

    named = dict(zip(arguments[3::2], arguments[4::2], strict=True))
    frame = pl.read_parquet(named["--scores"])
    with Path(named["--scores"]).with_name("judges").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if options.get("judging") == "fail":
        say("the stub was told not to judge")
        return 1
    time.sleep(options.get("judging", 0.0))
    value = options.get("realised", 0.4)
    tiers = {tier: {"customers": 1, "happened": 1} for tier in sorted(set(frame["tier"]) - {""})}
    realised = {"version": 1, "as_of": named["--as-of"], "customers": options.get("judged", len(frame))}
    metrics = dict.fromkeys(METRICS, value)
    write_json(Path(named["--out"]), {**realised, "metrics": metrics, "tiers": tiers})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
