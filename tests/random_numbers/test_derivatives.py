"""Derivatives in the parameters, and transformations that run a function more than once."""

import copy

import numpy as np
import pytest

import wengert as wg
from wengert.core.errors import UnsupportedError
from wengert.ops.quantiles import gamma_quantile

from .laws import Generator, noisy

DIFFERENTIABLE = {
    "uniform": (-1.0, 2.0),
    "normal": (0.5, 2.0),
    "lognormal": (0.2, 0.5),
    "exponential": (2.0,),
    "rayleigh": (1.5,),
    "weibull": (1.7,),
    "pareto": (3.0,),
    "power": (2.5,),
    "laplace": (0.5, 2.0),
    "logistic": (0.5, 2.0),
    "gumbel": (0.5, 2.0),
    "triangular": (-1.0, 0.5, 2.0),
    "standard_gamma": (0.7,),
    "gamma": (4.5, 2.0),
    "chisquare": (3.0,),
    "f": (3.0, 7.0),
    "beta": (0.4, 2.0),
    "standard_t": (4.0,),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives_in_the_parameters(name):
    args = DIFFERENTIABLE[name]
    size = (5, 3)

    def f(*args):
        return np.sum(np.sin(getattr(Generator(40), name)(*args, size=size)))

    wg.check_grads(f, args, order=2)
    everywhere = tuple(np.full((3,), arg) for arg in args)
    wg.check_grads(f, everywhere, order=1)


def test_derivatives_of_vectors():
    root = np.array([[1.0, 0.0], [0.3, 0.8]])
    wg.check_grads(lambda a: np.sin(Generator(41).dirichlet(a, 3)), (np.array([0.3, 1.0, 4.0]),))
    wg.check_grads(
        lambda m: np.sin(Generator(41).multivariate_normal(m, root @ root.T, 3)), (np.ones(2),)
    )
    wg.check_grads(
        lambda x: Generator(41).permutation(x) * Generator(42).permuted(x), (np.arange(1.0, 6.0),)
    )
    wg.check_grads(lambda x: Generator(43).choice(x, 7) ** 2, (np.arange(1.0, 6.0),))


@pytest.mark.parametrize("a", [1.0001, 1.5, 20.0, 1e4])
def test_slope_of_the_gamma_quantile(a):
    """Against differences of the distribution function in 40 digits, tails included."""
    mpmath = pytest.importorskip("mpmath")
    u = np.array([2.0**-53, 1e-6, 0.3, 0.5, 0.7, 1 - 1e-6, 1 - 2.0**-53])
    z = gamma_quantile(np.float64(a), u)
    slope = wg.jacobian(lambda a: gamma_quantile(a, u))(np.float64(a))
    with mpmath.workdps(40):
        h, a_ = mpmath.mpf(10) ** -12, mpmath.mpf(a)
        for zi, got in zip(map(mpmath.mpf, z.tolist()), slope, strict=True):
            ends = (0, zi) if zi < a else (zi, mpmath.inf)
            p = [mpmath.gammainc(a_ + d, *ends, regularized=True) for d in (h, -h)]
            density = mpmath.exp((a_ - 1) * mpmath.log(zi) - zi - mpmath.loggamma(a_))
            expected = -(p[0] - p[1]) / (2 * h * density) * (1 if zi < a else -1)
            assert abs(got / float(expected) - 1) < 1e-11


def test_counts_are_constants():
    rng = Generator(44)
    for f in (
        lambda x: rng.poisson(x) * x,
        lambda x: rng.binomial(4, x / 5) * x,
        lambda x: rng.geometric(x / 5) * x,
    ):
        again = copy.copy(rng)
        value, slope = wg.value_and_grad(f)(2.5)
        assert slope == value / 2.5
        rng.state = again.state


@pytest.mark.parametrize("transform", [wg.grad, wg.value_and_grad, wg.hessian])
def test_an_outer_state_advances_inside_a_transformation(transform):
    rng, expected = Generator(45), Generator(45)
    for _ in range(2):
        transform(lambda x: x * rng.normal() * x)(2.0)
        expected.normal()
        assert rng.state.tolist() == expected.state.tolist()


def test_gradients_use_the_numbers_of_the_value():
    rng = Generator(46)
    z = copy.copy(rng).normal(size=3)
    value, slope = wg.value_and_grad(lambda x: np.sum(rng.normal(0.0, x, size=3)))(2.0)
    assert value == pytest.approx(2 * z.sum())
    assert slope == pytest.approx(z.sum())
    x = wg.array(2.0, requires_grad=True)
    z = copy.copy(rng).normal(size=3)
    np.sum(rng.normal(0.0, x, size=3)).backward()
    assert x.grad.item() == pytest.approx(z.sum())


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_all_directions_of_a_jacobian_see_the_same_numbers(mode, chunk_size):
    rng = Generator(47)
    z = copy.copy(rng).normal(size=(5, 3))
    J = wg.jacobian(lambda x: rng.normal(size=(5, 3)) @ x, mode=mode, chunk_size=chunk_size)
    assert np.allclose(J(np.ones(3)), z)
    assert rng.state.tolist() == advanced(47, lambda rng: rng.normal(size=(5, 3)))


def advanced(seed, draw):
    rng = Generator(seed)
    draw(rng)
    return rng.state.tolist()


def test_hessian_of_a_noisy_function():
    rng = Generator(48)
    z = copy.copy(rng).normal(size=3)
    H = wg.hessian(lambda x: np.sum(rng.normal(size=3) * x**3))(np.ones(3))
    assert np.allclose(H, np.diag(6 * z))


def test_a_jacobian_of_each_example():
    rng = Generator(49)
    z = wg.vmap(lambda _: copy_of(rng).normal(size=2))(np.zeros(3))
    J = wg.vmap(wg.jacobian(lambda x: rng.normal(size=2) * x, mode="forward"))(np.ones((3, 2)))
    assert len(np.unique(J)) == 7  # six numbers and zero
    assert np.allclose(np.diagonal(J, axis1=1, axis2=2), z)


def copy_of(rng):
    """A generator with the same state, made outside as ``rng`` is."""
    other = copy.copy(rng)
    other.state = rng.state.copy()
    return other


def test_checkpoint_draws_the_same_on_the_way_back():
    rng, other = Generator(50), Generator(50)
    plain, checkpointed = noisy(other), wg.checkpoint(noisy(rng))
    for transform in (
        lambda f: wg.grad(f)(0.5),
        lambda f: wg.jvp(f, (0.5,), (1.0,))[1],
        lambda f: wg.grad(wg.grad(f))(0.5),
        lambda f: wg.grad(lambda x: f(x) * f(2 * x))(0.5),
        lambda f: wg.vmap(wg.grad(f))(np.linspace(0, 1, 4)),
        lambda f: wg.grad(lambda x: np.sum(wg.vmap(f)(x)))(np.linspace(0, 1, 4)),
        lambda f: wg.vmap(lambda x: wg.jvp(f, (x,), (1.0,))[1])(np.linspace(0, 1, 4)),
        lambda f: wg.jacobian(lambda x: np.stack([f(x[0]), f(x[1])]))(np.ones(2)),
    ):
        assert np.allclose(transform(checkpointed), transform(plain), rtol=1e-12)
        assert rng.state.tolist() == other.state.tolist()


def test_a_graph_of_the_backward_pass_refuses_to_draw_anew():
    rng = Generator(51)
    x = wg.array(0.5, requires_grad=True)
    y = wg.checkpoint(noisy(rng))(x)
    with pytest.raises(UnsupportedError, match="drawn anew"):
        y.backward(create_graph=True)
