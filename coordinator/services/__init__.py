"""The use cases.  Each is a plain function over one :class:`coordinator.db.engine.Transaction`.

They are run with ``await database.write(function, …)`` or ``await database.read(function, …)``; what they raise
(:class:`coordinator.services.errors.Refused`) rolls the whole transaction back.
"""
