"""How work ends: each way of ending becomes a state of its row and words for a person."""

import errno
import logging
from collections.abc import Callable

from django.utils.translation import gettext as _

from crm_agents.models import RunStatus
from crm_agents.services.keeping import Keeper
from crm_agents.services.leases import CancelRequested, Lease, LeaseLost
from crm_agents.services.supervision import ChildFailed, ChildStopped, StoppedEarly, TryAgain
from crm_data.services.snapshots import SnapshotError
from handoff.errors import HandoffError, NotEnoughData

logger = logging.getLogger(__name__)


def settle(lease: Lease, work: Callable[[Keeper], None], fail: Callable[[str], None]) -> None:
    """Do `work` while the lease is kept. `fail` is given the words of a failure and stores them."""
    try:
        _end(lease, work, fail)
    except LeaseLost:
        logger.warning("%s %s is no longer ours; nothing more is written.", lease.model.__name__, lease.pk)


def _end(lease: Lease, work: Callable[[Keeper], None], fail: Callable[[str], None]) -> None:
    try:
        with Keeper(lease) as keeper:
            work(keeper)
    except LeaseLost:
        raise
    except CancelRequested:
        lease.finish(RunStatus.CANCELLED)
    except NotEnoughData as answer:
        lease.finish(RunStatus.NOT_ENOUGH_DATA, missing=answer.missing)
    except StoppedEarly as stopped:
        lease.finish(RunStatus.PRUNED, **stopped.found)
    except ChildStopped:
        lease.release()
    except TryAgain:
        lease.release(counted=True)
    except (HandoffError, SnapshotError, ChildFailed, OSError) as error:
        fail(in_words(error))
    except Exception as error:
        fail(in_words(error))
        raise
    except BaseException:  # the worker is being shut down
        lease.release()
        raise


def in_words(error: Exception) -> str:
    """Return what to tell a person of an exception."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _("The disk is full (%(error)s). Free some space and start again.") % {"error": error}
    if isinstance(error, HandoffError | SnapshotError | ChildFailed):
        return str(error)
    return f"{type(error).__name__}: {error}"
