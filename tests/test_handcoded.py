"""The hand-coded network against extrapolated differences: every layer, loss and the whole."""

import numpy as np
import pytest

import wengert as wg
from semantics.oracle import gradient
from wengert import nn
from wengert.nn import handcoded as hand

CLOSE = {"rtol": 1e-7, "atol": 1e-9}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def batch_norm(training=True):
    layer = hand.BatchNorm(3)
    layer.gamma[:], layer.beta[:] = [0.5, -1.5, 2.0], [0.1, 0.2, -0.3]
    layer.running_mean[:], layer.running_var[:] = [0.3, -0.2, 0.1], [0.5, 1.5, 2.0]
    layer.training = training
    return layer


LAYERS = {
    "linear": lambda: hand.Linear(draw(4, 3, seed=1), draw(4, seed=2)),
    "sigmoid": hand.Sigmoid,
    "tanh": hand.Tanh,
    "relu": hand.Relu,
    "batch normalisation": batch_norm,
    "batch normalisation, not training": lambda: batch_norm(training=False),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    layer, x = LAYERS[name](), draw(5, 3, seed=3)
    gy = draw(*layer.forward(x).shape, seed=4)
    np.testing.assert_allclose(
        layer.backward(gy), gradient(lambda x: np.sum(gy * layer.forward(x)), x), **CLOSE
    )
    layer.forward(x)
    layer.backward(gy)
    for parameter, grad in layer.parameters():
        value, got = parameter.copy(), grad.copy()

        def loss(changed):
            parameter[...] = changed
            return np.sum(gy * layer.forward(x))

        np.testing.assert_allclose(got, gradient(loss, value), **CLOSE)
        parameter[...] = value


LOSSES = {
    "cross-entropy": (hand.CrossEntropy, np.array([0, 3, 1, 1, 2])),
    "mean squared error": (hand.MeanSquaredError, draw(5, 4, seed=5)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    kind, target = LOSSES[name]
    loss, prediction = kind(), draw(5, 4, seed=6)
    loss.forward(prediction, target)
    got = loss.backward()
    np.testing.assert_allclose(
        got, gradient(lambda p: loss.forward(p, target), prediction), **CLOSE
    )


def network(dtype=np.float64):
    rng = np.random.default_rng(0)
    layers = [
        hand.Linear.drawn(3, 5, rng, dtype),
        hand.BatchNorm(5, dtype),
        hand.Tanh(),
        hand.Linear.drawn(5, 6, rng, dtype),
        hand.Sigmoid(),
        hand.Linear.drawn(6, 4, rng, dtype),
        hand.Relu(),
        hand.Linear.drawn(4, 3, rng, dtype),
    ]
    return hand.Network(layers, hand.CrossEntropy())


X, LABELS = draw(8, 3, seed=7), np.arange(8) % 3


def test_network():
    net = network()
    np.testing.assert_allclose(net.forward(X), net.forward(X))
    net.loss(X, LABELS)
    gx = net.backward()
    grads = [(parameter, grad.copy()) for parameter, grad in net.parameters()]
    assert len(grads) == 10
    np.testing.assert_allclose(gx, gradient(lambda x: net.loss(x, LABELS), X), rtol=1e-6, atol=1e-9)
    for parameter, grad in grads:
        value = parameter.copy()

        def loss(changed):
            parameter[...] = changed
            return net.loss(X, LABELS)

        np.testing.assert_allclose(grad, gradient(loss, value), rtol=1e-6, atol=1e-9)
        parameter[...] = value


def test_float32_stays_float32():
    single, double = network(np.float32), network()
    for (p32, _), (p64, _) in zip(single.parameters(), double.parameters(), strict=True):
        p64[...] = p32
    x = X.astype(np.float32)
    np.testing.assert_allclose(single.loss(x, LABELS), double.loss(x.astype(float), LABELS), 1e-5)
    assert single.forward(x).dtype == single.backward().dtype == np.float32
    double.backward()
    single.step(0.1)
    double.step(0.1)
    for (p32, g32), (p64, g64) in zip(single.parameters(), double.parameters(), strict=True):
        assert p32.dtype == g32.dtype == np.float32
        np.testing.assert_allclose(g32, g64, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(p32, p64, rtol=1e-3, atol=1e-6)


def test_training_lowers_the_loss_and_learns():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 2))
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    layers = [hand.Linear.drawn(2, 16, rng), hand.Tanh(), hand.Linear.drawn(16, 2, rng)]
    net = hand.Network(layers, hand.CrossEntropy())
    losses = []
    for _ in range(600):
        losses.append(net.loss(x, labels))
        net.backward()
        net.step(1.0)
    assert losses[-1] < 0.2 * losses[0]
    assert np.mean(net.forward(x).argmax(axis=1) == labels) > 0.95


def test_batch_norm_normalises_and_remembers():
    layer, rng = hand.BatchNorm(3), np.random.default_rng(2)
    for _ in range(300):
        y = layer.forward(rng.normal(5, 2, (64, 3)))
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(layer.running_mean, 5, atol=0.3)
    np.testing.assert_allclose(layer.running_var, 4, atol=0.6)
    layer.training = False
    kept = layer.running_mean.copy()
    np.testing.assert_allclose(layer.forward(np.full((1, 3), 5.0)), 0, atol=0.3)
    np.testing.assert_array_equal(layer.running_mean, kept)


@pytest.mark.filterwarnings("error")
def test_large_arguments_do_not_overflow():
    z = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    np.testing.assert_array_equal(hand.sigmoid(z), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(hand.sigmoid(np.array([-40.0])), np.exp(-40.0))
    np.testing.assert_array_equal(hand.softmax(np.array([[1e4, 0.0], [0.0, 1e4]])), np.eye(2))
    loss = hand.CrossEntropy()
    assert loss.forward(np.array([[1e4, 0.0]]), np.array([1])) == 1e4
    np.testing.assert_array_equal(loss.backward(), [[1, -1]])


def test_the_probabilities_of_cross_entropy_are_those_of_softmax():
    loss, z = hand.CrossEntropy(), draw(5, 4)
    loss.forward(z, np.zeros(5, int))
    np.testing.assert_allclose(loss.p, hand.softmax(z), rtol=1e-14)


def test_relu_is_flat_at_its_kink():
    layer = hand.Relu()
    np.testing.assert_array_equal(layer.forward(np.array([-1.0, 0.0, 2.0])), [0, 0, 2])
    np.testing.assert_array_equal(layer.backward(np.ones(3)), [0, 0, 1])


def test_the_lectures_two_layer_network():
    W1, w2, x = draw(4, 3, seed=1), draw(4, seed=2), draw(3, seed=3)
    net = hand.two_layer_sigmoid(W1, w2, x)
    slope = np.exp(-net.z2) / (1 + np.exp(-net.z2)) ** 2
    np.testing.assert_allclose(net.dy_dw2, slope * net.h, rtol=1e-14)

    def y(W1, w2, x):
        return 1 / (1 + np.exp(-w2 @ (1 / (1 + np.exp(-W1 @ x)))))

    np.testing.assert_allclose(net.y, y(W1, w2, x), rtol=1e-14)
    np.testing.assert_allclose(net.dy_dw2, gradient(lambda w2: y(W1, w2, x), w2), **CLOSE)
    np.testing.assert_allclose(net.dy_dW1, gradient(lambda W1: y(W1, w2, x), W1), **CLOSE)
    np.testing.assert_allclose(net.dy_dx, gradient(lambda x: y(W1, w2, x), x), **CLOSE)
    # the same network of layers: a row of inputs, no biases
    layers = [hand.Linear(W1, np.zeros(4)), hand.Sigmoid(), hand.Linear(w2[None], np.zeros(1))]
    whole = hand.Network([*layers, hand.Sigmoid()], hand.MeanSquaredError())
    whole.loss(x[None], np.zeros((1, 1)))
    whole.backward()
    np.testing.assert_allclose(layers[0].weight_grad, 2 * net.y * net.dy_dW1, rtol=1e-12)
    np.testing.assert_allclose(layers[2].weight_grad[0], 2 * net.y * net.dy_dw2, rtol=1e-12)


# --- the engine, on the same network -------------------------------------------------------------


def normalised(x, gamma, beta):
    """Batch normalisation in plain NumPy, for the engine to differentiate."""
    return gamma * (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5) + beta


def in_plain_numpy(parameters, x):
    """What ``network()`` computes, its parameters in their order."""
    W1, b1, gamma, beta, W2, b2, W3, b3, W4, b4 = parameters
    x = np.tanh(normalised(x @ W1.T + b1, gamma, beta))
    x = nn.sigmoid(x @ W2.T + b2) @ W3.T + b3
    z = np.maximum(x, 0) @ W4.T + b4
    return nn.cross_entropy(z, LABELS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_engine_agrees_with_the_whole_network(dtype):
    net, x = network(dtype), X.astype(dtype)
    loss = net.loss(x, LABELS)
    gx = net.backward()
    values = [value for value, _ in net.parameters()]
    got, (engine, engine_gx) = wg.value_and_grad(in_plain_numpy, argnums=(0, 1))(values, x)
    close = {"rtol": 1e-10, "atol": 1e-14} if dtype == np.float64 else {"rtol": 2e-3, "atol": 1e-6}
    np.testing.assert_allclose(got, loss, **close)
    np.testing.assert_allclose(engine_gx, gx, **close)
    for g, (_, by_hand) in zip(engine, net.parameters(), strict=True):
        assert g.dtype == dtype
        np.testing.assert_allclose(g, by_hand, **close)


def test_the_engine_agrees_on_batch_normalisation():
    layer, x, gy = batch_norm(), draw(6, 3, seed=3), draw(6, 3, seed=4)
    np.testing.assert_allclose(normalised(x, layer.gamma, layer.beta), layer.forward(x), rtol=1e-12)
    gx = layer.backward(gy)
    _, pullback = wg.vjp(normalised, x, layer.gamma, layer.beta)
    for got, expected in zip(pullback(gy), (gx, layer.gamma_grad, layer.beta_grad), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-13)


def test_the_engine_agrees_on_the_lectures_network():
    W1, w2, x = draw(4, 3, seed=1), draw(4, seed=2), draw(3, seed=3)
    net = hand.two_layer_sigmoid(W1, w2, x)

    def y(W1, w2, x):
        return nn.sigmoid(w2 @ nn.sigmoid(W1 @ x))

    for got, expected in zip(
        wg.grad(y, argnums=(0, 1, 2))(W1, w2, x), (net.dy_dW1, net.dy_dw2, net.dy_dx), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_modules_agree_over_training():
    """``nn`` and ``optim`` go the same way as the hand-coded network, step for step."""
    from wengert import optim

    rng = np.random.default_rng(3)
    model = nn.mlp((3, 6, 3), "sigmoid", rng=rng, dtype=np.float64)
    first, last = (
        hand.Linear(model[n].weight.numpy().copy(), model[n].bias.numpy().copy()) for n in (0, 2)
    )
    net = hand.Network([first, hand.Sigmoid(), last], hand.CrossEntropy())
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(X), LABELS)
        loss.backward()
        optimizer.step()
        np.testing.assert_allclose(loss.item(), net.loss(X, LABELS), rtol=1e-12)
        net.backward()
        net.step(0.5)
