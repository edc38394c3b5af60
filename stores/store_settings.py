"""Where the stores are, as settings: shared by `countinghouse.settings` and Dagster's processes."""

from pathlib import Path

from pydantic import BaseModel, Field


class StoreSettings(BaseModel):
    """The part of the settings that says where warehouse, ledger and bundles are."""

    home: Path = Field(
        Path(".countinghouse"), description="Data, logs and run files; delete it to start afresh."
    )
    clickhouse: str = Field(
        "",
        description="URL of your ClickHouse, http://user:password@host:8123/database, or https; "
        "?ca_cert=FILE for an authority of your own.",
    )
    warehouse_port: int = Field(18123, description="Port of the local warehouse.")
    ledger: str = Field(
        "",
        description="SQLAlchemy URL of the ledger; empty: SQLite in the home folder. "
        "For Postgres by TLS ?sslmode=verify-full&sslrootcert=FILE.",
    )

    @property
    def clickhouse_url(self) -> str:
        """URL of the ClickHouse in force; the embedded one's password is its token file."""
        if self.clickhouse:
            return self.clickhouse
        token_file = self.home / "warehouse.token"
        token = token_file.read_text().strip() if token_file.exists() else ""
        return f"http://countinghouse:{token}@127.0.0.1:{self.warehouse_port}/default"

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger in force."""
        return self.ledger or f"sqlite:///{(self.home / 'ledger.db').absolute()}"

    def bundle_folder(self, month: str) -> Path:
        """Where a month's bundle lies unless another folder is given."""
        return self.home.absolute() / "bundles" / month
