import os
from pathlib import Path

import pytest

from tests.e2e.running import ROOT


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Return the folder in which screenshots are kept."""
    folder = Path(os.environ.get("CRM_ARTEFACTS", ROOT / "artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
