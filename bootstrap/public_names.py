"""The public names of the package, and where each is defined: what `remotesvc.NAME` looks up."""
from .finder import ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Public names that the kernel and the portable parts provide, on the master and on every child. What is public and
# stands in no table is an error class.
EVERYWHERE = {
    "CallError": "remotesvc.bootstrap.failures.callerror:CallError",
    "Channel": "remotesvc.messages.channel:Channel",
    "Closed": "remotesvc.messages.errors:Closed",
    "Context": "remotesvc.calling.context:Context",
    "Copied": "remotesvc.files.copied:Copied",
    "DigestMismatch": "remotesvc.files.errors:DigestMismatch",
    "Event": "remotesvc.messages.event:Event",
    "Host": "remotesvc.host:Host",
    "Job": "remotesvc.jobs.job:Job",
    "JobError": "remotesvc.jobs.errors:JobError",
    "JobInfo": "remotesvc.jobs.record:JobInfo",
    "Latch": "remotesvc.messages.latch:Latch",
    "Message": "remotesvc.messages.message:Message",
    "Receiver": "remotesvc.messages.receiver:Receiver",
    "Record": "remotesvc.bootstrap.data.record:Record",
    "Secret": "remotesvc.bootstrap.data.secret:Secret",
    "Select": "remotesvc.messages.select:Select",
    "Sender": "remotesvc.messages.sender:Sender",
    "WaitTimeout": "remotesvc.messages.errors:WaitTimeout",
    "SourceChanged": "remotesvc.files.errors:SourceChanged",
    "TransferError": "remotesvc.files.errors:TransferError",
    "TransferBusy": "remotesvc.files.errors:TransferBusy",
    "TransferRefused": "remotesvc.files.errors:TransferRefused",
    "TransferStalled": "remotesvc.files.errors:TransferStalled",
    "current": "remotesvc.bootstrap.calls.current:current",
}

# Public names whose modules never leave the master.
MASTER_ONLY = {
    "CallFuture": "remotesvc.futures:CallFuture",
    "Fleet": "remotesvc.fleet.fleet:Fleet",
    "FleetError": "remotesvc.fleet.results:FleetError",
    "FleetExecutor": "remotesvc.fleet.executor:FleetExecutor",
    "InventoryError": "remotesvc.fleet.inventory.model:InventoryError",
    "LogEvent": "remotesvc.output:LogEvent",
    "NoMatch": "remotesvc.fleet.matcher:NoMatch",
    "Outcome": "remotesvc.fleet.outcome:Outcome",
    "OutputEvent": "remotesvc.output:OutputEvent",
    "Results": "remotesvc.fleet.results:Results",
    "Router": "remotesvc.router:Router",
    "Status": "remotesvc.fleet.outcome:Status",
    "WrongVariable": "remotesvc.fleet.connection:WrongVariable",
}

# On the master Cancelled is a concurrent.futures.CancelledError too. A child cannot promise that: a minimal Python has
# no concurrent.futures.
_CANCELLED_ON_MASTER = "remotesvc.futures:Cancelled"
_ERRORS = "remotesvc.bootstrap.errors:"
_UNREACHABLE = ("AuthenticationError", "BecomeError", "BootstrapError", "ConnectError", "ConnectTimeout",
                "HostKeyError", "PythonNotFound", "PythonTooOld", "UnknownHost")

ALL = [
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


def on_child(file: "str") -> "bool":
    """Tell whether a module with this ``__file__`` was sent by a parent."""
    return file.startswith(ROOT)


def find(name: "str", child: "bool") -> "Any":
    """The object behind a public name. AttributeError if it is none, ImportError if it is none of a child's."""
    if name == "__all__":
        return [each for each in ALL if not (child and each in MASTER_ONLY)]
    module, _, attribute = _place(name, child).partition(":")
    return getattr(__import__(module, fromlist=[attribute]), attribute)


def _place(name: "str", child: "bool") -> "str":
    if name in EVERYWHERE:
        return EVERYWHERE[name]
    if name in MASTER_ONLY and child:
        # Not an AttributeError: `from remotesvc import Router` would replace its text by one that explains nothing.
        raise ImportError("remotesvc.%s exists on the master only, and this is a child process. Called code reaches "
                          "its surroundings through remotesvc.current()." % name, name="remotesvc.%s" % name)
    if name in MASTER_ONLY:
        return MASTER_ONLY[name]
    if name == "Cancelled" and not child:
        return _CANCELLED_ON_MASTER
    if name in _UNREACHABLE:
        return "remotesvc.bootstrap.unreachable:" + name
    if name in ALL:
        return _ERRORS + name
    raise AttributeError("module 'remotesvc' has no attribute %r" % name)
