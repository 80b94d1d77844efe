"""Nested results in a folder: a tree of JSON, and one file for each array, which readers share.

    put(folder, {"market": market, "similar": {20000.0: matrix}})
    take(folder, (Market, Together))["market"]

Arrays come back memory-mapped: however many processes read one, it is in memory once, and only as far as it
is looked at; what one of them changes stays its own. No code is stored, only names of classes, of which the
reader says which it means.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from handoff.errors import HandoffError
from handoff.files import read_json, write_json

TREE = "tree.json"
PLAIN = (bool, int, float, str, type(None))


def put(folder: Path, value: Any) -> None:
    """Write `value` into a new folder: numbers, words, lists, dicts, arrays, matrices, tables, objects.

    Of a dataclass its fields are kept, of another object what it holds. Raises TypeError for what cannot be.
    """
    folder.mkdir(parents=True)
    write_json(folder / TREE, {"value": _written(value, folder)})


def take(folder: Path, classes: Sequence[type]) -> Any:
    """Read what `put` wrote, whose objects are of `classes`. Raises HandoffError for one of another class."""
    return _read(read_json(folder / TREE)["value"], folder, {each.__qualname__: each for each in classes})


def _written(value: Any, folder: Path) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, list):
        return [_written(item, folder) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_written(item, folder) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_written(key, folder), _written(item, folder)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        return {"array": _array(value, folder)}
    if isinstance(value, sparse.csr_array):
        parts = [_array(part, folder) for part in (value.data, value.indices, value.indptr)]
        return {"csr": parts, "shape": list(value.shape)}
    if isinstance(value, pl.DataFrame):
        return {"table": _table(value, folder)}
    if isinstance(value, pl.Series):
        return {"series": _table(value.to_frame(), folder)}
    if is_dataclass(value):
        held = {item.name: getattr(value, item.name) for item in fields(value)}
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        held = vars(value)
    else:
        raise TypeError(f"{type(value).__qualname__} cannot be kept in a file.")
    return {
        "class": type(value).__qualname__,
        "holds": {name: _written(item, folder) for name, item in held.items()},
    }


def _array(value: np.ndarray[Any, Any], folder: Path) -> str:
    if value.dtype.hasobject:
        raise TypeError("An array of objects cannot be kept in a file.")
    name = f"{len(list(folder.iterdir())):04d}.npy"
    np.save(folder / name, np.ascontiguousarray(value) if value.ndim else value)
    return name


def _table(frame: pl.DataFrame, folder: Path) -> str:
    name = f"{len(list(folder.iterdir())):04d}.parquet"
    frame.write_parquet(folder / name)
    return name


def _read(tree: Any, folder: Path, classes: dict[str, type]) -> Any:
    if isinstance(tree, list):
        return [_read(item, folder, classes) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "tuple" in tree:
        return tuple(_read(item, folder, classes) for item in tree["tuple"])
    if "dict" in tree:
        return dict([_read(part, folder, classes) for part in pair] for pair in tree["dict"])
    if "array" in tree:
        return _mapped(folder / tree["array"])
    if "csr" in tree:
        data, indices, indptr = (_mapped(folder / part) for part in tree["csr"])
        return sparse.csr_array((data, indices, indptr), shape=tuple(tree["shape"]), copy=False)
    if "table" in tree:
        return pl.read_parquet(folder / tree["table"])
    if "series" in tree:
        return pl.read_parquet(folder / tree["series"]).to_series()
    return _object(tree, folder, classes)


def _object(tree: dict[str, Any], folder: Path, classes: dict[str, type]) -> Any:
    kind = classes.get(tree["class"])
    if kind is None:
        raise HandoffError(f"{folder / TREE} holds an object of the unknown class {tree['class']!r}.")
    made: Any = object.__new__(kind)
    vars(made).update({name: _read(item, folder, classes) for name, item in tree["holds"].items()})
    return made


def _mapped(path: Path) -> np.ndarray[Any, Any]:
    """An empty array cannot be mapped."""
    try:
        return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
    except ValueError:
        return np.asarray(np.load(path, allow_pickle=False))
