"""Jacobians, Hessians and Hessian products: modes, blocks, containers, complex numbers, errors."""

import numpy as np
import pytest

import wengert as wg

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4))
X = RNG.standard_normal(4)


def f(x):
    return np.tanh(A @ x) * x[:3]


def jacobian_of_f(x):
    y = np.tanh(A @ x)
    return (1 - y**2)[:, None] * A * x[:3, None] + y[:, None] * np.eye(3, 4)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 100])
def test_every_mode_and_block_gives_the_same(mode, chunk_size):
    got = wg.jacobian(f, mode=mode, chunk_size=chunk_size)(X)
    np.testing.assert_allclose(got, jacobian_of_f(X), rtol=1e-12)


@pytest.mark.parametrize(("rows", "expected"), [(2, "reverse"), (9, "forward")])
def test_auto_takes_the_mode_with_fewer_directions(rows, expected, monkeypatch):
    taken = []
    import wengert.differentiate.jacobian as module

    for name in ("_from_columns", "_from_rows"):
        original = getattr(module, name)
        mode = {"_from_columns": "forward", "_from_rows": "reverse"}[name]
        monkeypatch.setattr(
            module,
            name,
            lambda *a, original=original, mode=mode: taken.append(mode) or original(*a),
        )
    B = RNG.standard_normal((rows, 4))
    np.testing.assert_allclose(wg.jacobian(lambda x: B @ x)(X), B)
    assert taken == [expected]


def test_containers_in_and_out():
    def g(p, scale):
        return {"sum": np.sum(p["w"]) * scale, "outer": np.outer(p["w"], p["w"])}

    w = np.array([1.0, 2.0])
    J = wg.jacobian(g)({"w": w, "n": 3}, 2.0)
    np.testing.assert_allclose(J["sum"]["w"], [2.0, 2.0])
    assert J["sum"]["n"] is None
    assert J["outer"]["w"].shape == (2, 2, 2)
    both = wg.jacobian(g, argnums=(0, 1))({"w": w, "n": 3}, 2.0)
    np.testing.assert_allclose(both["sum"][1], 3.0)


def test_shapes_of_scalars_and_empty_arrays():
    assert np.shape(wg.jacobian(np.sin)(0.5)) == ()
    assert wg.jacobian(lambda x: x * 2)(np.zeros(0)).shape == (0, 0)
    assert wg.jacobian(lambda x: np.sum(x))(np.zeros((0, 3))).shape == (0, 3)
    assert wg.jacobian(lambda x: x[:, None] * x)(X).shape == (4, 4, 4)


def test_float32_stays():
    for mode in ("forward", "reverse"):  # the dtype of the input, as grad; the matrix is float64
        assert wg.jacobian(f, mode=mode)(X.astype(np.float32)).dtype == np.float32
    assert wg.jacobian(np.sin)(X.astype(np.float32)).dtype == np.float32
    assert wg.hessian(lambda x: np.sum(x**3))(X.astype(np.float32)).dtype == np.float32


def test_hessians_agree_with_the_closed_form_and_with_products():
    def g(x):
        return np.sum(np.exp(x) * x[0])

    H = wg.hessian(g)(X)
    expected = np.diag(np.exp(X) * X[0])
    expected[0] += np.exp(X)
    expected[:, 0] += np.exp(X)
    np.testing.assert_allclose(H, expected, rtol=1e-12)
    v = RNG.standard_normal(4)
    np.testing.assert_allclose(wg.hvp(g, (X,), (v,)), H @ v, rtol=1e-12)
    np.testing.assert_allclose(wg.jacobian(wg.grad(g), mode="reverse")(X), H, rtol=1e-12)
    np.testing.assert_allclose(wg.hessian(g, chunk_size=1)(X), H, rtol=1e-14)


def test_hessian_of_a_container_flat():
    def g(p):
        return np.sum(p["a"] ** 2) * p["b"]

    p = {"a": np.array([1.0, 2.0]), "b": np.array(3.0)}
    nested = wg.hessian(g)(p)
    flat = wg.hessian(g, flat=True)(p)
    assert flat.shape == (3, 3)
    np.testing.assert_allclose(flat[:2, :2], nested["a"]["a"])
    np.testing.assert_allclose(flat[2, :2], nested["b"]["a"])
    np.testing.assert_allclose(flat, flat.T)


def test_hvp_of_several_arguments():
    product = wg.hvp(lambda a, b: np.sum(a * b**2), (X, X), (np.ones(4), np.zeros(4)))
    np.testing.assert_allclose(product[0], np.zeros(4))
    np.testing.assert_allclose(product[1], 2 * X)


def test_complex():
    z = np.array([1 + 2j, 3 - 1j])
    np.testing.assert_allclose(wg.jacobian(lambda z: z * z)(z), np.diag(2 * z))
    gradients = wg.jacobian(lambda z: np.abs(z) ** 2)(z)
    np.testing.assert_allclose(gradients, np.diag(2 * z))
    turned = wg.jacobian(lambda x: np.exp(1j * x))(np.array([0.5]))
    np.testing.assert_allclose(turned, [[1j * np.exp(0.5j)]])
    with pytest.raises(wg.errors.DtypeError, match="holomorphic"):
        wg.jacobian(np.conj)(z)
    with pytest.raises(wg.errors.UnsupportedError, match="forward"):
        wg.jacobian(lambda z: z * z, mode="reverse")(z)


def test_a_step_against_the_gradient_descends_in_the_complex_plane():
    def loss(z):
        return np.sum(np.abs(z**2 - (1 + 1j)) ** 2)

    z = np.array([0.3 + 0.2j, -1.0 + 0.1j])
    values = []
    for _ in range(200):
        value, g = wg.value_and_grad(loss)(z)
        values.append(value)
        z = z - 0.02 * g
    assert np.all(np.diff(values) <= 0)
    assert values[-1] < 1e-6


def test_it_nests():
    third = wg.jacobian(wg.hessian(lambda x: np.sum(x**4)))(X[:2])
    expected = np.zeros((2, 2, 2))
    expected[[0, 1], [0, 1], [0, 1]] = 24 * X[:2]
    np.testing.assert_allclose(third, expected, atol=1e-12)
    stacked = wg.vmap(wg.jacobian(f))(np.stack([X, 2 * X]))
    np.testing.assert_allclose(stacked, [jacobian_of_f(X), jacobian_of_f(2 * X)], rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: wg.jacobian(f, mode="sideways")(X), wg.errors.ShapeError, "reverse"),
        (lambda: wg.jacobian(f, chunk_size=0)(X), wg.errors.ShapeError, "chunk_size"),
        (lambda: wg.jacobian(f)([1, 2, 3]), wg.errors.DtypeError, "np.array"),
        (lambda: wg.jacobian(f)(np.arange(4)), wg.errors.DtypeError, "float"),
        (lambda: wg.jacobian(f, argnums=3)(X), wg.errors.ShapeError, "argnums"),
        (lambda: wg.jacobian(lambda x: "text")(X), wg.errors.DtypeError, "expected an array"),
        (lambda: wg.hessian(f)(X), wg.errors.ShapeError, "scalar"),
        (lambda: wg.hvp(np.sum, (X,), (np.ones(3),)), wg.errors.ShapeError, "tangent"),
    ],
)
def test_bad_input(call, error, word):
    with pytest.raises(error, match=word):
        call()
