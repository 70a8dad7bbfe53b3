"""Control flow as machine code: branches and loops run without Python, and give eager's bits."""

import resource
import signal
import time

import numpy as np
import pytest

import wengert as wg
from wengert.control import derived
from wengert.control.call import call
from wengert.core.execute import executable
from wengert.differentiate.record import program_of
from wengert.static.llvm.blueprint import load
from wengert.static.llvm.builtin import bind
from wengert.static.llvm.calls import CALLS, WHY_NOT
from wengert.static.llvm.native_program import Draft
from wengert.static.llvm.preparing import why_not
from wengert.static.llvm.scalars import NotLowered
from wengert.static.observe import observe
from wengert.static.views import is_view

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 3))
C = RNG.standard_normal(3)


@pytest.fixture(autouse=True)
def derived_programs_as_they_are(monkeypatch):
    """With ``compile`` imported they would be optimised, which is not strict about products."""
    monkeypatch.setattr(derived, "optimise", derived.as_it_is)


class Made:
    """A function as a native program for some arguments; ``fallen`` counts calls that NumPy ran."""

    def __init__(self, function, *values, strict=True):
        self.fallen = 0
        self.program = program_of(function)(*values)
        self.numpy = executable(self.program)
        self.why = [
            reason
            for eqn in self.program.equations
            if not is_view(eqn) and (reason := why_not(eqn, strict))
        ]
        _, known = observe(self.program, values)
        (native,) = load([Draft(self.program, known, strict).blueprint()])
        self.call = bind(native, self.fall)

    def fall(self, *values):
        self.fallen += 1
        results = self.numpy(*values)
        return results[0] if len(results) == 1 else results

    def check(self, *values, native=True):
        before = self.fallen
        assert not self.why
        for _ in range(2):  # the frame is used again
            got, want = self.call(*values), self.numpy(*values)
            got = (got,) if len(want) == 1 else got
            for a, b in zip(got, want, strict=True):
                assert type(a) is type(b)
                assert np.asarray(a).dtype == np.asarray(b).dtype
                assert np.shape(a) == np.shape(b)
                assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), (a, b)
        assert (self.fallen == before) is native
        return self


def check(function, *values, strict=True):
    return Made(function, *values, strict=strict).check(*values)


def halved(c, x):
    return c * 0.5 + x, c * x


# --- scan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_of_any_length_in_both_directions(length, reverse):
    check(lambda c, x: wg.scan(halved, c, x, reverse=reverse), C, X[:length])
    check(lambda c, x: wg.scan(halved, c, x, reverse=reverse), C, X[:, ::-1][:length])
    check(lambda x: wg.scan(halved, 1.0, x, reverse=reverse), X[:length, 0])


@pytest.mark.parametrize("length", [0, 1, 4])
@pytest.mark.parametrize(
    "step",
    [
        lambda a, b, x: (b, a + x),
        lambda a, b, x: (b, a),
        lambda a, b, x: (a, b),
        lambda a, b, x: (x, x),
        lambda a, b, x: (a + b, a + b),
        lambda a, b, x: (b[::-1], a * x),
        lambda a, b, x: (np.zeros(3), b + 1),
        lambda a, b, x: (a + x, b - a),
        lambda a, b, x: (b * x, b),
    ],
)
def test_a_carry_may_go_anywhere(step, length):
    def function(a, b, x):
        return wg.scan(lambda c, x: (step(*c, x), (c[0], x * c[1], c[1])), (a, b), x)

    check(function, C, C + 1, X[:length])


@pytest.mark.parametrize("dtype", ["?", "b", "i", "q", "H", "f", "d"])
def test_carries_and_elements_of_any_dtype(dtype):
    xs = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0]]).astype(dtype)

    def step(c, x):
        return np.maximum(c, x), (c == x, x)

    check(lambda c, x: wg.scan(step, c, x), np.zeros(3, dtype), xs)
    check(lambda c, x: wg.scan(step, c, x), np.zeros(3, dtype)[0], xs[0])


def test_what_a_loop_starts_from_and_reads_may_lie_in_any_order():
    x = RNG.standard_normal((4, 3, 5))
    check(lambda c, x: wg.scan(halved, c, x), np.asfortranarray(x[0]), x)
    check(lambda c, x: wg.scan(halved, c, x), np.broadcast_to(C[:, None], (3, 5)), x[::-1])
    check(lambda c, x: wg.scan(halved, c, x), x[0], np.asfortranarray(x))
    check(lambda c, x: wg.scan(halved, c, np.moveaxis(x, 2, 0)), x[:, :, 0], x)


