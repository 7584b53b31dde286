"""The SDKs that are installed here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from .anthropic_sdk import ANTHROPIC
from .google_sdk import GOOGLE
from .openai_sdk import OPENAI
from .ways import Sdk


def installed(sdk: Sdk) -> bool:
    """Whether some version of it is."""
    try:
        version(sdk.distribution)
    except PackageNotFoundError:
        return False
    return True


SDKS = [sdk for sdk in (OPENAI, ANTHROPIC, GOOGLE) if installed(sdk)]
