"""python -m neural train | evaluate | score: fine-tune a model and let it answer, in a process of its own."""

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


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m neural", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="run, or go on with, the run of a folder")
    train.add_argument("run_folder", type=Path)
    train.add_argument("--checkpoint-seconds", type=float, default=20.0, help="0 writes one after every step")
    for name, description in (("evaluate", "measure a model"), ("score", "answer for one shard's customers")):
        command = commands.add_parser(name, help=description)
        command.add_argument("artifact", type=Path)
        command.add_argument("dataset", type=Path)
        command.add_argument("--root", type=Path, required=True, help="folder the artifact must lie under")
        command.add_argument("--out", type=Path, required=True)
        if name == "evaluate":
            command.add_argument("--test-cutoff", help="ISO time; default: as in training")
        else:
            command.add_argument("--shard", type=int, required=True)
            command.add_argument("--as-of", required=True, help="ISO time; nothing later is read")
    return root


def run_train(arguments: argparse.Namespace) -> int:
    from neural.fitting import Stopped
    from neural.training import train

    folder: Path = arguments.run_folder
    try:
        train(folder, checkpoint_seconds=arguments.checkpoint_seconds)
    except Stopped:
        return STOPPED
    except HandoffError as error:
        sys.stderr.write(f"{error}\n")
        return _failed(folder, error)
    except Exception as error:
        _failed(folder, error)
        raise  # the traceback belongs in the log
    return 0


def _failed(folder: Path, error: Exception) -> int:
    if folder.is_dir():
        Outcome("failed", str(error) or type(error).__name__).write(folder)
    return 1


def main() -> int:
    arguments = parser().parse_args()
    if arguments.command == "train":
        return run_train(arguments)
    from neural.scoring import evaluate, score

    common = {"root": arguments.root, "out": arguments.out}
    try:
        if arguments.command == "score":
            score(
                arguments.artifact, arguments.dataset, shard=arguments.shard, as_of=arguments.as_of, **common
            )
        else:
            evaluate(arguments.artifact, arguments.dataset, test_cutoff=arguments.test_cutoff, **common)
    except HandoffError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


sys.exit(main())
