"""Settings: every wrong value is one clear line that names it; options beat environment beat file."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.settings import Settings, WrongSettings, is_proxy, load


def _lines(options: dict[str, object] | None = None, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(WrongSettings) as caught:
        load(options or {}, environment or {})
    return caught.value.lines


def test_defaults_are_the_contracts() -> None:
    """Nothing given: the contract's defaults."""
    settings = load({}, {})
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8000, Path("data"))
    assert (settings.driver, settings.bots_per_worker, settings.start_rate) == ("whatsapp", 20, 20)
    assert (settings.max_bots_per_user, settings.max_link_attempts_per_hour) == (20, 10)
    assert (settings.spool_max, settings.socket_max_age) == (256 * 1024 * 1024, 12 * 3600)


def test_precedence(tmp_path: Path) -> None:
    """Option, then environment, then file."""
    config = tmp_path / "orchestrator.toml"
    config.write_text('port = 1\nhost = "::1"\nbots_per_worker = 3\ncors_origins = ["https://a.example"]\n')
    settings = load({"port": 3}, {"ORCHESTRATOR_PORT": "2", "ORCHESTRATOR_BOTS_PER_WORKER": "4"}, config)
    assert (settings.port, settings.bots_per_worker, settings.host) == (3, 4, "::1")
    assert settings.cors_origins == ("https://a.example",)


@pytest.mark.parametrize(("text", "seconds"), [("12h", 43200), ("90m", 5400), ("3600", 3600), ("100s", 100)])
def test_durations(text: str, seconds: int) -> None:
    """Durations are understood as people write them."""
    assert load({"socket_max_age": text}, {}).socket_max_age == seconds


def test_sizes() -> None:
    """Sizes are understood as the contract writes them."""
    assert load({}, {"ORCHESTRATOR_SPOOL_MAX": "256 MB"}).spool_max == Settings().spool_max


@pytest.mark.parametrize(
    ("name", "value", "needle"),
    [
        ("PORT", "http", "whole number"),
        ("PORT", "70000", "0 to 65535"),
        ("DRIVER", "telegram", "one of whatsapp, simulated"),
        ("AUTH", "ldap", "one of local"),
        ("HOST", "0.0.0.0", "--insecure"),
        ("PROXY", "ftp://x", "http://host:port"),
        ("CORS_ORIGINS", "https://a.example/path", "without a path"),
        ("TLS_IN_FRONT", "perhaps", "true or false"),
        ("BOTS_PER_WORKER", "0", "1 to 500"),
        ("COLOUR", "red", "no such setting"),
    ],
)
def test_wrong_values(name: str, value: str, needle: str) -> None:
    """A wrong value is one line with the setting as it was given and the remedy."""
    (line,) = _lines(environment={f"ORCHESTRATOR_{name}": value})
    assert line.startswith(f"ORCHESTRATOR_{name}: ") and needle in line


JWT = {"auth": "jwt", "jwt_issuer": "https://x.auth0.com/", "jwt_audience": "our-api"}


