"""Training steps: dynamic graphs inside, parameters and optimisers changed in place."""

import numpy as np

import wengert as wg
from wengert import nn, optim

from .case import EITHER, NATIVE, A, B, C, Step, case

RNG = np.random.default_rng(7)
X = RNG.standard_normal((4, 3))
Y = RNG.standard_normal((4, 1))
BATCHES = [(X, Y), (X * 0.5, Y + 1), (-X, Y * 2)]


def network():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(3, 4, rng=rng, dtype=np.float64),
        nn.Tanh(),
        nn.Linear(4, 1, rng=rng, dtype=np.float64),
    )


def trainer(make_optimizer, after=lambda optimizer: None):
    """A step that trains a small network, and its state."""
    model = network()
    optimizer = make_optimizer(list(model.parameters()))

    def step(x, y):
        optimizer.zero_grad()
        loss = np.mean((model(x) - y) ** 2)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def state():
        kept = {k: v for k, v in optimizer.state_dict().items() if k not in ("kind", "steps")}
        return model.state_dict(), kept, [int(n) for n in optimizer.steps]

    return Step(step, state=state, between=lambda result: after(optimizer))


@case(*BATCHES)
def sgd():
    return trainer(lambda parameters: optim.SGD(parameters, lr=0.1))


@case(*BATCHES)
def sgd_with_momentum_and_decay():
    return trainer(
        lambda ps: optim.SGD(ps, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)
    )


@case(*BATCHES)
def adam():
    """Its step number is another one in every call."""
    return trainer(lambda parameters: optim.Adam(parameters, lr=0.01))


@case(*BATCHES)
def a_learning_rate_set_on_the_optimiser():
    def decay(optimizer):
        optimizer.lr = optimizer.lr * 0.9

    return trainer(lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.5), decay)


@case((X, Y, 1), (X, Y, 2), (X, Y, 3), (X, Y, 4), expect=EITHER)
def a_schedule_inside_the_step():
    model = network()
    optimizer = optim.SGD(list(model.parameters()), lr=0.1)

    def step(x, y, t):
        optimizer.lr = 0.1 / (1 + t)
        optimizer.zero_grad()
        loss = np.mean((model(x) - y) ** 2)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Step(step, state=lambda: (model.state_dict(), optimizer.lr))


@case((A,), (B,), (C,), (A,))
def parameters_updated_by_hand():
    w = wg.array(np.ones(3), requires_grad=True)

    def step(x):
        loss = np.sum((w * x - 1) ** 2)
        loss.backward()
        with wg.no_grad():
            w[...] -= 0.1 * w.grad
        w.grad = None
        return loss.detach()

    return Step(step, state=lambda: (w, w.grad))


@case((A,), (B,), (C,), (A,))
def parameters_updated_by_augmented_assignment():
    class Model:
        def __init__(self):
            self.w = wg.array(np.ones(3), requires_grad=True)

    model = Model()

    def step(x):
        loss = np.sum((model.w * x - 1) ** 2)
        loss.backward()
        with wg.no_grad():
            model.w -= 0.1 * model.w.grad
        model.w.grad = None
        return loss.detach()

    return Step(step, state=lambda: model.w)


@case((A, 0.1), (A * 10, 0.1), (B, 0.05), (C * 8, 0.1))
def gradients_clipped_by_their_norm():
    w = wg.array(np.ones(3), requires_grad=True)

    def step(x, rate):
        loss = np.sum((w * x - 1) ** 2)
        loss.backward()
        norm = np.sqrt(np.sum(w.grad**2))
        gradient = w.grad
        if norm > 5.0:
            gradient = gradient * (5.0 / norm)
        with wg.no_grad():
            w[...] -= rate * gradient
        w.grad = None
        return loss.detach(), norm

    return Step(step, state=lambda: w)


@case((A,), (B,), (C,), (A,))
def tied_weights():
    w = wg.array(np.ones(3), requires_grad=True)
    model = {"encoder": w, "decoder": w}

    def step(x):
        loss = np.sum(np.tanh(model["encoder"] * x) * model["decoder"])
        loss.backward()
        with wg.no_grad():
            model["encoder"][...] -= 0.1 * w.grad
        w.grad = None
        return loss.detach()

    return Step(step, state=lambda: (model["encoder"], model["decoder"]))


@case((A,), (B,), (A,), (C,), expect=EITHER)
def gradients_accumulated_over_calls():
    """``grad`` is None at first, then an array that grows."""
    w = wg.array(np.ones(3), requires_grad=True)

    def step(x):
        loss = np.sum(w * w * x)
        loss.backward()
        return loss.detach()

    return Step(step, state=lambda: w.grad)


