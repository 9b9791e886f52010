import numpy as np
import pytest

from keras_mmfusion.datasets import Interactions, read_interactions, split_interactions

RNG = np.random.default_rng(0)
USERS = np.array([f"u{n}" for n in np.repeat(np.arange(7), np.arange(1, 8) * 4)])
ITEMS = np.array(
    [f"i{n}" for n in np.concatenate([RNG.permutation(40)[: (n + 1) * 4] for n in range(7)])]
)
INTERACTIONS = Interactions(USERS, ITEMS, RNG.integers(0, 50, len(USERS)).astype("float64"))


def pairs(interactions):
    return set(zip(interactions.users.tolist(), interactions.items.tolist(), strict=True))


@pytest.mark.parametrize("how", ["user_time", "global_time", "random"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_split_is_a_partition_with_the_requested_share(how, share):
    train, test = split_interactions(INTERACTIONS, how, share)
    assert pairs(train) | pairs(test) == pairs(INTERACTIONS)
    assert not pairs(train) & pairs(test)
    assert abs(len(test) / len(INTERACTIONS) - share) < 0.03


def test_user_time_split_tests_the_latest_of_each_user():
    train, test = split_interactions(INTERACTIONS, "user_time", 0.25)
    for number in range(7):
        user = f"u{number}"
        assert np.sum(test.users == user) == number + 1  # 25%
        latest = train.timestamps[train.users == user].max()
        assert test.timestamps[test.users == user].min() >= latest


def test_global_time_split_tests_the_latest_of_all():
    train, test = split_interactions(INTERACTIONS, "global_time", 0.25)
    assert test.timestamps.min() >= train.timestamps.max()


def test_random_split_depends_only_on_the_seed():
    first, again, other = (
        split_interactions(INTERACTIONS, "random", 0.3, seed)[1] for seed in (0, 0, 1)
    )
    assert pairs(first) == pairs(again) != pairs(other)


@pytest.mark.parametrize("how", ["user_time", "global_time"])
def test_split_does_not_depend_on_the_order_of_the_rows(how):
    mixed = INTERACTIONS.select(RNG.permutation(len(INTERACTIONS)))
    for part, other in zip(
        split_interactions(INTERACTIONS, how), split_interactions(mixed, how), strict=True
    ):
        assert pairs(part) == pairs(other)


def test_single_interaction_of_a_user_is_in_the_training_part():
    few = Interactions(np.array(["a", "b", "b"]), np.array(["x", "x", "y"]), np.arange(3))
    assert pairs(split_interactions(few)[1]) == {("b", "y")}


def test_invalid_arguments_of_split_are_rejected():
    with pytest.raises(
        ValueError, match="`how` must be one of 'user_time', 'global_time', 'random'"
    ):
        split_interactions(INTERACTIONS, "by_moon")
    with pytest.raises(ValueError, match="`test_fraction` must be between 0 and 1"):
        split_interactions(INTERACTIONS, test_fraction=1.5)
    with pytest.raises(ValueError, match="has too few rows to be split"):
        split_interactions(INTERACTIONS.select(np.arange(1)))


def test_reads_csv_and_keeps_the_last_interaction(tmp_path):
    path = tmp_path / "interactions.csv"
    path.write_text(
        "\ufeffuser,item,stars,timestamp\n7,a,5,10\n7,b,1,11.5\n07,a,2,9\n7,a,4,12\n", "utf-8"
    )
    interactions = read_interactions(path)
    assert interactions.users.tolist() == ["7", "07", "7"]
    assert interactions.items.tolist() == ["b", "a", "a"]
    assert interactions.timestamps.tolist() == [11.5, 9, 12]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item\n1,2\n", "has no column 'timestamp'.*Received: user, item"),
        ("user,item,timestamp\n", "has no rows"),
        ("", "is empty; .* the columns user, item, timestamp"),
        (
            "user,item,timestamp\n1,2,3\n1,,3\n",
            "'item' of .* must not be missing, but 1 of 2 are, first at line 3",
        ),
        ("user,item,timestamp\n1,2,soon\n", "line 2: 'timestamp' must be a number"),
        ("user,item,timestamp\n1\n", "line 2: expected 3 cells.* found 1"),
        ("user,item,timestamp\n1,2,nan\n", "line 2: 'timestamp' must be a number"),
        ("user,item,timestamp\n1,2,3\nNone,2,3\n", "'user' of .* first at line 3: 'None'"),
        ("user,item,timestamp\n1,2,3\n1,nan,3\n", "'item' of .* first at line 3: 'nan'"),
        ("user,item,timestamp\n1,a,b,3\n", "line 2: expected 3 cells.* found 4"),
        ('user,item,timestamp\n1,"a,3\n2,b,4\n', "line 2: a quoted cell is not closed"),
        ('user,item,timestamp\n1,"a,3\n2,b",4\n', "'item' of .* must not be missing"),
        ("user,item,item,timestamp\n1,a,b,3\n", "column 'item' more than once, at 2, 3"),
        ("user;item;timestamp\n1;a;3\n", "separated by semicolons"),
    ],
)
def test_invalid_tables_are_rejected(tmp_path, text, message):
    path = tmp_path / "interactions.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_interactions(path)


