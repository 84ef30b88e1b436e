"""The hour: one command a file, each idempotent for its interval."""
