"""How much an event of each type says: the text of the setting, and what it means."""

from contracts.errors import BadInput


def parse_event_weights(text: str) -> dict[str, float]:
    """Read "view=1,purchase=8"; BadInput names the pair that is wrong."""
    weights = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, weight = pair.partition("=")
        try:
            weights[name.strip()] = float(weight)
        except ValueError:
            raise BadInput(f"event weight {pair!r} is no name=number pair, such as purchase=8") from None
    return weights


def weightless_types(text: str) -> list[str]:
    """Event types that are no sign of interest: those that the weights put at zero or below."""
    return sorted(name for name, weight in parse_event_weights(text).items() if weight <= 0)
