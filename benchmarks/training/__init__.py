"""One training step of a multi-layer perceptron in each library, from the same weights."""
