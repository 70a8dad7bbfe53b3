"""The words of the language of the runtime, as LLVM's instructions: see ``lowlevel.py``.

Layer: ``static``.
"""

from __future__ import annotations

import ast
import platform
from typing import Any, NamedTuple, NoReturn

from .lowlevel import Extern, Low

WIDTH = {"i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64}
FLOATS = {"float": 4, "double": 8}
PAUSE = "pause" if platform.machine() in ("x86_64", "AMD64") else "yield"


class LowLevelError(Exception):
    """What is written is not of the language; the text says where."""


class Value(NamedTuple):
    """An expression: LLVM's name or number, its type; ``free``: an integer that is written out."""

    text: str
    type: str
    free: bool = False


class Words:
    """The words; a function that is being written says how values are."""

    low: Low
    scope: Any
    slots: list[str]
    called: list[Low]
    external: dict[str, Extern]
    count: int

    def _wrong(self, node: ast.AST, why: str) -> NoReturn:
        raise NotImplementedError

    def _emit(self, line: str) -> None:
        raise NotImplementedError

    def _new(self, line: str, kind: str) -> Value:
        raise NotImplementedError

    def _value(self, node: ast.expr) -> Value:
        raise NotImplementedError

    def _as(self, value: Value, kind: str, node: ast.AST) -> Value:
        raise NotImplementedError

    def _pair(self, a: Value, b: Value, node: ast.AST) -> tuple[Value, Value]:
        raise NotImplementedError

    def _called(self, result: str, name: str, given: list[Value]) -> Value:
        raise NotImplementedError

    def _kind(self, node: ast.expr) -> str:
        kind = self.low.type_of(node)
        if kind == "void" and ast.unparse(node) != "None":
            self._wrong(node, "no type")
        return kind

    def _place(self, nodes: list[ast.expr]) -> Value:
        """A pointer, and an offset in bytes if there is one."""
        base = self._as(self._value(nodes[0]), "ptr", nodes[0])
        if len(nodes) == 1:
            return base
        offset = self._as(self._value(nodes[1]), "i64", nodes[1])
        return self._new(f"getelementptr i8, ptr {base.text}, i64 {offset.text}", "ptr")

    def _word_load(self, node: ast.Call) -> Value:
        kind = self._kind(node.args[0])
        return self._new(f"load {kind}, ptr {self._place(node.args[1:]).text}, align 1", kind)

    def _word_store(self, node: ast.Call) -> Value:
        kind = self._kind(node.args[0])
        value = self._as(self._value(node.args[1]), kind, node)
        place = self._place(node.args[2:])
        self._emit(f"store {kind} {value.text}, ptr {place.text}, align 1")
        return Value("", "void")

    def _word_cast(self, node: ast.Call) -> Value:
        return self._converted(node, "sext", "sitofp")

    def _word_unsigned(self, node: ast.Call) -> Value:
        return self._converted(node, "zext", "uitofp")

    def _converted(self, node: ast.Call, wider: str, floating: str) -> Value:
        kind, x = self._kind(node.args[0]), self._value(node.args[1])
        if x.type == kind or x.free:
            return self._as(x, kind, node)
        a, b = x.type, kind
        if "ptr" in (a, b):
            name = "ptrtoint" if a == "ptr" else "inttoptr"
        elif a in WIDTH and b in WIDTH:
            name = "trunc" if WIDTH[a] > WIDTH[b] else "zext" if a == "i1" else wider
        elif a in FLOATS and b in FLOATS:
            name = "fptrunc" if FLOATS[a] > FLOATS[b] else "fpext"
        else:
            name = floating if a in WIDTH else "fptosi"
        return self._new(f"{name} {a} {x.text} to {b}", b)

    def _word_bits(self, node: ast.Call) -> Value:
        kind, x = self._kind(node.args[0]), self._value(node.args[1])
        return self._new(f"bitcast {x.type} {x.text} to {kind}", kind)

    def _word_call(self, node: ast.Call) -> Value:
        where = self._as(self._value(node.args[1]), "ptr", node)
        given = [self._value(one) for one in node.args[2:]]
        return self._called(self._kind(node.args[0]), where.text, given)

    def _word_stack(self, node: ast.Call) -> Value:
        size = self._value(node.args[0])
        if not size.free:
            self._wrong(node, "the size must be a constant")
        self.count += 1
        self.slots.append(f"  %stack{self.count} = alloca [{size.text} x i8], align 16")
        return Value(f"%stack{self.count}", "ptr")

    def _word_sizeof(self, node: ast.Call) -> Value:
        kind = self._kind(node.args[0])
        return Value(str(FLOATS.get(kind) or WIDTH.get(kind, 64) // 8), "i64", True)

    def _word_below(self, node: ast.Call) -> Value:
        a, b = self._pair(self._value(node.args[0]), self._value(node.args[1]), node)
        return self._new(f"icmp ult {a.type} {a.text}, {b.text}", "i1")

    def _word_copy(self, node: ast.Call) -> Value:
        to, source = (self._as(self._value(one), "ptr", node) for one in node.args[:2])
        size = self._as(self._value(node.args[2]), "i64", node)
        memmove = Extern("llvm.memmove.p0.p0.i64", "void", ("ptr", "ptr", "i64", "i1"))
        self.external[memmove.name] = memmove
        return self._called("void", f"@{memmove.name}", [to, source, size, Value("false", "i1")])

    def _word_address(self, node: ast.Call) -> Value:
        target = self.scope.get(ast.unparse(node.args[0]))
        if isinstance(target, Low):
            self.called.append(target)
        elif isinstance(target, Extern):
            self.external[target.name] = target
        else:
            self._wrong(node, "no function")
        return Value(f"@{target.name}", "ptr")

    def _word_atomic_load(self, node: ast.Call) -> Value:
        kind, place = self._kind(node.args[0]), self._place(node.args[1:])
        how = f"seq_cst, align {WIDTH[kind] // 8}"
        return self._new(f"load atomic {kind}, ptr {place.text} {how}", kind)

    def _word_atomic_store(self, node: ast.Call) -> Value:
        kind = self._kind(node.args[0])
        value = self._as(self._value(node.args[1]), kind, node)
        place = self._place(node.args[2:])
        how = f"seq_cst, align {WIDTH[kind] // 8}"
        self._emit(f"store atomic {kind} {value.text}, ptr {place.text} {how}")
        return Value("", "void")

    def _word_atomic_add(self, node: ast.Call) -> Value:
        """``atomic_add(i32, pointer, x)``: the value before."""
        kind, place = self._kind(node.args[0]), self._place(node.args[1:2])
        value = self._as(self._value(node.args[2]), kind, node)
        return self._new(f"atomicrmw add ptr {place.text}, {kind} {value.text} seq_cst", kind)

    def _word_swapped(self, node: ast.Call) -> Value:
        place = self._place(node.args[:1])
        old, new = (self._as(self._value(one), "i32", node) for one in node.args[1:])
        pair = f"cmpxchg ptr {place.text}, i32 {old.text}, i32 {new.text} seq_cst seq_cst"
        both = self._new(pair, "{ i32, i1 }")
        return self._new(f"extractvalue {{ i32, i1 }} {both.text}, 1", "i1")

    def _word_pause(self, node: ast.Call) -> Value:
        """Nothing, for a thread that waits in a loop: the other one of the core goes first."""
        self._emit(f'call void asm sideeffect "{PAUSE}", ""()')
        return Value("", "void")
