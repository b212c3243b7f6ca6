"""A fit as a folder: tensors, JSON and the log. Opening one runs no code but the model it names, and that only if
unchanged.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog import __version__
from counterlog.errors import InputError, ModelError, StoreError
from counterlog.inference.guide_files import pack, unpack

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit
    from counterlog.model import SCM

FORMAT = "counterlog-fit-1"
_ABOUT = "fit.json"


def save_fit(fit: Fit, path: Path, force: bool = False, beside: Callable[[Path], None] | None = None) -> Path:
    """Write the fit beside its place and rename it there, so that no half fit is ever seen.

    Parameters
    ----------
    force
        Replace a finished fit. An unfinished one is replaced in any case: that is what it was for.
    beside
        Called with the folder that is being written, to put more files into it before it is seen.

    Raises
    ------
    StoreError
        The folder exists and is not a fit, or is one and ``force`` is not set; the disk is full.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    from counterlog.logs import save_log

    refuse_others(path, force)
    target = path.resolve()
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    _sweep(target)
    try:
        part.mkdir(parents=True)
        tensors = {
            f"{t}.{k}": v[t].contiguous() for k, v in (("loc", fit.loc), ("log_scale", fit.log_scale)) for t in fit.loc
        }
        tensors |= pack(fit.arrow, fit.chains)
        save_file(tensors, part / "parameters.safetensors")
        (part / "parameters.safetensors").chmod(
            part.stat().st_mode & 0o666
        )  # the library makes it readable by its owner only
        np.save(part / "losses.npy", fit.losses, allow_pickle=False)
        (part / "model.py.txt").write_text(fit.scm.source, encoding="utf-8")
        save_log(fit.log, part / "log")
        (part / _ABOUT).write_text(_about_json(fit), encoding="utf-8")
        if beside is not None:
            beside(part)
        _swap(part, target)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"cannot write the fit to {path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return path


def refuse_others(path: Path, force: bool = False) -> None:
    """Refuse a path at which something stands that a fit may not replace.

    Raises
    ------
    StoreError
        It is a finished fit and ``force`` is not set, or no fit at all: that is never replaced.
    """
    if (path / _ABOUT).is_file():
        if not force:
            raise StoreError(
                f"{path} already holds a fit; pass force (--force) to replace it, or choose another folder"
            )
    elif os.path.lexists(path) and not _only_unfinished(path) and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(
            f"{path} exists and is not a fit, so it is not replaced, not even by force; choose another folder"
        )


def _sweep(target: Path) -> None:
    """Remove what a process that was killed while saving left beside the fit."""
    for kind in ("part", "old"):
        for left in target.parent.glob(f".{glob.escape(target.name)}.{kind}-*"):
            number = left.name.rpartition("-")[2]
            if number.isdigit() and not _runs(int(number)):
                shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # there is no harmless way to ask
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return process != os.getpid()


def _swap(part: Path, target: Path) -> None:
    """Put the new folder in its place; the old one goes last."""
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    if not target.exists():
        os.replace(part, target)
        return
    os.replace(target, old)
    try:
        os.replace(part, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _only_unfinished(path: Path) -> bool:
    return (path / "unfinished.json").is_file() and not (path / _ABOUT).is_file()


def _about(fit: Fit) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "counterlog": __version__,
        "model": {
            "name": fit.scm.name,
            "source_hash": fit.scm.source_hash,
            "parameters": dict(fit.scm.parameters),
            "file": str(fit.scm.file) if fit.scm.file else None,
            "declared": fit.scm.declared,
            "roles": fit.scm.roles,
        },
        "log_hash": fit.log.hash,
        "fit_hash": fit.hash,
        "seed": fit.seed,
        "seconds": fit.seconds,
        "options": dict(fit.options),
        **({"chains": dict(fit.chains.about)} if fit.chains is not None else {}),
        "sites": [[s.name, s.table, s.start, s.stop] for s in fit.layout.sites],
    }


