"""``counterlog doctor``: what is installed and what is known to go wrong with it. Imports nothing heavy."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from importlib import metadata
from typing import Any

from counterlog import __version__
from counterlog.cli.output import Json, print_json

GIB = 2**30
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


def command(json: Json = False) -> None:
    """The environment: Python, versions, threads, memory, disk, and known trouble with them.

    Example:

        counterlog doctor --json
    """
    report = examine()
    if json:
        print_json(report)
        return
    machine = report["machine"]
    print(f"counterlog {report['counterlog']}, Python {report['python']['version']} ({report['python']['executable']})")
    memory = f"{machine['memory_gib']} GiB memory" if machine["memory_gib"] else "memory unknown"
    print(f"{machine['platform']}, {machine['cpus']} CPUs, {memory}, {machine['free_disk_gib']} GiB free here")
    print("threads: " + (", ".join(f"{k}={v}" for k, v in report["threads"].items() if v) or "not limited"))
    for extra, packages in report["packages"].items():
        print(f"\n{'required' if extra == 'core' else f'extra {extra!r}'}:")
        for package in packages:
            print(f"  {package['name']:<20} {package['version'] or 'not installed':<16} {package['wants']}")
    print()
    for problem in report["problems"]:
        print(f"trouble: {problem['message']}")
    for note in report["notes"]:
        print(f"note: {note}")
    if report["ok"]:
        print("ok: nothing known to be wrong")


def examine() -> dict[str, Any]:
    """Everything that the command shows, as plain data."""
    packages = _packages()
    problems = _problems(packages)
    return {
        "ok": not problems,
        "counterlog": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "machine": {
            "platform": platform.platform(),
            "cpus": _cpus(),
            "memory_gib": _memory(),
            "free_disk_gib": round(shutil.disk_usage(os.curdir).free / GIB, 1),
        },
        "threads": {name: os.environ.get(name) for name in THREADS},
        "packages": packages,
        "problems": problems,
        "notes": _notes(),
    }


def _packages() -> dict[str, list[dict[str, Any]]]:
    """The requirements by extra (``core`` for those of the package itself), with what is installed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in _requirements():
        requirement, _, marker = line.partition(";")
        match = re.match(r"\s*([A-Za-z0-9._-]+)\s*(.*)", requirement)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if match is not None:
            name, wants = match.group(1), match.group(2).strip()
            entry = {"name": name, "version": _version(name), "wants": wants}
            found.setdefault(extra.group(1) if extra else "core", []).append(entry)
    return found


def _requirements() -> list[str]:
    """The requirements of the installed package; none where it runs from a folder without having been installed."""
    try:
        return metadata.requires("counterlog") or []
    except metadata.PackageNotFoundError:
        return []


def _problems(packages: dict[str, list[dict[str, Any]]]) -> list[dict[str, str]]:
    problems = [
        {"code": "missing", "message": f"{p['name']} is not installed; run: pip install 'counterlog' again"}
        for p in packages.get("core", [])
        if p["version"] is None
    ]
    if not packages:
        problems.append(
            {"code": "not_installed", "message": "counterlog is not installed; run: pip install counterlog"}
        )
    for package in packages.get("core", []):
        low = re.search(r">=\s*([\d.]+)", package["wants"])
        if package["version"] and low and _numbers(package["version"]) < _numbers(low.group(1)):
            message = f"{package['name']} {package['version']} is older than {low.group(1)}; upgrade it"
            problems.append({"code": "old", "message": message})
    if _torch_has_cuda() and not os.path.exists("/dev/nvidiactl"):
        message = (
            "torch is a CUDA build on a machine without an NVIDIA device; the CPU build does the same in less space"
        )
        problems.append({"code": "cuda_build", "message": message})
    cpus, limit = _cpus(), os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdigit() and int(limit) > cpus:
        problems.append({"code": "threads", "message": f"OMP_NUM_THREADS={limit} but {cpus} CPUs: fits will be slow"})
    return problems


def _notes() -> list[str]:
    """What is not wrong but worth knowing."""
    notes = []
    arviz = _version("arviz")
    if arviz and _numbers(arviz) >= (1,):
        notes.append(f"arviz {arviz} gives an xarray DataTree where arviz 0.x gives InferenceData; fits write either")
    return notes


def _torch_has_cuda() -> bool:
    """Whether the CUDA libraries that torch's wheel asks for are installed; tells without importing torch."""
    if _version("torch") is None:
        return False
    wanted = [re.match(r"nvidia-[A-Za-z0-9-]+", line) for line in metadata.requires("torch") or []]
    return any(_version(match.group()) for match in wanted if match)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _cpus() -> int:
    """CPUs that this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> float | None:
    """Total memory in GiB, or None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)
    except (AttributeError, OSError, ValueError):
        return None
