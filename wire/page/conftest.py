"""One Chromium and one front for all tests of the page; a new world and a new browser context for each."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from typing import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from front import APP, Front, World, chromium_arguments, serving
from playwright.sync_api import Browser, Page, Playwright

from tabs import NewPage, tabs


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """For any name: the browser of these tests does not look at certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, APP)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture(scope="session")
def only_front(tls: ssl.SSLContext) -> Iterator[Front]:
    with World() as world, serving(Front(world), tls=tls) as front:
        yield front


@pytest.fixture
def front(only_front: Front) -> Front:
    only_front.forget()
    only_front.world.begin()
    return only_front


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: str, only_front: Front) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, timeout=120_000, args=chromium_arguments(only_front))
    yield browser
    browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    with tabs(browser) as new:
        yield new


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()
