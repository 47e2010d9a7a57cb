"""The settings of an installation: `load` reads them from a configuration directory, `embedded` needs a folder alone."""

from htmengine.config.settings import (
    ALERTS_FILE as ALERTS_FILE,
)
from htmengine.config.settings import (
    APPLICATION as APPLICATION,
)
from htmengine.config.settings import (
    CONFIG_PATH_VARIABLE as CONFIG_PATH_VARIABLE,
)
from htmengine.config.settings import (
    MAX_DATA_QUEUES as MAX_DATA_QUEUES,
)
from htmengine.config.settings import (
    MAX_SHARDS as MAX_SHARDS,
)
from htmengine.config.settings import (
    RULES_FILE as RULES_FILE,
)
from htmengine.config.settings import (
    Broker as Broker,
)
from htmengine.config.settings import (
    BusName as BusName,
)
from htmengine.config.settings import (
    CheckpointStoreName as CheckpointStoreName,
)
from htmengine.config.settings import (
    Dialect as Dialect,
)
from htmengine.config.settings import (
    Doors as Doors,
)
from htmengine.config.settings import (
    Graphite as Graphite,
)
from htmengine.config.settings import (
    Http as Http,
)
from htmengine.config.settings import (
    Likelihood as Likelihood,
)
from htmengine.config.settings import (
    Listener as Listener,
)
from htmengine.config.settings import (
    Mcp as Mcp,
)
from htmengine.config.settings import (
    ModelName as ModelName,
)
from htmengine.config.settings import (
    Prometheus as Prometheus,
)
from htmengine.config.settings import (
    Repository as Repository,
)
from htmengine.config.settings import (
    Retention as Retention,
)
from htmengine.config.settings import (
    Scheduler as Scheduler,
)
from htmengine.config.settings import (
    Settings as Settings,
)
from htmengine.config.settings import (
    Statsd as Statsd,
)
from htmengine.config.settings import (
    Storer as Storer,
)
from htmengine.config.settings import (
    Writeback as Writeback,
)
from htmengine.config.settings import (
    config_dir_from_environment as config_dir_from_environment,
)
from htmengine.config.settings import (
    embedded as embedded,
)
from htmengine.config.settings import (
    load as load,
)
from htmengine.config.settings import (
    load_broker as load_broker,
)
from htmengine.config.settings import (
    required_config_dir as required_config_dir,
)
