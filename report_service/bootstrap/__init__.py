"""The composition root: builds the service from its settings. It alone knows services and adapters both."""
