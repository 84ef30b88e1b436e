"""What every layer that can answer a look-up must answer: requests, and what is true of the answer."""

from dataclasses import dataclass

LONG_ID = "x" * 256


@dataclass(frozen=True, slots=True)
class Case:
    """One request; `overlaid` is a user who has this overlay while it is asked, `delisted` an item shown to nobody."""

    says: str
    path: str
    status: int = 200
    source: str = "head"
    query: str = ""
    method: str = "GET"
    origin: str = ""
    overlaid: str = ""
    overlay: bytes = b"{}"
    delisted: str = ""
    seq: str = ""


PAGED = b'0{"seq":7,"events":[["e","page","",1769846400000,null]],"gone":{}}'
VIEWED = b'1{"seq":7,"events":[["e","view","apple",1769846400000,null]],"gone":{}}'
LIVE = b'1{"seq":7,"events":[["e","view","apple",9999999999999,null]],"gone":{}}'
BOUGHT = b'1{"seq":8,"events":[],"gone":{"apple":9999999999999}}'
BOUGHT_LONG_AGO = b'1{"seq":8,"events":[],"gone":{"apple":1769846400000}}'
FORGOTTEN = b'1{"seq":9,"events":[],"gone":{},"forgotten":1999999999999}'
USERS = "/v1/recommendations/"
CASES = (
    Case("a head user's stored bytes", f"{USERS}ada"),
    Case("the default placement by name", f"{USERS}ada", query="placement=home"),
    Case("an id beyond ASCII", f"{USERS}jos%C3%A9"),
    Case("an id with braces", f"{USERS}a%7Bb%7Dc"),
    Case("an id with spaces and signs", f"{USERS}tilde~%20user+1"),
    Case("an id of 256 bytes", USERS + LONG_ID),
    Case("a head user with an overlay", f"{USERS}ada", overlaid="ada"),
    Case("an overlay that changes no list", f"{USERS}ada", overlaid="ada", overlay=PAGED, seq="7"),
    Case("a session that has ended", f"{USERS}ada", overlaid="ada", overlay=VIEWED, seq="7"),
    Case("a session while inference is away", f"{USERS}ada", overlaid="ada", overlay=LIVE, seq="7"),
    Case("a stranger's session", f"{USERS}nobody", source="fallback", overlaid="nobody", overlay=LIVE, seq="7"),
    Case(
        "such an overlay without a list", f"{USERS}nobody", source="popular", overlaid="nobody", overlay=PAGED, seq="7"
    ),
    Case("an overlay with a bought item", f"{USERS}ada", overlaid="ada", overlay=BOUGHT, seq="8"),
    Case("an item bought long ago", f"{USERS}ada", overlaid="ada", overlay=BOUGHT_LONG_AGO, seq="8"),
    Case("a forgotten person", f"{USERS}ada", source="popular", overlaid="ada", overlay=FORGOTTEN, seq="9"),
    Case("an anonymous person", f"{USERS}anon:1", source="popular", overlaid="anon:1", overlay=BOUGHT, seq="8"),
    Case("a delisted item", f"{USERS}ada", delisted="cheese"),
    Case("a delisted item that is in no list", f"{USERS}ada", delisted="zebra"),
    Case(
        "an overlay and an allowed origin",
        f"{USERS}ada",
        origin="https://shop.example",
        overlaid="ada",
        overlay=PAGED,
        seq="7",
    ),
    Case("a limit", f"{USERS}ada", query="limit=2"),
    Case("a limit beyond the list", f"{USERS}ada", query="limit=500"),
    Case("another placement", f"{USERS}ada", query="placement=cart"),
    Case("a placement that is not personal", f"{USERS}ada", query="placement=search", source="popular"),
    Case("an empty placement", f"{USERS}ada", query="placement=", status=400, source="none"),
    Case("an unknown parameter", f"{USERS}ada", query="utm_source=mail"),
    Case("a trailing ampersand", f"{USERS}ada", query="placement=home&"),
    Case("a user of a segment", f"{USERS}known", source="fallback"),
    Case("a user of a region", f"{USERS}regional", source="fallback"),
    Case("an unknown user", f"{USERS}nobody", source="popular"),
    Case("an unknown user of a region", f"{USERS}nobody", query="region=north", source="popular"),
    Case("a HEAD request", f"{USERS}ada", method="HEAD"),
    Case("a POST", f"{USERS}ada", method="POST", status=405, source="none"),
    Case("an allowed origin", f"{USERS}ada", origin="https://shop.example"),
    Case("a foreign origin", f"{USERS}ada", origin="https://other.example"),
    Case("no id", USERS, status=404, source="none"),
    Case("an id with a slash", f"{USERS}ada/x", status=400, source="none"),
    Case("an id with an encoded slash", f"{USERS}ada%2Fx", status=400, source="none"),
    Case("an id of 257 bytes", USERS + LONG_ID + "x", status=400, source="none"),
    Case("an id of 10 kB", USERS + "x" * 10_000, status=400, source="none"),
    Case("129 letters of two bytes", USERS + "%C3%A9" * 129, status=400, source="none"),
    Case("an id that is not UTF-8", f"{USERS}%FF%FE", status=400, source="none"),
    Case("an id with a zero byte", f"{USERS}a%00b", source="popular"),
    Case("limit=0", f"{USERS}ada", query="limit=0", status=400, source="none"),
    Case("limit=-1", f"{USERS}ada", query="limit=-1", status=400, source="none"),
    Case("limit=many", f"{USERS}ada", query="limit=many", status=400, source="none"),
    Case("limit beyond all", f"{USERS}ada", query="limit=501", status=400, source="none"),
    Case("a superscript limit", f"{USERS}ada", query="limit=%C2%B2", status=400, source="none"),
    Case("an unknown placement", f"{USERS}ada", query="placement=attic", status=400, source="none"),
    Case("another path", "/v1/recommendation/ada", status=404, source="none"),
)
