"""The embedded store answers questions while a collector has it open: ClickHouse's HTTP protocol, read-only.

    endpoint = QueryEndpoint(store)            # http://127.0.0.1:8123
    $ curl 'http://127.0.0.1:8123/?query=SELECT+sum(cost)+FROM+llm_calls+WHERE+counted'

`door` says who comes in, `request` what was asked, `settings` what may be set with it, `guard` (with `tokens` and
`lists`) whether it may be asked and which rows are seen.  `desk` begins it, `native` fits blocks to what drivers
expect, `reply` sends it, `answer` is how failures look, `endpoint` the server.
"""

from .door import Readers
from .endpoint import QueryEndpoint
from .limits import Limits

__all__ = ["Limits", "QueryEndpoint", "Readers"]
