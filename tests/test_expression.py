"""Formulas typed by a person: what is read, what is refused and how; garbage is an error only."""

import ast
import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wengert import errors
from wengert.explain import formulas
from wengert.explain.expression import (
    CONSTANTS,
    FUNCTIONS,
    Expression,
    ExpressionError,
    parse,
    parse_assignments,
)
from wengert.explain.postfix import steps_of


def value(text, **variables):
    return parse(text, list(variables)).function(*variables.values())


# --- what is read -------------------------------------------------------------------------------


def test_the_lecture_example():
    y = parse("ln(x1) + x1*x2 - sin(x2)", ["x1", "x2"])
    assert isinstance(y, Expression)
    assert y.text == "ln(x1) + x1*x2 - sin(x2)"
    assert y.variables == ("x1", "x2")
    assert y.function(2.0, 5.0) == pytest.approx(math.log(2) + 10 - math.sin(5), rel=1e-15)


def test_the_order_of_the_values_is_that_of_the_arguments():
    assert parse("a - b", ["b", "a"]).function(1.0, 10.0) == 9
    assert parse("b*a - b").variables == ("b", "a")
    with pytest.raises(ExpressionError, match="1 values for the variables b, a"):
        parse("a - b", ["b", "a"]).function(1.0)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "-x**2",
        "(-x)**2",
        "+x",
        "--x",
        "x**-2",
        "x**-1.5",
        "2**x",
        "x**2**0.5",
        "1 - 2 - x",
        "8/4/x",
        "2*(x + 1)*(x - 1)/3",
        "x*1e-3 + .5 + 2. + 1.5E+2",
        " x\n + \t1 ",
        "2**3*x + 4/2",
        "x*(3)",
    ],
)
def test_arithmetic_is_pythons(text):
    want = eval(" ".join(text.split()), {"x": 1.7})
    assert value(text, x=1.7) == pytest.approx(want, rel=1e-15)


