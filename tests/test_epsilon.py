"""The error against ε, as curves, as a table and as a picture."""

import builtins
import math
import struct

import numpy as np
import pytest
from rich.console import Console

from wengert import errors
from wengert.differentiate.differences import METHODS
from wengert.explain import epsilon
from wengert.explain.expression import ExpressionError

EXACT = [5.5, 2 - math.cos(5)]


def text_of(table):
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def png_size(path):
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])


@pytest.fixture(scope="module")
def curves():
    return epsilon.epsilon_curves(exact=EXACT)


def test_the_reference_is_reverse_mode(curves):
    assert epsilon.epsilon_curves(steps=[1e-3]) == epsilon.epsilon_curves(steps=[1e-3], exact=EXACT)
    assert [curve.method for curve in curves] == list(METHODS)


def test_any_expression_at_numbers_and_arrays():
    w = np.array([1.0, 2.0])
    found = epsilon.epsilon_curves("sum(exp(w))*x", {"w": w, "x": 0.5}, ["central"], [1e-5])
    exact = [*(0.5 * np.exp(w)), np.sum(np.exp(w))]
    assert found == epsilon.epsilon_curves(
        "sum(exp(w))*x", {"w": w, "x": 0.5}, ["central"], [1e-5], exact
    )
    assert found[0].best[1] < 1e-9


def test_the_table(curves):
    text = text_of(epsilon.epsilon_table(curves=curves))
    lines = text.splitlines()
    assert "ln(x1) + x1*x2 - sin(x2)" in lines[0]
    (header,) = [line for line in lines if "richardson" in line]
    assert header.split()[1::2] == ["ε", *METHODS]
    rows = [line for line in lines if "*" in line and "│" in line]
    assert sum(line.count("*") for line in rows) == 4
    assert any("1.0e-20" in line and "1.0e+00" in line for line in lines)
    assert any("slope" in line and " 1 " in line and " 2 " in line for line in lines)
    assert any("automatic ε" in line and "2.7e-20" in line for line in lines)
    short = text_of(epsilon.epsilon_table(curves=curves, every=20))
    assert len(short.splitlines()) < len(lines) - 10


def test_the_table_says_why_a_method_has_no_numbers():
    values = {"x": 1.5}
    found = epsilon.epsilon_curves("abs(x)*x", values, steps=[1.0, 1e-4, 1e-8], exact=[3.0])
    text = text_of(epsilon.epsilon_table("abs(x)*x", values, found))
    assert "complex: along one direction" in text
    assert "-" in text
    found = epsilon.epsilon_curves("ln(x)", {"x": 0.5}, ["central"], [1.0, 1e-5], [2.0])
    assert "not finite" in text_of(epsilon.epsilon_table("ln(x)", {"x": 0.5}, found))


def test_the_picture(curves, tmp_path):
    path = epsilon.draw_epsilon(tmp_path / "new" / "epsilon.png", curves=curves)
    assert path == tmp_path / "new" / "epsilon.png"
    assert png_size(path) == (1440, 900)
    svg = epsilon.draw_epsilon(tmp_path / "epsilon.svg", curves=curves).read_text()
    assert svg.startswith("<?xml")


def test_the_picture_of_what_has_no_complex_step(tmp_path):
    for text, exact in [("abs(x)*x", 3.0), ("x*2", 2.0), ("x - x", 0.0), ("$x$"[1:2], 1.0)]:
        found = epsilon.epsilon_curves(text, {"x": 1.5}, exact=[exact])
        path = epsilon.draw_epsilon(tmp_path / "a.png", text, {"x": 1.5}, found)
        assert png_size(path) == (1440, 900)


def test_bad_input(tmp_path):
    with pytest.raises(ExpressionError, match="no value for 'x'"):
        epsilon.epsilon_curves("x*2")
    with pytest.raises(ExpressionError, match=r"shape \(2,\)"):
        epsilon.epsilon_curves("w*2", {"w": np.ones(2)})
    with pytest.raises(errors.DataError, match="no finite value and derivative at x = -1"):
        epsilon.epsilon_curves("ln(x)", {"x": -1.0}, exact=[-1.0])
    with pytest.raises(errors.WengertError, match="method"):
        epsilon.epsilon_curves(methods=["centre"], exact=EXACT)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a.png", tmp_path / "a.nothing"):
        with pytest.raises(errors.DataError, match="can't write the picture"):
            epsilon.draw_epsilon(path, curves=epsilon.epsilon_curves(steps=[1e-3], exact=EXACT))


def test_without_matplotlib_the_extra_is_named(monkeypatch, tmp_path):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(errors.UnsupportedError, match=r"wengert\[plot\]"):
        epsilon.draw_epsilon(tmp_path / "a.png")
