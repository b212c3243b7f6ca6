"""Vocabularies and roles: an unseen id is an error or a declared one, never a silent index."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from counterlog.errors import InputError, UnknownNameError
from counterlog.logs import Roles, Vocabulary, from_frame


def test_codes_of_known_ids_whatever_their_width() -> None:
    known = Vocabulary("item", pa.array([3, 5, 2**63 - 1]))
    assert known.codes(pa.array([5, 3], pa.int8())).tolist() == [1, 0]
    assert known.codes(pa.array([2**63 - 1], pa.uint64())).tolist() == [2]
    assert known.codes(pa.array(["5"])).tolist() == [1]
    assert known.codes(pa.array(["05"]), missing="declare").tolist() == [-1]
    assert known.codes(pa.array([2**64 - 1], pa.uint64()), missing="declare").tolist() == [-1]


def test_unseen_ids_are_named_with_their_neighbours() -> None:
    known = Vocabulary("user", pa.array(["ana", "ben"]))
    with pytest.raises(UnknownNameError, match=r"2 rows with an unknown user: anna, x; nearest to 'anna': ana"):
        known.codes(pa.chunked_array([["ana", "anna"], ["x"]]))
    with pytest.raises(UnknownNameError, match="declare"):
        known.codes(pa.array(["ana"]), missing="decalre")


def test_the_hash_tells_order_kind_and_borders_apart() -> None:
    hashes = {
        Vocabulary(kind, pa.array(ids)).hash
        for kind, ids in [("user", ["a", "b"]), ("user", ["b", "a"]), ("item", ["a", "b"]), ("user", ["ab", ""])]
    }
    assert len(hashes) == 4


def test_roles_know_the_kind_of_an_outcome_named_after_it() -> None:
    assert Roles(outcome="dwell").outcome_kind == "positive"
    with pytest.raises(UnknownNameError, match=r"no outcome kind 'ratings'.*'rating'"):
        Roles(outcome="stars", outcome_kind="ratings")
    with pytest.raises(InputError, match="needs a kind"):
        Roles(outcome="stars")
    assert Roles(context=("a",)).columns() == {"user": "user", "item": "item", "context:a": "a"}


def test_columns_without_names() -> None:
    with pytest.raises(InputError, match=r"no column 'user'.*'0', '1'"):
        from_frame(pd.DataFrame([[1, 2], [3, 4]]))
