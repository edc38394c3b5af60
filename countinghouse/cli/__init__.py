"""The `countinghouse` command: one module a command, registered in `app.py`."""
