"""What a person checks when everything that is sent is refused: by the words of the one who refuses."""

from __future__ import annotations

CHECK_ACCESS = "Check obelis.client_id, obelis.cpo_id and obelis.base_url with OBELIS."
CHECK_PATHS = (
    "Check obelis.paths first (the prefix, and the path of each kind): a gateway says so of a path that it does "
    "not have, whatever the token; `report-service contract` compares them with the API's own file. Then "
    "obelis.base_url."
)
CHECK_ROUTE = (
    "A page is no answer of the API: a firewall or a proxy on the way refuses. Check obelis.proxy and "
    "obelis.base_url, and ask whether requests from this machine's address are let through."
)

_NO_SUCH_PATH = (
    "missing authentication token",
    "in authorization header",
    "authorization header requires",
    "no route",
)
"""What AWS API Gateway (MISSING_AUTHENTICATION_TOKEN, INVALID_SIGNATURE: it then takes our bearer token for a
signature of AWS's own) and Kong say of a path or verb that they do not have, where others answer 404."""
_A_PAGE = ("<html", "<!doctype")


def access_hint(words: str) -> str:
    """Return what to check after a refusal of access (403, or another 4xx) in these words of an answer's body."""
    said = words.casefold()
    if any(sign in said for sign in _NO_SUCH_PATH):
        return CHECK_PATHS
    return CHECK_ROUTE if any(sign in said for sign in _A_PAGE) else CHECK_ACCESS
