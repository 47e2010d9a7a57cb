"""Errors of the server of the page's tests, as the API answers with them."""

from starlette.responses import JSONResponse


def problem(status, title, detail, errors=()):
    """Return an answer that says what is wrong, with the parts of the request that are."""
    body = {"title": title, "status": status, "detail": detail, "errors": list(errors)}
    return JSONResponse(body, status, media_type="application/problem+json")
