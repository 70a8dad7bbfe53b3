"""Optimisers against their formulas written out, in place and safe; settings, states, errors."""

import numpy as np
import pytest

import wengert as wg
from wengert import nn, optim
from wengert.core.errors import DataError, DtypeError, ShapeError, UnsupportedError

RNG = np.random.default_rng(0)
START = [RNG.standard_normal((3, 2)), RNG.standard_normal(4), np.array(1.5)]
GRADIENTS = [[RNG.standard_normal(p.shape) for p in START] for _ in range(7)]


def leaves(dtype=np.float64):
    return [wg.array(p, dtype=dtype, requires_grad=True) for p in START]


def run(optimizer, steps=GRADIENTS):
    for gradients in steps:
        for p, g in zip(optimizer.parameters, gradients, strict=True):
            p.grad = np.asarray(g, p.dtype)
        optimizer.step()
    return [p.numpy() for p in optimizer.parameters]


def by_hand_sgd(lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    values, buffers = [p.copy() for p in START], [np.zeros_like(p) for p in START]
    for gradients in GRADIENTS:
        for k, g in enumerate(gradients):
            g = g + weight_decay * values[k]
            buffers[k] = momentum * buffers[k] + g
            step = g + momentum * buffers[k] if nesterov else buffers[k]
            values[k] = values[k] - lr * step
    return values


def by_hand_adam(lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    values = [p.copy() for p in START]
    m, v = [np.zeros_like(p) for p in START], [np.zeros_like(p) for p in START]
    for t, gradients in enumerate(GRADIENTS, 1):
        for k, g in enumerate(gradients):
            g = g + weight_decay * values[k]
            m[k] = betas[0] * m[k] + (1 - betas[0]) * g
            v[k] = betas[1] * v[k] + (1 - betas[1]) * g * g
            mean, square = m[k] / (1 - betas[0] ** t), v[k] / (1 - betas[1] ** t)
            values[k] = values[k] - lr * mean / (np.sqrt(square) + eps)
    return values


SETTINGS = {
    "sgd": (optim.SGD, by_hand_sgd, {"lr": 0.1}),
    "decay": (optim.SGD, by_hand_sgd, {"lr": 0.1, "weight_decay": 0.3}),
    "momentum": (optim.SGD, by_hand_sgd, {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (optim.SGD, by_hand_sgd, {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "all of sgd": (
        optim.SGD,
        by_hand_sgd,
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.3},
    ),
    "adam": (optim.Adam, by_hand_adam, {"lr": 0.01}),
    "all of adam": (
        optim.Adam,
        by_hand_adam,
        {"lr": 0.01, "betas": (0.5, 0.75), "eps": 0.1, "weight_decay": 0.3},
    ),
}
every = pytest.mark.parametrize("name", SETTINGS)


@every
def test_formula(name):
    kind, by_hand, settings = SETTINGS[name]
    for got, expected in zip(run(kind(leaves(), **settings)), by_hand(**settings), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)


@every
def test_float32_stays_float32(name):
    kind, by_hand, settings = SETTINGS[name]
    for got, expected in zip(
        run(kind(leaves(np.float32), **settings)), by_hand(**settings), strict=True
    ):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


@every
def test_state_goes_on_bit_for_bit(name):
    kind, _, settings = SETTINGS[name]
    whole = run(kind(leaves(), **settings))
    first = kind(leaves(), **settings)
    values = run(first, GRADIENTS[:3])
    state = first.state_dict()
    run(first, GRADIENTS[3:4])  # the state is a copy
    second = kind([wg.array(value, requires_grad=True) for value in values], lr=9.0)
    second.load_state_dict(state)
    for got, expected in zip(run(second, GRADIENTS[3:]), whole, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_complex_parameters_descend():
    for kind in (optim.SGD, optim.Adam):
        z = wg.array(np.array([1 + 2j, -3j]), requires_grad=True)
        optimizer = kind([z], lr=0.1)
        for _ in range(200):
            optimizer.zero_grad()
            np.sum(np.abs(z - (2 - 1j)) ** 2).backward()
            optimizer.step()
        np.testing.assert_allclose(z.numpy(), [2 - 1j, 2 - 1j], atol=1e-2)


def test_the_learning_rate_may_change():
    optimizer = optim.SGD(leaves(), lr=0.1)
    run(optimizer, GRADIENTS[:1])
    optimizer.lr = 0.5
    got = run(optimizer, GRADIENTS[1:2])
    for value, p, g, h in zip(got, START, *GRADIENTS[:2], strict=True):
        np.testing.assert_allclose(value, p - 0.1 * g - 0.5 * h, rtol=1e-14)
    with pytest.raises(DataError, match="lr"):
        optimizer.lr = -1.0


def test_steps_are_counted_in_an_array_and_saved_as_a_list():
    optimizer = optim.SGD(leaves(), lr=0.1)
    run(optimizer, GRADIENTS[:2])
    assert optimizer.steps.dtype == np.int64
    assert optimizer.state_dict()["steps"] == [2, 2, 2]
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.parameters[1].grad = None
    optimizer.step()
    assert optimizer.steps.dtype == np.int64
    assert optimizer.state_dict()["steps"] == [3, 2, 3]


# --- compiled: everything it works on is a handle while it is recorded ----------------------------


@every
@pytest.mark.parametrize("before", [0, 1], ids=["from the start", "going on"])
@pytest.mark.parametrize("rates", [(0.1,), (0.1, 0.05, 0.2)], ids=["one rate", "rates"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_compiled_steps_are_the_same_bit_for_bit(name, before, rates, dtype):
    kind, _, settings = SETTINGS[name]
    eager, static = (kind(leaves(dtype), **settings) for _ in range(2))
    for optimizer in (eager, static):
        run(optimizer, GRADIENTS[:before])

    def make_step(optimizer):
        def step(gradients):
            for p, g in zip(optimizer.parameters, gradients, strict=True):
                p.grad = g
            optimizer.step()

        return step

    steps = make_step(eager), wg.compile(make_step(static), strict=True)
    for k in range(9):
        gradients = [np.asarray(g, dtype) for g in GRADIENTS[k % 3]]
        for optimizer, step in zip((eager, static), steps, strict=True):
            optimizer.lr = settings["lr"] * rates[k // 3 % len(rates)]
            step(gradients)
        for p, q in zip(eager.parameters, static.parameters, strict=True):
            assert (p.dtype, p.numpy().tobytes()) == (q.dtype, q.numpy().tobytes()), k
    assert static.steps.tolist() == [before + 9] * 3
    assert steps[1].counts["replayed"] >= 3, steps[1]


# --- in place, and safe --------------------------------------------------------------------------


def test_the_buffer_is_overwritten_where_nothing_else_has_it():
    (w,) = parameters = [wg.array(np.ones(1000), requires_grad=True)]
    optimizer = optim.SGD(parameters, lr=0.5)
    address = w._value.ctypes.data
    np.sum(w * w).backward()
    optimizer.step()
    assert w._value.ctypes.data == address
    np.testing.assert_array_equal(w.numpy(), 0.0)


def test_a_graph_that_saved_the_old_value_keeps_it():
    w = wg.array([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)
    kept = np.sum(w**3)  # its gradient reads w
    np.sum(w).backward()
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [0.5, 1.5])
    w.grad = None
    kept.backward()
    np.testing.assert_array_equal(w.grad.numpy(), [3.0, 12.0])


def test_views_and_copies():
    w = wg.array([1.0, 2.0], requires_grad=True)
    view, copied, read = w[:1], w.copy(), w.numpy()
    optimizer = optim.SGD([w], lr=1.0)
    np.sum(w).backward()
    optimizer.step()
    assert view.item() == 0.0
    np.testing.assert_array_equal(copied.numpy(), [1.0, 2.0])
    np.testing.assert_array_equal(read, [1.0, 2.0])


def test_the_users_array_is_not_touched():
    mine = np.array([1.0, 2.0])
    w = wg.array(mine, requires_grad=True)
    gradient = np.ones(2)
    w.grad = gradient
    optim.SGD([w], lr=1.0, momentum=0.9).step()
    np.testing.assert_array_equal(mine, [1.0, 2.0])
    np.testing.assert_array_equal(gradient, 1.0)
    np.testing.assert_array_equal(w.grad.numpy(), 1.0)


def test_parameters_without_a_gradient_stay():
    a, b = (wg.array(1.0, requires_grad=True) for _ in range(2))
    optimizer = optim.Adam([a, b], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (a * a).backward()
        optimizer.step()
    assert b.item() == 1.0
    b.grad = 1.0
    optimizer.step()  # its own first step, of length lr
    np.testing.assert_allclose(b.item(), 0.9, rtol=1e-6)


def test_zero_grad_and_shared_parameters():
    w = wg.array(1.0, requires_grad=True)
    optimizer = optim.SGD([w, w], lr=0.1)
    (3.0 * w).backward()
    optimizer.step()
    np.testing.assert_allclose(w.item(), 0.7)
    optimizer.zero_grad()
    assert w.grad is None


def test_memory_is_flat():
    import tracemalloc

    model = nn.mlp((4, 8, 2), "tanh", rng=np.random.default_rng(0))
    optimizer = optim.Adam(model.parameters())
    x, labels = np.ones((8, 4), np.float32), np.arange(8) % 2

    def steps(count):
        for _ in range(count):
            optimizer.zero_grad()
            nn.cross_entropy(model(x), labels).backward()
            optimizer.step()

    steps(20)
    tracemalloc.start()
    steps(20)
    before, _ = tracemalloc.get_traced_memory()
    steps(500)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000


# --- errors --------------------------------------------------------------------------------------

W = wg.array([1.0], requires_grad=True)
REFUSED = {
    "no parameters": (DataError, "no parameters", lambda: optim.SGD([], lr=0.1)),
    "one array": (DtypeError, "list", lambda: optim.SGD(W, lr=0.1)),
    "the model": (DtypeError, r"model.parameters\(\)", lambda: optim.SGD(nn.Linear(2, 2), lr=0.1)),
    "plain array": (DtypeError, "requires_grad", lambda: optim.SGD([np.ones(2)], lr=0.1)),
    "computed": (UnsupportedError, "leaf", lambda: optim.SGD([W * 2], lr=0.1)),
    "constant": (UnsupportedError, "leaf", lambda: optim.SGD([wg.array([1.0])], lr=0.1)),
    "lr": (DataError, "lr", lambda: optim.SGD([W], lr=-0.1)),
    "lr is NaN": (DataError, "lr", lambda: optim.SGD([W], lr=float("nan"))),
    "lr is text": (DataError, "number", lambda: optim.SGD([W], lr="fast")),
    "momentum": (DataError, "momentum", lambda: optim.SGD([W], lr=0.1, momentum=1.0)),
    "nesterov": (DataError, "momentum", lambda: optim.SGD([W], lr=0.1, nesterov=True)),
    "betas": (DataError, "betas", lambda: optim.Adam([W], betas=(0.9, 1.0))),
    "one beta": (DataError, "two numbers", lambda: optim.Adam([W], betas=0.9)),
    "eps": (DataError, "eps", lambda: optim.Adam([W], eps=0.0)),
    "no backward": (
        UnsupportedError,
        "backward",
        lambda: optim.SGD([wg.array(1.0, requires_grad=True)], lr=0.1).step(),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    error, word, call = REFUSED[name]
    with pytest.raises(error, match=word):
        call()


def test_states_that_do_not_fit_change_nothing():
    optimizer = optim.Adam(leaves(), lr=0.1)
    run(optimizer, GRADIENTS[:2])
    state = optimizer.state_dict()
    bad = {
        "that of 'SGD'": ({**state, "kind": "SGD"}, DataError),
        "eps are missing": ({k: v for k, v in state.items() if k != "eps"}, DataError),
        "unknown m.9": ({**state, "m.9": np.ones(2)}, DataError),
        "m.1 has shape": ({**state, "m.1": np.ones(2)}, ShapeError),
        "only": ({k: v for k, v in state.items() if k != "v.1"}, DataError),
        "of 1 parameters": ({**state, "steps": [1]}, DataError),
    }
    for words, (wrong, error) in bad.items():
        with pytest.raises(error, match=words):
            optimizer.load_state_dict(wrong)
    np.testing.assert_equal(optimizer.state_dict(), state)


def test_repr():
    assert repr(optim.SGD([W], lr=0.1)) == (
        "SGD(1 parameters, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0)"
    )
