"""What the service does, one verb a file; takes ports, never adapters."""
