"""Faults for ``test_the_tests.py`` to plant: broken records, and a broken engine."""
