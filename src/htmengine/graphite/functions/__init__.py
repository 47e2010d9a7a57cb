"""The functions of targets: a module for each group."""

from typing import Final

from htmengine.graphite.functions import alias, anomaly, combine, filters, special, transform, windows
from htmengine.graphite.registry import Registry

FUNCTIONS: Final = Registry()
"""All of them."""
for _module in (alias, anomaly, combine, filters, special, transform, windows):
    FUNCTIONS.all |= _module.function.all
