"""Settings as the rooms take them: limits, retention, who says who people are, which network is asked.

Owns the translation from `Settings` to each room's own options; it builds no room. Read `app.py` for who does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import assert_never

from orchestrator.auth.issuer import Issuer
from orchestrator.bus.retention import Retention
from orchestrator.clock import SystemClock
from orchestrator.demo.weather import prober
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.settings import Settings
from orchestrator.supervisor.incidents import Route, Verdict
from orchestrator.supervisor.probe import probe
from orchestrator.supervisor.supervisor import Options
from orchestrator.supervisor.worker_process import Launch
from orchestrator.tasks import Tasks

DISTRIBUTION = "whatsapp-bot-orchestrator"


def retention_of(settings: Settings) -> Retention:
    return Retention(
        max_events=settings.retain_events,
        max_age_ms=settings.retain_hours * 3_600_000,
        max_bytes=settings.retain_bytes,
        max_message_age_ms=settings.retain_messages_days * 86_400_000,
    )


def issuer_of(settings: Settings, clock: SystemClock, tasks: Tasks) -> Issuer | None:
    """Name who else says who people are. Imported here: only who uses firebase-admin pays for it (35 ms, 3.5 MB)."""
    match settings.auth:
        case "firebase":
            from orchestrator.auth.firebase import FirebaseIssuer, FirebaseSettings  # noqa: PLC0415

            assert settings.firebase_project_id is not None  # checked with the settings
            return FirebaseIssuer(
                FirebaseSettings(
                    settings.firebase_project_id, settings.firebase_credentials, settings.firebase_user_claim
                ),
                clock,
                tasks,
            )
        case "jwt":
            from orchestrator.auth.jwt import JwtIssuer, JwtSettings  # noqa: PLC0415

            assert settings.jwt_issuer is not None  # checked with the settings
            return JwtIssuer(
                JwtSettings(
                    settings.jwks_url,
                    settings.jwt_issuer,
                    settings.jwt_audience,
                    settings.jwt_authorized_parties,
                    settings.jwt_user_claim,
                ),
                clock,
                tasks,
            )
        case "local":
            return None
        case _:
            assert_never(settings.auth)


def phones_of(settings: Settings) -> Path | None:
    """Where the simulated phones are played; None where there is a WhatsApp."""
    return settings.data_dir.absolute() / "run" / "phones" if settings.driver == "simulated" else None


def prober_of(settings: Settings) -> Callable[[Route], Awaitable[Verdict]]:
    phones = phones_of(settings)
    return probe if phones is None else prober(phones)


def options_of(settings: Settings, data_dir: Path) -> Options:
    phones = phones_of(settings)
    if phones is not None:
        phones.mkdir(mode=0o700, parents=True, exist_ok=True)
    launch = Launch(data_dir / "run", data_dir / "spool", settings.driver, settings.spool_max, phones)
    return Options(launch, settings.bots_per_worker, settings.start_rate, proxy=settings.proxy)


def gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        cors_origins=settings.cors_origins,
        loopback=settings.loopback,
        tls_in_front=settings.tls_in_front,
        socket_max_age_s=settings.socket_max_age,
        server_version=app_version(),
    )


def app_version() -> str:
    """Return this distribution's version."""
    return installed_version(DISTRIBUTION)
