"""The job table: schema, engines for SQLite and PostgreSQL, one query module per table, migrations."""
