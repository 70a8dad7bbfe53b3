"""Static graphs: recorded programs, their passes, and what runs them."""
