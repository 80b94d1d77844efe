"""python -m neural: fine-tune a model, try settings, look at the data, and let a model answer.

Every command is a process of its own; the first four work on a run folder that holds config.json.
"""

# The first act, before torch is imported: without its supervisor this process must not live on.
from neural.parent import die_with_parent

die_with_parent()

import os  # noqa: E402

for library in ("OMP", "OPENBLAS", "MKL"):  # spinning threads cost more CPU than they save here
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import argparse  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from handoff.errors import HandoffError  # noqa: E402
from handoff.progress import Outcome  # noqa: E402

STOPPED = 143  # 128 + SIGTERM

RUN_COMMANDS = {
    "train": "run, or go on with, the run of a folder",
    "try": "the same up to the validation window: what a search compares; the test window stays unseen",
    "range": "try ever higher learning rates and say which to take",
    "inspect": "look for what is wrong with the data before a run",
}
MODEL_COMMANDS = {
    "evaluate": "measure a model",
    "score": "answer for one shard's customers",
    "judge": "hold old scores against what has happened since",
}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m neural", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)
    for name, description in RUN_COMMANDS.items():
        command = commands.add_parser(name, help=description)
        command.add_argument("run_folder", type=Path)
        if name != "inspect":
            command.add_argument("--root", type=Path, help="folder under which the artifact of `start` lies")
        if name in ("train", "try"):
            seconds = "0 writes one after every step"
            command.add_argument("--checkpoint-seconds", type=float, default=20.0, help=seconds)
    for name, description in MODEL_COMMANDS.items():
        command = commands.add_parser(name, help=description)
        command.add_argument("artifact", type=Path)
        command.add_argument("dataset", type=Path)
        command.add_argument("--root", type=Path, required=True, help="folder the artifact must lie under")
        command.add_argument("--out", type=Path, required=True)
        if name == "evaluate":
            command.add_argument("--test-cutoff", help="ISO time; default: as in training")
            command.add_argument("--examples", type=Path, help="folder that gets predictions.parquet")
        elif name == "score":
            command.add_argument("--shard", type=int, required=True)
            command.add_argument("--as-of", required=True, help="ISO time; nothing later is read")
        else:
            command.add_argument("--scores", type=Path, required=True, help="what was kept of old scores")
            command.add_argument("--as-of", required=True, help="ISO time that the scores are of")
    answer = commands.add_parser("answer", help="label texts with a model of the task text_label")
    answer.add_argument("artifact", type=Path)
    answer.add_argument("texts", type=Path, help='JSON lines {"key", "text"}')
    answer.add_argument("--root", type=Path, required=True, help="folder the artifact must lie under")
    answer.add_argument("--out", type=Path, required=True, help="JSON lines, one for each text")
    serve = commands.add_parser("serve", help="keep models loaded and answer lines, see handoff.serving")
    serve.add_argument("--root", type=Path, required=True, help="folder the artifacts must lie under")
    serve.add_argument("--models", type=int, default=2, help="how many to keep loaded")
    return root


def run_folder(arguments: argparse.Namespace) -> int:
    """Do a command on a run folder and see that its outcome is told, whatever happens."""
    from neural.runs import Stopped

    folder: Path = arguments.run_folder
    try:
        _do(arguments, folder)
    except Stopped:
        return STOPPED
    except HandoffError as error:
        sys.stderr.write(f"{error}\n")
        return _failed(folder, error)
    except Exception as error:
        _failed(folder, error)
        raise  # the traceback belongs in the log
    return 0


def _do(arguments: argparse.Namespace, folder: Path) -> None:
    """Each command imports what it needs: torch takes seconds, and `inspect` can do without."""
    if arguments.command == "train":
        from neural.training import train

        train(folder, checkpoint_seconds=arguments.checkpoint_seconds, root=arguments.root)
    elif arguments.command == "try":
        from neural.trials import attempt

        attempt(folder, checkpoint_seconds=arguments.checkpoint_seconds, root=arguments.root)
    elif arguments.command == "range":
        from neural.rates import find_rate

        find_rate(folder, root=arguments.root)
    else:
        from neural.inspection import inspect
        from neural.runs import REPORT, finish

        finish(folder, REPORT, lambda progress, stop: inspect(folder, progress), at_once=True)


def _failed(folder: Path, error: Exception) -> int:
    if folder.is_dir():
        Outcome("failed", str(error) or type(error).__name__).write(folder)
    return 1


def main() -> int:
    arguments = parser().parse_args()
    if arguments.command in RUN_COMMANDS:
        return run_folder(arguments)
    try:
        _ask(arguments)
    except HandoffError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _ask(arguments: argparse.Namespace) -> None:
    """Let a sealed model answer."""
    if arguments.command == "answer":
        from neural.text.scoring import answer_texts

        answer_texts(arguments.artifact, arguments.texts, root=arguments.root, out=arguments.out)
        return
    if arguments.command == "serve":
        from neural.serving.loop import serve

        serve(arguments.root, arguments.models)
        return
    from neural.judging import judge
    from neural.scoring import evaluate, score

    common = {"root": arguments.root, "out": arguments.out}
    if arguments.command == "judge":
        judge(
            arguments.artifact,
            arguments.dataset,
            scores=arguments.scores,
            as_of=arguments.as_of,
            **common,
        )
    elif arguments.command == "score":
        score(arguments.artifact, arguments.dataset, shard=arguments.shard, as_of=arguments.as_of, **common)
    else:
        evaluate(
            arguments.artifact,
            arguments.dataset,
            test_cutoff=arguments.test_cutoff,
            examples=arguments.examples,
            **common,
        )


sys.exit(main())
