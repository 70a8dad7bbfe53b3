"""The core: errors, array types, programs, interpreters, primitives, handles. NumPy and optree
only.
"""
