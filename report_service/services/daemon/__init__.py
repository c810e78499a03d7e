"""What the daemon does by itself: when to look, what to tell, whether it is well."""
