"""What services know of the bus: see `htmengine.bus.api`."""

from htmengine.bus.api import (
    MAX_DELIVERIES as MAX_DELIVERIES,
)
from htmengine.bus.api import (
    Bus as Bus,
)
from htmengine.bus.api import (
    BusError as BusError,
)
from htmengine.bus.api import (
    BusLost as BusLost,
)
from htmengine.bus.api import (
    BusUnavailable as BusUnavailable,
)
from htmengine.bus.api import (
    Consumer as Consumer,
)
from htmengine.bus.api import (
    DeadLetter as DeadLetter,
)
from htmengine.bus.api import (
    Delivery as Delivery,
)
from htmengine.bus.api import (
    ExchangeNotFound as ExchangeNotFound,
)
from htmengine.bus.api import (
    Fanout as Fanout,
)
from htmengine.bus.api import (
    GateClosed as GateClosed,
)
from htmengine.bus.api import (
    Outgoing as Outgoing,
)
from htmengine.bus.api import (
    QueueFull as QueueFull,
)
from htmengine.bus.api import (
    QueueNotFound as QueueNotFound,
)
from htmengine.bus.api import (
    QueueStatus as QueueStatus,
)
