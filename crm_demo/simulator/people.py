"""The rows of Customer."""

import json

import numpy as np
import polars as pl

from crm_demo.simulator.codes import customer_code
from crm_demo.simulator.population import COUNTRIES, SEGMENTS, Population
from crm_demo.simulator.spec import ShopSpec
from crm_demo.simulator.words import (
    BUSINESS_SUFFIXES,
    FIRST_NAMES,
    LAST_NAMES,
    ZH_BUSINESS_SUFFIXES,
    ZH_GIVEN,
    ZH_SURNAMES,
)


def customers(spec: ShopSpec, people: Population, chunk: int) -> pl.DataFrame:
    """Return code, name, email, since, country and attributes (JSON) of a chunk's customers."""
    rng = spec.rng(7, chunk)
    frame = pl.DataFrame(
        {
            "number": people.first + np.arange(len(people)),
            "name": _names(rng, people),
            "joined": people.joined,
            "country": np.array(COUNTRIES)[people.country],
            "attributes": _attributes(rng, people),
        }
    )
    return frame.select(
        customer_code(pl.col("number")).alias("code"),
        "name",
        pl.format("c{}@customers.example", pl.col("number")).alias("email"),
        (pl.lit(spec.first_day.date()) + pl.duration(days=pl.col("joined"))).cast(pl.Date).alias("since"),
        "country",
        "attributes",
    )


def _names(rng: np.random.Generator, people: Population) -> list[str]:
    business = np.array([item.business for item in SEGMENTS])[people.segment]
    draws = rng.random((len(people), 3))
    return [
        _name(chinese=bool(chinese), business=bool(firm), draw=draw)
        for chinese, firm, draw in zip(people.chinese, business, draws, strict=True)
    ]


def _name(*, chinese: bool, business: bool, draw: "np.typing.NDArray[np.float64]") -> str:
    def pick(words: list[str] | tuple[str, ...], place: int) -> str:
        return words[int(draw[place] * len(words))]

    if chinese:
        surname = pick(ZH_SURNAMES, 0)
        return f"{surname}记{pick(ZH_BUSINESS_SUFFIXES, 2)}" if business else surname + pick(ZH_GIVEN, 1)
    last = pick(LAST_NAMES, 0)
    return f"{last} {pick(BUSINESS_SUFFIXES, 2)}" if business else f"{pick(FIRST_NAMES, 1)} {last}"


def _attributes(rng: np.random.Generator, people: Population) -> list[str]:
    newsletter = rng.random(len(people)) < 0.4
    return [
        json.dumps(
            {
                "segment": SEGMENTS[segment].name,
                "language": "zh-hans" if chinese else "en",
                "newsletter": bool(letter),
            },
            ensure_ascii=False,
        )
        for segment, chinese, letter in zip(people.segment, people.chinese, newsletter, strict=True)
    ]
