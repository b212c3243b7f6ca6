"""Each public format, on small files made here; the real files of the shared data where they are at hand."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterlog.errors import CounterlogError, InputError, UnknownNameError
from counterlog.logs import InteractionLog, open_log
from counterlog.logs.adapters import ADAPTERS, adapter


def events(log: InteractionLog) -> list[tuple]:
    return [tuple(row.values()) for row in log.table.to_pylist()]


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_each_states_its_licence_and_refuses_an_empty_folder(name: str, tmp_path: Path) -> None:
    assert len(adapter(name).LICENCE) > 20
    with pytest.raises(CounterlogError, match=r"wanted|which has"):
        open_log(f"{name}:{tmp_path}")
    with pytest.raises(InputError, match="no folder"):
        open_log(f"{name}:{tmp_path / 'not' / 'there'}")
    with pytest.raises(InputError, match="needs a path"):
        open_log(f"{name}:")


def make_coat(folder: Path) -> None:
    (folder / "user_item_features").mkdir()
    np.savetxt(folder / "train.ascii", [[0, 5, 1], [3, 0, 0]], fmt="%d")
    np.savetxt(folder / "test.ascii", [[2, 0, 0], [0, 0, 4]], fmt="%d")
    np.savetxt(folder / "user_item_features" / "user_features.ascii", [[1, 0], [0, 1]], fmt="%d")
    np.savetxt(folder / "user_item_features" / "item_features.ascii", [[1, 0], [0, 1], [0, 1]], fmt="%d")
    (folder / "user_item_features" / "user_features_map.txt").write_text("gender:men\ngender:women")


def test_coat(tmp_path: Path) -> None:
    make_coat(tmp_path)
    log = open_log(f"coat:{tmp_path}")
    assert events(log) == [("0", "1", 5.0), ("0", "2", 1.0), ("1", "0", 3.0)]
    assert log.user_features.names == ("gender:men", "gender:women")
    assert log.item_features.names == ("feature_0", "feature_1")
    for part in ("test", "random"):
        assert events(open_log(f"coat:{tmp_path}#{part}")) == [("0", "0", 2.0), ("1", "2", 4.0)]
    with pytest.raises(UnknownNameError, match=r"no part of coat: 'tset'.*'test'"):
        open_log(f"coat:{tmp_path}#tset")
    with pytest.raises(InputError, match="leave out outcome"):
        open_log(f"coat:{tmp_path}", outcome="rating")
    (tmp_path / "user_item_features" / "user_features_map.txt").write_text("one\n")
    with pytest.raises(InputError, match=r"names 1 features, but .* has 2 columns"):
        open_log(f"coat:{tmp_path}")
    (tmp_path / "train.ascii").write_text("1 x\n")
    with pytest.raises(InputError, match="no matrix of numbers"):
        open_log(f"coat:{tmp_path}")


def test_kuairand_release(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    header = "user_id,video_id,date,hourmin,time_ms,is_click,is_like,tab\n"
    (data / "log_standard_4_08_to_4_21_pure.csv").write_text(header + "7,01,20220408,300,1649361650000,1,0,1\n")
    (data / "log_standard_4_22_to_5_08_pure.csv").write_text(header + "7,2,20220422,300,1650571250000,0,0,4\n")
    (data / "log_random_4_22_to_5_08_pure.csv").write_text(header + "7,3,20220422,300,1650571250000,1,0,1\n")
    (data / "user_features_pure.csv").write_text(
        "user_id,is_live_streamer,user_active_degree\n7,1,high\n8,0,low\n9,0,low\n"
    )
    (data / "video_features_basic_pure.csv").write_text("video_id,author_id,video_duration\n01,5,10\n2,6,20\n")
    log = open_log(f"kuairand:{tmp_path}")
    assert log.rows == 2
    assert log.roles.outcome_kind == "click"
    assert log.users.labels == ["7", "8", "9"]
    assert log.items.labels == ["01", "2"]
    assert str(log.timestamp[0]).startswith("2022-04-07T20:00:50")  # type: ignore[index]
    assert "user_active_degree=high" in log.user_features.names
    assert open_log(f"kuairand:{data}#random").items.labels == ["01", "2", "3"]


def test_kuairand_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": [1, 2], "item": [5, 6], "split": [0, 1]}), tmp_path / "biased_clicks.parquet")
    pq.write_table(pa.table({"user": [1], "item": [6], "click": [0]}), tmp_path / "random_exposures.parquet")
    log = open_log(f"kuairand:{tmp_path}")
    assert log.clicks_only
    assert log.users.ids.to_pylist() == [1, 2]
    assert "CC BY-SA 4.0" in log.licence
    random = open_log(f"kuairand:{tmp_path}#random")
    assert events(random) == [(1, 6, 0, 1)]
    assert any("random click" in note for note in random.notes)


def test_kuairec(tmp_path: Path) -> None:
    header = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n"
    (tmp_path / "big_matrix.csv").write_text(
        header + "1,10,1,1,2020-07-05 00:08:23.438,20200705,1593878903.438,2.5\n1,11,1,1,,20200705,1593879000.0,0\n"
    )
    (tmp_path / "small_matrix.csv").write_text(header + "1,12,1,1,,20200705,1593879000.0,1.9\n")
    (tmp_path / "item_categories.csv").write_text('video_id,feat\n10,"[8, 9]"\n11,[8]\n12,[]\n')
    log = open_log(f"kuairec:{tmp_path}")
    assert log.outcome is not None
    assert log.outcome.tolist() == [1, 0]
    assert log.item_features.names == ("category=8", "category=9")
    assert open_log(f"kuairec:{tmp_path}#test").outcome.tolist() == [0]  # type: ignore[union-attr]


def test_kuairec_block_of_positives(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": [1, 2], "item": [5, 6]}), tmp_path / "biased_positives.parquet")
    pq.write_table(pa.table({"user": [1], "item": [6]}), tmp_path / "full_block_positives.parquet")
    (tmp_path / "full_block_users.csv").write_text("user\n1\n3\n")
    (tmp_path / "full_block_items.csv").write_text("item\n5\n6\n")
    assert open_log(f"kuairec:{tmp_path}").clicks_only
    block = open_log(f"kuairec:{tmp_path}#test")
    assert events(block) == [(1, 5, 0, 1), (1, 6, 1, 1), (3, 5, 0, 1), (3, 6, 0, 1)]
    pq.write_table(pa.table({"user": [9], "item": [6]}), tmp_path / "full_block_positives.parquet")
    with pytest.raises(InputError, match="outside the block"):
        open_log(f"kuairec:{tmp_path}#test")


def test_movielens_100k(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t4\t891717742\n")
    (tmp_path / "u.user").write_text("196|49|M|writer|55105\n186|39|F|executive|00000\n")
    movie = "|".join(["242", "Les Misérables (1995)", "01-Jan-1995", "", "http://x", *["0"] * 18, "1"])
    other = "|".join(["302", "L.A. Confidential", "01-Jan-1997", "", "http://y", *["0"] * 5, "1", *["0"] * 13])
    (tmp_path / "u.item").write_bytes(f"{movie}\n{other}\n".encode("latin-1"))
    log = open_log(f"movielens:{tmp_path}")
    assert log.levels == (3.0, 4.0)
    assert str(log.timestamp[0]) == "1997-12-04T15:55:49.000000"  # type: ignore[index]
    assert log.user_features.names == ("age", "gender=F", "gender=M", "occupation=executive", "occupation=writer")
    assert log.item_features.names == ("genre=Comedy", "genre=Western")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_movielens_1m(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "ratings.dat").write_text("1::1193::5::978300760\n2::661::0.5::978302109\n")
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    text = "1193::Café: Society (1975)::Drama\n661::James and the Giant Peach::Animation|Children's\n"
    (tmp_path / "movies.dat").write_bytes(text.encode(encoding))
    log = open_log(f"movielens:{tmp_path}")
    assert log.levels == (0.5, 5.0)
    assert "occupation=code 10" in log.user_features.names
    assert log.item_features.names == ("genre=Animation", "genre=Children's", "genre=Drama")


def test_movielens_csv(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n2,10,4.0,835355493\n")
    (tmp_path / "movies.csv").write_text('movieId,title,genres\n31,"Dangerous, Minds",Drama\n10,G,Action|Drama\n')
    log = open_log(f"movielens:{tmp_path}")
    assert log.item_features.names == ("genre=Action",)  # Drama is everywhere
    assert log.items.labels == ["10", "31"]
    (tmp_path / "ratings.csv").write_text("user,movieId,rating,timestamp\n1,31,2.5,1260759144\n")
    with pytest.raises(InputError, match="no column 'userId'"):
        open_log(f"movielens:{tmp_path}")


def test_yahoo_r3(tmp_path: Path) -> None:
    (tmp_path / "ydata-ymusic-rating-study-v1_0-train.txt").write_text("1\t14\t5\n1\t35\t1\n")
    (tmp_path / "ydata-ymusic-rating-study-v1_0-test.txt").write_text("1\t49\t2\n")
    assert events(open_log(f"yahoo-r3:{tmp_path}")) == [("1", "14", 5.0), ("1", "35", 1.0)]
    assert events(open_log(f"yahoo-r3:{tmp_path}#random")) == [("1", "49", 2.0)]
    (tmp_path / "ydata-ymusic-rating-study-v1_0-train.txt").write_text("1 14 5\n")
    with pytest.raises(InputError, match="has 1 fields when split by"):
        open_log(f"yahoo-r3:{tmp_path}")


def obd_rows(policy: str) -> pa.Table:
    return pa.table(
        {
            "policy": [policy] * 3,
            "timestamp": ["2019-11-24 00:00:17.004101+00:00"] * 2 + ["2019-11-24 00:00:19.715857+00:00"],
            "item_id": [1, 0, 1],
            "position": [1, 2, 3],
            "click": [0, 1, 0],
            "propensity_score": [0.5, 0.25, 0.5] if policy == "bts" else [0.5] * 3,
            **{f"user_feature_{i}": ["a" * 32, "a" * 32, ("b" if i == 3 else "a") * 32] for i in range(4)},
        }
    )


@pytest.mark.parametrize("layout", ["csv", "parquet"])
def test_open_bandit(tmp_path: Path, layout: str) -> None:
    context = "item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n0,0.1,x,y,z\n1,-0.4,w,y,z\n"
    if layout == "csv":
        for policy in ("bts", "random"):
            folder = tmp_path / policy / "men"
            folder.mkdir(parents=True)
            obd_rows(policy).drop_columns(["policy"]).to_pandas().to_csv(folder / "men.csv")  # with the row numbers
            numbered = "".join(f"{n},{line}\n" for n, line in zip(["", 0, 1], context.splitlines(), strict=True))
            (folder / "item_context.csv").write_text(numbered)
    else:
        pq.write_table(pa.concat_tables([obd_rows("bts"), obd_rows("random")]), tmp_path / "obd_men.parquet")
        (tmp_path / "item_context_men_bts.csv").write_text(context)
    log = open_log(f"open-bandit:{tmp_path}")
    assert log.users.labels == ["-".join(["a" * 8] * 3 + [x * 8]) for x in "ab"]
    assert log.propensity is not None
    assert log.propensity.tolist() == [0.5, 0.25, 0.5]
    assert log.exposure is not None
    assert log.exposure.all()
    assert log.position is not None
    assert log.position.tolist() == [1, 2, 3]
    assert "item_feature_0" in log.item_features.names
    random = open_log(f"open-bandit:{tmp_path / 'men'}#random")
    assert random.propensity is not None
    assert random.propensity.tolist() == [0.5] * 3
    assert "Apache-2.0" in log.licence
    with pytest.raises(InputError, match="wanted"):
        open_log(f"open-bandit:{tmp_path / 'women'}")


def test_open_bandit_asks_which_campaign(tmp_path: Path) -> None:
    for campaign in ("men", "women"):
        pq.write_table(obd_rows("bts"), tmp_path / f"obd_{campaign}.parquet")
    with pytest.raises(InputError, match="campaigns men, women; say which"):
        open_log(f"open-bandit:{tmp_path}")


def test_recbole(tmp_path: Path) -> None:
    (tmp_path / "toy.inter").write_text(
        "user_id:token\titem_id:token\tlabel:float\ttimestamp:float\nu\t007\t1\t5\nv\t7\t0\t6\n"
    )
    (tmp_path / "toy.user").write_text(
        "user_id:token\tage:float\tjob:token\tpath:float_seq\nu\t3\tx\t1 2\nv\t4\ty\t3\nw\t5\ty\t4\n"
    )
    (tmp_path / "toy.item").write_text("item_id:token\tclass:token_seq\n007\tAction War\n7\tAction\n8\tDrama\n")
    log = open_log(f"recbole:{tmp_path}")
    assert log.roles.outcome_kind == "click"
    assert log.items.labels == ["007", "7", "8"]
    assert log.user_features.names == ("age", "job=x", "job=y")
    assert log.item_features.names == ("class=Action", "class=Drama", "class=War")
    assert open_log(f"recbole:{tmp_path / 'toy.inter'}").hash == log.hash
    (tmp_path / "toy.test.inter").write_text("user_id:token\titem_id:token\nu\t8\n")
    assert open_log(f"recbole:{tmp_path}#test").rows == 1
    with pytest.raises(InputError, match=r"NAME\.valid\.inter"):
        open_log(f"recbole:{tmp_path}#valid")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("user_id:token item_id:token\nu a\n", r"separated by tabs.*'user_id:token item_id:token'"),
        ("user_id\titem_id\nu\ta\n", "separated by tabs"),
        ("user_id:token\tuser_id:token\nu\ta\n", "twice"),
        ("uid:token\titem_id:token\nu\ta\n", r"no column in .* 'user_id'.*'uid'"),
        ("user_id:token\titem_id:token\n", "no rows"),
        ("user_id:token\titem_id:token\nu\n", "1 fields"),
        ("user_id:token\titem_id:token\nu\ta\nv\n", "cannot be split"),
    ],
)
def test_recbole_files_that_are_none(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "toy.inter").write_text(content)
    with pytest.raises(CounterlogError, match=says):
        open_log(f"recbole:{tmp_path}")


@pytest.mark.parametrize(
    ("spec", "rows", "users", "items"),
    [
        ("coat:{}/coat", 6960, 290, 300),
        ("coat:{}/coat#random", 4640, 290, 300),
        ("kuairand:{}/kuairand_pure_clicks", 501_398, 19_685, 5_169),
        ("kuairand:{}/kuairand_pure_clicks#random", 589_636, 16_087, 5_124),
        ("kuairec:{}/kuairec_positives", 846_254, 7_176, 10_611),
        ("open-bandit:{}/open_bandit_small/women#random", 10_000, 246, 46),
    ],
)
def test_the_real_files_open_in_seconds(shared: Path, spec: str, rows: int, users: int, items: int) -> None:
    start = time.perf_counter()
    log = open_log(spec.format(shared / "data"))
    assert time.perf_counter() - start < 5
    assert (log.rows, len(log.items)) == (rows, items)
    if not spec.startswith("open-bandit"):
        assert len(log.users) == users
