"""Why a function, or a call, can't be a static graph. Layer: ``static``."""


class Refused(Exception):
    """A function that can't be a static graph; it then runs eagerly."""


class Transformed(Exception):
    """A transformation around the call owns something that the function reaches."""


class Unsettled(Exception):
    """An effect that a static graph can't have, but that may have been the first call's only."""


class Escaped(Exception):
    """A value of the recording outlives it; the call has been undone, and is to run eagerly."""
