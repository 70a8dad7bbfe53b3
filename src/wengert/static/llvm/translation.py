"""Writes functions of the language of the runtime as LLVM's text: see ``lowlevel.py``.

A variable is a place on the stack, which LLVM makes a register; so each statement is written by
itself, whatever stands around it. Layer: ``static``.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .lowlevel import Extern, Low, word
from .words import FLOATS, WIDTH, LowLevelError, Value, Words


def translated(functions: Iterable[Low]) -> str:
    """The text of a module with the functions, all visible, and those that they call."""
    waiting, done = list(functions), {}
    external: dict[str, Extern] = {}
    visible = {one.name for one in waiting}
    while waiting:
        one = waiting.pop()
        if one.name in done:
            continue
        writer = _Function(one, one.name in visible)
        done[one.name] = writer.text()
        external.update(writer.external)
        waiting += writer.called
    declared = [
        f"declare {one.result} @{one.name}({', '.join(one.arguments)})" for one in external.values()
    ]
    return "\n".join([*sorted(declared), *(done[name] for name in sorted(done)), ""])


class _Function(Words):
    """Writes one function."""

    def __init__(self, low: Low, visible: bool) -> None:
        self.low, self.visible = low, visible
        self.scope = inspect.getclosurevars(low.function).globals
        self.lines: list[str] = []
        self.variables: dict[str, str] = {}
        self.slots: list[str] = []  # the places of the variables, made once at the start
        self.loops: list[tuple[str, str]] = []  # where continue and break go
        self.called: list[Low] = []
        self.external: dict[str, Extern] = {}
        self.count = 0
        self.open = True  # whether the block goes on

    def text(self) -> str:
        """The function."""
        for name, kind in self.low.arguments:
            self._variable(name, kind)
            self._emit(f"store {kind} %given.{name}, ptr %{name}")
        self._block(self.low.tree.body)
        if self.open:
            if self.low.result != "void":
                self._wrong(self.low.tree, "it ends without a return")
            self._emit("ret void")
        given = ", ".join(f"{kind} %given.{name}" for name, kind in self.low.arguments)
        linkage = "" if self.visible else "internal "
        head = f"define {linkage}{self.low.result} @{self.low.name}({given}) {{\nentry:"
        return "\n".join([head, *self.slots, *self.lines, "}"])

    # --- small things ----------------------------------------------------------------------------

    def _wrong(self, node: ast.AST, why: str) -> NoReturn:
        line = getattr(node, "lineno", 0) + self.low.function.__code__.co_firstlineno - 1
        file = self.low.function.__code__.co_filename
        raise LowLevelError(f"{file}:{line}, {ast.unparse(node)[:80]!r}: {why}")

    def _emit(self, line: str) -> None:
        if self.open:
            self.lines.append(f"  {line}")

    def _new(self, line: str, kind: str) -> Value:
        self.count += 1
        name = f"%t{self.count}"
        self._emit(f"{name} = {line}")
        return Value(name, kind)

    def _label(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def _start(self, label: str) -> None:
        """Go on at a label."""
        self._go(label)
        self.lines.append(f"{label}:")
        self.open = True

    def _go(self, label: str) -> None:
        self._emit(f"br label %{label}")
        self.open = False

    def _branch(self, condition: Value, yes: str, no: str) -> None:
        self._emit(f"br i1 {condition.text}, label %{yes}, label %{no}")
        self.open = False

    def _variable(self, name: str, kind: str) -> None:
        self.variables[name] = kind
        self.slots.append(f"  %{name} = alloca {kind}")

    # --- statements ------------------------------------------------------------------------------

    def _block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            method: Any = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if method is None:
                self._wrong(statement, "no such statement")
            method(statement)

    def _expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # else a docstring
            self._value(node.value)

    def _pass(self, node: ast.Pass) -> None:
        """Nothing."""

    def _assign(self, node: ast.Assign) -> None:
        (target,) = node.targets
        if not isinstance(target, ast.Name):
            self._wrong(node, "only names are assigned")
        self._set(target.id, self._value(node.value), node)

    def _annassign(self, node: ast.AnnAssign) -> None:
        assert isinstance(node.target, ast.Name)
        if node.value is None:
            self._wrong(node, "it has no value")
        value = self._as(self._value(node.value), self.low.type_of(node.annotation), node)
        self._set(node.target.id, value, node)

    def _augassign(self, node: ast.AugAssign) -> None:
        assert isinstance(node.target, ast.Name)
        old = self._name(node.target)
        new = self._operation(node.op, old, self._value(node.value), node)
        self._set(node.target.id, new, node)

    def _set(self, name: str, value: Value, node: ast.AST) -> None:
        if name not in self.variables:
            self._variable(name, value.type)
        value = self._as(value, self.variables[name], node)
        self._emit(f"store {value.type} {value.text}, ptr %{name}")

    def _return(self, node: ast.Return) -> None:
        if isinstance(node.value, ast.IfExp):
            value = node.value
            yes: list[ast.stmt] = [ast.Return(value.body)]
            no: list[ast.stmt] = [ast.Return(value.orelse)]
            self._if(ast.copy_location(ast.If(value.test, yes, no), node))
        elif node.value is None:
            self._emit("ret void")
        else:
            given = self._as(self._value(node.value), self.low.result, node)
            self._emit(f"ret {given.type} {given.text}")
        self.open = False

    def _if(self, node: ast.If) -> None:
        yes, no, after = self._label("then"), self._label("else"), self._label("after")
        self._branch(self._truth(node.test), yes, no if node.orelse else after)
        self._start(yes)
        self._block(node.body)
        self._go(after)
        if node.orelse:
            self._start(no)
            self._block(node.orelse)
            self._go(after)
        self._start(after)
        self.open = _goes_on(node)
        if not self.open:
            self.lines.append("  unreachable")

    def _while(self, node: ast.While) -> None:
        head, inside, after = self._label("while"), self._label("do"), self._label("after")
        self._start(head)
        self._branch(self._truth(node.test), inside, after)
        self._start(inside)
        self._inside(node.body, head, after)
        self._go(head)
        self._start(after)

    def _for(self, node: ast.For) -> None:
        call, target = node.iter, node.target
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "range"):
            self._wrong(node, "only over a range")
        assert isinstance(target, ast.Name)
        first, stop = [Value("0", "i64", True), *map(self._value, call.args)][-2:]
        first = self._as(first, stop.type, node) if first.free else first
        self._set(target.id, first, node)
        stop = self._as(stop, self.variables[target.id], node)
        head, inside = self._label("for"), self._label("do")
        onward, after = self._label("next"), self._label("after")
        self._start(head)
        kind = self.variables[target.id]
        here = self._name(target)
        self._branch(self._new(f"icmp slt {kind} {here.text}, {stop.text}", "i1"), inside, after)
        self._start(inside)
        self._inside(node.body, onward, after)
        self._start(onward)
        more = self._new(f"add nsw {kind} {self._name(target).text}, 1", kind)
        self._set(target.id, more, node)
        self._go(head)
        self._start(after)

    def _inside(self, body: list[ast.stmt], onward: str, after: str) -> None:
        self.loops.append((onward, after))
        self._block(body)
        self.loops.pop()

    def _continue(self, node: ast.Continue) -> None:
        self._go(self.loops[-1][0])

    def _break(self, node: ast.Break) -> None:
        self._go(self.loops[-1][1])

    # --- expressions -----------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant):
            return self._constant(node.value, node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.BinOp):
            return self._operation(node.op, self._value(node.left), self._value(node.right), node)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.BoolOp | ast.IfExp):
            return self._choice(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        self._wrong(node, "no such expression")

    def _constant(self, value: Any, node: ast.AST) -> Value:
        if isinstance(value, bool):
            return Value("true" if value else "false", "i1")
        if isinstance(value, int):
            return Value(str(value), "i64", True)
        if isinstance(value, float):
            return Value(repr(value), "double")
        self._wrong(node, "no such constant")

    def _name(self, node: ast.Name) -> Value:
        kind = self.variables.get(node.id)
        if kind is not None:
            return self._new(f"load {kind}, ptr %{node.id}", kind)
        if node.id not in self.scope:
            self._wrong(node, "no such name")
        return self._constant(self.scope[node.id], node)

    def _as(self, value: Value, kind: str, node: ast.AST) -> Value:
        """``value`` where a ``kind`` is needed."""
        if value.type == kind:
            return value._replace(free=False)
        if value.free and kind in WIDTH:
            return Value(value.text, kind)
        if value.free and kind in FLOATS:
            return Value(f"{value.text}.0", kind)
        if value.free and kind == "ptr" and value.text == "0":
            return Value("null", kind)
        if value.type == "i1" and kind in WIDTH:
            return self._new(f"zext i1 {value.text} to {kind}", kind)
        self._wrong(node, f"{value.type} where {kind} is needed")

    def _pair(self, a: Value, b: Value, node: ast.AST) -> tuple[Value, Value]:
        if a.free and not b.free:
            return self._as(a, b.type, node), b
        return a, self._as(b, a.type, node)

    def _operation(self, op: ast.operator, a: Value, b: Value, node: ast.AST) -> Value:
        if a.type == "ptr" and b.type == "i64" and isinstance(op, ast.Add | ast.Sub):
            if isinstance(op, ast.Sub):
                b = self._new(f"sub i64 0, {b.text}", "i64")
            return self._new(f"getelementptr i8, ptr {a.text}, i64 {b.text}", "ptr")
        folded = a.free and b.free
        a, b = self._pair(a, b, node)
        names = FLOAT_OPERATIONS if a.type in FLOATS else OPERATIONS
        name = names.get(type(op))
        if name is None or a.type == "ptr":
            self._wrong(node, f"not of {a.type}")
        if folded:
            value = eval(ast.unparse(ast.Expression(node)), {}, dict(self.scope))  # type: ignore[arg-type]
            return Value(str(value), "i64", True)
        return self._new(f"{name} {a.type} {a.text}, {b.text}", a.type)

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return self._new(f"xor i1 {self._truth(node.operand).text}, true", "i1")
        x = self._value(node.operand)
        if isinstance(node.op, ast.Invert):
            return self._new(f"xor {x.type} {x.text}, -1", x.type)
        if x.free:
            return x._replace(text=str(-int(x.text)))
        if x.type in FLOATS:
            return self._new(f"fneg {x.type} {x.text}", x.type)
        return self._new(f"sub {x.type} 0, {x.text}", x.type)

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1:
            self._wrong(node, "one comparison at a time")
        a, b = self._pair(self._value(node.left), self._value(node.comparators[0]), node)
        sign = COMPARISONS[type(node.ops[0])]
        if a.type in FLOATS:
            sign = {"eq": "oeq", "ne": "une"}.get(sign, "o" + sign[1:])
            return self._new(f"fcmp {sign} {a.type} {a.text}, {b.text}", "i1")
        return self._new(f"icmp {sign} {a.type} {a.text}, {b.text}", "i1")

    def _truth(self, node: ast.expr) -> Value:
        x = self._value(node)
        if x.type == "i1":
            return x
        if x.free:
            return Value("true" if int(x.text) else "false", "i1")
        zero = "null" if x.type == "ptr" else "0"
        return self._new(f"icmp ne {x.type} {x.text}, {zero}", "i1")

    def _choice(self, node: ast.BoolOp | ast.IfExp) -> Value:
        """``and``, ``or``, ``a if c else b``: only what is needed is computed."""
        place, after = f"choice{self.count}", self._label("after")
        if isinstance(node, ast.BoolOp):
            self.slots.append(f"  %{place} = alloca i1")
            for test in node.values:
                truth = self._truth(test)
                onward = self._label("more")
                self._emit(f"store i1 {truth.text}, ptr %{place}")
                ways = (onward, after) if isinstance(node.op, ast.And) else (after, onward)
                self._branch(truth, *ways)
                self._start(onward)
            self._start(after)
            return self._new(f"load i1, ptr %{place}", "i1")
        yes, no = self._label("then"), self._label("else")
        self._branch(self._truth(node.test), yes, no)
        self._start(no)
        other = self._value(node.orelse)
        self.slots.append(f"  %{place} = alloca {other.type}")
        self._emit(f"store {other.type} {other.text}, ptr %{place}")
        self._go(after)
        self._start(yes)
        one = self._as(self._value(node.body), other.type, node)
        self._emit(f"store {one.type} {one.text}, ptr %{place}")
        self._start(after)
        return self._new(f"load {other.type}, ptr %{place}", other.type)

    # --- calls -----------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Value:
        name = ast.unparse(node.func)
        target = self.scope.get(name)
        if target is word:
            method: Callable[[ast.Call], Value] = getattr(self, f"_word_{name}")
            return method(node)
        if inspect.isfunction(target):  # written for the same types as this one
            target = Low(target, self.low.types)
        if isinstance(target, Low):
            self.called.append(target)
            kinds = [kind for _, kind in target.arguments]
        elif isinstance(target, Extern):
            self.external[target.name] = target
            kinds = list(target.arguments)
        else:
            self._wrong(node, "no function of the language")
        if len(kinds) != len(node.args):
            self._wrong(node, f"{len(kinds)} arguments are needed")
        given = [
            self._as(self._value(one), kind, one)
            for one, kind in zip(node.args, kinds, strict=True)
        ]
        return self._called(target.result, f"@{target.name}", given)

    def _called(self, result: str, name: str, given: list[Value]) -> Value:
        listed = ", ".join(f"{one.type} {one.text}" for one in given)
        if result == "void":
            self._emit(f"call void {name}({listed})")
            return Value("", "void")
        return self._new(f"call {result} {name}({listed})", result)


OPERATIONS: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.FloorDiv: "sdiv",
    ast.Mod: "srem",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.LShift: "shl",
    ast.RShift: "ashr",
}
FLOAT_OPERATIONS: dict[type, str] = {
    ast.Add: "fadd",
    ast.Sub: "fsub",
    ast.Mult: "fmul",
    ast.Div: "fdiv",
}
COMPARISONS: dict[type, str] = {
    ast.Lt: "slt",
    ast.LtE: "sle",
    ast.Gt: "sgt",
    ast.GtE: "sge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}


def _goes_on(node: ast.stmt) -> bool:
    """Whether anything can come after a statement."""
    if isinstance(node, ast.If) and node.orelse:
        return any(all(map(_goes_on, body)) for body in (node.body, node.orelse))
    return not isinstance(node, ast.Return | ast.Break | ast.Continue)
