"""The elementary functions of machine code against mpmath: every value, special ones, every target.

Each function is compiled as the loop it is used in. Its error may not exceed what its docstring
says, where the processor has a fused multiply-add and where it has none.
"""

import ctypes
import importlib.util
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
import scipy.special
from llvmlite import ir
from mpmath import mp, mpf

from wengert.static.llvm.maths import FUNCTIONS
from wengert.static.llvm.maths.exact import LN2, PI, split

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()

F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
CASES = [(name, dtype) for name in FUNCTIONS for dtype in (F4, F8)]
IDS = [f"{name}-{dtype}" for name, dtype in CASES]
every_case = pytest.mark.parametrize(("name", "dtype"), CASES, ids=IDS)

NUMPY = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
    "sin": np.sin,
    "cos": np.cos,
    "pow": np.power,
    "erf": scipy.special.erf,
}
EXACT: dict[str, Callable[..., mpf]] = {
    "exp": mp.exp,
    "log": mp.log,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "sin": mp.sin,
    "cos": mp.cos,
    "pow": lambda x, y: x**y,
    "erf": mp.erf,
}

TARGETS = {  # triple, processor, features
    "SSE2": ("x86_64-unknown-linux-gnu", "x86-64", ""),
    "AVX2": ("x86_64-unknown-linux-gnu", "haswell", ""),
    "AVX-512": ("x86_64-unknown-linux-gnu", "skylake-avx512", "-prefer-256-bit"),
    "NEON": ("aarch64-unknown-linux-gnu", "generic", ""),
}
REGISTER = {"SSE2": r"xmm\d", "AVX2": r"ymm\d", "AVX-512": r"zmm\d", "NEON": r"v\d+\.(2d|4s)"}


# --- a loop around a function -------------------------------------------------------------------


def arity(name: str) -> int:
    return 2 if name == "pow" else 1


def loop(name: str, dtype: np.dtype, width: int) -> ir.Module:
    """``loop(xs…, results, count)``: the function of ``count`` scalars, or vectors of ``width``."""
    module, index = ir.Module("loops"), ir.IntType(64)
    element = ir.DoubleType() if dtype == F8 else ir.FloatType()
    kind = element if width == 1 else ir.VectorType(element, width)
    arguments = [kind.as_pointer()] * (arity(name) + 1)
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), [*arguments, index]), "loop")
    for pointer in made.args[:-1]:
        pointer.add_attribute("noalias")
    entry, body, leave = (made.append_basic_block(part) for part in ("entry", "body", "leave"))
    ir.IRBuilder(entry).branch(body)
    builder = ir.IRBuilder(body)
    i = builder.phi(index)
    *places, result = (builder.gep(pointer, [i]) for pointer in made.args[:-1])
    xs = [builder.load(place, align=dtype.itemsize) for place in places]
    builder.store(FUNCTIONS[name](builder, *xs), result, align=dtype.itemsize)
    following = builder.add(i, ir.Constant(index, 1))
    i.add_incoming(ir.Constant(index, 0), entry)
    i.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, made.args[-1]), body, leave)
    ir.IRBuilder(leave).ret_void()
    return module


