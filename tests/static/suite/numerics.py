"""Numerical methods as they are written: they iterate until it is enough."""

import numpy as np

import wengert as wg

from .case import A, B, C, case

SPD = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])


@case((np.array(2.0),), (np.array(3.0),), (np.array(200.0),), (np.array(2.0),))
def newtons_square_root():
    def step(x):
        y, n = x / 2, 0
        while abs(y * y - x) > 1e-12 * x:
            y, n = 0.5 * (y + x / y), n + 1
        return y, n

    return step


@case((0.5,), (0.9,), (-0.3,), (0.5,))
def newtons_root_of_an_equation():
    """Solves y + sin y / 2 = target, with the derivative by ``grad``."""

    def residual(y, target):
        return y + 0.5 * np.sin(y) - target

    slope = wg.grad(residual)

    def step(target):
        y = np.float64(0.0)
        for _ in range(20):
            r = residual(y, target)
            if abs(r) < 1e-13:
                break
            y = y - r / slope(y, target)
        return y

    return step


@case((np.array([2.0, 7.0]),), (np.array([3.0, 5.0]),), (np.array([5.0, 5.5]),))
def bisection():
    def step(x):
        low, high = x[0] * 0.1, x[1]
        while high - low > 0.5:
            middle = 0.5 * (low + high)
            if middle * middle < x[0]:
                low = middle
            else:
                high = middle
        return low, high

    return step


@case((A,), (B,), (C,), (A * 4,))
def line_search_with_while():
    def loss(w):
        return np.sum((w - 1) ** 4) + np.sum(w * w)

    gradient = wg.grad(loss)

    def step(w):
        g, rate = gradient(w), 1.0
        while loss(w - rate * g) > loss(w) - 0.3 * rate * np.sum(g * g):
            rate *= 0.25
        return w - rate * g, rate

    return step


@case((A, 0.1), (B, 0.1), (C, 0.05), (A, 0.2))
def runge_kutta():
    def slope(y):
        return np.stack([y[1], -np.sin(y[0]), y[0] * y[1]])

    def step(y, h):
        for _ in range(5):
            k1 = slope(y)
            k2 = slope(y + 0.5 * h * k1)
            k3 = slope(y + 0.5 * h * k2)
            k4 = slope(y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y

    return step


@case((A, 1.0), (C, 1.0), (A, 0.5), (C, 0.25))
def euler_until_a_time():
    def step(y, end):
        t, dt = 0.0, 0.25
        while t < end - 1e-9:
            y = y + dt * np.cos(y + t)
            t += dt
        return y, t

    return step


@case((SPD, A), (SPD * 2, B), (SPD + np.eye(3), C), (SPD[::-1, ::-1], A))
def gauss_elimination_with_pivots():
    def step(a, b):
        a, b = a.copy(), b.copy()
        n = len(b)
        for k in range(n):
            pivot = k + int(np.argmax(np.abs(a[k:, k])))
            if pivot != k:
                a[[k, pivot]] = a[[pivot, k]]
                b[[k, pivot]] = b[[pivot, k]]
            for i in range(k + 1, n):
                factor = a[i, k] / a[k, k]
                a[i, k:] -= factor * a[k, k:]
                b[i] -= factor * b[k]
        x = np.zeros_like(b)
        for k in reversed(range(n)):
            x[k] = (b[k] - a[k, k + 1 :] @ x[k + 1 :]) / a[k, k]
        return x

    def shuffled(a, b):
        return step(a, b) + step(a[[1, 2, 0]], b[[1, 2, 0]])

    return shuffled


@case((SPD,), (SPD * 3,), (SPD + np.diag([5.0, 0, 0]),), (SPD,))
def power_iteration():
    def step(a):
        v = np.ones(3) / np.sqrt(3.0)
        for _ in range(100):
            new = a @ v
            new = new / np.linalg.norm(new)
            if np.linalg.norm(new - v) < 1e-2:
                break
            v = new
        return v @ a @ v

    return step


@case((SPD, A), (SPD, B), (SPD * 2, C), (np.eye(3), A))
def conjugate_gradients():
    def step(a, b):
        x = np.zeros_like(b)
        r, p = b - a @ x, b - a @ x
        while np.sqrt(r @ r) > 1e-9:
            q = a @ p
            alpha = (r @ r) / (p @ q)
            x = x + alpha * p
            new = r - alpha * q
            p = new + (new @ new) / (r @ r) * p
            r = new
        return x

    return step


@case((A, [1.0, 2.0]), (A, [1.0, 2.0, 3.0]), (B, [3.0, 2.0, 1.0]), (B, [0.5, 2.0]))
def horners_scheme():
    """The coefficients come as a list of Python floats."""

    def step(x, coefficients):
        y = 0.0 * x
        for c in coefficients:
            y = y * x + c
        return y

    return step


@case((A,), (B,), (C,), (A,))
def finite_differences_inside():
    def f(x):
        return np.sum(np.sin(x) * x)

    def step(x):
        g = np.zeros_like(x)
        for k in range(len(x)):
            h = np.zeros(3)
            h[k] = 1e-4
            g[k] = (f(x + h) - f(x - h)) / 2e-4
        return g

    return step


@case((A,), (B,), (C,), (A[::-1],))
def bubble_sort():
    def step(x):
        y = x.copy()
        for i in range(len(y)):
            for j in range(len(y) - 1 - i):
                if y[j] > y[j + 1]:
                    y[[j, j + 1]] = y[[j + 1, j]]
        return y

    return step


@case((A, B), (B, C), (C, A), (A, C))
def dynamic_time_warping():
    """A table filled by minima of three, with branches on values."""

    def step(x, y):
        table = np.full_like(x, np.inf, shape=(4, 4))
        table[0, 0] = 0.0
        for i in range(1, 4):
            for j in range(1, 4):
                best = min(table[i - 1, j - 1], table[i - 1, j])
                if table[i, j - 1] < best:
                    best = table[i, j - 1]
                table[i, j] = (x[i - 1] - y[j - 1]) ** 2 + best
        return table[-1, -1]

    return step
