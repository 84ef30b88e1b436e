"""The HTTP server: look-ups that never wait for a model."""
