"""Values from files, as every database can store them."""

import math
from typing import Any


def storable(value: Any) -> Any:
    """Return JSON values with NaN and infinities as None, and without the NUL that PostgreSQL refuses."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
