"""Static graphs: recording, replay, passes."""
