"""Frames of every kind become the same log; ids never go through a float."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from counterlog.errors import InputError, UnknownNameError
from counterlog.logs import Roles, check, from_frame

COLUMNS = {"uid": ["b", "a", "b"], "iid": [3, 1, 2], "stars": [4.0, 2.5, 1.0], "other": [0, 0, 0]}
WIDE = [9007199254740993, 9007199254740992, 17]


def frames(columns: dict[str, Any]) -> dict[str, Any]:
    import duckdb

    arrow = pa.table(columns)
    return {
        "pandas": pd.DataFrame(columns),
        "pandas arrow": arrow.to_pandas(types_mapper=pd.ArrowDtype),
        "polars": pl.DataFrame(columns),
        "polars lazy": pl.LazyFrame(columns),
        "arrow": arrow,
        "record batch": arrow.to_batches()[0],
        "duckdb": duckdb.connect().from_arrow(arrow),
    }


@pytest.mark.parametrize("kind", list(frames(COLUMNS)))
def test_every_kind_of_frame_gives_the_same_log(kind: str) -> None:
    log = from_frame(frames(COLUMNS)[kind], user="uid", item="iid", outcome="stars", outcome_kind="rating")
    assert log.users.labels == ["a", "b"]
    assert log.items.ids.to_pylist() == [1, 2, 3]
    assert log.user_codes.tolist() == [1, 0, 1]
    assert log.outcome is not None
    assert log.outcome.tolist() == [4.0, 2.5, 1.0]
    assert log.table.column_names == ["uid", "iid", "stars"]


@pytest.mark.parametrize("kind", list(frames(COLUMNS)))
def test_wide_integers_stay_apart(kind: str) -> None:
    log = from_frame(frames({"user": WIDE, "item": ["a", "b", "c"]})[kind])
    assert log.users.ids.to_pylist() == sorted(WIDE)


def test_the_hash_depends_on_content_alone() -> None:
    made = [
        from_frame(f, user="uid", item="iid", outcome="stars", outcome_kind="rating") for f in frames(COLUMNS).values()
    ]
    assert len({log.hash for log in made}) == 1
    chunked = pa.concat_tables([pa.table(COLUMNS).slice(0, 1), pa.table(COLUMNS).slice(1)])
    again = from_frame(chunked, user="uid", item="iid", outcome="stars", outcome_kind="rating")
    assert again.hash == made[0].hash
    other = pa.table({**COLUMNS, "stars": [4.0, 2.5, 1.5]})
    assert from_frame(other, user="uid", item="iid", outcome="stars", outcome_kind="rating").hash != made[0].hash


def test_ids_that_became_floats_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"'user' are double.*Int64"):
        from_frame(pd.DataFrame({"user": [1, None], "item": ["a", "b"]}))


def test_nullable_integers_beside_a_missing_id() -> None:
    frame = pd.DataFrame({"user": pd.array([*WIDE, None], dtype="Int64"), "item": list("abcd")})
    found = check(frame)
    assert found.users == 3
    assert [(p.code, p.rows) for p in found.errors] == [("null_id", 1)]


def test_categories_are_read_as_their_values() -> None:
    frame = pd.DataFrame({"user": pd.Categorical(["x", "y"]), "item": pd.Categorical([2, 1])})
    log = from_frame(frame)
    assert log.users.labels == ["x", "y"]
    assert log.items.ids.to_pylist() == [1, 2]


def test_mixed_ids_in_one_column_are_refused() -> None:
    with pytest.raises(InputError, match="mixes types"):
        from_frame(pd.DataFrame({"user": [1, "one"], "item": ["a", "b"]}))


@pytest.mark.parametrize("thing", [{"user": ["a"]}, [1, 2], None, 3, np.zeros((2, 2))])
def test_what_is_no_frame_is_refused(thing: object) -> None:
    with pytest.raises(InputError, match="is no data frame"):
        from_frame(thing)


def test_two_columns_of_one_name() -> None:
    with pytest.raises(InputError, match="more than once"):
        from_frame(pa.table([pa.array(["a"])] * 3, names=["user", "user", "item"]))
    with pytest.raises(InputError):
        from_frame(pd.DataFrame([["a", "b", "c"]], columns=["user", "user", "item"]))


def test_a_role_that_does_not_exist() -> None:
    with pytest.raises(UnknownNameError, match=r"no role 'usr'.*'user'"):
        from_frame(pa.table({"u": ["a"]}), usr="u")


def test_roles_and_keywords_together() -> None:
    roles = Roles("uid", "iid", outcome="stars", outcome_kind="rating")
    log = from_frame(pa.table(COLUMNS), roles, context="other")
    assert log.roles.context == ("other",)
    assert log.roles.user == "uid"
    with pytest.raises(InputError, match="needs a kind"):
        from_frame(pa.table(COLUMNS), roles, outcome="other")


def test_one_column_in_two_roles() -> None:
    with pytest.raises(InputError, match="'a' is both user and item"):
        from_frame(pa.table({"a": ["x", "y"]}), user="a", item="a")


def test_nan_in_polars_is_no_missing_value() -> None:
    frame = pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "rating": [1.0, float("nan")]})
    with pytest.raises(InputError, match="not finite"):
        from_frame(frame, outcome="rating")


def test_features_join_by_id_whatever_their_type() -> None:
    log = from_frame(
        pa.table({"user": [1, 2], "item": ["a", "b"]}),
        users=pd.DataFrame({"user": ["2", "1", "3"], "age": [20.0, 10.0, 30.0], "sex": ["f", "m", "f"]}),
    )
    assert log.users.ids.to_pylist() == [1, 2, 3]
    assert log.user_features.names == ("age", "sex=f", "sex=m")
    assert log.user_features.values.tolist() == [[10, 0, 1], [20, 1, 0], [30, 1, 0]]
    with pytest.raises(InputError, match=r"are text.*integers in the log"):
        from_frame(pa.table({"user": [1, 2], "item": ["a", "b"]}), users=pa.table({"user": ["01", "2"], "age": [1, 2]}))


def test_ids_without_features_get_the_mean_and_are_marked() -> None:
    log = from_frame(
        pa.table({"user": ["a", "b", "c"], "item": ["x", "y", "x"]}),
        users=pa.table({"user": ["a", "b"], "age": pa.array([10.0, 30.0])}),
    )
    assert log.user_features.values.ravel().tolist() == [10.0, 30.0, 20.0]
    assert log.user_features.missing.tolist() == [False, False, True]
    assert any("without features" in note for note in log.notes)


def test_a_log_checks_and_shows_itself() -> None:
    log = from_frame(
        pa.table({"user": ["<b>", "b"], "item": ["x", "y"], "rating": [1, 2]}), outcome="rating", name="<i>"
    )
    assert log.check().ok
    shown = log._repr_html_()
    assert "<i>" not in shown
    assert "&lt;i&gt;" in shown
    assert len(shown) < 200_000
    with pytest.raises(InputError, match="knows its own columns"):
        check(log, outcome="rating")
