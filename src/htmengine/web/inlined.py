"""One document that holds modules of the page, their styles and their data, and needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable
from posixpath import dirname, join, normpath
from string import Template
from typing import Any, Final

STYLES: Final = ("vendor/uplot/uPlot.min.css", "style/base.css", "style/pages.css")
LIBRARY: Final = "vendor/uplot/uPlot.iife.min.js"
LICENSE: Final = "vendor/uplot/LICENSE"
_IMPORT: Final = re.compile(r'(\b(?:from|import)\s*)"(\.{1,2}/[^"]+)"')
_DOCUMENT: Final = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
$styles
</style>
<script type="importmap">$modules</script>
</head>
<body>
<main id="main"></main>
<script type="application/json" id="data">$data</script>
<script>
/*
$license
*/
$library
</script>
<script type="module">import "$entry";</script>
</body>
</html>
""")


def document(entry: str, title: str, data: Any) -> str:
    """Return a document that runs a module of the page, and what it imports, with data in the element `data`.

    Parameters
    ----------
    entry : the module's path within the page.
    data : what JSON can hold.
    """
    page = resources.files("htmengine.web") / "page"
    return _DOCUMENT.substitute(
        title=escape(title),
        styles="\n".join(_text(page, name) for name in STYLES),
        modules=json.dumps({"imports": _modules(page, entry)}),
        # `<` would let a name in the data end the script.
        data=json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        license=_text(page, LICENSE),
        library=_text(page, LIBRARY),
        entry=_specifier(entry),
    )


def _modules(page: Traversable, entry: str) -> dict[str, str]:
    """Return addresses with all of their content, by specifier, of a module and of those that it needs.

    Such an address has no path that others could be relative to: imports get names of their own, which the map of the
    document leads to them.
    """
    found: dict[str, str] = {}
    wanted = [entry]
    while wanted:
        name = wanted.pop()
        if _specifier(name) in found:
            continue
        folder = dirname(name)

        def renamed(match: re.Match[str], folder: str = folder) -> str:
            target = normpath(join(folder, match[2]))
            wanted.append(target)
            return f'{match[1]}"{_specifier(target)}"'

        content = _IMPORT.sub(renamed, _text(page, name))
        found[_specifier(name)] = f"data:text/javascript;base64,{b64encode(content.encode()).decode()}"
    return found


def _specifier(name: str) -> str:
    return f"page/{name}"


def _text(page: Traversable, name: str) -> str:
    return (page / name).read_text(encoding="utf-8")