def test_sums_of_what_is_not_in_order_are_refused_for_their_bits():
    x = RNG.standard_normal((4, 3, 5))

    def step(c, x):
        return c + x, np.sum(c)

    with pytest.raises(NotLowered, match="C order"):
        Made(lambda c, x: wg.scan(step, c, x), np.asfortranarray(x[0]), x)
    check(lambda c, x: wg.scan(step, c, x), x[0].copy(), x)


def test_constants_captured_by_a_body():
    held = RNG.standard_normal(3)
    check(lambda w, c, x: wg.scan(lambda c, x: (c * w + held, c @ held), c, x), C, C, X)


# --- other loops ----------------------------------------------------------------------------------


def test_while_loops():
    check(lambda x: wg.while_loop(lambda c: c > 1, lambda c: c / 2, x), 10.0)
    check(lambda x: wg.while_loop(lambda c: c > 1, lambda c: c / 2, x), 0.5)
    check(lambda x: wg.while_loop(lambda c: np.sum(c) > 1, lambda c: c * 0.75, x), np.abs(X))
    check(
        lambda x: wg.while_loop(lambda c: c[1], lambda c: (c[0] * 2, np.max(c[0]) < 9), (x, True)),
        np.abs(C),
    )


def test_the_number_of_trips_may_depend_on_values():
    made = Made(lambda x: wg.while_loop(lambda c: c[0] > 1, halves, (x, 0)), 10.0)
    for x in (0.5, 1.5, 1000.0, 1e300):
        made.check(x)
    made = Made(lambda n, x: wg.fori_loop(0, n, lambda i, c: c * x + 1, x), np.int64(3), C)
    for n in (-2, 0, 1, 7):
        made.check(np.int64(n), C)


def halves(c):
    return c[0] / 2, c[1] + 1


@pytest.mark.parametrize("dtype", ["b", "B", "h", "H", "i", "I", "q"])
def test_a_number_of_trips_of_any_integer_type(dtype):
    number = np.dtype(dtype).type
    made = Made(lambda n: wg.fori_loop(number(0), n, lambda i, c: c + 1.5, 0.0), number(3))
    made.check(number(0)).check(number(100))


def test_integers_of_python_count():
    check(lambda x: wg.fori_loop(2, 7, lambda i, c: c * x + i, x), C)
    check(lambda x: wg.fori_loop(0, 30, lambda i, c: (c[0] + c[1], c[0]), (x, 1)), 1)


def test_what_machine_integers_can_not_hold_python_computes():
    made = Made(lambda x: wg.fori_loop(0, 40, lambda i, c: c * 3, x), 1)
    made.check(0)
    for x in (1, -(2**62)):
        assert made.call(x) == x * 3**40
    assert made.fallen == 2
    made.check(0)


def test_what_python_raises_in_a_loop_is_raised():
    made = Made(lambda x: wg.fori_loop(0, 4, lambda i, c: 1.0 / (c - 2.0), x), 7.0)
    made.check(7.0)
    for x in (2.0, 2.5):  # in the first trip, in the second
        with pytest.raises(ZeroDivisionError):
            made.call(x)
    made.check(8.0)


# --- branches, calls, nesting ---------------------------------------------------------------------


@pytest.mark.parametrize("pred", [True, False, np.True_, 0, 3, 0.0, -0.0, np.nan, np.float32(2)])
def test_one_of_two_branches(pred):
    def function(p, x):
        return wg.cond(p, lambda x: (x * 2, x.T), lambda x: (x, x + x.T), x)

    if isinstance(pred, bool):
        check(lambda p, x: function(p > 0.5, x), float(pred), X[:3])
    else:
        check(function, pred, X[:3])


def test_a_branch_that_can_not_be_run_is_refused():
    def function(i, x):
        return wg.cond(np.sum(x) > 99, lambda i, x: x[i], lambda i, x: 0 * x[0], i, x)

    with pytest.raises(NotLowered, match="run by itself"):
        Made(function, np.int64(7), X)


def test_a_program_in_a_program():
    inner = program_of(lambda a, b: (a * b, np.sum(a), b))(X, C)
    check(lambda a, b: call(a * 2, b, program=inner)[:2], X, C)
    check(lambda a, b: call(a, b[::-1], program=inner), X, C[::-1])