def test_different_lengths_are_rejected():
    with pytest.raises(ValueError, match="must have the same length. Received: 1, 2 and 2"):
        Interactions(np.array(["a"]), np.array(["x", "y"]), np.arange(2))


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (["a", None], ["x", "y"], "`users` must not be missing, but 1 of 2 are, first at index 1"),
        ([np.nan, 2.0], ["x", "y"], "`users` must not be missing.*first at index 0: 'nan'"),
        (np.array(["a", "b"]), np.array(["x", " "]), "`items` must not be missing"),
        (np.array(["a", "nan"]), np.array(["x", "y"]), "`users` must not be missing"),
        (np.array([None, "b"]), np.array(["x", "y"]), "`users` must not be missing"),
        ("ab", ["x", "y"], "`users` must be a list or array of ids. Received: 'ab'"),
        (["a", ["b"]], ["x", "y"], "`users`: an id must be a string"),
        (np.array([1.0, np.nan]), ["x", "y"], "`users` must not be missing.*index 1: 'nan'"),
    ],
)
def test_missing_ids_are_rejected(users, items, message):
    with pytest.raises(ValueError, match=message):
        Interactions(users, items, np.arange(2))


def test_missing_ids_in_pandas_columns_are_rejected():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"user": ["a", None], "item": [1, 2], "n": [1, None]})
    with pytest.raises(ValueError, match="`users` must not be missing"):
        Interactions(frame["user"], frame["item"], np.arange(2))
    with pytest.raises(ValueError, match="`users` must not be missing"):
        Interactions(frame["n"].astype("Int64"), frame["item"], np.arange(2))
    assert Interactions(frame["item"], frame["item"], np.arange(2)).users.tolist() == ["1", "2"]


def test_reads_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"u": ["a", "b"], "i": [3, None], "t": [1, 2]}, index=["x", "y"])
    interactions = read_interactions(frame[:1], "u", "i", "t")
    assert interactions.users.tolist() == ["a"] and interactions.items.tolist() == ["3"]
    with pytest.raises(ValueError, match="'i' of The DataFrame must not be missing.* at row y"):
        read_interactions(frame, "u", "i", "t")
    with pytest.raises(ValueError, match="The DataFrame has no column 'user', 'item', 'timestamp'"):
        read_interactions(frame)
    with pytest.raises(ValueError, match="The DataFrame, row y: 'i' must be a number"):
        read_interactions(frame, "u", "t", "i")


def test_invalid_timestamps_are_rejected():
    for times in (["soon"], [None], [np.inf]):
        with pytest.raises(ValueError, match="`timestamps` must be finite numbers"):
            Interactions(["a"], ["x"], times)


def test_repr_shows_the_sizes():
    assert repr(INTERACTIONS) == "Interactions(interactions=112, users=7, items=40)"


def test_whole_floats_are_integer_ids():
    interactions = Interactions([1.0, 2.0, np.float32(3)], ["1", b"a", " b "], [1, 2, 3])
    assert interactions.users.tolist() == ["1", "2", "3"]
    assert interactions.items.tolist() == ["1", "a", "b"]
    assert Interactions(np.array([1.0, -2.0]), [7, 8], [1, 2]).users.tolist() == ["1", "-2"]


@pytest.mark.parametrize("value", [1.5, np.inf, 2.0**60, ("a", "b"), ["a"]])
def test_invalid_ids_are_rejected(value):
    with pytest.raises(ValueError, match="`users`: an id must be a string or a whole number"):
        Interactions([1, value], ["a", "b"], [1, 2])


def test_datetimes_are_converted_to_seconds():
    days = np.array(["1970-01-02", "1970-01-03"], "datetime64[D]")
    assert Interactions(["a", "b"], ["x", "y"], days).timestamps.tolist() == [86400, 172800]
    with pytest.raises(ValueError, match="finite numbers. Received: nan at index 1"):
        Interactions(["a", "b"], ["x", "y"], [days[0], np.datetime64("NaT")])
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"user": [1.0, 2.0], "item": ["x", "y"], "timestamp": days})
    assert read_interactions(frame).timestamps.tolist() == [86400, 172800]
    frame.loc[1, "timestamp"] = None
    with pytest.raises(ValueError, match="row 1: 'timestamp' must be a number"):
        read_interactions(frame)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((None, None, None), "`users` must be a list"),
        ((1, 2, 3), "`users` must be a list"),
        ((["a", "b"], ["x", "y"], "12"), "`timestamps` must be a list"),
        ((["a"], ["x"], [1j]), "`timestamps` must be finite numbers"),
    ],
)
def test_invalid_types_are_rejected(values, message):
    with pytest.raises(ValueError, match=message):
        Interactions(*values)


@pytest.mark.parametrize("source", [None, ["a"], {"user": [1]}])
def test_other_table_types_are_rejected(source):
    with pytest.raises(ValueError, match="must be the path of a CSV .* DataFrame. Received"):
        read_interactions(source)
