"""Benchmarks of wengert beside NumPy by hand, PyTorch, autograd and MyGrad: `python -m benchmarks`.

`harness` measures, `suites` says what is measured, `targets` what is to be reached, `report`
writes it down. README.md in this folder says how to read the figures.
"""