def test_other_sign_in() -> None:
    """What Auth0, Clerk and Firebase need; where the keys are follows from the issuer."""
    auth0 = load({**JWT, "jwt_audience": "our-api, other-api"}, {})
    assert (auth0.jwt_audience, auth0.jwt_user_claim) == (("our-api", "other-api"), "sub")
    assert auth0.jwks_url == "https://x.auth0.com/.well-known/jwks.json"
    environment = {
        "ORCHESTRATOR_JWT_ISSUER": "https://clerk.x.com",
        "ORCHESTRATOR_JWT_AUTHORIZED_PARTIES": "https://x.com",
    }
    clerk = load({"auth": "jwt"}, environment)
    assert clerk.jwks_url == "https://clerk.x.com/.well-known/jwks.json"
    assert clerk.jwt_authorized_parties == ("https://x.com",)
    firebase = load({"auth": "firebase", "firebase_project_id": "p", "firebase_credentials": Path("key.json")}, {})
    assert (firebase.firebase_credentials, firebase.firebase_user_claim) == (Path("key.json"), "uid")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"auth": "firebase"}, "FIREBASE_PROJECT_ID: "),
        ({"auth": "jwt", "jwt_audience": "a"}, "JWT_ISSUER: "),
        ({"auth": "jwt", "jwt_issuer": "https://x"}, "JWT_AUDIENCE: "),
        ({**JWT, "jwt_issuer": "http://x.example"}, "JWT_JWKS_URL: "),
        ({**JWT, "jwt_issuer": "tenant"}, "JWT_JWKS_URL: "),
        ({**JWT, "jwt_jwks_url": "http://keys.example/jwks"}, "--jwt-jwks-url: "),
        ({**JWT, "jwt_jwks_url": "http://localhost.example/jwks"}, "--jwt-jwks-url: "),
        ({**JWT, "jwt_jwks_url": "http://127.0.0.1@keys.example/jwks"}, "--jwt-jwks-url: "),
        ({**JWT, "jwt_jwks_url": "file:///etc/passwd"}, "--jwt-jwks-url: "),
        ({**JWT, "jwt_jwks_url": "https://:99999999/"}, "--jwt-jwks-url: "),
    ],
)
def test_other_sign_in_is_checked(options: dict[str, object], line: str) -> None:
    """Whatever would let a stranger in, or nobody, is one line with the setting and the remedy."""
    (said,) = _lines(options)
    assert said.startswith(line)


def test_keys_may_come_from_this_machine() -> None:
    """Without TLS from a loopback address only."""
    for url in (
        "http://127.0.0.1:9000/jwks",
        "http://[::1]/jwks",
        "http://localhost/jwks",
        "https://keys.example/jwks",
    ):
        assert load({**JWT, "jwt_jwks_url": url}, {}).jwks_url == url


def test_the_emulator_is_refused() -> None:
    """firebase-admin accepts unsigned tokens while its variable is set; set to nothing it is not set."""
    options: dict[str, object] = {"auth": "firebase", "firebase_project_id": "p"}
    (said,) = _lines(options, {"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"})
    assert said.startswith("FIREBASE_AUTH_EMULATOR_HOST: unset it")
    assert load(options, {"FIREBASE_AUTH_EMULATOR_HOST": ""}).auth == "firebase"
    assert load({}, {"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"}).auth == "local"


def test_all_at_once() -> None:
    """Every wrong value is told at once, options by their option's name."""
    lines = _lines({"port": -1, "log_level": "loud"})
    assert sorted(line.split(":")[0] for line in lines) == ["--log-level", "--port"]


def test_proxy_credentials_stay_out_of_errors() -> None:
    """A wrong proxy's credentials are not repeated."""
    assert "secret" not in _lines({"proxy": "http://user:secret@host"})[0]


def test_file_problems(tmp_path: Path) -> None:
    """A missing or broken file is one line that names it."""
    with pytest.raises(WrongSettings, match="there is no file"):
        load({}, {}, tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("port = = 1")
    with pytest.raises(WrongSettings, match="cannot be read"):
        load({}, {}, broken)


@pytest.mark.parametrize("name", ["\\nX: y", "http://user:secret@host", "x" * 65, ""])
def test_names_that_can_be_none(tmp_path: Path, name: str) -> None:
    """What stands where a name should is one line and not repeated."""
    file = tmp_path / "odd.toml"
    file.write_text(f'"{name}" = 1')
    with pytest.raises(WrongSettings) as wrong:
        load({}, {}, file)
    assert wrong.value.lines == [f"a name that can be none in {file}: there is no such setting"]


def test_a_home_that_is_nobodys() -> None:
    """`~name` of nobody is one line too."""
    assert _lines({"data_dir": "~nobody-of-that-name/x"}) == ["--data-dir: there is no such home directory"]


@pytest.mark.parametrize("text", ["http://h:1", "socks5://u:p@h:1080"])
def test_proxies(text: str) -> None:
    """http and socks5 with host and port."""
    assert is_proxy(text) and not is_proxy(text.rpartition(":")[0]) and not is_proxy("http://h:port")
