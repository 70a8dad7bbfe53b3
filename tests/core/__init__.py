"""Tests of the core: nesting, memory, changes in place, dtypes, contexts."""