def test_loops_inside_loops_and_branches():
    def inner(c, y):
        return wg.scan(lambda d, z: (d * 0.5 + z, (d, z + 1)), c, y)

    check(lambda c, x: wg.scan(lambda c, y: (inner(c, y)[0], inner(c, y)[1]), 0.0, x), C, X)
    check(lambda c, x: wg.fori_loop(0, 3, lambda i, c: inner(c, x)[0], c), C, X)
    check(lambda c, x: wg.fori_loop(0, 3, lambda i, c: wg.scan(halved, c, x)[0] + i, c), C, X)

    def branch(c, x):
        return wg.cond(np.sum(c) > 0, lambda c: wg.scan(halved, c, x)[0], lambda c: c * 2, c)

    check(lambda c, x: wg.fori_loop(0, 6, lambda i, c: branch(c - 0.5, x), c), C, X)
    check(
        lambda c: wg.while_loop(
            lambda c: np.sum(c) < 100,
            lambda c: wg.while_loop(lambda d: np.sum(d) < 10, lambda d: d * 1.5, c) * 1.25,
            c,
        ),
        np.abs(C),
    )


# --- derivatives and examples ---------------------------------------------------------------------


def cell(w, h, xs):
    def step(h, x):
        h = h @ w + x
        h = h / (1 + np.abs(h))
        return h, h * 2

    h, ys = wg.scan(step, h, xs)
    return np.sum(h * h) + np.sum(ys)


