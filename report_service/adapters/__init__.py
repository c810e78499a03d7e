"""The outside world, one technology a room."""
