"""Whose host this is: what OpenTelemetry names the vendor behind a base URL, else the host itself.

Many vendors speak OpenAI's protocol, or another vendor's, and an SDK is pointed at them by a base URL alone; the
price of a model depends on who serves it.  A host belongs to a vendor when it is, or ends with, one of the names
below; the longest decides.  Nothing is recognised by a part of its name: `api.openai.com.example` is not OpenAI's.

Names are the well-known values of `gen_ai.provider.name` where there is one, else the vendor's own in lower case, as
price lists have it.  A host that many parties rent (a cloud's load balancer, an API gateway) says nothing of the vendor
and stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

VENDORS: Final = {
    # well-known values of gen_ai.provider.name
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "openai.azure.us": "azure.ai.openai",
    "openai.azure.cn": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "models.ai.azure.com": "azure.ai.inference",
    "models.inference.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
    "mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    # makers of models
    "api.ai21.com": "ai21",
    "api.arcee.ai": "arcee",
    "dashscope.aliyuncs.com": "alibaba",
    "dashscope-intl.aliyuncs.com": "alibaba",
    "dashscope-us.aliyuncs.com": "alibaba",
    "qianfan.baidubce.com": "baidu",
    "api.inceptionlabs.ai": "inception",
    "api.llama.com": "meta",
    "api.meta.ai": "meta",
    "api.minimax.chat": "minimax",
    "api.minimax.com": "minimax",
    "api.minimax.io": "minimax",
    "api.minimaxi.com": "minimax",
    "api.reka.ai": "reka",
    "api.stepfun.com": "stepfun",
    "api.hunyuan.cloud.tencent.com": "tencent",
    "api.upstage.ai": "upstage",
    "api.voyageai.com": "voyageai",
    "volces.com": "volcengine",
    "bytepluses.com": "byteplus",
    "api.writer.com": "writer",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zhipuai",
    # who serves the models of others
    "api.avian.io": "avian",
    "api.baseten.co": "baseten",
    "inference.baseten.co": "baseten",
    "api.cerebras.ai": "cerebras",
    "api.cloudflare.com": "cloudflare",
    "api.inference.crusoecloud.com": "crusoe",
    "cloud.databricks.com": "databricks",
    "gcp.databricks.com": "databricks",
    "azuredatabricks.net": "databricks",
    "api.deepinfra.com": "deepinfra",
    "inference.do-ai.run": "digitalocean",
    "api.doubleword.ai": "doubleword",
    "api.featherless.ai": "featherless",
    "api.fireworks.ai": "fireworks",
    "api.friendli.ai": "friendli",
    "router.huggingface.co": "huggingface",
    "api-inference.huggingface.co": "huggingface",
    "endpoints.huggingface.cloud": "huggingface",
    "api.hyperbolic.xyz": "hyperbolic",
    "api.lambda.ai": "lambda",
    "modal.run": "modal",
    "modal.direct": "modal",
    "api.studio.nebius.ai": "nebius",
    "api.studio.nebius.com": "nebius",
    "api.tokenfactory.nebius.com": "nebius",
    "api.novita.ai": "novita",
    "integrate.api.nvidia.com": "nvidia",
    "ollama.com": "ollama",
    "endpoints.kepler.ai.cloud.ovh.net": "ovhcloud",
    "api.parasail.io": "parasail",
    "api.sambanova.ai": "sambanova",
    "api.scaleway.ai": "scaleway",
    "api.siliconflow.cn": "siliconflow",
    "api.siliconflow.com": "siliconflow",
    "snowflakecomputing.com": "snowflake",
    "snowflakecomputing.cn": "snowflake",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    # who passes calls on
    "gateway.ai.cloudflare.com": "cloudflare",
    "models.github.ai": "github",
    "api.githubcopilot.com": "github-copilot",
    "openrouter.ai": "openrouter",
    "api.portkey.ai": "portkey",
    "ai-gateway.vercel.sh": "vercel",
}
PATTERNS: Final = (
    # regional and private endpoints; other hosts below amazonaws.com are anybody's
    (re.compile(r"(?:^|\.)bedrock[a-z-]*\.[^.]+\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$"), "aws.bedrock"),
    (re.compile(r"(?:^|[a-z0-9]-)aiplatform(?:\.[a-z0-9-]+\.rep)?\.googleapis\.com$"), "gcp.vertex_ai"),
)

# a server of one's own, by the port that is its default and hardly anything else's, or by its name in a compose file
PORTS: Final = {11434: "ollama", 1234: "lmstudio"}
SERVICES: Final = frozenset({"ollama", "vllm", "lmstudio", "localai", "sglang"})
LOCAL: Final = (".local", ".localhost", ".internal", ".lan")


@lru_cache(maxsize=256)
def vendor(host: str, port: int | None = None) -> str:
    """The vendor whose host this is, else the host.

    >>> vendor("eu.api.openai.com"), vendor("localhost", 11434), vendor("llm.example")
    ('openai', 'ollama', 'llm.example')
    """
    host = host.lower()
    suffix = host
    while suffix:
        if suffix in VENDORS:
            return VENDORS[suffix]
        suffix = suffix.partition(".")[2]
    for pattern, name in PATTERNS:
        if pattern.search(host):
            return name
    if not _is_local(host):
        return host
    return host if host in SERVICES else PORTS.get(port or 0, host)


def _is_local(host: str) -> bool:
    """A loopback or private address, or a name that no public resolver knows."""
    if host.endswith(LOCAL):
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return "." not in host
    return address.is_private or address.is_loopback


NAMED: Final = "OTEL_LLM_COST_PROVIDER_HOSTS"
"""Environment variable in which a user says who is behind a gateway: `gateway.corp=openai,127.0.0.1:8080=anthropic`."""


def where(host: str) -> str:
    """A host as a client tells it: in lower case, and an IPv6 address without brackets."""
    return host.strip().lower().replace("[", "").replace("]", "")


def named(listed: str) -> tuple[dict[str, str], list[str]]:
    """The value of `NAMED` as host, or host:port, → vendor; and the entries that are none."""
    hosts, bad = dict[str, str](), list[str]()
    for entry in filter(None, (part.strip() for part in listed.split(","))):
        host, equals, name = entry.rpartition("=")
        at, bare, name = where(host), where(host).removesuffix(":443").removesuffix(":80"), name.strip()
        if equals and at and name and "/" not in at:
            hosts[at] = name
            hosts.setdefault(bare, name)  # a client does not tell the port that its scheme has anyway
        else:
            bad.append(entry)
    return hosts, bad


def seller(host: str, port: int | None, hosts: Mapping[str, str]) -> str:
    """The vendor of a host: as the user named it in `hosts`, else as `vendor` knows it."""
    at = where(host)
    return hosts.get(f"{at}:{port}") or hosts.get(at) or vendor(at, port)