LOSSES = {
    "matrices": (cell, (RNG.standard_normal((3, 3)) / 2, X, RNG.standard_normal((4, 5, 3)))),
    "products": (lambda x: wg.scan(lambda c, z: (c * z + z, c), x[0], x)[0], (C,)),
    "while": (
        lambda x: np.sum(wg.while_loop(lambda c: np.sum(c) > 1, lambda c: c * c * 0.4, x)),
        (np.abs(C) + 0.5,),
    ),
    "fori": (lambda x: np.sum(wg.fori_loop(0, 4, lambda i, c: c * x + i, x)), (C,)),
    "branch": (
        lambda x: np.sum(
            wg.fori_loop(
                0, 5, lambda i, c: wg.cond(c[0] > 0, lambda c: c * x, lambda c: c - x * c, c), x
            )
        ),
        (C,),
    ),
    "nested": (
        lambda x: np.sum(
            wg.fori_loop(0, 3, lambda i, c: wg.scan(lambda d, z: (d * z, d), c, X * x)[0], x)
        ),
        (C,),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("strict", [True, False])
def test_gradients(name, strict):
    function, values = LOSSES[name]
    check(wg.grad(function, argnums=tuple(range(len(values)))), *values, strict=strict)


@pytest.mark.parametrize("name", ["products", "while", "fori"])
def test_second_derivatives(name):
    function, values = LOSSES[name]
    check(lambda x: wg.hvp(function, (x,), (x * 0.5,)), *values)


def test_examples():
    x = np.abs(X)
    check(wg.vmap(lambda y: wg.scan(lambda c, z: (c * 0.5 + z, c > z), 0.0, y)), x)
    check(wg.vmap(lambda y: wg.while_loop(lambda c: np.sum(c) > 1, lambda c: c * 0.75, y)), x)
    check(wg.vmap(wg.grad(lambda y: wg.scan(lambda c, z: (c * z, c), y[0], y)[0])), x)
    counts = np.array([0, 3, 1])
    made = Made(wg.vmap(lambda n, y: wg.fori_loop(0, n, lambda i, c: c * y, y)), counts, C)
    made.check(counts, C).check(np.array([-1, 0, 9]), C)


# --- generated loops ------------------------------------------------------------------------------

OPERATIONS = [
    lambda a, b: a + b,
    lambda a, b: a * 0.5 - b,
    lambda a, b: np.maximum(a, b),
    lambda a, b: np.where(a > b, a, 0.25),
    lambda a, b: a.T,
    lambda a, b: a[::-1] * 0.5,
    lambda a, b: np.sum(a) * 0.1 + b,
    lambda a, b: np.abs(a),
]
TRANSPOSED = 4


@pytest.mark.parametrize("seed", range(25))
def test_generated_bodies(seed):
    rng = np.random.default_rng(seed)
    width, ways = int(rng.integers(1, 4)), rng.integers(0, len(OPERATIONS), 8)
    picks, outs = rng.integers(0, 100, (8, 2)), rng.integers(0, 100, 6)

    def step(carry, x):
        values = [*carry, x]
        for way, (i, j) in zip(ways[:count], picks, strict=False):
            values.append(OPERATIONS[way](values[i % len(values)], values[j % len(values)]))
        chosen = [values[k % len(values)] for k in outs]
        return tuple(chosen[:width]), tuple(chosen[3:])

    count = int(rng.integers(1, 9))
    carry = tuple(RNG.standard_normal((3, 3)) for _ in range(width))
    xs = RNG.standard_normal((int(rng.integers(0, 5)), 3, 3))
    reverse = bool(rng.integers(2))
    if TRANSPOSED not in ways[:count]:  # else the order in which sums are taken is not NumPy's
        check(lambda xs, *c: wg.scan(step, c, xs, reverse=reverse), xs, *carry)

    def loss(xs, *c):
        last, ys = wg.scan(step, c, xs, reverse=reverse)
        return sum(np.sum(one) for one in (*last, *ys))

    exact = Made(wg.grad(loss, argnums=tuple(range(width + 1))), xs, *carry, strict=False)
    got, want = exact.call(xs, *carry), exact.numpy(xs, *carry)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


# --- reasons, memory, signals ---------------------------------------------------------------------


def test_why_a_loop_is_no_machine_code(monkeypatch):
    program = program_of(lambda x: wg.fori_loop(0, 2, lambda i, c: np.cumsum(c), x))(C)
    (loop,) = program.equations
    monkeypatch.setitem(WHY_NOT, "cumsum", lambda eqn, strict: "it is Sunday")
    monkeypatch.setitem(CALLS, "cumsum", None)
    assert why_not(loop, strict=False) == "cumsum inside: it is Sunday"


def test_memory_for_unknown_numbers_of_trips_is_given_back():
    big = np.ones(1 << 14)

    def loss(n, x):
        return np.sum(wg.fori_loop(0, n, lambda i, c: c * c * x, x))

    made = Made(lambda n, x: wg.grad(loss, argnums=1)(n, x), np.int64(8), big)
    made.check(np.int64(8), big)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(300):  # of 2 MB each
        made.call(np.int64(16), big)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_an_endless_loop_can_be_interrupted():
    class Enough(Exception):
        pass

    def stop(number, frame):
        raise Enough

    made = Made(lambda x: wg.while_loop(lambda c: c > 0, lambda c: c * 1.0, x), -1.0)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        start = time.perf_counter()
        with pytest.raises(Enough):
            made.call(1.0)
        assert time.perf_counter() - start < 5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    made.check(-2.0)


# --- small vectors, one piece of machine code -----------------------------------------------------


def codes(made_of):
    """The steps of a program by name, those inside others too."""
    for step in made_of:
        yield step.code if step.runtime else "nest"
        for inner in step.inner:
            yield from codes(inner)


def draft_of(function, *values, strict=True):
    program = program_of(function)(*values)
    return Draft(program, observe(program, values)[1], strict)


@pytest.mark.parametrize(
    "step",
    [
        lambda c, r: np.stack([c[1] * r[0], c[0] - r[1]]),
        lambda c, r: c + np.stack([c[1] * r[0], np.sum(c) * 0.1]),
        lambda c, r: np.stack([c[1], np.max(c * r[:2])]),
        lambda c, r: c[::-1] * np.stack([r[1], c[0]]),
        lambda c, r: np.concatenate([c[1:] * r[0], np.reshape(c[0] + c[1], (1,))]),
        lambda c, r: np.stack([c @ c, c[0] * 0.5]) * 0.5,
    ],
)
def test_small_vectors(step):
    def function(c, r):
        return wg.scan(lambda c, _: (step(c, r), c * r[2]), c, length=5)

    c, r = RNG.standard_normal(2), RNG.standard_normal(3)
    check(function, c, r)
    gradient = wg.grad(lambda c, r: np.sum(function(c, r)[0]), argnums=(0, 1))
    made = Made(gradient, c, r, strict=False)
    for got, want in zip(made.call(c, r), made.numpy(c, r), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
    assert not made.fallen


def test_writes_into_elements():
    def step(c, x):
        c[0] += x[1]
        c[1] = c[0] * x[0]
        return c * 0.5, c[1]

    check(lambda c, x: wg.scan(step, c, x), C, X)
    check(lambda c, x: step(c * 1, x)[0], C, X[0])


def test_a_loop_over_numbers_is_one_piece_of_machine_code():
    def orbit(r):
        def step(c, _):
            return (c[0] + 0.1 * c[1] * r[0], c[1] - 0.1 * c[0] * r[1]), None

        (a, b), _ = wg.scan(step, (1.0, 0.5), length=50)
        return a * b

    for function in (orbit, wg.grad(orbit)):
        assert "repeat" not in codes(draft_of(function, C).steps)
        check(function, C)
