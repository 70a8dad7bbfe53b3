"""``wengert.numpy`` and the names of ``wengert`` itself."""

import numpy as np
import pytest

import wengert as wg


def test_functions_are_numpys_own_and_work_on_handles():
    assert wg.numpy.sum is np.sum
    assert wg.numpy.sin is np.sin
    assert wg.numpy.linalg.norm is np.linalg.norm
    assert wg.numpy.einsum is np.einsum
    np.testing.assert_allclose(wg.grad(lambda x: wg.numpy.sum(wg.numpy.sin(x)))(np.zeros(2)), 1.0)


def test_arrays_made_from_nothing_can_be_written_into():
    def f(x):
        y = wg.numpy.zeros(3)
        y[:2] = x
        return wg.numpy.sum(y * wg.numpy.arange(3.0))

    np.testing.assert_allclose(wg.grad(f)(np.ones(2)), [0.0, 1.0])
    np.testing.assert_allclose(wg.jvp(f, (np.ones(2),), (np.ones(2),))[1], 1.0)


def test_array_stacks_handles_and_asarray_keeps_them():
    def f(x):
        y = wg.numpy.array([x[0], x[1] * 2, 3.0])
        assert wg.numpy.asarray(y) is y
        return np.sum(y**2)

    np.testing.assert_allclose(wg.grad(f)(np.array([1.0, 2.0])), [2.0, 16.0])


def test_what_is_not_there_says_so():
    with pytest.raises(AttributeError, match="no function of NumPy"):
        wg.numpy.jacobian
    with pytest.raises(AttributeError, match="no derivative here yet"):
        wg.numpy.roots
    with pytest.raises(AttributeError, match="no derivative here yet"):
        wg.numpy.linalg.eigh


def test_dir_lists_what_is_there():
    listed = dir(wg.numpy)
    assert {"sum", "sin", "where", "zeros", "float32", "pi", "linalg"} <= set(listed)
    for name in listed:
        getattr(wg.numpy, name)
    for name in dir(wg.numpy.linalg):
        getattr(wg.numpy.linalg, name)
    assert set(wg.__all__) <= set(dir(wg))
    for name in dir(wg):
        getattr(wg, name)


def test_trace_of_an_array_names_the_other_trace():
    with pytest.raises(wg.errors.WengertError, match=r"wengert\.numpy\.trace"):
        wg.trace(np.eye(2))
