"""What the build adds to the package's metadata: README as an index shows it, and where the project lives.

The project has no public home yet, so none is written down. `PROJECT_HOME=https://... python -m hatchling build` names
it: then the metadata have its URLs, and the links of README, which lead to files beside it, lead there. Without it a
build from a folder or an archive is made all the same.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)\[([^]]*)\]\((?!\w+:|#)([^)\s]+)\)")
VERSION = re.compile(r'^__version__ = "(.+)"$', flags=re.MULTILINE)


def absolute_links(readme: str, home: str, tag: str) -> str:
    """Return README with links into the tagged tree: pictures to the file itself, all others to its page."""
    return LINK.sub(lambda at: f"{at[1]}[{at[2]}]({home}/{'raw' if at[1] else 'blob'}/{tag}/{at[3]})", readme)


def project_urls(home: str, tag: str) -> dict[str, str]:
    """Return the addresses that an index shows beside the package."""
    return {
        "Source": home,
        "Documentation": f"{home}/blob/{tag}/docs/index.md",
        "Changelog": f"{home}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{home}/issues",
    }


class ProjectHome(MetadataHookInterface):
    """Adds README and, where the environment names a home, the URLs."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what `dynamic` in pyproject.toml leaves open."""
        root, home = Path(self.root), os.environ.get("PROJECT_HOME", "").rstrip("/")
        [version] = VERSION.findall((root / "langgraph_learning" / "__init__.py").read_text(encoding="utf-8"))
        readme = (root / "README.md").read_text(encoding="utf-8")
        if home:
            readme = absolute_links(readme, home, f"v{version}")
            metadata["urls"] = project_urls(home, f"v{version}")
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
