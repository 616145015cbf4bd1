from __future__ import annotations

import pytest

from sweep.redaction import redact

SHOWN = {
    "postgresql://ann:hunter22@db:5432/runs": "postgresql://ann:***@db:5432/runs",
    "postgresql+psycopg2://ann:hunter22@[::1]/runs": "postgresql+psycopg2://ann:***@[::1]/runs",
    "postgresql://:hunter22@db/runs": "postgresql://:***@db/runs",
    "http://ann:hunter22@store:5000/": "http://ann:***@store:5000/",
    "http://ann:@store": "http://ann:***@store",
    "https://hunter22@store": "https://***@store",
    "postgresql://ann:hunter%4022@db/runs": "postgresql://ann:***@db/runs",
    "postgresql://ann:hunter@22@db/runs": "postgresql://ann:***@db/runs",
    "postgresql://ann:hunter/22?#:@db/runs": "postgresql://ann:***@db/runs",
    "postgresql://ann:hunter 22@db/runs": "postgresql://ann:***@db/runs",
    "postgresql://ann:***@db/runs": "postgresql://ann:***@db/runs",
    "postgresql://db/runs?user=ann&password=hunter22": "postgresql://db/runs?user=ann&password=***",
    "postgresql://db/runs?sslpassword=hunter22&sslmode=require": (
        "postgresql://db/runs?sslpassword=***&sslmode=require"
    ),
    "https://store/?access_token=hunter22": "https://store/?access_token=***",
}


@pytest.mark.parametrize(("address", "shown"), SHOWN.items())
def test_no_address_shows_its_password(address: str, shown: str) -> None:
    assert redact(address, address) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/ann/runs/mlflow.db",
        "sqlite:////home/ann:b@work/mlflow.db",
        "postgresql://ann@db:5432/runs",
        "postgresql:///runs",
        "http://127.0.0.1:5000",
        "http://127.0.0.1:5000/#/experiments/1?o=2 (write to ann@example.org)",
        "tracking server http://store does not answer (HTTP 401)",
        "lr=0.0005 temperature: 1.0 ± 0.1, 3 @ 4",
        "",
    ],
)
def test_what_holds_no_password_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_every_address_in_a_text_is_hidden() -> None:
    assert redact("neither http://ann:one@a/x?y nor (postgresql://bob:two@b/c)") == (
        "neither http://ann:***@a/x?y nor (postgresql://bob:***@b/c)"
    )


@pytest.mark.parametrize(
    ("address", "text", "shown"),
    [
        (
            "postgresql://ann:hunter@22jump@db/runs",
            'could not translate host name "22jump@db" to address',
            'could not translate host name "***@db" to address',
        ),
        ("postgresql://ann:hunter%4022@db/runs", "got 'hunter@22'", "got '***'"),
        (
            "http://ann:my secret@store",
            "no store http://ann:my secret@store",
            "no store http://ann:***@store",
        ),
        # Were it hidden, nobody could read what is shown of the address.
        ("postgresql://runs:runs@db/runs", 'user "runs" does not exist', 'user "runs" does not exist'),
        ("postgresql://ann:db@host/x", "the db is away", "the db is away"),
    ],
)
def test_a_password_is_known_where_it_stands_alone(address: str, text: str, shown: str) -> None:
    assert redact(text, address) == shown
