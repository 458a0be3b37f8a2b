"""Media types of GraphQL over HTTP: which one an answer has, and the status that goes with it."""

from graph.core.engine import Answer
from graph.core.errors import TopLevelCode

RESPONSE = "application/graphql-response+json"
JSON = "application/json"

_STATUS = {
    TopLevelCode.UNAUTHENTICATED: 401,
    TopLevelCode.FORBIDDEN: 403,
    TopLevelCode.THROTTLED: 429,
    TopLevelCode.BAD_INPUT: 400,
    TopLevelCode.QUERY_TOO_COMPLEX: 400,
    TopLevelCode.AWAY: 503,
    TopLevelCode.INTERNAL: 500,
}


def is_json(content_type: str | None) -> bool:
    """Whether a request's Content-Type is JSON in UTF-8 (RFC 8259 allows no other encoding)."""
    kind, parameters = _media_type(content_type or "")
    return kind == JSON and parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8"}


def answer_type(accept: str | None) -> str | None:
    """The media type to answer with: what Accept likes best, application/json when it does not say; None: 406.

    Other types, such as the text/event-stream that some clients always list, are passed over.
    """
    if accept is None or not accept.strip():
        return JSON
    liking: dict[str, float] = {}
    for item in accept.split(","):
        kind, parameters = _media_type(item)
        for offered in _matching(kind):
            liking[offered] = max(liking.get(offered, 0.0), _quality(parameters.get("q")))
    best = max(liking.items(), key=lambda pair: (pair[1], pair[0] == RESPONSE), default=(None, 0.0))
    return best[0] if best[1] > 0 else None


def accepts_events(accept: str | None) -> bool:
    """Whether an event stream may be answered."""
    kinds = [_media_type(item)[0] for item in (accept or "").split(",")]
    return any(kind in {"text/event-stream", "text/*"} for kind in kinds)


def status_of(answer: Answer, media_type: str) -> int:
    """The HTTP status. As application/json a well-formed request is 200, except where it was denied at the door."""
    if answer.code is None or (media_type == JSON and not answer.is_denied):
        return 200
    return _STATUS[answer.code]


def _matching(kind: str) -> tuple[str, ...]:
    if kind in {RESPONSE, JSON}:
        return (kind,)
    return (JSON,) if kind in {"*/*", "application/*"} else ()


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    kind, *rest = text.split(";")
    pairs = (part.partition("=") for part in rest)
    return kind.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _quality(text: str | None) -> float:
    try:
        return 1.0 if text is None else min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
