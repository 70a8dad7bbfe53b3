"""Structured control flow: ``cond``, ``while_loop``, ``scan``, ``fori_loop``, and ``call``.

Each is one equation whose parameters hold programs; its derivatives and its batched form are
equations of the same kind with programs derived from those. Layer: above ``differentiate``.
"""
