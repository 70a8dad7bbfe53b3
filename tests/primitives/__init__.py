"""Tests that are generated from the registry of primitives: each from its record, none by hand."""
