"""A study beside MLflow's tables on a real PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

import optuna
import sqlalchemy as sa

from sweep.home import Home
from sweep.search.storage import SCHEMA, open_storage
from sweep.store.store import Store
from tests.chaos.servers import PostgresServer


def test_study_and_store_are_in_one_database_in_schemas_of_their_own(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    home = Home.resolve(tmp_path / "home", postgres.database)
    assert open_storage(home, is_made=False) is None
    Store(home).check()  # makes MLflow's tables
    assert open_storage(home, is_made=False) is None
    storage = open_storage(home, is_made=True)
    assert storage is not None
    study = optuna.create_study(storage=storage, study_name="one")
    trial = study.ask()
    trial.suggest_categorical("lr", ["0.001", "0.0005"])
    study.tell(trial, 100.0)

    again = open_storage(home, is_made=False)
    assert again is not None
    assert optuna.load_study(storage=again, study_name="one").best_value == 100.0
    Store(home).check()
    engine = sa.create_engine(postgres.database)
    tables = sa.inspect(engine)
    assert "studies" in tables.get_table_names(SCHEMA)
    assert "studies" not in tables.get_table_names("public")
    assert "experiments" in tables.get_table_names("public")
    engine.dispose()
    assert not (tmp_path / "home").exists()
