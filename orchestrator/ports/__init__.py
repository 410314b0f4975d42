"""Protocols at which rooms meet that must not import each other; `app.py` joins them.

Owns interfaces and the records that cross them, one file for each two rooms that meet. No I/O, no decisions. Import
them from here.
"""

from __future__ import annotations

from orchestrator.ports.access import Rechecks as Rechecks
from orchestrator.ports.access import SignedIn as SignedIn
from orchestrator.ports.access import SignIn as SignIn
from orchestrator.ports.access import Tokens as Tokens
from orchestrator.ports.fleet import Bodies as Bodies
from orchestrator.ports.fleet import BotPatch as BotPatch
from orchestrator.ports.fleet import Fleet as Fleet
from orchestrator.ports.fleet import LinkRequest as LinkRequest
from orchestrator.ports.fleet import NewBot as NewBot
from orchestrator.ports.fleet import Outbox as Outbox
from orchestrator.ports.fleet import PairingCode as PairingCode
from orchestrator.ports.fleet import ProxyCheck as ProxyCheck
from orchestrator.ports.fleet import QrOnOffer as QrOnOffer
from orchestrator.ports.histories import BotHistory as BotHistory
from orchestrator.ports.histories import Histories as Histories
from orchestrator.ports.histories import HistorySlot as HistorySlot
from orchestrator.ports.histories import Ribbon as Ribbon
from orchestrator.ports.host import CallFailed as CallFailed
from orchestrator.ports.host import FromSession as FromSession
from orchestrator.ports.host import Host as Host
from orchestrator.ports.host import HostEvent as HostEvent
from orchestrator.ports.host import HostListener as HostListener
from orchestrator.ports.host import Placement as Placement
from orchestrator.ports.host import SessionGone as SessionGone
from orchestrator.ports.host import StartRefused as StartRefused
from orchestrator.ports.incidents import Incident as Incident
from orchestrator.ports.incidents import IncidentKind as IncidentKind
from orchestrator.ports.incidents import IncidentRoute as IncidentRoute
from orchestrator.ports.incidents import Incidents as Incidents
from orchestrator.ports.media import Incoming as Incoming
from orchestrator.ports.media import Media as Media
from orchestrator.ports.media import MediaRoom as MediaRoom
from orchestrator.ports.metrics import FleetMetrics as FleetMetrics
from orchestrator.ports.operations import BotBrief as BotBrief
from orchestrator.ports.operations import Figures as Figures
from orchestrator.ports.operations import FleetHistory as FleetHistory
from orchestrator.ports.operations import FleetNow as FleetNow
from orchestrator.ports.operations import IncidentList as IncidentList
from orchestrator.ports.operations import Operations as Operations
from orchestrator.ports.operations import WorkerNow as WorkerNow
from orchestrator.ports.phones import Phones as Phones
from orchestrator.ports.phones import Play as Play
from orchestrator.ports.workers import WorkerLost as WorkerLost
from orchestrator.ports.workers import WorkerRoll as WorkerRoll
from orchestrator.ports.workers import WorkerState as WorkerState
