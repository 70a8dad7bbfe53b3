"""The primitives, one file a family of functions, and ``Array``, the value a user holds."""
