"""Execute every notebook beside this file; fail on the first error. Outputs are thrown away, never stored."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
SECONDS_PER_CELL = 600


def stored_outputs(notebook: nbformat.NotebookNode) -> list[int]:
    """The numbers of the cells that were saved with outputs or an execution count."""
    cells = enumerate(notebook.cells)
    return [i for i, cell in cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)]


def run(path: Path) -> str | None:
    """Execute one notebook in an empty folder and return what went wrong, if anything did."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    kept = stored_outputs(notebook)
    if kept:
        return f"cells {kept} are stored with outputs; clear them before committing"
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=SECONDS_PER_CELL, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        try:
            client.execute()
        except CellExecutionError as error:
            return str(error)
    return None


def main(names: list[str]) -> int:
    """Run the named notebooks, or all of them."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in the command line: for machines with other work to do
    paths = [HERE / name for name in names] or sorted(HERE.glob("*.ipynb"))
    failed = 0
    for path in paths:
        start = time.monotonic()
        problem = run(path)
        failed += problem is not None
        print(f"{'FAIL' if problem else 'ok'}  {path.name}  {time.monotonic() - start:.0f} s", flush=True)
        if problem:
            print(problem, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
