"""The page's files: the one document that all addresses of the site serve, and what it loads."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from htmengine.web import problems
from htmengine.web.problems import Problem

FOLDER: Final = Path(__file__).parent / "page"
DOCUMENT: Final = "index.html"
PLACEHOLDER: Final = "${static}"
"""What the document writes for the folder of its files."""
FOREVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}


class Page:
    """Files of a folder, read once. Their address has a checksum of all of them: it never means anything else."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.parts)
        }
        digest = hashlib.blake2b(digest_size=8)
        for name, content in self._files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        self.hash = digest.hexdigest()

    def document(self, request: Request) -> Response:
        """Return the document, its links relative to the address that was asked for."""
        content = self._files.get(DOCUMENT)
        if content is None:
            raise Problem(
                problems.NOT_FOUND, "This installation comes without the page; the API is at /api/v1."
            )
        up = "../" * (request.url.path.removeprefix(request.scope.get("root_path", "")).count("/") - 1)
        body = content.replace(PLACEHOLDER.encode(), f"{up}static/{self.hash}".encode())
        return Response(body, media_type="text/html", headers={"Cache-Control": "no-cache"})

    def file(self, request: Request) -> Response:
        """Return a file that the document loads."""
        name = request.path_params["path"]
        content = self._files.get(name)
        if content is None or request.path_params["hash"] != self.hash:
            raise Problem(problems.NOT_FOUND, "Load the page again: it was replaced by another version.")
        kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(content, media_type=kind, headers={"Cache-Control": FOREVER})

    def favicon(self, request: Request) -> Response:
        """Return the icon that browsers ask for by themselves."""
        for name in ("favicon.ico", "favicon.svg"):
            if content := self._files.get(name):
                kind = _TYPES.get(Path(name).suffix, "image/x-icon")
                return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})
        return Response(status_code=204)
