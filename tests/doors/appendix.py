"""What the document says beside its tables: other doors, shut doors, and how hosts are named."""

from __future__ import annotations

from otel_llm_cost import hosts

from .beside import ELSEWHERE, UNSEEN
from .markdown import heading, line


def elsewhere() -> str:
    """Doors outside the tables, each with its test."""
    lines = [
        "## Seen besides",
        "",
        "These are walked by a test of their own. The last two SDKs are tested in environments of their own.",
        "",
        *heading("SDK", "Door", "What is seen", "Test"),
    ]
    for sdk, entries in ELSEWHERE.items():
        lines += [line([sdk, e.door, e.seen, f"[{_said(e.test)}](../{e.file})"]) for e in entries]
    return "\n".join(lines) + "\n"


def _said(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def unseen() -> str:
    """Doors that stay shut, and why."""
    lines = ["## Not seen", "", *heading("SDK", "Door", "Why")]
    return "\n".join([*lines, *(line([entry.sdk, entry.door, entry.why]) for entry in UNSEEN)]) + "\n"


_HOSTS = """\
## Compatible hosts

Many vendors are called with OpenAI's SDK and a `base_url`. A call is named for whoever serves it, because the price
depends on that: `gen_ai.provider.name` is the name below where the host is, or ends with, one of those beside it. Any
other host is named itself. Your own names: `OTEL_LLM_COST_PROVIDER_HOSTS=gateway.corp=openai,127.0.0.1:8080=anthropic`.

| Provider | Hosts |
|---|---|
"""


def compatible_hosts() -> str:
    """Which provider is named for which host."""
    by_name: dict[str, list[str]] = {}
    for host, name in hosts.VENDORS.items():
        by_name.setdefault(name, []).append(f"`{host}`")
    for host in ("bedrock-runtime.REGION.amazonaws.com", "REGION-aiplatform.googleapis.com"):
        by_name.setdefault(hosts.vendor(host), []).append(f"`{host}`")
    for port, name in hosts.PORTS.items():
        by_name.setdefault(name, []).append(f"port {port} of `localhost` or a private address")
    for service in sorted(hosts.SERVICES):
        by_name.setdefault(hosts.vendor(service), []).append(f"`{service}`, the whole name")
    return _HOSTS + "\n".join(line([f"`{name}`", ", ".join(by_name[name])]) for name in sorted(by_name)) + "\n"
