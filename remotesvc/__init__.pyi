"""What type checkers and editors see of the package; at run time `bootstrap/public_names.py` finds the same names."""

from .bootstrap.calls.current import current as current
from .bootstrap.data.record import Record as Record
from .bootstrap.data.secret import Secret as Secret
from .bootstrap.errors import Busy as Busy
from .bootstrap.errors import CallTimeout as CallTimeout
from .bootstrap.errors import DecodeError as DecodeError
from .bootstrap.errors import EncodeError as EncodeError
from .bootstrap.errors import Error as Error
from .bootstrap.errors import ForkedError as ForkedError
from .bootstrap.errors import Lost as Lost
from .bootstrap.errors import NotSent as NotSent
from .bootstrap.errors import OutcomeError as OutcomeError
from .bootstrap.errors import RouterClosed as RouterClosed
from .bootstrap.errors import UsageError as UsageError
from .bootstrap.errors import VersionSkewError as VersionSkewError
from .bootstrap.errors import WireError as WireError
from .bootstrap.failures.callerror import CallError as CallError
from .bootstrap.unreachable import AuthenticationError as AuthenticationError
from .bootstrap.unreachable import BecomeError as BecomeError
from .bootstrap.unreachable import BootstrapError as BootstrapError
from .bootstrap.unreachable import ConnectError as ConnectError
from .bootstrap.unreachable import ConnectTimeout as ConnectTimeout
from .bootstrap.unreachable import HostKeyError as HostKeyError
from .bootstrap.unreachable import PythonNotFound as PythonNotFound
from .bootstrap.unreachable import PythonTooOld as PythonTooOld
from .bootstrap.unreachable import UnknownHost as UnknownHost
from .calling.context import Context as Context
from .files.copied import Copied as Copied
from .files.errors import DigestMismatch as DigestMismatch
from .files.errors import SourceChanged as SourceChanged
from .files.errors import TransferBusy as TransferBusy
from .files.errors import TransferError as TransferError
from .files.errors import TransferRefused as TransferRefused
from .files.errors import TransferStalled as TransferStalled
from .fleet.connection import WrongVariable as WrongVariable
from .fleet.executor import FleetExecutor as FleetExecutor
from .fleet.fleet import Fleet as Fleet
from .fleet.inventory.model import InventoryError as InventoryError
from .fleet.matcher import NoMatch as NoMatch
from .fleet.outcome import Outcome as Outcome
from .fleet.outcome import Status as Status
from .fleet.results import FleetError as FleetError
from .fleet.results import Results as Results
from .futures import CallFuture as CallFuture
from .futures import Cancelled as Cancelled
from .host import Host as Host
from .jobs.errors import JobError as JobError
from .jobs.job import Job as Job
from .jobs.record import JobInfo as JobInfo
from .messages.channel import Channel as Channel
from .messages.errors import Closed as Closed
from .messages.errors import WaitTimeout as WaitTimeout
from .messages.event import Event as Event
from .messages.latch import Latch as Latch
from .messages.message import Message as Message
from .messages.receiver import Receiver as Receiver
from .messages.select import Select as Select
from .messages.sender import Sender as Sender
from .output import LogEvent as LogEvent
from .output import OutputEvent as OutputEvent
from .router import Router as Router

__version__: str

__all__ = [
    "AuthenticationError",
    "BecomeError",
    "BootstrapError",
    "Busy",
    "CallError",
    "CallFuture",
    "CallTimeout",
    "Cancelled",
    "Channel",
    "Closed",
    "ConnectError",
    "ConnectTimeout",
    "Context",
    "Copied",
    "DecodeError",
    "DigestMismatch",
    "EncodeError",
    "Error",
    "Event",
    "Fleet",
    "FleetError",
    "FleetExecutor",
    "ForkedError",
    "Host",
    "HostKeyError",
    "InventoryError",
    "Job",
    "JobError",
    "JobInfo",
    "Latch",
    "LogEvent",
    "Lost",
    "Message",
    "NoMatch",
    "NotSent",
    "Outcome",
    "OutcomeError",
    "OutputEvent",
    "PythonNotFound",
    "PythonTooOld",
    "Receiver",
    "Record",
    "Results",
    "Router",
    "RouterClosed",
    "Secret",
    "Select",
    "Sender",
    "SourceChanged",
    "Status",
    "TransferBusy",
    "TransferError",
    "TransferRefused",
    "TransferStalled",
    "UnknownHost",
    "UsageError",
    "VersionSkewError",
    "WaitTimeout",
    "WireError",
    "WrongVariable",
    "__version__",
    "current",
]