SAMPLES = {"acosh": 1.3, "atanh": 0.4, "gammaln": 2.5}
WANT = {
    "ln": math.log, "log": math.log, "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan, "cbrt": lambda x: x ** (1 / 3), "exp2": lambda x: 2**x,
    "square": lambda x: x * x, "abs": abs, "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0), "softplus": lambda x: math.log(1 + math.exp(x)),
    "gammaln": math.lgamma, "max": max, "min": min, "pow": math.pow,
    "sum": float, "mean": float, "prod": float, "dot": lambda x, y: x * y,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function(name):
    function = FUNCTIONS[name]
    numbers = [SAMPLES.get(name, 0.4), 0.7][: function.count]
    want = WANT.get(name) or getattr(math, name)
    text = f"{name}({', '.join('xy'[: function.count])})"
    got = value(text, **dict(zip("xy", numbers, strict=False)))
    assert got == pytest.approx(want(*numbers), rel=1e-14)
    assert function.meaning
    constant = f"x + {name}({', '.join(map(str, numbers))})"
    assert value(constant, x=0.0) == pytest.approx(want(*numbers), rel=1e-14)


def test_constants():
    assert value("pi*x + e", x=2.0) == pytest.approx(2 * math.pi + math.e)
    assert not set(FUNCTIONS) & set(CONSTANTS)


def test_arrays():
    w, x = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert value("sum(w**2) + dot(w, x)", w=w, x=x) == 16
    np.testing.assert_array_equal(value("relu(w - 1)", w=w), [0, 1])
    with pytest.raises(ExpressionError, match="shape") as caught:
        value("w + (w * x)", w=w, x=np.zeros(3))
    assert caught.value.column == 7


def test_exponents_that_are_whole_stay_whole():
    """x**2 is a square for the engine, which 2.0 would not say."""
    exponents = [step.number for step in steps_of("x**2 + x**-(1 + 2)", None) if step.number]
    assert exponents == [2, -3]
    assert all(type(number) is int for number in exponents)


def test_outside_of_the_domain_is_nan_as_in_numpy():
    with pytest.warns(RuntimeWarning):
        assert math.isnan(value("ln(x)", x=-1.0))
    with pytest.warns(RuntimeWarning):
        assert value("1/x", x=0.0) == math.inf
    with pytest.warns(RuntimeWarning):
        assert value("x**400000", x=2.0) == math.inf


def test_numerical_differentiation_takes_the_function():
    from wengert.differentiate import numerical

    y = parse("ln(x1) + x1*x2 - sin(x2)", ["x1", "x2"]).function
    g = numerical.grad(y, (0, 1), "complex")(2.0, 5.0)
    assert g == pytest.approx((5.5, 2 - math.cos(5)), rel=1e-15)


# --- what is refused, and where it points -------------------------------------------------------

REFUSED = {
    # text: (what the message says, the column of the caret)
    "x^2": (r"\*\*", 1),
    "2x": ("operator is missing.*2\\*x", 1),
    "x y": ("operator is missing", 2),
    "(x) (y)": ("operator is missing", 4),
    "2(x)": ("operator is missing", 1),
    "sin x": (r"parentheses: sin\(x\)", 4),
    "sin": (r"'sin' is a function: write sin\(x\)", 0),
    "x + atan2": (r"write atan2\(x, y\)", 4),
    "x(2)": (r"a number, not a function.*x\*", 0),
    "pi(x)": ("a number, not a function", 0),
    "sin(x)(2)": ("operator is missing", 6),
    "(sin)(x)": ("operator is missing", 5),
    "sine(x)": ("unknown function 'sine' .did you mean sin", 0),
    "x + foo(y)": ("unknown function 'foo'", 4),
    "sin(x, y)": ("sin takes 1 argument, got 2", 0),
    "x + atan2(y)": ("atan2 takes 2 arguments, got 1", 4),
    "sin()": ("sin takes 1 argument, got 0", 0),
    "x + z": ("no value for 'z': add z=…", 4),
    "x + xx": ("no value for 'xx'.*did you mean x", 4),
    "a + sine(b)": ("'a'.*'sine'.*'b'", 0),
    "x +": ("ends too early", 3),
    "x * (y": ("never closed", 4),
    "sin(": ("ends too early", 4),
    "x)": ("unmatched", 1),
    "x + * y": ("does not fit", 4),
    "()": ("one expression", 0),
    "x, y": ("one expression", 0),
    "": ("empty", None),
    " \n": ("empty", None),
    "2 + 3": ("no variable", 0),
    "x // 2": ("write /", 2),
    "x % 2": ("'%' has no place", 2),
    "x = 2": ("no '='", 2),
    "x == 2": ("no '='", 2),
    "x < 2": ("compares", 2),
    "np.sin(x)": ("without a module", 2),
    "x.real": ("without a module", 1),
    "x[0]": (r"'\[' has no place.*write \(", 1),
    "x − 1": ("write -", 2),
    "x·y": (r"write \*", 1),
    "π*x": ("write pi", 0),
    "|x|": ("abs", 0),
    "x!": ("gammaln", 1),
    "'x'": ("no place", 0),
    "x if y else 2": ("'if' has no place", 2),
    "lambda: x": ("'lambda' has no place", 0),
    "x and y": ("'and'", 2),
    "not x": ("'not'", 0),
    "True*x": ("'True'", 0),
    "sin(*x)": ("arithmetic and functions only", 4),
    "sin(x=1)": ("no '='", 5),
    "__import__(x)": ("unknown function", 0),
    "x + 007": ("does not begin with 0", 4),
    "1.2.3*x": ("two decimal points", 3),
    "1_000*x": ("operator is missing", 1),
    "0x10*x": ("operator is missing", 1),
    "3j*x": ("operator is missing", 1),
    "1e400*x": ("too large", 0),
    "9**9**9*x": (r"9 \*\* 387420489 is too large", 1),
    "x**(10**400)": ("too large", 6),
    "x + 1/0": ("1 / 0 is not a finite", 5),
    "x + (2 - 2)**-1": (r"0 \*\* -1 is not a finite", 11),
    "x*(-8)**(1/3)": (r"-8 \*\* 0.33.* is not a finite real number", 6),
    "x*sqrt(-1)": (r"sqrt\(-1\) is not a finite real", 2),
    "ln(0)*x": (r"ln\(0\)", 0),
    "x\0": ("no place", 1),
    "x # a": ("no place", 2),
    "x; y": ("no place", 1),
    "x:=2": ("no place", 1),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_a_caret_below_the_mistake(text):
    message, column = REFUSED[text]
    with pytest.raises(ExpressionError, match=message) as caught:
        parse(text, ["x", "y"])
    assert caught.value.text == text
    assert caught.value.column == column
    assert isinstance(caught.value, errors.WengertError | ValueError)
    if column is not None:
        lines = str(caught.value).splitlines()
        assert lines[-1].index("^") == 2 + column
        assert len(lines) == 3
        assert all(c.isprintable() for c in lines[1])


def test_values_without_use_and_names_that_can_not_be():
    with pytest.raises(ExpressionError, match="a value given for z, which"):
        parse("x*y", ["x", "z", "y"])
    with pytest.raises(ExpressionError, match="values given for a, b, which"):
        parse("x", ["a", "b", "x"])
    with pytest.raises(ExpressionError, match="'e' is a constant"):
        parse("e*x", ["e", "x"])
    with pytest.raises(ExpressionError, match="'sin' is a function"):
        parse("sin*x", ["sin", "x"])


def test_a_long_expression_shows_the_part_around_the_mistake():
    text = " + ".join(["x"] * 300) + " + $" + " + x" * 50
    with pytest.raises(ExpressionError) as caught:
        parse(text, ["x"])
    _, line, caret = str(caught.value).splitlines()
    assert len(line) < 90
    assert line[caret.index("^")] == "$"


def test_many_unknown_names_are_not_all_listed():
    with pytest.raises(ExpressionError, match="…") as caught:
        parse("+".join(f"a{n}" for n in range(100)), [])
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text",
    [
        "x" + "+x" * 700,
        "-" * 400 + "x",
        "(" * 90 + "x" + ")" * 90,
        "x" + "**1" * 300,
        "+".join(["sin(x)"] * 280),
    ],
)
def test_what_is_long_is_no_problem(text):
    assert math.isfinite(value(text, x=0.5))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 900 + "x" + ")" * 900,
        "sin(" * 350 + "x" + ")" * 350,
        "x" * 2001,
        "9" * 1990 + "*x",
        "**".join(["9"] * 600) + "*x",
        "9**" * 600 + "x**" * 10 + "9",
    ],
)
def test_what_is_too_much_is_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(ExpressionError):
        parse(text, ["x", "y"])
    assert time.process_time() - start < 2


