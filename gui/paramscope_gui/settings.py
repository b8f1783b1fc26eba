"""What the window remembers between starts: arrangement, scheme, and which code may run.

Everything lies in one state folder, so that a test or a second user gets a folder of their own.
"""

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

ARRANGEMENT_VERSION = 1


def default_state_folder() -> Path:
    """Return the folder for the application's state, as the platform has it."""
    location = QStandardPaths.StandardLocation.GenericStateLocation
    base = QStandardPaths.writableLocation(location)
    if not base:  # platforms without a state location keep it with the data
        base = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return Path(base) / "paramscope"


class Settings:
    """Values kept in ``settings.ini`` in the state folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_state_folder()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._store = QSettings(str(self.folder / "settings.ini"), QSettings.Format.IniFormat)

    @property
    def scheme(self) -> str:
        """``light``, ``dark`` or ``system``."""
        value = str(self._store.value("window/scheme", "system"))
        return value if value in ("light", "dark", "system") else "system"

    @scheme.setter
    def scheme(self, value: str) -> None:
        self._store.setValue("window/scheme", value)

    @property
    def scale(self) -> float:
        """Factor on the size of all type."""
        try:
            return float(str(self._store.value("window/scale", 1.0)))
        except ValueError:
            return 1.0

    @scale.setter
    def scale(self, value: float) -> None:
        self._store.setValue("window/scale", value)

    def arrangement(self) -> tuple[QByteArray, QByteArray, QByteArray] | None:
        """Return geometry, docks and splitter as they were saved, or None."""
        keys = ("window/geometry", "window/docks", "window/splitter")
        values = [self._store.value(key) for key in keys]
        version = self._store.value("window/arrangement", 0)
        if str(version) != str(ARRANGEMENT_VERSION):
            return None
        geometry, docks, splitter = values
        if not (
            isinstance(geometry, QByteArray)
            and isinstance(docks, QByteArray)
            and isinstance(splitter, QByteArray)
        ):
            return None
        return geometry, docks, splitter

    def save_arrangement(
        self, geometry: QByteArray, docks: QByteArray, splitter: QByteArray
    ) -> None:
        """Keep the arrangement for the next start."""
        self._store.setValue("window/geometry", geometry)
        self._store.setValue("window/docks", docks)
        self._store.setValue("window/splitter", splitter)
        self._store.setValue("window/arrangement", ARRANGEMENT_VERSION)

    def is_trusted(self, path: Path) -> bool:
        """Whether the user has allowed this file, or a folder around it, to run."""
        resolved = path.resolve()
        trusted = self._trusted()
        return any(str(place) in trusted for place in (resolved, *resolved.parents))

    def trust(self, place: Path) -> None:
        """Allow a file, or every file below a folder, to run from now on."""
        trusted = self._trusted()
        trusted.add(str(place.resolve()))
        self._store.setValue("trust/places", sorted(trusted))

    def sync(self) -> None:
        """Write everything to the disk now."""
        self._store.sync()

    def _trusted(self) -> set[str]:
        value = self._store.value("trust/places", [])
        if isinstance(value, str):  # a list of one comes back as a string
            return {value}
        return {str(item) for item in value} if isinstance(value, list) else set()
