"""What was asked for on the command line, as every measurement gets it."""

from dataclasses import dataclass
from pathlib import Path

from bootstrap.environment import Checkout


@dataclass(frozen=True)
class Request:
    """The checkout to measure, and the choices that some measurements know."""

    checkout: Checkout
    peers: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    readme: Path | None = None
    quick: bool = False