def test_no_node_of_python_but_arithmetic_passes():
    """What the whitelist lets through is listed here; all else is an error."""
    allowed = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant, ast.operator)
    for text in ("ln(x) + x*2 - -3/x**2", "max(x, pi)"):
        for node in ast.walk(ast.parse(text, mode="eval").body):
            assert isinstance(node, (*allowed, ast.unaryop, ast.expr_context))
    assert not hasattr(formulas, "eval")


# --- values -------------------------------------------------------------------------------------


def test_assignments():
    values = parse_assignments(["x1=2", " x2 = pi/2 ", "w=1,2,3", "v=[1, -2.5e3,]", "one=[1]"])
    assert list(values) == ["x1", "x2", "w", "v", "one"]
    assert type(values["x1"]) is float
    assert values["x2"] == math.pi / 2
    np.testing.assert_array_equal(values["w"], [1, 2, 3])
    assert values["w"].dtype == np.float64
    np.testing.assert_array_equal(values["v"], [1, -2500])
    np.testing.assert_array_equal(values["one"], [1])
    assert parse_assignments([]) == {}
    assert parse_assignments(["x=-1/4"]) == {"x": -0.25}


BAD_VALUES = {
    "x": ("gives no value: write name=number", None),
    "": ("gives no value", None),
    "=3": ("a name is missing", 0),
    "x=": ("a number is missing", 2),
    "x=1,,2": ("a number is missing", 4),
    "x=[]": ("a number is missing", 2),
    "x=abc": ("'abc' is not a number", 2),
    "x=1,two": ("'two' is not a number", 4),
    "2x=3": ("'2x' is not a name", 0),
    " x.y=3": ("'x.y' is not a name", 1),
    "x==3": ("no '='", 2),
    "x=nan": ("not a finite", 2),
    "x=-inf": ("not a finite", 2),
    "x=1e999": ("not a finite", 2),
    "x=9**9**9": ("too large", 3),
    "x=[1,2": ("no place", 2),
    "x=sin(1": ("never closed", 5),
    "e=3": ("'e' is a constant", 0),
    "ln=3": ("'ln' is a function", 0),
    "if=3": ("reserved", 0),
}


