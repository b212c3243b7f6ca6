"""CSV files: ids stay text, the separator is found or refused, the encoding is never guessed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterlog.errors import CounterlogError, InputError
from counterlog.logs import check, read_log


def write(folder: Path, content: str | bytes, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_ids_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,rating\n007,1e5,4\n7,100000,3\n9007199254740993,1.0,5\n9007199254740992,1,1\n")
    log = read_log(path, outcome="rating")
    assert set(log.users.labels) == {"007", "7", "9007199254740993", "9007199254740992"}
    assert set(log.items.labels) == {"1e5", "100000", "1.0", "1"}
    assert log.table["user"].type == pa.string()


def test_plain_numbers_sort_by_size(tmp_path: Path) -> None:
    log = read_log(write(tmp_path, "user,item\n10,b\n9,a\n100,c\n"))
    assert log.users.labels == ["9", "10", "100"]
    assert log.items.labels == ["a", "b", "c"]


def test_quotes_commas_line_breaks_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = '\ufeffuser,item,rating\r\n"a,1","x ""y""",4\r\n"two\nlines",z,5\r\n'
    log = read_log(write(tmp_path, text), outcome="rating")
    assert set(log.users.labels) == {"a,1", "two\nlines"}
    assert set(log.items.labels) == {'x "y"', "z"}


@pytest.mark.parametrize("separator", ["\t", ";", "|", " "])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    rows = [["user", "item", "rating"], ["u1", "a", "4"], ["u2", "b", "5"]]
    log = read_log(write(tmp_path, "\n".join(map(separator.join, rows))), outcome="rating")
    assert log.rows == 2
    assert log.levels == (4.0, 5.0)


def test_an_unknown_separator_is_refused_with_the_header_as_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'user'.*'user:item:rating'.*separator"):
        read_log(write(tmp_path, "user:item:rating\nu:a:1\n"), outcome="rating")


def test_a_missing_column_names_what_is_there_and_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'rating' for the outcome.*'user', 'item', 'ratings'.*'ratings'"):
        read_log(write(tmp_path, "user,item,ratings\nu,a,1\n"), outcome="rating")


def test_a_missing_header_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'k17', 'movie4', '3'.*is the header missing"):
        read_log(write(tmp_path, "k17,movie4,3\nk18,movie9,5\n"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"log\.csv is empty \(0 bytes\)"),
        (b" \n\n", r"log\.csv is empty"),
        (b"user,item,rating\n", r"log\.csv has no rows, only a header \(user, item, rating\)"),
        ("user,item\ncafé,a\n".encode("latin-1"), r"not UTF-8: byte 0xe9 in line 2 \('café,a'"),
        ("usér,item\nu,a\n".encode("latin-1"), r"not UTF-8: byte 0xe9 in line 1"),
        ("user,item\nu,a\n".encode("utf-16"), r"UTF-16"),
        ("user,item\nu,a\n".encode("utf-16-le"), r"null bytes"),
        (b"PK\x03\x04rest of a spreadsheet", r"zip archive"),
        (b"user,user,item\nu,v,a\n", r"names 'user' more than once"),
    ],
)
def test_what_is_no_log_is_refused_in_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_log(write(tmp_path, content))


def test_no_such_file_suggests_a_neighbour(tmp_path: Path) -> None:
    write(tmp_path, "user,item\nu,a\n", "ratings.csv")
    with pytest.raises(InputError, match=r"no file .*rating\.csv; did you mean ratings\.csv"):
        read_log(tmp_path / "rating.csv")
    with pytest.raises(InputError, match="there is no folder"):
        read_log(tmp_path / "nowhere" / "log.csv")


def test_rows_that_do_not_fit_the_header_are_counted_and_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,rating\nu1,a,1\nu2,b\nu3,c,3,4\nu4,d,x\n")
    found = check(path, outcome="rating")
    ragged = next(p for p in found.problems if p.code == "ragged_row")
    assert (ragged.rows, ragged.examples) == (2, (2, 3))
    assert "u2,b" in ragged.message
    wrong = next(p for p in found.problems if p.code == "outcome_not_number")
    assert wrong.examples == (4,)
    assert found.rows == 4


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"user,item\nu,a\n"))
    assert read_log(path).rows == 1
    path.write_bytes(b"user,item\nu,a\n")
    with pytest.raises(InputError, match="decompressed"):
        read_log(path)


def test_a_blank_id_is_nobody(tmp_path: Path) -> None:
    found = check(write(tmp_path, 'user,item\nu1,a\n,b\n"",c\n"  ",d\n'))
    assert found.users == 1
    assert [(p.code, p.rows, p.examples) for p in found.errors] == [("null_id", 3, (2, 3, 4))]


def test_features_are_read_with_the_separator_of_their_own_file(tmp_path: Path) -> None:
    items = write(tmp_path, "item\tprice\na\t1,5\nb\t2\n".replace("1,5", "1.5"), "items.tsv")
    log = read_log(write(tmp_path, "user,item\nu,a\nv,b\n"), items=items)
    assert log.item_features.names == ("price",)
    assert log.item_features.values.ravel().tolist() == [1.5, 2.0]


IDS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: text.strip()
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=8))
def test_ids_of_any_script_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, pairs: list) -> None:
    import csv

    path = tmp_path_factory.mktemp("ids") / "log.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("user", "item"), *pairs])
    log = read_log(path)
    assert list(zip(log.table["user"].to_pylist(), log.table["item"].to_pylist(), strict=True)) == pairs
    assert [log.users.labels[c] for c in log.user_codes] == [user for user, _ in pairs]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda b: b"user,item,rating\n" + b)))
def test_arbitrary_bytes_give_a_log_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "log.csv"
    path.write_bytes(content)
    try:
        message = check(path, outcome="rating").to_text()
    except CounterlogError as error:
        message = str(error)
    assert path.name in message


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["u", "1", "", "2.5", "nan", "-1", '"', " ", "é", "2020-01-01", "1e400"]), max_size=9)
    )
)
def test_arbitrary_fields_in_every_role_never_crash(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("fields") / "log.csv"
    header = "user,item,timestamp,exposure,position,propensity,count,device,extra"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]), "utf-8")
    names = ("timestamp", "exposure", "position", "propensity")
    try:
        check(path, outcome="count", context="device", **{name: name for name in names})
    except CounterlogError:
        pass


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["9", "10", " 2"], pa.int64(), [9, 10, 2]),  # as text 10 would stand before 9
        (["0.5", "-1", "3"], pa.float64(), [0.5, -1.0, 3.0]),
        (["1", "", "NA"], pa.int64(), [1, None, None]),
        (["007", "12", "3"], pa.string(), ["007", "12", "3"]),  # labels
        (["1", "2", "web"], pa.string(), ["1", "2", "web"]),
        (["9007199254740993", "1", "2"], pa.string(), ["9007199254740993", "1", "2"]),  # no float is that exact
        (["nan", "1", "2"], pa.string(), ["nan", "1", "2"]),
        (["true", "false", "true"], pa.string(), ["true", "false", "true"]),
    ],
)
def test_a_context_that_is_all_numbers_is_numbers(tmp_path: Path, texts: list[str], kind: object, values: list) -> None:
    rows = "\n".join(f"u{k},i{k},{text}" for k, text in enumerate(texts))
    log = read_log(write(tmp_path, f"user,item,hour\n{rows}\n"), context=("hour",))
    assert log.table["hour"].type == kind
    assert log.table["hour"].to_pylist() == values
