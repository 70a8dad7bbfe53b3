"""Four ways to differentiate: reverse mode, forward mode, numerical, and rules written by hand."""
