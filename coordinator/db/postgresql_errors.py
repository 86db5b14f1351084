"""What PostgreSQL's errors say: was another transaction faster, is the disk full, is the connection lost?"""

import psycopg

from coordinator.db.statement import driver_error

#: serialization_failure, deadlock_detected, unique_violation and lock_not_available.
_RACES = {"40001", "40P01", "23505", "55P03"}
_DISK_FULL = "53100"


def is_race(error: Exception) -> bool:
    """Tell whether another transaction was faster.

    Run again, this one sees what the other has done, such as the agent that has just taken the same name.
    """
    return _sqlstate(error) in _RACES


def is_disk_full(error: Exception) -> bool:
    """Tell whether the server's disk is full."""
    return _sqlstate(error) == _DISK_FULL


def lost_connection(error: Exception) -> bool:
    """Tell whether the connection broke, or could not be made: the server was restarted, say."""
    code = _sqlstate(error)
    return isinstance(driver_error(error), psycopg.OperationalError) and (code is None or code.startswith("57P"))


def _sqlstate(error: Exception) -> str | None:
    """Return PostgreSQL's code of what went wrong, None if something else did."""
    original = driver_error(error)
    return original.sqlstate if isinstance(original, psycopg.Error) else None
