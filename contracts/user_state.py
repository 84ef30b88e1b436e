"""What is known of a person, bounded: the state that both paths compute features from.

The profile is written each hour for a known user; `docs/user-state.md` tells the whole contract.
"""

# A profile keeps the user's items most recently touched (ties by item id), at most this many.
MAX_PROFILE_ITEMS = 1_000
# Weight of an event whose type the settings do not name.
UNNAMED_WEIGHT = 1.0
# Bounds of what a request may bring in.
MAX_ID_BYTES = 256
MAX_EXCLUDED_ITEMS = 1_000
