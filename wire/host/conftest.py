"""nginx and an app behind it, for the tests of the host."""

from __future__ import annotations

from typing import Iterator

import pytest
from host_site import Site
from host_tools import authority, need


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need("nginx", "curl")
    prefix = tmp_path_factory.mktemp("nginx")
    made = Site(prefix)
    authority(made.tls).rename(prefix / "ca.pem")
    try:
        made.start()
        made.start_app()
        yield made
    finally:
        made.stop()
