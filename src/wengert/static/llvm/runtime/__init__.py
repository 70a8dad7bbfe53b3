"""What every compiled program needs while it runs, written in the language of ``lowlevel.py``."""
