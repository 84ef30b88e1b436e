"""What comes in: reading, checking and laying down events, users and items."""
