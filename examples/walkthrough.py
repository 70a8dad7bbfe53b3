"""Automatic differentiation from nothing, in one sitting.

Run it: python examples/walkthrough.py. It needs NumPy, and wengert for the comparison at the end.
The example is y = ln(x1) + x1·x2 − sin(x2) at x1 = 2, x2 = 5.
"""

import numpy as np

import wengert as wg


def f(x1, x2):  # plain NumPy: nothing below changes this function
    return np.log(x1) + x1 * x2 - np.sin(x2)


# 1. One table. A program, however long, applies a few elementary functions one after another. For
#    each we need its local partial derivatives, one for each input x, and nothing else: the chain
#    rule does the rest. Both modes of differentiation below use this same table.
PARTIALS = {
    np.log: lambda y, x: (1 / x,),
    np.sin: lambda y, x: (np.cos(x),),
    np.add: lambda y, a, b: (1.0, 1.0),
    np.subtract: lambda y, a, b: (1.0, -1.0),
    np.multiply: lambda y, a, b: (b, a),
    np.add.reduce: lambda y, x: (np.ones_like(x),),  # what np.sum calls: each entry counts once
}


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """A number that watches what happens to it.

    NumPy asks any argument that has __array_ufunc__ to do the work itself, and the mixin sends the
    operators the same way: a * b becomes np.multiply(a, b). So f needs no change to be watched.
    """

    def __array_ufunc__(self, ufunc, method, *inputs, axis=None, **_):
        operation = ufunc if method == "__call__" else getattr(ufunc, method)
        values = [x.value if isinstance(x, Traced) else x for x in inputs]
        y = operation(*values) if method == "__call__" else operation(*values, axis=axis)
        return self.apply(y, PARTIALS[operation](y, *values), inputs, operation)


# 2. Forward mode: dual numbers. Carry with each value v its derivative v̇ in one chosen direction.
#    The chain rule for one step: ẏ = Σ ∂y/∂xᵢ · ẋᵢ. It runs along with the program, keeps nothing,
#    and one run answers for one direction of the input.
class Dual(Traced):
    def __init__(self, value, tangent):
        self.value, self.tangent = value, tangent

    def apply(self, y, partials, inputs, operation):
        pairs = zip(partials, inputs, strict=True)
        return Dual(y, sum(p * x.tangent for p, x in pairs if isinstance(x, Dual)))


# 3. Reverse mode, first half: the forward trace. Every result goes on a tape, with where it came
#    from and the partials. This list v1, v2, … is the Wengert list (R. E. Wengert, 1964). Loops
#    and branches of the program are gone from it: it says what happened, in order.
class Variable(Traced):
    tape = []  # noqa: RUF012

    def __init__(self, value, parents=(), partials=(), name="input"):
        self.value, self.parents, self.partials, self.name = value, parents, partials, name
        self.adjoint = 0.0
        Variable.tape.append(self)

    def apply(self, y, partials, inputs, operation):
        name = getattr(operation, "__name__", str(operation))
        return Variable(y, inputs, partials, name)


# 4. Reverse mode, second half: adjoints. v̄ = ∂y/∂v says how much the result moves when v does.
#    ȳ = 1; then walk the tape backwards, and each entry hands to its inputs what it has received:
#    x̄ += v̄ · ∂v/∂x. One walk answers for all inputs at once, however many: this is backpropagation.
#
#    "+=" and not "=": a value that is used twice moves the result in two ways, and they add up.
#
#    The order matters: v may pass v̄ on only when all that used v have paid in. The tape has it
#    for free: users of v were recorded after v. No graph search, no recursion, no depth limit.
def backward(y):
    for v in Variable.tape:
        v.adjoint = 0.0
    y.adjoint = 1.0
    for v in reversed(Variable.tape):  # what came after y, or does not reach it, passes on zero
        for x, partial in zip(v.parents, v.partials, strict=True):
            if isinstance(x, Variable):
                x.adjoint = x.adjoint + unbroadcast(v.adjoint * partial, np.shape(x.value))


# 5. Un-broadcast. NumPy stretches a row of shape (3,) over the rows of (4, 3): one number is used
#    four times. Used four times means four contributions, and "+=" says: sum them. So an adjoint
#    is summed over every axis that was stretched, and has the shape of its value again.
def unbroadcast(adjoint, shape):
    adjoint = np.asarray(adjoint)
    adjoint = adjoint.sum(axis=tuple(range(adjoint.ndim - len(shape))))  # axes put in front
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and adjoint.shape[i] != 1)
    return adjoint.sum(axis=stretched, keepdims=True)


# 6. The mistake that everyone makes once: recursion that passes an adjoint on as it arrives. Where
#    a value is reused, the first contribution is passed on, then the sum of both: twice too much.
def backward_naively(v, incoming):
    v.adjoint = v.adjoint + incoming
    for x, partial in zip(v.parents, v.partials, strict=True):
        backward_naively(x, v.adjoint * partial)


def main():
    print("forward trace, and adjoints, of y = ln(x1) + x1*x2 - sin(x2) at (2, 5)")
    x1, x2 = Variable(2.0), Variable(5.0)
    backward(f(x1, x2))
    for i, v in enumerate(Variable.tape, 1):
        print(f"  v{i}  {v.name:9} {v.value:8.3f}   adjoint {v.adjoint:7.3f}")
    ours = (x1.adjoint, x2.adjoint)

    print("forward mode, one run for each input")
    duals = f(Dual(2.0, 1.0), Dual(5.0, 0.0)), f(Dual(2.0, 0.0), Dual(5.0, 1.0))
    print(f"  dy/dx1 = {duals[0].tangent:.3f}   dy/dx2 = {duals[1].tangent:.3f}")

    print("a value used twice, b = a + a, c = b + b: dc/da = 4")
    for way in (backward, lambda c: backward_naively(c, 1.0)):
        a = Variable(1.0)
        b = a + a
        way(b + b)
        print(f"  {'by the tape' if way is backward else 'naively'}: {a.adjoint:.0f}")

    print("a row broadcast over a matrix: the derivative of sum(X * w) is the column sums of X")
    X, w = np.arange(12.0).reshape(4, 3), Variable(np.ones(3))
    backward(np.sum(X * w))
    print(f"  {w.adjoint}")

    print("and wengert, on the same functions")
    theirs = wg.grad(f, argnums=(0, 1))(2.0, 5.0)
    row = wg.grad(lambda w: np.sum(X * w))(np.ones(3))
    print(f"  dy/dx1 = {theirs[0]:.3f}   dy/dx2 = {theirs[1]:.3f}")
    differences = [*np.subtract(ours, theirs), *np.subtract([d.tangent for d in duals], theirs)]
    print(f"  largest difference: {np.max(np.abs([*differences, *(w.adjoint - row)])):.1e}")


if __name__ == "__main__":
    main()