@case((X,), (X * 2,), (X - 1,), (X,))
def running_statistics():
    """Batch normalisation: statistics are buffers, written while training."""

    class Norm(nn.Module):
        def __init__(self):
            self.scale = wg.array(np.ones(3), requires_grad=True)
            self.mean = wg.array(np.zeros(3))
            self.var = wg.array(np.ones(3))

        def forward(self, x):
            if not self.training:
                return (x - self.mean) / np.sqrt(self.var + 1e-5) * self.scale
            mean, var = np.mean(x, axis=0), np.var(x, axis=0)
            with wg.no_grad():
                self.mean[...] = 0.9 * self.mean + 0.1 * mean
                self.var[...] = 0.9 * self.var + 0.1 * var
            return (x - mean) / np.sqrt(var + 1e-5) * self.scale

    norm = Norm()
    calls = 0

    def step(x):
        y = np.sum(norm(x) ** 2)
        y.backward()
        gradient, norm.scale.grad = norm.scale.grad, None
        return y.detach(), gradient

    def between(result):
        nonlocal calls
        calls += 1
        norm.train(calls % 4 != 0)

    return Step(step, state=norm.state_dict, between=between)


@case((X, Y), (X, Y), (-X, Y), (X, Y))
def training_and_evaluation_alternate():
    class Noisy(nn.Module):
        def __init__(self):
            self.inner = network()

        def forward(self, x):
            return self.inner(x) * (0.5 if self.training else 1.0)

    model = Noisy()

    def step(x, y):
        with wg.no_grad():
            return np.mean((model(x) - y) ** 2)

    def between(result):
        model.train(not model.training)

    return Step(step, between=between)


@case((A,), (B,), (C,), (A,))
def early_stopping():
    """The best weights so far are kept, and the step stops training when it got worse."""
    w, best = wg.array(np.ones(3), requires_grad=True), wg.array(np.ones(3))
    lowest = wg.array(np.full((), np.inf))

    def step(x):
        loss = np.sum((w * x - 1) ** 2)
        if loss >= lowest:
            return loss.detach(), False
        loss.backward()
        with wg.no_grad():
            lowest[...] = loss
            best[...] = w
            w[...] -= 0.05 * w.grad
        w.grad = None
        return loss.detach(), True

    return Step(step, state=lambda: (w, best, lowest))


@case((A,), (A * 2,), (B,), (A,), expect=EITHER)
def early_stopping_in_python_numbers():
    class Stopper:
        best, waited = float("inf"), 0

        def __call__(self, x):
            loss = np.sum(x * x)
            if loss < self.best:
                self.best, self.waited = loss, 0
            else:
                self.waited += 1
            return self.waited >= 2

    stopper = Stopper()
    return Step(stopper, state=lambda: (stopper.best, stopper.waited))


@case(({"w": A, "b": 0.5}, B, 0.1), ({"w": B, "b": 0.1}, A, 0.1), ({"w": C, "b": 0.2}, A, 0.3))
def parameters_in_and_out():
    """No state: a tree of parameters goes in and the updated one comes out."""

    def loss(p, x):
        return np.mean((np.tanh(x * p["w"]) + p["b"] - 1) ** 2)

    def step(p, x, rate):
        value, g = wg.value_and_grad(loss)(p, x)
        return value, wg.tree.map(lambda a, da: a - rate * da, p, g)

    return step


@case(*BATCHES)
def a_module_as_a_tree():
    model = network()

    def step(x, y):
        with wg.no_grad():
            return wg.grad(lambda m: np.mean((m(x) - y) ** 2))(model).layers[0].weight * 1.0

    def between(result):
        with wg.no_grad():
            model.layers[0].weight[...] -= 0.1 * result

    return Step(step, between=between)


@case(*BATCHES)
def a_layer_frozen_after_two_calls():
    model = network()
    trained, calls = [list(model.parameters())], 0

    def step(x, y):
        loss = np.mean((model(x) - y) ** 2)
        loss.backward()
        with wg.no_grad():
            for parameter in trained[0]:
                parameter[...] -= 0.1 * parameter.grad
        model.zero_grad()
        return loss.detach()

    def between(result):
        nonlocal calls
        calls += 1
        if calls == 2:
            trained[0] = trained[0][:2]

    return Step(step, state=model.state_dict, between=between)


@case((X[:, 0],), (X[:, 1],), (X[:, 2],))
def labels_as_integers():
    """Cross-entropy with class numbers made of the data."""
    w = wg.array(np.linspace(-1, 1, 12).reshape(4, 3), requires_grad=True)

    def step(v):
        labels = (v > 0).astype(int) + (v > 0.5)
        loss = nn.functional.cross_entropy(w * v[:, None], labels)
        loss.backward()
        with wg.no_grad():
            w[...] -= 0.5 * w.grad
        w.grad = None
        return loss.detach()

    return Step(step, state=lambda: w)


def dropout():
    """A mask of random numbers whose generator is state: the same bits, eager and replayed."""
    w = wg.array(np.ones(3), requires_grad=True)
    rng = wg.random.Generator(3)

    def step(x):
        kept = rng.uniform(size=3) < 0.7
        loss = np.sum((w * x * kept - 1) ** 2)
        loss.backward()
        with wg.no_grad():
            w[...] -= 0.05 * w.grad
        w.grad = None
        return loss.detach(), kept

    return Step(step, state=lambda: w)


if hasattr(wg, "random"):
    case((A,), (B,), (C,), (A,), expect=NATIVE)(dropout)
