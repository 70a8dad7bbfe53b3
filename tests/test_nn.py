"""Modules and functions of ``nn``: what they compute, own, save; as trees; what they refuse."""

import copy
import pickle

import mpmath
import numpy as np
import pytest

import wengert as wg
from semantics.oracle import gradient
from wengert import nn
from wengert.core.errors import BoundsError, DataError, DtypeError, ShapeError, UnsupportedError

CLOSE = {"rtol": 1e-7, "atol": 1e-9}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def network(dtype=np.float64):
    return nn.mlp((3, 5, 4), "tanh", rng=np.random.default_rng(1), dtype=dtype)


# --- functions: values and gradients -------------------------------------------------------------

X, W, B, LABELS = draw(4, 3), draw(2, 3, seed=1), draw(2, seed=2), np.array([2, 0, 1, 1])
FUNCTIONS = {
    "linear": (nn.linear, (X, W, B), lambda x, w, b: x @ w.T + b),
    "linear without bias": (nn.linear, (X, W), lambda x, w: x @ w.T),
    "linear of a vector": (nn.linear, (X[0], W, B), lambda x, w, b: w @ x + b),
    "linear of a stack": (
        nn.linear,
        (draw(2, 4, 3), W, B),
        lambda x, w, b: np.einsum("nij,oj->nio", x, w) + b,
    ),
    "sigmoid": (nn.sigmoid, (X,), lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (nn.tanh, (X,), np.tanh),
    "relu": (nn.relu, (X,), lambda x: np.where(x > 0, x, 0.0)),
    "softmax": (nn.softmax, (X,), lambda x: np.exp(x) / np.sum(np.exp(x), -1, keepdims=True)),
    "softmax along the first axis": (
        lambda x: nn.softmax(x, axis=0),
        (X,),
        lambda x: np.exp(x) / np.sum(np.exp(x), 0, keepdims=True),
    ),
    "log_softmax": (
        nn.log_softmax,
        (X,),
        lambda x: x - np.log(np.sum(np.exp(x), -1, keepdims=True)),
    ),
    "cross_entropy": (
        lambda z: nn.cross_entropy(z, LABELS),
        (X,),
        lambda z: np.mean(np.log(np.sum(np.exp(z), -1)) - z[np.arange(4), LABELS]),
    ),
    "cross_entropy of one row": (
        lambda z: nn.cross_entropy(z, 1),
        (X[0],),
        lambda z: np.log(np.sum(np.exp(z))) - z[1],
    ),
    "mse_loss": (nn.mse_loss, (X, draw(4, 3, seed=5)), lambda a, b: np.mean((a - b) ** 2)),
    "binary_cross_entropy_with_logits": (
        nn.binary_cross_entropy_with_logits,
        (X, np.random.default_rng(0).random((4, 3))),
        lambda z, t: np.mean(np.log(1 + np.exp(z)) - t * z),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value(name):
    function, args, oracle = FUNCTIONS[name]
    np.testing.assert_allclose(function(*args), oracle(*args), rtol=1e-12)
    assert not isinstance(function(*args), wg.Array)
    single = function(*[x.astype(np.float32) for x in args])
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, oracle(*args), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name):
    function, args, oracle = FUNCTIONS[name]
    weights = draw(*np.shape(oracle(*args)), seed=9)
    for i in range(len(args)):

        def at(f, x, i=i):
            return np.sum(weights * f(*args[:i], x, *args[i + 1 :]))

        expected = gradient(lambda x: at(oracle, x), args[i])
        np.testing.assert_allclose(wg.grad(lambda x: at(function, x))(args[i]), expected, **CLOSE)
        dx = draw(*args[i].shape, seed=3)
        _, dy = wg.jvp(lambda x: at(function, x), (args[i],), (dx,))
        np.testing.assert_allclose(dy, np.sum(expected * dx), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_dynamic_second_order(name):
    """``backward`` through ``backward``: the gradient of |∇f|² against differences of it."""
    function, args, oracle = FUNCTIONS[name]
    x0, rest = args[0], args[1:]
    weights = draw(*np.shape(oracle(*args)), seed=9)

    def squared(x):
        g = gradient(lambda x: np.sum(weights * oracle(x, *rest)), x)
        return np.sum(g * g)

    x = wg.array(x0, requires_grad=True)
    np.sum(weights * function(x, *rest)).backward(create_graph=True)
    g, x.grad = x.grad, None
    if g.requires_grad:  # a linear function has a constant gradient
        np.sum(g * g).backward()
        np.testing.assert_allclose(x.grad.numpy(), gradient(squared, x0), rtol=2e-4, atol=1e-6)
    else:
        np.testing.assert_allclose(gradient(squared, x0), 0, atol=1e-6)


def test_per_example_gradients():
    model, x, labels = network(), draw(6, 3), np.arange(6) % 4

    def loss(model, x, label):
        return nn.cross_entropy(model(x), label)

    plain = wg.tree.map(lambda p: p.numpy(), model)
    together = wg.vmap(wg.grad(loss), in_axes=(None, 0, 0))(plain, x, labels)
    for n in range(6):
        alone = wg.grad(loss)(plain, x[n], labels[n])
        np.testing.assert_allclose(together[0].weight[n], alone[0].weight, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(together[2].bias[n], alone[2].bias, rtol=1e-10, atol=1e-14)


@pytest.mark.filterwarnings("error")
def test_large_arguments():
    z = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    np.testing.assert_array_equal(nn.sigmoid(z), [0, 0, 0.5, 1, 1])
    np.testing.assert_array_equal(nn.sigmoid(z.astype(np.float32)), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(nn.sigmoid(-40.0), np.exp(-40.0), rtol=1e-15)
    np.testing.assert_array_equal(nn.softmax(np.array([[1e4, 0.0]])), [[1, 0]])
    np.testing.assert_array_equal(nn.log_softmax(np.array([[1e4, 0.0]])), [[0, -1e4]])
    assert nn.cross_entropy(np.array([[1e4, 0.0]]), np.array([1])) == 1e4
    assert nn.binary_cross_entropy_with_logits(np.array([-1e4]), np.array([1.0])) == 1e4
    np.testing.assert_array_equal(nn.sigmoid(np.array([0, 200], np.uint8)), [0.5, 1.0])


def test_sigmoid_to_two_ulp():
    x = np.linspace(-60, 60, 241)
    for dtype in (np.float64, np.float32):
        with mpmath.workdps(40):
            exact = [1 / (1 + mpmath.exp(-mpmath.mpf(float(v)))) for v in x.astype(dtype)]
        got = nn.sigmoid(x.astype(dtype))
        errors = [
            abs(mpmath.mpf(float(g)) - e) / mpmath.mpf(float(np.spacing(dtype(float(e)))))
            for g, e in zip(got, exact, strict=True)
        ]
        assert max(errors) <= 2


# --- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "linear: features": (ShapeError, "features", lambda: nn.linear(draw(4, 5), W, B)),
    "linear: bias": (ShapeError, "bias", lambda: nn.linear(X, W, draw(3))),
    "linear: number": (ShapeError, "expected x", lambda: nn.linear(1.0, W, B)),
    "linear: integers": (DtypeError, "astype", lambda: nn.linear(np.ones((4, 3), int), W, B)),
    "softmax: axis": (ShapeError, "no axis 2", lambda: nn.softmax(X, axis=2)),
    "softmax: axis is None": (ShapeError, "no axis None", lambda: nn.softmax(X, axis=None)),
    "labels too large": (
        BoundsError,
        "label 3 in row 1",
        lambda: nn.cross_entropy(X, [0, 3, 1, 1]),
    ),
    "labels negative": (
        BoundsError,
        "label -1",
        lambda: nn.cross_entropy(X, np.array([0, -1, 1, 1])),
    ),
    "labels as floats": (DtypeError, "integers", lambda: nn.cross_entropy(X, LABELS * 1.0)),
    "labels one-hot": (ShapeError, "one integer", lambda: nn.cross_entropy(X, np.eye(4, 3))),
    "labels of other rows": (ShapeError, "labels", lambda: nn.cross_entropy(X, LABELS[:3])),
    "no rows": (ShapeError, "no row", lambda: nn.cross_entropy(X[:0], LABELS[:0])),
    "mse: column and row": (ShapeError, "same", lambda: nn.mse_loss(X[:, :1], X[:, 0])),
    "bce: shapes": (
        ShapeError,
        "same shape",
        lambda: nn.binary_cross_entropy_with_logits(X, X[0]),
    ),
    "Linear: sizes": (DataError, "in_features", lambda: nn.Linear(0, 2)),
    "Linear: seed for rng": (DtypeError, "default_rng", lambda: nn.Linear(2, 2, rng=0)),
    "Linear: dtype": (DtypeError, "floating", lambda: nn.Linear(2, 2, dtype=int)),
    "Linear: init": (DataError, "glorot", lambda: nn.Linear(2, 2, init="best")),
    "mlp: activation": (DataError, "relu", lambda: nn.mlp((2, 2), "swish")),
    "mlp: sizes": (DataError, "inputs and outputs", lambda: nn.mlp((2,))),
    "Sequential: class": (DtypeError, "class ReLU", lambda: nn.Sequential(nn.ReLU)),
    "Sequential: list": (DtypeError, "Sequential", lambda: nn.Sequential([nn.ReLU()])),
    "Flatten": (ShapeError, "batch", lambda: nn.Flatten()(draw(3))),
    "no forward": (UnsupportedError, "forward", lambda: nn.Module()(1.0)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    error, word, call = REFUSED[name]
    with pytest.raises(error, match=word):
        call()


@pytest.mark.parametrize("labels", [np.array([0, 3, 1, 1]), np.array([0, -1, 1, 1])])
def test_labels_are_checked_while_a_graph_is_built(labels):
    with pytest.raises(BoundsError, match="expected 0 to 2"):
        nn.cross_entropy(wg.array(X, requires_grad=True), labels)


# --- modules -------------------------------------------------------------------------------------


class Shared(nn.Module):
    """Parameters in lists, dicts and submodules, one of them twice; a buffer; private things."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.first = nn.Linear(2, 2, rng=rng)
        self.scales = [wg.array(2.0, requires_grad=True), {"b": wg.array(3.0, requires_grad=True)}]
        self.mean = np.zeros(2)
        self.again = self.first
        self._cache = np.ones(5)
        self.name = "shared"

    def forward(self, x):
        y = self.first(x) * self.scales[0] + self.scales[1]["b"]
        return self.again(y) + self.mean


NAMES = ["scales.0", "scales.1.b", "first.weight", "first.bias"]


def test_names_and_parameters():
    model = Shared()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [id(p) for p in model.parameters()] == [id(p) for _, p in model.named_parameters()]
    assert [name for name, _ in model.named_modules()] == ["", "first"]
    assert set(model.state_dict()) == {*NAMES, "mean", "again.weight", "again.bias"}


def test_forward_and_repr():
    model = nn.Sequential(nn.Flatten(), nn.mlp((4, 3, 2)), nn.Softmax())
    y = model(draw(5, 2, 2).astype(np.float32))
    np.testing.assert_allclose(np.sum(y, axis=-1).numpy(), 1, rtol=1e-6)
    assert repr(model) == (
        "Sequential(\n  (0): Flatten()\n  (1): Sequential(\n"
        "    (0): Linear(in_features=4, out_features=3, bias=True)\n    (1): ReLU()\n"
        "    (2): Linear(in_features=3, out_features=2, bias=True)\n  )\n  (2): Softmax(axis=-1)\n"
        ")  # 23 parameters"
    )
    assert repr(nn.Linear(2, 3, bias=False)) == "Linear(in_features=2, out_features=3, bias=False)"
    assert len(model) == 3
    assert [type(layer) for layer in model] == [nn.Flatten, nn.Sequential, nn.Softmax]


def test_train_and_eval():
    model = nn.Sequential(nn.mlp((2, 2)), nn.ReLU())
    assert model.training
    assert model.eval() is model
    assert not any(module.training for _, module in model.named_modules())
    model.train()
    assert all(module.training for _, module in model.named_modules())


def test_weights_have_the_variance_that_they_should():
    rng = np.random.default_rng(0)
    glorot = nn.Linear(300, 500, rng=rng).weight.numpy()
    he = nn.Linear(300, 500, rng=rng, init="he").weight.numpy()
    assert glorot.dtype == he.dtype == np.float32
    np.testing.assert_allclose(glorot.var(), 2 / 800, rtol=0.02)
    np.testing.assert_allclose(he.var(), 2 / 300, rtol=0.02)
    assert np.abs(glorot).max() <= np.sqrt(6 / 800)
    assert not nn.Linear(3, 2, rng=rng).bias.numpy().any()


def test_same_generator_same_weights():
    for a, b in zip(network().parameters(), network().parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_state_dict():
    model, other = Shared(), Shared()
    with wg.no_grad():
        model.first.weight[...] = 7.0
    model.mean[:] = 5.0
    state = model.state_dict()
    weight = other.first.weight
    other.load_state_dict(state)
    assert other.first.weight is weight
    np.testing.assert_array_equal(weight.numpy(), 7.0)
    np.testing.assert_array_equal(other.mean, 5.0)
    state["first.weight"][...] = 0.0
    np.testing.assert_array_equal(model.first.weight.numpy(), 7.0)


def test_wrong_states_change_nothing():
    model = nn.Linear(2, 3)
    good, before = model.state_dict(), model.weight.numpy()
    bad = {
        "missing 'bias'": ({"weight": good["weight"]}, DataError),
        "unknown 'more'": ({**good, "more": 1.0}, DataError),
        "'weight' has shape": ({**good, "weight": np.ones((3, 3))}, ShapeError),
        "can't become float32": ({**good, "bias": np.array(["a", "b", "c"])}, DtypeError),
        "expected a dict": ([1, 2], DataError),
    }
    for words, (state, error) in bad.items():
        with pytest.raises(error, match=words):
            model.load_state_dict(state)
    np.testing.assert_array_equal(model.weight.numpy(), before)


def test_copies_and_pickles():
    model, x = Shared(), draw(4, 2).astype(np.float32)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other(x).numpy(), model(x).numpy())
        assert other.first is other.again
        assert [name for name, _ in other.named_parameters()] == NAMES
        assert not {id(p) for p in other.parameters()} & {id(p) for p in model.parameters()}
        np.sum(other(x)).backward()
        assert model.first.weight.grad is None


def test_zero_grad():
    model = network()
    np.sum(model(draw(2, 3))).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


# --- a module as a tree --------------------------------------------------------------------------


def test_gradients_in_the_structure_of_the_model():
    model, x, labels = network(), draw(6, 3), np.arange(6) % 4

    def loss(model):
        return nn.cross_entropy(model(x), labels)

    with wg.no_grad():
        gradients = wg.grad(loss)(model)
    assert isinstance(gradients, nn.Sequential)
    loss(model).backward()
    for (name, g), p in zip(gradients.named_parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(g.numpy(), p.grad.numpy(), rtol=1e-12, err_msg=name)
    assert [name for name, _ in gradients.named_parameters()] == list(model.state_dict())


def test_functional_training():
    """The model as a value: plain arrays in it, a new one from each step."""
    model = wg.tree.map(lambda p: p.numpy(), network())
    x, labels = draw(30, 3), np.arange(30) % 4
    losses = []
    for _ in range(50):
        value, g = wg.value_and_grad(lambda m: nn.cross_entropy(m(x), labels))(model)
        model = wg.tree.map(lambda p, dp: p - 0.5 * dp, model, g)
        losses.append(value)
    assert losses[-1] < 0.8 * losses[0]
    assert isinstance(model[0].weight, np.ndarray)
    assert [name for name, _ in model.named_parameters()] == list(model.state_dict())


def test_forward_mode_along_a_model():
    model, x = wg.tree.map(lambda p: p.numpy(), network()), draw(6, 3)
    along = wg.tree.map(lambda p: np.ones_like(p), model)
    _, dy = wg.jvp(lambda m: np.sum(m(x) ** 2), (model,), (along,))
    g = wg.grad(lambda m: np.sum(m(x) ** 2))(model)
    total = sum(np.sum(leaf) for leaf in wg.tree.flatten(g)[0])
    np.testing.assert_allclose(dy, total, rtol=1e-10)


def test_weight_decay_inside_a_transformation_finds_the_parameters():
    model = Shared()

    def penalty(model):
        return sum(np.sum(p * p) for p in model.parameters())

    with wg.no_grad():
        g = wg.grad(penalty)(model)
    np.testing.assert_allclose(g.scales[0].item(), 4.0)
    assert not g.mean.any()  # a buffer is no parameter


def test_structures_of_different_modules_differ():
    with pytest.raises(ShapeError):
        wg.tree.map(lambda a, b: a, nn.mlp((2, 2), rng=np.random.default_rng()), nn.mlp((2, 3, 2)))
    a, b = nn.Sequential(nn.Softmax(0)), nn.Sequential(nn.Softmax(1))
    assert wg.tree.flatten(a)[1] != wg.tree.flatten(b)[1]
    assert wg.tree.flatten(network())[1] == wg.tree.flatten(network())[1]
    mapped = wg.tree.map(lambda p: p, network())
    assert wg.tree.flatten(mapped)[1] == wg.tree.flatten(network())[1]
