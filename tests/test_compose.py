from importlib import import_module
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def test_the_compose_file_starts_what_the_readme_connects_to() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["postgres"]
    [port] = service["ports"]
    secret = service["environment"]
    dsn = "postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@localhost:5432/{POSTGRES_DB}".format(**secret)
    assert dsn in (ROOT / "README.md").read_text()
    assert port == "127.0.0.1:5432:5432"  # nobody outside of this machine
    assert service["image"].startswith("pgvector/pgvector:pg")
    assert "pg_isready" in " ".join(service["healthcheck"]["test"])
    [volume] = service["volumes"]
    assert volume.split(":")[0] in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]


def test_the_packages_at_the_root_hold_the_very_classes_of_the_package() -> None:
    for name in ("nodes", "checkpointers"):
        signpost, package = import_module(name), import_module(f"langgraph_learning.{name}")
        assert not (ROOT / name).is_symlink()  # a link would make every class a second time
        assert signpost.__all__ == package.__all__
        for exported in package.__all__:
            assert getattr(signpost, exported) is getattr(package, exported)
