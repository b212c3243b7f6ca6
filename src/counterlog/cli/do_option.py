"""``--do`` as people write it: sites fixed, shifted, given a policy, edges cut."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.errors import CounterlogError, InputError

if TYPE_CHECKING:
    from counterlog.query import Intervention

Do = Annotated[
    list[str],
    typer.Option(
        "--do",
        metavar="SITE=VALUE",
        show_default=False,
        help="What is done: exposure=1 (set), popularity+=0.5 (shift), exposure=uniform or exposure=policy.py:f (a "
        "policy), 'popularity->exposure=cut' (one edge). By commas, or several times.",
    ),
]

_FORMS = "write SITE=NUMBER, SITE+=AMOUNT, SITE=uniform, SITE=FILE.py:FUNCTION or 'PARENT->CHILD=cut'"
_SITE = r"[^\W\d]\w*"
#: A comma separates two only if what follows begins like one, so that a path may hold commas.
_COMMA = re.compile(rf",(?=\s*(?:cut:)?{_SITE}\s*(?:->|[+-]?=))")
_CUT = re.compile(rf"(?:cut:\s*({_SITE})\s*->\s*({_SITE})|({_SITE})\s*->\s*({_SITE})\s*=\s*cut)")
_SET = re.compile(rf"({_SITE})\s*([+-]?=)\s*(\S.*)", re.DOTALL)


def parse_do(settings: Sequence[str], option: str = "--do") -> Intervention:
    """The intervention that some ``--do`` options mean together.

    Parameters
    ----------
    settings
        As given: ``["exposure=1,popularity+=0.5", "popularity->click=cut"]``.
    option
        The option's name, for messages.

    Raises
    ------
    InputError, UnknownNameError
        It cannot be read, acts twice on a site, or names a policy that cannot be loaded.

    Examples
    --------
    >>> parse_do(["exposure=1, popularity+=0.5"]).describe()
    'do(exposure=1, popularity += 0.5)'
    """
    from counterlog.query import Intervention

    done = Intervention()
    for setting in settings:
        for part in _COMMA.split(setting):
            done = done + _one(part.strip(), option)
    return done


def _one(text: str, option: str) -> Intervention:
    from counterlog.query import cut, fix, replace, shift

    if match := _CUT.fullmatch(text):
        parent, child = (name for name in match.groups() if name)
        return cut(parent, child)
    match = _SET.fullmatch(text)
    if match is None:
        raise InputError(f"{option} {text!r} cannot be read; {_FORMS}")
    site, sign, value = match.group(1), match.group(2), match.group(3).strip()
    number = _number(value, text, option)
    if sign != "=":
        if number is None:
            raise InputError(f"{option} {text!r}: {value!r} is not a number; write for example {site}{sign}0.5")
        return shift(**{site: number if sign == "+=" else -number})
    if number is not None:
        return fix(**{site: number})
    return replace(**{site: _policy(value, text, option)})


def _number(value: str, text: str, option: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        raise InputError(f"{option} {text!r}: give a finite number")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _policy(value: str, text: str, option: str) -> object:
    from counterlog.model.policies import load_policy, uniform

    name, colon, probability = value.partition(":")
    try:
        if name == "uniform" and colon:
            number = _number(probability, text, option)
            if number is None:
                raise InputError(f"{probability!r} is no probability; write for example uniform:0.2")
            return uniform(number)
        if name == "uniform" or ".py:" in value:
            return load_policy(value)
    except CounterlogError as error:
        raise type(error)(f"{option} {text!r}: {error}") from error
    raise InputError(f"{option} {text!r}: {value!r} is neither a number nor a policy; {_FORMS}")
