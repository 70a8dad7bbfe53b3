"""The pieces of work of the suite `native`, one module each: data, and the program of each library.

Each has `benchmarks() -> list[Benchmark]`; `task.py` and `steps.py` say how a library is called.
"""
