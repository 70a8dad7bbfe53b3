"""Tests that are generated from the registry of primitives: each from its record, none by hand."""

import wengert.nn  # noqa: F401  what is imported on first use enters its primitives too
