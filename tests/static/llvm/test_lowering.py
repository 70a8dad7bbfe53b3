"""Every primitive that has machine code gives what NumPy gives: bits, dtypes, layouts, types."""

import numpy as np
import pytest

import wengert  # noqa: F401  (fills the registry)
from wengert.core.execute import executable
from wengert.core.primitive import REGISTRY, NoLowering
from wengert.static.llvm.scalars import NotLowered
from wengert.static.views import CUMULATIVE, REDUCTIONS

from .build import POLYNOMIALS, draft_of, make_kernels, same, single, within

LOWERED = sorted(
    name
    for name, primitive in REGISTRY.items()
    if not isinstance(primitive.lower, NoLowering)
    and primitive.family != "kernel"
    and name not in REDUCTIONS | CUMULATIVE | {"imag", "real"}  # which have tests of their own
)
MUST = {
    *("add", "subtract", "multiply", "divide", "negative", "absolute", "sqrt", "square", "sign"),
    *("reciprocal", "maximum", "minimum", "where", "relu", "absorb", "floor", "rint", "round"),
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "isnan", "copy"),
    *("logical_and", "logical_or", "logical_not", "astype", "to_discrete", "floor_divide"),
    *("remainder", "left_shift", "right_shift", "bitwise_and", "invert", *POLYNOMIALS),
}
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.5, 7.25, -0.75, np.inf, -np.inf, np.nan, 1e-3, 300.0]
PAIRS = [
    *("f8 f8", "f4 f4", "f4 f8", "i8 i8", "i4 i4", "i1 u1", "u1 u1", "u8 u8", "? ?", "i8 f4"),
    *("u2 f8", "f4 float", "f8 int", "i8 int", "u1 int", "float f4", "int i2", "f8 ?", "i8 u8"),
]
SINGLES = ["f8", "f4", "i8", "i1", "u1", "u4", "?", "float"]
EVERYWHERE = [["f8"], ["f4"], ["f8", "f8"], ["f4", "float"], ["?", "f8", "f8"]]
SPANS = {  # where polynomials are compared: they have tests of their own for the rest
    "power": (0.1, 3.0),
    "sin": (-30.0, 30.0),
    "cos": (-30.0, 30.0),
}


def values_of(kind, count, rng):
    """``count`` values of a kind, special ones in front, or one of Python's numbers."""
    if kind in ("float", "int"):
        return 3 if kind == "int" else -2.5
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        info = np.finfo(dtype)
        special = [*FLOATS, info.max, info.tiny, info.smallest_subnormal, -info.eps]
        drawn = np.concatenate([special, rng.standard_normal(400) * 5])
    elif dtype.kind == "b":
        drawn = rng.random(400) < 0.5
    else:
        info = np.iinfo(dtype)
        special = [0, 1, 2, 5, 7, info.max, info.min, info.max - 1]
        drawn = np.concatenate([np.array(special, dtype), rng.integers(-9, 9, 400).astype(dtype)])
    return drawn.astype(dtype)[rng.permutation(len(drawn))[:count]]


def arguments(kinds, rng):
    """Arguments of these kinds, some in many shapes and layouts."""

    def flat(count):
        return [values_of(kind, count, rng) for kind in kinds]

    def each(change):
        return [change(x) if isinstance(x, np.ndarray) else x for x in flat(60)]

    def shaped(shapes):
        return [
            x[: int(np.prod(s))].reshape(s) if isinstance(x, np.ndarray) else x
            for x, s in zip(flat(60), shapes, strict=True)
        ]

    yield flat(400)
    yield [x[0] if isinstance(x, np.ndarray) else x for x in flat(1)]  # numbers
    if kinds not in EVERYWHERE:
        return
    yield [np.array(x[0]) if isinstance(x, np.ndarray) else x for x in flat(1)]  # without axes
    yield each(lambda x: x[:0])
    yield each(lambda x: x[:1])
    yield each(lambda x: x[::-1])
    yield each(lambda x: x[:59:2])
    yield each(lambda x: x[:35].reshape(7, 5).T)
    if len(kinds) > 1:
        yield shaped([(3, 1, 4), (5, 1), (4,)][: len(kinds)])
        yield shaped([(4,), (3, 4), (1, 1)][: len(kinds)])


def applications(name):
    """Values and parameters for a primitive."""
    primitive, rng = REGISTRY[name], np.random.default_rng(len(name))
    arity = len(primitive.doc.domain)
    if name in ("astype", "to_discrete"):
        into = "f8 f4" if name == "astype" else "i8 i4 i1 u1 u8 ?"
        for kind in SINGLES[:-1]:
            for target in into.split():
                for values in arguments([kind], rng):
                    yield values, {"dtype": np.dtype(target)}
        return
    if name == "weaken":
        for kind in ("f8", "i8"):
            yield [values_of(kind, 1, rng)[0]], {}
        return
    if name == "from_parts":
        for pair in ("f8 f8", "f4 f4", "f4 f8", "i8 f8"):
            yield [values_of(kind, 50, rng) for kind in pair.split()], {}
        return
    if name == "where":
        kinds = [["?", *pair.split()] for pair in PAIRS] + [["f8", "f4", "f4"]]
    elif arity == 2:
        kinds = [pair.split() for pair in PAIRS]
    else:
        kinds = [[kind] for kind in SINGLES]
    for one in kinds:
        for values in arguments(one, rng):
            yield values, {}
    if name == "power":
        for exponent in (2.0, 0.5, 3, -1.5):
            for values in arguments(["f8"], rng):
                yield [*values, exponent], {}


def possible(name):
    """Drafts of all applications that NumPy and machine code both know."""
    for literal in (False, True):
        for values, params in applications(name):
            if literal and not any(type(x) in (int, float) for x in values):
                continue
            if name in SPANS:
                low, high = SPANS[name]
                values = [
                    np.clip(np.nan_to_num(x), low, high).astype(x.dtype, order="K")[()]
                    if isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.ndim and x.size
                    else x
                    for x in values
                ]
            try:
                program = single(REGISTRY[name], values, params, literal)
                given = [x for x in values if not literal or type(x) not in (int, float)]
                draft, (want,) = draft_of(program, given, name not in POLYNOMIALS)
            except (NotLowered, TypeError, ValueError, OverflowError, ZeroDivisionError):
                continue
            yield draft, program, given, want


def test_what_must_have_machine_code():
    assert set(LOWERED) >= MUST


@pytest.mark.parametrize("name", LOWERED)
def test_as_numpy(name):
    found = list(possible(name))
    assert found, "there is nothing to compare"
    fallen: list[int] = []

    def fallback(*values):
        fallen.append(1)
        return executable(program)(*values)[0]

    kernels = make_kernels([draft for draft, *_ in found], [fallback] * len(found))
    native = 0
    for kernel, (_, program, given, want) in zip(kernels, found, strict=True):
        fallen.clear()
        got = kernel(*given)
        native += not fallen
        if name in POLYNOMIALS and np.asarray(want).dtype.kind == "f":
            assert type(got) is type(want), (given, got, want)
            assert np.asarray(got).strides == np.asarray(want).strides
            wide = "f8" if np.asarray(want).dtype == np.float32 else np.longdouble
            rounded = [np.asarray(x).astype(want.dtype) for x in given]
            exact = executable(program)(*[x.astype(wide)[()] for x in rounded])[0]
            assert within(got, exact, 2), (given, got, want)
        else:
            assert same(got, want), (given, got, want)
    assert native > len(found) / 2, "most went back to NumPy"
