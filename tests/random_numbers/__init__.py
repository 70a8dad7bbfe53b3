"""Tests of ``wengert.random``."""
