"""The embedded log: a subset of KuaiRand clicks with its randomised half, under CC BY-SA 4.0 (see the NOTICE beside
the data).
"""

from __future__ import annotations

from importlib.resources import as_file, files

from counterlog.logs.adapters.kuairand import ATTRIBUTION, clicks
from counterlog.logs.raw import RawLog

LICENCE = (
    f"CC BY-SA 4.0. {ATTRIBUTION} Filtered and re-indexed by the authors of LehengTHU/CF_Rec; merged, sorted and "
    "stored as "
    "parquet; cut to the users and items with the most clicks for counterlog."
)


def read(random: bool) -> RawLog:
    """The biased clicks, or the random exposures of the same users and items."""
    name = "kuairand_random.parquet" if random else "kuairand_clicks.parquet"
    with as_file(files("counterlog.datasets").joinpath(name)) as file:
        return clicks(file, "demo#random" if random else "demo", LICENCE, random=random)
