"""Delivering a month: what may be sent when, what came back, and what that means for the rest."""