@pytest.mark.parametrize("item", BAD_VALUES)
def test_assignments_refused(item):
    message, column = BAD_VALUES[item]
    with pytest.raises(ExpressionError, match=message) as caught:
        parse_assignments(["ok=1", item])
    assert caught.value.column == column


def test_a_name_has_one_value():
    with pytest.raises(ExpressionError, match="'x' has a value already"):
        parse_assignments(["x=1", "x=2"])


# --- garbage ------------------------------------------------------------------------------------

PIECES = [
    *FUNCTIONS, *CONSTANTS, *"+-*/^()[]{}.,;:=<>!@#%&|~ \n\t\"'\\`$?x", "x1", "x2", "**", "//",
    "2", "3.5", "1e9", "1e", "0x", "1_0", "9**9", "1j", "lambda", "if", "else", "for", "in", "is",
    "not", "and", "await", "yield", "import", "None", "True", "__class__", "f'{x}'", "b''", "π",
    "−", "²", "...", ":=", "->", "\0", "\x1b[31m", "é", "\u202e", "😀", "١", "ｘ", "\ud800",
]  # fmt: skip
GARBAGE = st.text(max_size=80) | st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def outcome(text):
    """The expression that ``text`` is, or the error that it gives."""
    try:
        return parse(text, ["x1", "x2"]), None
    except ExpressionError as error:
        return None, error


class Floats(ast.NodeTransformer):
    """Every number of a tree by NumPy, whose numbers give inf where Python's raise."""

    def visit_Constant(self, node):
        return ast.Call(ast.Name("number", ast.Load()), [node], [])


@settings(max_examples=600)
@given(GARBAGE)
@example("x1*x2")
@example("(" * 300)
@example("x1 if x2 else x1")
def test_garbage_gives_an_expression_error_or_an_expression(text):
    y, error = outcome(text)
    if y is None:
        assert str(error)
        assert error.column is None or 0 <= error.column <= len(text)
        return
    with np.errstate(all="ignore"):
        y.function(1.5, 0.5)


@settings(max_examples=300)
@given(GARBAGE)
def test_garbage_without_a_list_of_names(text):
    try:
        y = parse(text)
    except ExpressionError:
        return
    with np.errstate(all="ignore"):
        y.function(*[1.5] * len(y.variables))


@settings(max_examples=300)
@given(st.lists(GARBAGE | GARBAGE.map("x={}".format), max_size=3))
def test_garbage_for_values(items):
    try:
        values = parse_assignments(items)
    except ExpressionError:
        return
    for number in values.values():
        assert np.all(np.isfinite(number))


NUMBER = st.integers(0, 20).map(str) | st.floats(0.01, 10).map(lambda x: f"{x:.3g}")
ATOM = st.sampled_from(["x1", "x2", "pi"]) | NUMBER
FORMULA = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", " ** "]), inner).map(
            lambda parts: f"({''.join(parts)})"
        ),
        inner.map("-{}".format),
        st.tuples(st.sampled_from(["sin", "exp", "tanh", "cosh"]), inner).map(
            "{0[0]}({0[1]})".format
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(FORMULA)
def test_formulas_have_pythons_value(text):
    names = {name: getattr(np, name) for name in ("sin", "exp", "tanh", "cosh", "pi")}
    numbers = {"x1": np.float64(1.5), "x2": np.float64(0.5)}
    y, error = outcome(f"x1*0 + x2*0 + {text}")
    if y is None:
        assert any(words in str(error) for words in ("too large", "finite real"))
        return
    tree = ast.fix_missing_locations(Floats().visit(ast.parse(text.strip(), mode="eval")))
    names |= {"number": np.float64, "__builtins__": {}}
    with np.errstate(all="ignore"):
        want = eval(compile(tree, "formula", "eval"), names | numbers)
        got = y.function(*numbers.values())
    np.testing.assert_allclose(got, want, rtol=1e-12)
