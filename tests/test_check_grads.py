"""``check_grads``: right functions pass, wrong rules are caught and named, kinks are kinks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import DtypeError, GradientError, ShapeError
from wengert.core.primitive import REGISTRY
from wengert.differentiate.check import Report, check_grads
from wengert.ops.indexing import Erased, Scattered
from zoo import ZOO

DTYPES = [np.float64, np.float32]
X = np.array([0.7, -1.3, 2.1])


# --- right functions --------------------------------------------------------------------------


@pytest.mark.fuzz
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ZOO)
def test_no_false_failure(name: str, dtype: Any, seeds: range) -> None:
    animal = ZOO[name]
    for seed in seeds:
        args = animal.args(seed, dtype)
        report = check_grads(animal.f, args, order=1 + (seed % 10 == 0), seed=seed)
        assert report or animal.doubtful, (seed, report)
        assert not report.kinks, (seed, report)


@pytest.mark.parametrize("name", ["worked_example", "matmul_chain", "softmax", "in_place"])
def test_third_order(name: str) -> None:
    report = check_grads(ZOO[name].f, ZOO[name].args(0, np.float64), order=3)
    assert report
    assert len(report.lines) == 2 + 4 + 8


def test_the_report_says_what_was_compared() -> None:
    report = check_grads(lambda x: np.sum(np.tanh(x)), (X,))
    names = [line.name for line in report.lines]
    assert names == [
        "forward",
        "reverse",
        "forward over forward",
        "reverse over forward",
        "forward over reverse",
        "reverse over reverse",
    ]
    assert all(line.disagreement < 1e-7 and line.directions >= 1 for line in report.lines)
    assert "reverse over forward" in str(report)
    assert repr(report).startswith("check_grads: all agree")
    assert isinstance(report, Report)


@pytest.mark.parametrize("modes", [("forward",), ("reverse",), "reverse"])
def test_one_mode_alone(modes: Any) -> None:
    report = check_grads(np.sin, (X,), modes=modes)
    assert report
    assert len(report.lines) == 2


def test_handles_of_a_dynamic_graph_are_taken_as_arrays() -> None:
    x = wg.array(X, requires_grad=True)
    assert check_grads(lambda x: np.sum(x * x), (x,))
    assert x.grad is None


def test_arguments_are_left_alone() -> None:
    x = X.copy()
    assert check_grads(ZOO["in_place"].f, (np.arange(1.0, 6.0),))

    def overwrites(x: Any) -> Any:
        x *= 2
        return x * x

    assert check_grads(overwrites, (x,))
    assert np.array_equal(x, X)


def test_empty_arrays() -> None:
    assert check_grads(lambda x: (np.sum(x), x * 2), (np.zeros((0, 2)),))


def test_large_arrays() -> None:
    x = np.linspace(-1, 1, 70_000)
    assert check_grads(lambda x: np.sin(x) * x, (x,), order=1)
    with planted("sin", "pull"), pytest.raises(GradientError, match="operation sin"):
        check_grads(lambda x: np.sin(x) * x, (x,), order=1)


def test_infinities_that_never_move_are_constants() -> None:
    mask = np.array([True, False, True])
    assert check_grads(lambda x: np.where(mask, x * x, -np.inf), (X,))


def test_a_function_with_float32_inside() -> None:
    assert check_grads(lambda x: np.sin(x.astype(np.float32)).astype(np.float64), (X,))


def only_single(x: Any) -> Any:
    if x.dtype != np.float32:
        raise TypeError("float32 only")
    return np.exp(x) * x


def test_a_function_that_refuses_float64() -> None:
    def asserts(x: Any) -> Any:
        assert x.dtype == np.float32
        return np.exp(x)

    assert check_grads(only_single, (X.astype(np.float32),))
    assert check_grads(asserts, (X.astype(np.float32),))


def test_a_wrong_rule_in_a_function_that_refuses_float64() -> None:
    with planted("exp", "jvp", "pull"), pytest.raises(GradientError, match="operation exp"):
        check_grads(only_single, (X.astype(np.float32),), order=1)


def test_a_function_that_depends_on_its_dtype() -> None:
    def clipped(x: Any) -> Any:
        return np.log(np.maximum(x, np.finfo(x.dtype).eps))

    assert check_grads(clipped, (np.array([0.5, 1e-9], np.float32),), order=1)


# --- wrong rules of the user's ----------------------------------------------------------------


def line_of(function: Callable[..., Any]) -> str:
    """Where the body of a lambda or a one-line function stands."""
    return f"{__file__}:{inspect.getsourcelines(function)[1]}"


def custom(f: Any, backward: Callable[..., Any]) -> Any:
    """``f`` with a rule: ``backward(x, gy)``."""

    def own(*args: Any) -> Any:
        return f(*args)

    own.__name__ = "mine"
    rule = wg.custom_vjp(own)
    rule.defvjp(lambda *args: (own(*args), args), lambda args, gy: backward(*args, gy))
    return rule


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", [1.01, 0.99, 2.0, -1.0, 0.0])
def test_a_rule_with_a_wrong_factor(factor: float, dtype: Any) -> None:
    mine = custom(np.sin, lambda x, gy: (factor * gy * np.cos(x),))
    f = lambda x: np.sum(mine(x) * x + np.exp(x))  # noqa: E731
    with pytest.raises(GradientError, match="custom_vjp mine") as caught:
        check_grads(f, (X.astype(dtype),))
    assert line_of(f) in str(caught.value)
    assert "forward and reverse mode are wrong" in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_wrong_reverse_rule_alone(dtype: Any) -> None:
    mine = custom(np.sin, lambda x, gy: (1.01 * gy * np.cos(x),))
    with pytest.raises(GradientError, match=r"reverse mode is wrong at operation .*mine") as caught:
        check_grads(lambda x: mine(x) + x, (X.astype(dtype),), modes=("reverse",))
    assert "ratio 1.01)" in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_transposed_rule(dtype: Any) -> None:
    a, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -1.5])
    mine = custom(lambda a, x: a @ x, lambda a, x, gy: (np.outer(gy, x), a @ gy))
    with pytest.raises(GradientError, match="mine>, input 1"):
        check_grads(lambda a, x: mine(np.tanh(a), x), (a.astype(dtype), x.astype(dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_lost_sum_over_what_was_broadcast(dtype: Any) -> None:
    x, b = X.astype(dtype), np.array(0.5, dtype)
    mine = custom(lambda x, b: x * b, lambda x, b, gy: (gy * b, (gy * x)[0]))
    with pytest.raises(GradientError, match="mine>, input 1"):
        check_grads(lambda x, b: np.sum(mine(x, b) ** 2), (x, b))


def test_a_wrong_forward_rule() -> None:
    @wg.custom_jvp
    def tripled(x: Any) -> Any:
        return x**3

    tripled.defjvp(lambda xs, dxs: (xs[0] ** 3, 3.03 * xs[0] ** 2 * dxs[0]))
    with pytest.raises(GradientError, match="custom_jvp tripled"):
        check_grads(lambda x: tripled(x) * x, (X,))


def test_a_rule_that_is_wrong_in_float32_only() -> None:
    def backward(x: Any, gy: Any) -> Any:
        return (gy * np.cos(x) * (1.01 if x.dtype == np.float32 else 1.0),)

    mine = custom(np.sin, backward)
    assert check_grads(lambda x: mine(x) * x, (X,))
    with pytest.raises(GradientError, match=r"wrong in float32 at operation .*mine"):
        check_grads(lambda x: mine(x) * x, (X.astype(np.float32),))


def test_a_second_derivative_that_is_cut() -> None:
    mine = custom(np.sin, lambda x, gy: (gy * np.cos(wg.stop_gradient(x)),))
    assert check_grads(lambda x: mine(x) * x, (X,), order=1)
    with pytest.raises(GradientError, match="over forward") as caught:
        check_grads(lambda x: mine(x) * x, (X,))
    assert "second" in str(caught.value)
    assert "mine>" in str(caught.value)
    assert "fault is at operation stop_gradient" in str(caught.value)


def test_a_second_derivative_through_a_constant_of_the_rule() -> None:
    mine = custom(np.exp, lambda x, gy: (gy * np.exp(x.numpy() if isinstance(x, wg.Array) else x),))
    assert check_grads(mine, (X,), order=1)
    with pytest.raises(GradientError, match="mine"):
        check_grads(mine, (X,))


# --- wrong records ----------------------------------------------------------------------------


def off(rule: Callable[..., Any], factor: float) -> Callable[..., Any]:
    """A rule whose result is multiplied, also if it is a part of an array only."""

    def wrong(*args: Any) -> Any:
        result = rule(*args)
        if isinstance(result, Scattered):
            return Scattered(result.index, factor * result.g)
        return result if result is None or isinstance(result, Erased) else factor * result

    return wrong


@contextmanager
def planted(name: str, *fields: str, factor: float = 1.01) -> Iterator[None]:
    """The rules ``fields`` of a primitive, wrong by ``factor``."""
    primitive = REGISTRY[name]
    before = {field: getattr(primitive, field) for field in fields}
    try:
        for field, rule in before.items():
            object.__setattr__(primitive, field, off(rule, factor))
        yield
    finally:
        for field, rule in before.items():
            object.__setattr__(primitive, field, rule)


USES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sin": (lambda x: np.sum(np.sin(x) * x), (X,)),
    "multiply": (lambda x: np.sum(np.sin(x) * x), (X,)),
    "exp": (lambda x: np.exp(x) / np.sum(np.exp(x)), (X,)),
    "divide": (lambda x: np.exp(x) / np.sum(np.exp(x)), (X,)),
    "sum": (lambda x: np.sum(x * x) * x, (X,)),
    "matmul": (lambda x: np.tanh(np.outer(X, X) @ x), (X,)),
    "getitem": (lambda x: x[1:] * x[:-1], (X,)),
    "reshape": (lambda x: np.sin(x).reshape(3, 1) + x, (X,)),
    "where": (lambda x: np.where(X > 0, x * x, np.sin(x)), (X,)),
    "max": (lambda x: np.max(x) * x, (X,)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", USES)
def test_a_forward_rule_wrong_by_a_hundredth(name: str, dtype: Any) -> None:
    f, args = USES[name]
    with planted(name, "jvp"), pytest.raises(GradientError) as caught:
        check_grads(f, tuple(arg.astype(dtype) for arg in args), order=1)
    assert f"forward mode is wrong at operation {name}, input" in str(caught.value)
    assert f"called at {__file__}:" in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", USES)
def test_a_reverse_rule_wrong_by_a_hundredth(name: str, dtype: Any) -> None:
    f, args = USES[name]
    with planted(name, "pull"), pytest.raises(GradientError) as caught:
        check_grads(f, tuple(arg.astype(dtype) for arg in args), order=1)
    assert f"reverse mode is wrong at operation {name}, input" in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", USES)
def test_both_rules_wrong_by_a_hundredth(name: str, dtype: Any) -> None:
    f, args = USES[name]
    with planted(name, "jvp", "pull"), pytest.raises(GradientError) as caught:
        check_grads(f, tuple(arg.astype(dtype) for arg in args), order=1)
    assert f"forward and reverse mode are wrong at operation {name}, input" in str(caught.value)
    assert "both rules give" in str(caught.value)


def test_the_numbers_are_those_of_the_derivative() -> None:
    with planted("sin", "jvp"), pytest.raises(GradientError, match=r"ratio 1\.01") as caught:
        check_grads(np.sin, (2.0,))
    assert f"the forward rule gives {1.01 * np.cos(2.0):.6g}" in str(caught.value)
    assert f"differences give {np.cos(2.0):.6g} ±" in str(caught.value)


def test_a_rule_that_only_second_derivatives_use() -> None:
    with planted("sin", "jvp"):
        assert check_grads(np.cos, (X,), order=1)
        with pytest.raises(
            GradientError, match="forward over forward is wrong at operation cos"
        ) as c:
            check_grads(np.cos, (X,))
    assert "in its rules the fault is at operation sin" in str(c.value)


def test_a_wrong_batching_rule() -> None:
    assert check_grads(lambda x: np.sin(x) * x, (X,), modes=("forward", "reverse", "vmap"))
    with planted("sin", "batch"), pytest.raises(GradientError, match="vmap is wrong") as caught:
        check_grads(lambda x: np.sin(x) * x, (X,), modes=("vmap",))
    assert "at operation sin" in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["layer_norm", "elimination", "logistic_map", "lost_digits"])
def test_a_hundredth_is_found_in_ill_conditioned_functions(name: str, dtype: Any) -> None:
    operation = {"lost_digits": "sin", "layer_norm": "divide"}.get(name, "multiply")
    animal = ZOO[name]
    with planted(operation, "jvp", "pull"), pytest.raises(GradientError, match=operation):
        check_grads(animal.f, animal.args(1, dtype), order=1)


# --- what no operation is to blame for --------------------------------------------------------


def test_a_value_that_was_read() -> None:
    def reads(x: Any) -> Any:
        return x * (x.item() if isinstance(x, wg.Array) else x)

    with pytest.raises(GradientError, match="every operation is right on its own"):
        check_grads(reads, (1.5,))


def test_a_value_that_was_read_beside_a_kink() -> None:
    def reads(x: Any) -> Any:
        return np.sum(np.abs(x)) * np.asarray(x[1].item())

    with pytest.raises(GradientError, match="every operation is right on its own"):
        check_grads(reads, (np.array([0.0, 1.5]),))


def test_stop_gradient_is_named() -> None:
    with pytest.raises(GradientError, match=r"stop_gradient, called at .* cuts a derivative"):
        check_grads(lambda x: np.sum(wg.stop_gradient(x) * x), (X,))


def test_a_value_that_differs_under_differentiation() -> None:
    def differs(x: Any) -> Any:
        return x * x if isinstance(x, wg.Array) else x * x + 1

    with pytest.raises(GradientError, match="on plain NumPy"):
        check_grads(differs, (1.5,))


def test_random_functions() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError, match="different values for the same arguments"):
        check_grads(lambda x: x * rng.standard_normal(), (1.5,))


def test_a_function_that_is_not_finite() -> None:
    with pytest.raises(GradientError, match=r"not finite.*first at operation log, called at "):
        check_grads(lambda x: np.sum(np.log(x)), (np.array([1.0, 0.0]),))


def test_a_derivative_that_is_nan() -> None:
    report = check_grads(lambda x: np.sqrt(np.sum(x * x)), (np.zeros(3),))
    assert not report
    assert "forward gives nan at the arguments" in report.undecided
    assert report.kinks[0].operation == "sqrt"
    assert report.kinks[0].kind == "infinite slope"


# --- kinks ------------------------------------------------------------------------------------

KINKS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str, str, Any]] = {
    "abs": (lambda x: np.abs(x), (0.0,), "kink", "absolute", ()),
    "element": (lambda x: np.sum(np.abs(x)), (np.array([1.0, 0.0]),), "kink", "absolute", (1,)),
    "relu": (lambda x: np.maximum(x, 0) * 2, (np.zeros(3),), "kink", "maximum", (0,)),
    "tie": (lambda x: np.max(x), (np.array([1.0, 3.0, 3.0]),), "kink", "max", ()),
    "clip": (lambda x: np.clip(x, -1, 1), (np.array([0.5, 1.0]),), "kink", "minimum", (1,)),
    "floor": (lambda x: x * np.floor(x), (2.0,), "step", "floor", ()),
    "sign": (lambda x: np.sign(x) + x, (0.0,), "step", "sign", ()),
    "sqrt": (lambda x: np.sqrt(x), (0.0,), "infinite slope", "sqrt", ()),
    "cbrt": (lambda x: np.cbrt(x), (0.0,), "infinite slope", "cbrt", ()),
    "branch": (lambda x: x if x > 0 else 2 * x, (0.0,), "kink", "a branch of the program", None),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KINKS)
def test_kinks_are_reported_as_kinks(name: str, dtype: Any) -> None:
    f, args, kind, operation, position = KINKS[name]
    args = tuple(arg.astype(dtype) if isinstance(arg, np.ndarray) else dtype(arg) for arg in args)
    report = check_grads(f, args)
    assert report
    found = report.kinks[0]
    assert (found.kind, found.operation, found.position) == (kind, operation, position)
    assert found.order == 1
    assert operation == KINKS["branch"][3] or found.where.startswith(f"{__file__}:")
    assert str(found) in str(report)
    assert len(report.lines) == 6  # the rest of the check ran near by


def test_a_kink_of_the_second_derivative() -> None:
    report = check_grads(lambda x: np.sum(x * np.abs(x)), (np.array([1.0, 0.0]),))
    assert report
    assert [kink.order for kink in report.kinks] == [2]


def test_a_branch_at_the_very_point() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        y[x == 0] = 0.0
        return np.sum(y * y + y)

    report = check_grads(f, (np.array([0.0, 3.0]),))
    assert report
    assert str(report.kinks[0]) == "isolated point of a branch of the program (order 1)"
    assert check_grads(f, (np.array([1.0, 3.0]),)).kinks == ()


def test_several_kinks_whose_slopes_cancel() -> None:
    for seed in range(10):
        report = check_grads(lambda x: np.sum(np.maximum(x, 0)), (np.zeros(4),), seed=seed)
        assert report


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8, -1e-7])
def test_a_kink_near_by_is_none(distance: float) -> None:
    report = check_grads(lambda x: np.abs(x - 1) * x, (1 + distance,))
    assert report
    assert not report.kinks


def test_a_wrong_rule_is_found_beside_a_kink() -> None:
    x = np.array([0.0, 0.5, 1.0])
    with planted("sin", "jvp", "pull"), pytest.raises(GradientError, match="operation sin"):
        check_grads(lambda x: np.sum(np.abs(x)) + np.sum(np.sin(x)), (x,))


# --- bad use ----------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [X, [X], 3.0])
def test_arguments_that_are_no_tuple(args: Any) -> None:
    with pytest.raises(DtypeError, match=r"write check_grads\(f, \(x,\)\)"):
        check_grads(np.sum, args)


@pytest.mark.parametrize("args", [(3,), (np.arange(3),), (np.array([True]),), ()])
def test_nothing_to_differentiate_in_the_arguments(args: Any) -> None:
    with pytest.raises(DtypeError, match="no argument has a derivative"):
        check_grads(lambda *x: 1.0, args)


@pytest.mark.parametrize("result", [3, np.arange(3), True, None])
def test_nothing_to_differentiate_in_the_result(result: Any) -> None:
    with pytest.raises(DtypeError, match="nothing to differentiate"):
        check_grads(lambda x: result, (1.0,))


def test_a_list_of_numbers() -> None:
    with pytest.raises(DtypeError, match=r"write np\.array"):
        check_grads(np.sum, ([1.0, 2.0],))


def test_arguments_that_are_not_finite() -> None:
    with pytest.raises(DtypeError, match="not finite"):
        check_grads(np.sum, (np.array([1.0, np.nan]),))


@pytest.mark.parametrize("modes", [("forwards",), (), ("forward", "jvp")])
def test_unknown_modes(modes: Any) -> None:
    with pytest.raises(ShapeError, match="'forward', 'reverse'"):
        check_grads(np.sin, (1.0,), modes=modes)


@pytest.mark.parametrize("order", [0, -1, 1.5, True])
def test_orders_that_are_none(order: Any) -> None:
    with pytest.raises(ShapeError, match="order is"):
        check_grads(np.sin, (1.0,), order=order)


def test_something_that_is_no_function() -> None:
    with pytest.raises(DtypeError, match="expected a function"):
        check_grads(3.0, (1.0,))  # type: ignore[arg-type]


def test_errors_of_the_function_are_its_own() -> None:
    def broken(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        check_grads(broken, (1.0,))
