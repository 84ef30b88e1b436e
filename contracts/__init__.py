"""What two processes must agree on: errors, settings, lake tables, features, Redis layout, answers."""
