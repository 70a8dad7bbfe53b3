"""What ``check_grads`` is made of; see ``differentiate/check.py``."""
