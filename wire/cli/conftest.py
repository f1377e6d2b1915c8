"""A right set-up for each test, and the command line as an operator runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from certificates import Authority  # noqa: E402
from command_line import Catnap  # noqa: E402
from emulator import binary  # noqa: E402
from set_up import HOST, Front, SetUp  # noqa: E402
from stand import Moto, clean_environment  # noqa: E402


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def front(authority: Authority) -> Iterator[Front]:
    front = Front(authority.server(HOST))
    yield front
    front.close()


@pytest.fixture
def set_up(moto: Moto) -> SetUp:
    made = SetUp(moto)
    made.deploy()
    return made


@pytest.fixture(scope="session", autouse=True)
def whole() -> None:
    """Quick tests leave a binary without AWS behind, in the same place."""
    help_of_it = subprocess.run([str(binary("catnap")), "--help"], capture_output=True, text=True, timeout=60).stdout
    assert "doctor" in help_of_it, "catnap was built without AWS: cargo build --locked --bins"


@pytest.fixture
def catnap(moto: Moto, front: Front, authority: Authority, tmp_path: Path) -> Catnap:
    here = {"HOME": str(tmp_path), "CATNAP_GATEWAY_ADDRESS": front.address, "SSL_CERT_FILE": str(authority.roots)}
    return Catnap({**clean_environment(), **moto.environment(), **here})
