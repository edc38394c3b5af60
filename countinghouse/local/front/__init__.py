"""The warehouse front: chDB, the embedded ClickHouse engine, behind ClickHouse's HTTP interface.

chDB admits one process per folder, so this process owns the folder and every other one, a user's
SQL shell included, talks to it as to any ClickHouse. It knows nothing about our tables.
"""
