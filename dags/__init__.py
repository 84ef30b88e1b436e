"""Orchestration only; jobs are named as strings."""