def optimised(module: ir.Module, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return parsed


ENGINES = []  # the code lives as long as its engine


@cache
def compiled(name: str, dtype: np.dtype, width: int = 1, plain: bool = False) -> Callable:
    """The loop as a function of arrays; ``plain`` for the oldest processor of this kind."""
    processor = "" if plain else llvm.get_host_cpu_name()
    features = "" if plain else llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=processor, features=features, opt=3, jit=True
    )
    engine = llvm.create_mcjit_compiler(optimised(loop(name, dtype, width), machine), machine)
    engine.finalize_object()
    ENGINES.append(engine)
    pointers = [ctypes.c_void_p] * (arity(name) + 1)
    call = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64)(engine.get_function_address("loop"))

    def function(*arguments: np.ndarray) -> np.ndarray:
        xs = [np.ascontiguousarray(x, dtype) for x in np.broadcast_arrays(*arguments)]
        assert xs[0].size > 0
        assert xs[0].size % width == 0
        result = np.empty_like(xs[0])
        call(*[x.ctypes.data for x in (*xs, result)], result.size // width)
        return result

    return function


# --- arguments and errors -----------------------------------------------------------------------


def random_bits(rng: np.random.Generator, dtype: np.dtype, count: int) -> np.ndarray:
    drawn = rng.integers(0, 2 ** (8 * dtype.itemsize), count, np.dtype(f"u{dtype.itemsize}"))
    return drawn.view(dtype)


def near_quarter_turns(rng: np.random.Generator, dtype: np.dtype, count: int) -> np.ndarray:
    """Next to multiples of π/2: the fast reduction's, some beyond, the nearest that there is."""
    turns = np.floor(2 ** rng.uniform(0, 14 if dtype == F4 else 22, count))
    x = (turns * (np.pi / 2)).astype(dtype)
    worst = float(6381956970095103 * 2**797)  # Muller, Elementary Functions (2016)
    return np.append(x, dtype.type(worst) if dtype == F8 else dtype.type(16367173 * 2**72))


SPREAD = {  # scales of the arguments where a function changes
    "exp": (1e-8, 0.5, 10, 90, 720),
    "log": (1e-3, 1, 10, 1e6),
    "tanh": (1e-8, 0.1, 0.5, 3, 20),
    "sigmoid": (1e-3, 2, 20, 90, 745),
    "sin": (1e-8, 1, 10, 1e3, 1e8),
    "cos": (1e-8, 1, 10, 1e3, 1e8),
    "erf": (1e-8, 0.9, 1.3, 3, 6),
}


def arguments(name: str, dtype: np.dtype, rng: np.random.Generator, count: int) -> list:
    """About ``count`` arguments: any bits, and some at every scale that matters."""
    if name == "pow":
        return powers(dtype, rng, count)
    share = count // 8 + 1
    drawn = [random_bits(rng, dtype, share)]
    drawn += [rng.uniform(-scale, scale, share).astype(dtype) for scale in SPREAD[name]]
    if name in ("sin", "cos"):
        drawn.append(near_quarter_turns(rng, dtype, share))
    if name == "log":
        drawn.append(
            (1 + rng.uniform(-1, 1, share) * 2.0 ** rng.uniform(-20, 0, share)).astype(dtype)
        )
        drawn = [abs(x) for x in drawn]
    return [np.concatenate(drawn)]


def powers(dtype: np.dtype, rng: np.random.Generator, count: int) -> list:
    """Bases with exponents that reach every result, from below the subnormals to overflow."""
    share = count // 3 + 1
    x = abs(random_bits(rng, dtype, share))
    near_one = (1 + rng.uniform(-1, 1, share) * 2.0 ** rng.uniform(-12, 0, share)).astype(dtype)
    x = np.concatenate([x, near_one, rng.uniform(0, 4, share).astype(dtype)])
    with np.errstate(all="ignore"):
        largest = 1.05 * np.finfo(dtype).maxexp / np.log2(x.astype(F8))
        y = (rng.uniform(-1, 1, x.size) * np.where(np.isfinite(largest), largest, 1)).astype(dtype)
    y[::4] = rng.integers(-5, 6, y[::4].size)
    return [x, y]


def exactly(name: str, dtype: np.dtype, xs: tuple) -> mpf | None:
    """The value in at least 80 bits; None where NumPy's special cases say what it is."""
    if not all(np.isfinite(x) for x in xs) or (name in ("log", "pow") and xs[0] == 0):
        return None
    with mp.workprec(120):
        return +EXACT[name](*[mpf(float(x)) for x in xs])


def ulps(got: np.floating, exact: mpf) -> float:
    """The distance in units in the last place of the exact value.

    To infinity it is that to the number that would follow the largest one.
    """
    form = np.finfo(got.dtype)
    _, exponent = mp.frexp(exact)
    unit = mpf(2) ** (max(int(exponent) - 1, form.minexp) - form.nmant)
    if abs(exact) >= mpf(2) ** form.maxexp and np.isinf(got):
        return 0.0 if (got > 0) == (exact > 0) else np.inf
    value = mpf(2) ** form.maxexp * int(np.sign(got)) if np.isinf(got) else mpf(float(got))
    return float(abs(value - exact) / unit)


def bound(name: str) -> dict[np.dtype, float]:
    """The errors that the docstring states."""
    text = " ".join(FUNCTIONS[name].__doc__.split())
    stated = re.search(r"at most ([\d.]+) ulp in float32, ([\d.]+) in float64", text)
    return {F4: float(stated[1]), F8: float(stated[2])}


def largest_error(name: str, function: Callable, xs: list) -> tuple[float, tuple]:
    worst = (0.0, ())
    for *x, got in zip(*xs, function(*xs), strict=True):
        exact = exactly(name, got.dtype, x)
        if exact is not None:
            worst = max(worst, (ulps(got, exact), tuple(map(float, x))))
    return worst


# --- tests --------------------------------------------------------------------------------------


@every_case
def test_the_error_is_at_most_what_the_docstring_says(name, dtype):
    xs = arguments(name, dtype, np.random.default_rng(0), 1200)
    for plain in (False, True):
        error, at = largest_error(name, compiled(name, dtype, plain=plain), xs)
        assert error <= bound(name)[dtype] <= 2, at
        assert error > 0.4, "a function that is nowhere half an ulp off was not tested"


@pytest.mark.fuzz
@every_case
def test_the_error_on_drawn_arguments(name, dtype, seeds):
    for seed in seeds:
        xs = arguments(name, dtype, np.random.default_rng((seed, 1)), 8)
        error, at = largest_error(name, compiled(name, dtype, plain=seed % 2 == 1), xs)
        assert error <= bound(name)[dtype], (seed, at)


@pytest.mark.parametrize("plain", [False, True], ids=["host", "plain"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_many_float32_against_float64(name, plain):
    xs = arguments(name, F4, np.random.default_rng(3), 400_000)
    with np.errstate(all="ignore"):
        exact = NUMPY[name](*[x.astype(F8) for x in xs])
        got = compiled(name, F4, plain=plain)(*xs).astype(F8)
        exponent = np.maximum(np.frexp(exact)[1] - 1, np.finfo(F4).minexp)
        error = abs(got - exact) / np.ldexp(1.0, exponent - np.finfo(F4).nmant)
    compared = np.isfinite(got) & np.isfinite(exact)
    assert compared.sum() > 100_000
    worst = np.argmax(np.where(compared, error, 0))
    assert error[worst] <= bound(name)[F4], [x[worst] for x in xs]


@every_case
@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_vectors_have_the_bits_of_scalars(name, dtype, width):
    xs = arguments(name, dtype, np.random.default_rng(1), 480)
    xs = [x[: 48 * (x.size // 48)] for x in xs]
    scalar, vector = compiled(name, dtype)(*xs), compiled(name, dtype, width)(*xs)
    assert np.array_equal(scalar, vector, equal_nan=True)
    assert np.array_equal(np.signbit(scalar), np.signbit(vector)) or np.isnan(scalar).any()


def special_values(dtype: np.dtype) -> np.ndarray:
    form = np.finfo(dtype)
    whole = 2.0**form.nmant
    values = [0, 0.5, 1, 1.5, 2, 3, 4, 1e-3, 20, 1e4, form.smallest_subnormal, form.tiny, form.max]
    values += [whole - 1, whole - 0.5, whole + 1, 2 * whole - 1, 2 * whole, np.inf, np.nan]
    return np.array([*values, *np.negative(values)], dtype)


@every_case
@pytest.mark.parametrize("plain", [False, True], ids=["host", "plain"])
def test_special_values_are_numpys(name, dtype, plain):
    x = special_values(dtype)
    xs = [x] if arity(name) == 1 else [a.ravel() for a in np.meshgrid(x, x)]
    got = compiled(name, dtype, plain=plain)(*xs)
    with np.errstate(all="ignore"):
        expected = NUMPY[name](*xs)
        tiny = abs(expected) < np.finfo(dtype).tiny  # SciPy's sigmoid drops what we keep
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    special = np.isinf(expected) | (expected == 1) | (expected == -1)
    special |= (expected == 0) & (got == 0) if name == "sigmoid" else expected == 0
    assert np.array_equal(got[special], expected[special])
    assert np.array_equal(np.signbit(got[special]), np.signbit(expected[special]))
    rest = ~(special | np.isnan(expected) | tiny)
    np.testing.assert_allclose(got[rest], expected[rest], rtol=5 * np.finfo(dtype).eps)


def test_sigmoid_reaches_the_subnormals():
    x = np.linspace(-745.2, -705, 2000)
    got = compiled("sigmoid", F8)(x)
    assert np.all(got[x > -745.1] > 0)
    assert largest_error("sigmoid", compiled("sigmoid", F8), [x])[0] <= bound("sigmoid")[F8]


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
def test_results_stay_in_their_range(dtype):
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-50, 50, 20_000), 2.0 ** rng.uniform(-30, 100, 20_000)])
    for name in ("sin", "cos", "tanh", "erf"):
        assert np.all(abs(compiled(name, dtype)(x)) <= 1), name
    sigmoid = compiled("sigmoid", dtype)(x)
    assert np.all((sigmoid >= 0) & (sigmoid <= 1))


def assembly(target: str, name: str, dtype: np.dtype) -> str:
    triple, processor, features = TARGETS[target]
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=processor, features=features, opt=3, codemodel="default"
    )
    module = loop(name, dtype, 1)
    module.triple, module.data_layout = triple, str(machine.target_data)
    return machine.emit_assembly(optimised(module, machine))


@every_case
@pytest.mark.parametrize("target", TARGETS)
def test_loops_are_vectorised_and_call_no_library(name, dtype, target):
    text = assembly(target, name, dtype)
    called = set(re.findall(r"^\s+(?:callq|jmp|bl|b)\s+([\w*][\w.%]*)", text, re.MULTILINE))
    assert all(symbol.startswith("wengert.sine.") for symbol in called)
    assert bool(called) == (name in ("sin", "cos"))
    body = text[text.index("loop:") : text.index("Lfunc_end")]
    arithmetic = re.compile(r"\b(v?mulp[sd]|vfn?m\w+p[sd]|fmul|fmla)\b.*" + REGISTER[target])
    assert arithmetic.search(body)


def emit(name: str, builder: ir.IRBuilder, kind: ir.Type) -> None:
    FUNCTIONS[name](builder, *[ir.Constant(kind, 1.0)] * arity(name))


def one_block() -> ir.IRBuilder:
    made = ir.Function(ir.Module("block"), ir.FunctionType(ir.VoidType(), []), "block")
    return ir.IRBuilder(made.append_basic_block())


def test_one_module_may_hold_all():
    builder = one_block()
    for _ in range(2):
        for name in FUNCTIONS:
            for element in (ir.FloatType(), ir.DoubleType()):
                emit(name, builder, element)
                emit(name, builder, ir.VectorType(element, 4))
    builder.ret_void()
    llvm.parse_assembly(str(builder.module)).verify()


def test_other_types_are_refused():
    builder = one_block()
    with pytest.raises(TypeError, match="a polynomial of i32: it takes float or double"):
        FUNCTIONS["exp"](builder, ir.Constant(ir.IntType(32), 1))
    mixed = ir.Constant(ir.FloatType(), 1.0), ir.Constant(ir.DoubleType(), 1.0)
    with pytest.raises(TypeError, match="pow of float, double: cast both to one type"):
        FUNCTIONS["pow"](builder, *mixed)


def test_the_constants_are_those_of_mpmath():
    with mp.workprec(1400):
        for ours, exact in ((PI, mp.pi), (LN2, mp.ln2)):
            error = mpf(ours.numerator) / ours.denominator - exact
            assert 0 < abs(error) < mpf(2) ** -1295
        parts = [mpf(part) for part in split(PI / 2, 32, 32, 32)]
        assert abs(sum(parts) - mp.pi / 2) < mpf(2) ** -145
        assert all(float(part * 2**20) == part * 2**20 and part for part in parts)


def test_the_coefficients_are_those_of_the_script():
    path = Path(__file__).resolve().parents[3] / "docs" / "fit_maths.py"
    spec = importlib.util.spec_from_file_location("fit_maths", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = script.TARGET.read_text(encoding="utf-8")
    assert written == script.page(), "run `python docs/fit_maths.py`"
