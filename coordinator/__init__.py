"""The coordinator: keeps the job table, splits jobs into chunks, leases them to agents, stitches the result."""
