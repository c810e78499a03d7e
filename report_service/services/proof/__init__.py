"""The proof of a month's delivery: gathered, shown, verified."""
