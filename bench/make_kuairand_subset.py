"""Make the embedded subset of KuaiRand clicks: python bench/make_kuairand_subset.py PATH/TO/kuairand_pure_clicks

The rule never looks at whether a random exposure was clicked:

1. items: the 800 with the most biased clicks (the smaller id first among equals);
2. users: those with at least 10 biased clicks on these items, and at least 80 random exposures of any item;
3. both files keep the rows of these users and items.

The number of random exposures is a matter of how much a user scrolled, so the users are active ones. The source had
already left out of the random file every user without a random click; that selection on the outcome cannot be undone
here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ITEMS, CLICKS, EXPOSURES = 800, 10, 80
OUT = Path(__file__).resolve().parents[1] / "src" / "counterlog" / "datasets"


def main(source: Path, out: Path = OUT) -> None:
    biased = pq.read_table(source / "biased_clicks.parquet", columns=["user", "item"])
    random = pq.read_table(source / "random_exposures.parquet", columns=["user", "item", "click"])
    n_users = max(biased["user"].to_numpy().max(), random["user"].to_numpy().max()) + 1
    items = np.sort(np.argsort(-np.bincount(biased["item"].to_numpy()), kind="stable")[:ITEMS])
    on_items = np.isin(biased["item"].to_numpy(), items)
    clicks = np.bincount(biased["user"].to_numpy()[on_items], minlength=n_users)
    shown = np.bincount(random["user"].to_numpy(), minlength=n_users)
    users = np.flatnonzero((clicks >= CLICKS) & (shown >= EXPOSURES))
    for table, name in ((biased, "kuairand_clicks.parquet"), (random, "kuairand_random.parquet")):
        keep = np.isin(table["user"].to_numpy(), users) & np.isin(table["item"].to_numpy(), items)
        part = table.filter(pa.array(keep)).sort_by([("user", "ascending"), ("item", "ascending")])
        pq.write_table(part, out / name, compression="zstd", compression_level=19)
        size = (out / name).stat().st_size
        print(f"{name}: {part.num_rows} rows, {len(users)} users, {len(items)} items, {size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
