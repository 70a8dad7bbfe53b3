"""Programs drawn at random, run in every way that there is, which must all agree."""
