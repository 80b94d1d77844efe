"""Print the project's dependencies other than Django itself and what only `neural` imports."""

import sys
import tomllib
from pathlib import Path

ONLY_NEURAL = ("torch", "transformers", "safetensors", "scikit-learn", "scipy")

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
wanted = [
    requirement.replace(" ", "")
    for requirement in project["dependencies"]
    if not requirement.startswith((*ONLY_NEURAL, "Django>"))
]
sys.stdout.write(" ".join(wanted) + "\n")
