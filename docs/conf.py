"""The documentation as a site, built by Sphinx: `make docs`. Pages lie where readers of the repository find them."""

import re
from importlib import metadata

project = "htmengine"
author = "the htmengine developers"
copyright = author
release = metadata.version("htmengine")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
include_patterns = ["*.md", "docs/**", "benchmarks/results/*.md"]
exclude_patterns = ["CHANGELOG.md"]
root_doc = "docs/index"
myst_heading_anchors = 4

html_theme = "alabaster"
html_theme_options = {
    "description": "Real-time anomaly detection for scalar metrics",
    "page_width": "70em",
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_sourcelink = False
html_title = f"htmengine {release}"
html_show_copyright = False
html_copy_source = False
html_extra_path = ["_site"]

# Types are shown as they are written in the source: shorter, and what is imported for types alone is not missed.
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("ArrayLike", "FloatArray", "Parameters")}
autodoc_preserve_defaults = True
default_role = "code"
python_use_unqualified_type_names = True

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n((?:.+\n?)*)", re.MULTILINE)
ENTRY = re.compile(r"^(\S.*?) : ", re.MULTILINE)


def sections_as_lists(app, what, name, obj, options, lines):
    """Make lists of a docstring's sections, whose entries are `name : what it is, in a sentence`."""

    def section(found):
        if not ENTRY.search(found[2]):
            return f"**{found[1]}**\n\n{found[2]}"
        entries = re.sub(r"\n +", " ", found[2])  # one line for each
        return f"**{found[1]}**\n\n" + ENTRY.sub(r"- ``\1``: ", entries)

    lines[:] = SECTION.sub(section, "\n".join(lines)).splitlines()


def setup(app):
    app.connect("autodoc-process-docstring", sections_as_lists)
