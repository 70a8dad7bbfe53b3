"""Machine code through LLVM, in this process, without a C compiler.

``scalars`` writes one element of an operation, ``loops`` the loop nest around a group of them,
``entry`` the function that Python calls, ``machine`` has LLVM compile it. ``kernel`` puts them
together; ``objects`` knows how CPython and NumPy lay their objects out. llvmlite is imported on
first use. Layer: ``static``.
"""
