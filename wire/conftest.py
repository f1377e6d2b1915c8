"""One server of moto for all tests, as new for each."""

from __future__ import annotations

from typing import Iterator

import pytest

from stand import Moto


@pytest.fixture(scope="session")
def server() -> Iterator[Moto]:
    with Moto() as moto:
        yield moto


@pytest.fixture
def moto(server: Moto) -> Moto:
    server.reset()
    server.set_phases()
    return server