def _about_json(fit: Fit) -> str:
    try:
        return json.dumps(_about(fit), indent=1, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError(
            f"a fit of {fit.scm.name} cannot be saved with the parameters {dict(fit.scm.parameters)!r}: they must be "
            "numbers, texts, truth values or lists of these"
        ) from None


def load_fit(path: str | Path, scm: SCM | None = None) -> Fit:
    """Open a saved fit.

    The program is ``scm``, else the zoo model of that name, else the file it was fitted from; its source must be the
    one of the fit.

    Raises
    ------
    InputError
        Not a fit, an unfinished fit, or contents that do not match their hashes.
    ModelError
        The program is not there any more, or has changed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from counterlog.inference.cells import bind
    from counterlog.inference.fit import Fit
    from counterlog.inference.svi import convergence
    from counterlog.inference.tables import TABLES, layout
    from counterlog.logs import load_log

    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"no fit at {folder}: no such folder. `counterlog fit MODEL LOG --out FIT` makes one")
    if not (folder / _ABOUT).is_file():
        cure = (
            "it was interrupted: run the same `counterlog fit` again to go on"
            if _only_unfinished(folder)
            else "it has no fit.json"
        )
        raise InputError(f"{folder} is not a finished fit: {cure}")
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        tensors = load_file(folder / "parameters.safetensors")
        losses = np.load(folder / "losses.npy", allow_pickle=False)
        loc, log_scale = ({t: tensors[f"{t}.{part}"] for t in TABLES} for part in ("loc", "log_scale"))
        arrow, chains = unpack(tensors, about.get("chains", {}) if isinstance(about, dict) else {})
    except (OSError, ValueError, KeyError, EOFError, SafetensorError) as error:
        raise InputError(f"the fit in {folder} is damaged and cannot be read ({error}); fit again") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        given = about.get("format") if isinstance(about, dict) else about
        raise InputError(f"{folder} has format {given!r}; this version reads {FORMAT!r}")
    needed = ("model", "log_hash", "fit_hash", "seed", "seconds", "options", "sites")
    absent = ", ".join(key for key in needed if key not in about)
    if absent:
        raise InputError(f"the fit in {folder} is damaged: fit.json has no {absent}; fit again")
    program = _program(about["model"], scm).with_parameters(**about["model"]["parameters"])
    try:
        log = load_log(folder / "log")
    except StoreError as error:
        raise InputError(f"the fit in {folder} is damaged: its log cannot be read ({error}); fit again") from error
    if log.hash != about["log_hash"]:
        raise InputError(f"the log inside {folder} is not the one that was fitted (its hash differs); fit again")
    cells = bind(program, log)
    places, _ = layout(program, cells)
    if [[s.name, s.table, s.start, s.stop] for s in places.sites] != about["sites"]:
        raise ModelError(f"the sites of {program.name} are not those of the fit in {folder}; fit again")
    n_blocks = int(about["options"].get("blocks", 1))
    result = Fit(
        program,
        log,
        loc,
        log_scale,
        places,
        losses,
        convergence(list(losses), n_blocks),
        about["seed"],
        about["seconds"],
        about["options"],
        arrow,
        chains,
    )
    if result.hash != about["fit_hash"]:
        raise InputError(
            f"the parameters in {folder} do not match their hash: the fit was changed or damaged; fit again"
        )
    return result


def _program(about: dict[str, Any], scm: SCM | None) -> SCM:
    from counterlog import zoo
    from counterlog.model import load_model

    tried = []
    candidates = (
        [lambda: scm]
        if scm is not None
        else [lambda: zoo.load(about["name"]) if about["name"] in zoo.names() else None]
    )
    home = about.get("declared") or f"{about['file']}:{about['name']}"
    if scm is None and about["file"] and Path(home.rpartition(":")[0]).is_file():
        candidates.append(lambda: load_model(home))
    for candidate in candidates:
        found = candidate()
        if found is not None:
            if found.source_hash == about["source_hash"] and found.roles == about.get("roles", found.roles):
                return found
            tried.append(str(found.file or found.name))
    if tried:
        raise ModelError(
            f"the model {about['name']!r} has changed since the fit ({', '.join(tried)}); fit again, or restore it: "
            "the "
            "source of that time is model.py.txt in the fit's folder"
        )
    raise ModelError(
        f"the fit's model {about['name']!r} is not in the zoo and its file {about['file']!r} is gone; pass the program "
        "(--model file.py)"
    )
