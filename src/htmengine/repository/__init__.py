"""Metrics, samples and scores in SQL.

Under their documented names: engines (`factory`), the queries of applications (`queries`) and the tables (`schema`). The
services use `database`, `metrics`, `samples`, `scores` and their neighbours.
"""

from htmengine.repository import schema as schema
from htmengine.repository.factory import engineFactory as engineFactory
from htmengine.repository.factory import getBaseConnectionArgsDict as getBaseConnectionArgsDict
from htmengine.repository.factory import getDbDSN as getDbDSN
from htmengine.repository.factory import getDSN as getDSN
from htmengine.repository.factory import getUnaffiliatedEngine as getUnaffiliatedEngine
from htmengine.repository.factory import retryOnTransientErrors as retryOnTransientErrors
from htmengine.repository.queries import *  # noqa: F403
