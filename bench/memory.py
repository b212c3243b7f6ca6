"""Peak memory of a fit from a Parquet file: ``python -m bench.memory ROWS`` prints it in GiB. The data are made by a
child.
"""

from __future__ import annotations

import multiprocessing
import re
import sys
import tempfile
from pathlib import Path


def make(rows: int, path: str) -> None:
    import pyarrow.parquet as pq

    from bench.world import draw, log_of

    pq.write_table(log_of(draw(200_000, 20_000, rows), 200_000, 20_000).table, path)


def main() -> None:
    rows = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "log.parquet")
        child = multiprocessing.get_context("spawn").Process(target=make, args=(rows, path))
        child.start()
        child.join()
        import torch

        import counterlog as cl
        from bench.world import bench_model

        torch.set_num_threads(1)
        log = cl.read_log(path, exposure="exposure", outcome="click")
        cl.fit(bench_model, log, steps=100)
    # ru_maxrss would count the parent's pages up to the exec; the high-water mark of this process does not
    print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text()).group(1)) / 2**20)


if __name__ == "__main__":
    main()
