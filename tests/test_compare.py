"""The comparison of the four ways: counts, bounds, agreement; and the demonstration as a whole."""

import numpy as np
import pytest

import wengert as wg
from wengert import nn
from wengert.cli import main
from wengert.explain import comparison as cmp
from wengert.explain.counting import counted
from wengert.nn.handcoded import two_layer_sigmoid


@pytest.fixture(scope="module")
def rows():
    return cmp.comparison()


def of(rows, way):
    return [row for row in rows if row.way == way and "output" not in row.section]


# --- counting ------------------------------------------------------------------------------------


def test_counts_of_a_function():
    def f(x):
        return np.sum(np.exp(x) * x + 1.0)

    value, count = counted(f, np.ones(5))
    np.testing.assert_allclose(value, f(np.ones(5)))
    assert dict(count.primitives) == {"exp": 1, "multiply": 1, "add": 1, "sum": 1}
    assert count.applications == 4
    assert count.operations == 20


PRODUCTS = {
    "matrices": (np.matmul, ((3, 4), (4, 5)), 2 * 3 * 4 * 5),
    "matrix and vector": (np.matmul, ((3, 4), (4,)), 2 * 3 * 4),
    "vectors": (np.matmul, ((4,), (4,)), 2 * 4),
    "affine": (nn.linear, ((5, 4), (3, 4), (3,)), 2 * 5 * 4 * 3 + 15),
    "moving": (lambda x: np.reshape(x.T, (-1,)), ((3, 4),), 0),
    "reduction": (lambda x: np.max(x, axis=0), ((3, 4),), 12),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_operations(name):
    function, shapes, expected = PRODUCTS[name]
    _, count = counted(function, *[np.ones(shape) for shape in shapes])
    assert count.operations == expected


def test_derivatives_are_counted_with_their_rules():
    def f(x):
        return np.sum(np.sin(x) ** 2)

    plain = counted(f, np.ones(3))[1].applications
    gradient, back = counted(wg.grad(f), np.ones(3))
    (_, dy), forward = counted(lambda x: wg.jvp(f, (x,), (np.ones(3),)), np.ones(3))
    np.testing.assert_allclose(gradient, 2 * np.sin(1) * np.cos(1))
    np.testing.assert_allclose(dy, np.sum(gradient))
    assert plain < forward.applications < 4 * plain
    assert plain < back.applications < 4 * plain
    assert "cos" in forward.primitives
    assert "cos" in back.primitives


def test_a_batch_is_counted_once():
    def f(x):
        return np.sum(np.sin(x) ** 2)

    alone = counted(wg.grad(f), np.ones(3))[1].applications
    batch = counted(wg.vmap(wg.grad(f)), np.ones((100, 3)))[1].applications
    assert batch < 2 * alone + 5


# --- the table -----------------------------------------------------------------------------------


def test_the_hand_coded_numbers(rows):
    net = two_layer_sigmoid(*cmp.drawn(cmp.HIDDEN))
    slope = np.exp(-net.z2) / (1 + np.exp(-net.z2)) ** 2
    assert rows[0].way == "by hand"
    for row in rows[:4]:
        np.testing.assert_allclose(
            [float(word) for word in row.numbers.split()], slope * net.h, atol=6e-5
        )


def test_all_ways_agree(rows):
    for row in rows:
        if row.difference is not None:
            assert row.difference < (1e-9 if row.way == "numerical" else 1e-14)


def test_costs_grow_as_the_theory_says(rows):
    sizes = [n * (cmp.INPUTS + 1) for n in (cmp.HIDDEN, *cmp.WIDTHS)]
    numerical, forward, reverse = (
        of(rows, way) for way in ("numerical", "forward mode", "reverse mode")
    )
    for n, a, b, c in zip(sizes, numerical, forward, reverse, strict=True):
        assert a.passes == 2 * n + 1
        assert b.passes == n
        assert c.passes == 2
        np.testing.assert_allclose(a.ratio, a.bound)
        assert 1.5 * n < b.ratio <= b.bound == 2.5 * n
        assert 1 < c.ratio <= c.bound == 4
    assert len({row.applications for row in reverse}) == 1  # whatever the number of parameters


def test_forward_mode_wins_with_many_outputs(rows):
    forward, reverse = [row for row in rows if "output" in row.section]
    assert forward.ratio <= forward.bound < reverse.ratio <= reverse.bound
    assert forward.applications < reverse.applications / 10


def test_compare_command(capsys):
    assert main(["compare"]) == 0
    output = capsys.readouterr().out
    assert "∂y/∂w2 = σ′(z2) · h" in output
    for words in ("by hand", "numerical", "forward mode", "reverse mode", "2 inputs, 64 outputs"):
        assert words in output
    assert max(map(len, output.splitlines())) <= 120


# --- the main job --------------------------------------------------------------------------------


def test_demo(tmp_path, capsys):
    folder = tmp_path / "output"
    assert main(["demo", "--output", str(folder), "--data", "sklearn", "--epochs", "2"]) == 0
    output = capsys.readouterr().out
    for words in ("v7  = v6 − v5 = y  = 11.652", "−0.284 + 2  = 1.716", "test accuracy", "all in"):
        assert words in output
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "worked-example.txt",
        "comparison.txt",
        "training-step.png",
        "training-curves.png",
        "network.npz",
    }
    for name in ("training-step.png", "training-curves.png"):
        assert (folder / name).read_bytes()[:4] == b"\x89PNG"
    assert "1024 parameters" in (folder / "comparison.txt").read_text(encoding="utf-8")
    assert main(["train", "--resume", str(folder / "network.npz"), "--epochs", "3"]) == 0
