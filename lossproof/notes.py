"""Notes: what a worker is doing, in a file that its parent reads while it lives and when it is dead."""

import pickle
import struct
from pathlib import Path

from lossproof.trial import Call

PROGRESS = struct.Struct("<qq")
SIZE = struct.Struct("<q")


class Notes:
    """Each note overwrites the one before. Writing a call takes a few ten microseconds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self.clear()

    def clear(self) -> None:
        """Forget what was noted."""
        self._write(0, PROGRESS.pack(0, 0) + SIZE.pack(0))

    def progress(self, done: int, total: int) -> None:
        self._write(0, PROGRESS.pack(done, total))

    def call(self, law: str, dtype: str, call: Call) -> None:
        """Note the call that is about to be made."""
        noted = pickle.dumps((law, dtype, call))
        self._write(PROGRESS.size, SIZE.pack(len(noted)) + noted)

    def _write(self, place: int, data: bytes) -> None:
        self._file.seek(place)
        self._file.write(data)

    def read_progress(self) -> tuple[int, int]:
        """How many cases are done, of how many; (0, 0) before the first."""
        self._file.seek(0)
        done, total = PROGRESS.unpack(self._file.read(PROGRESS.size))
        return done, total

    def read_call(self) -> tuple[str, str, Call] | None:
        """Law, dtype and call that were noted last, if there were any."""
        self._file.seek(PROGRESS.size)
        (size,) = SIZE.unpack(self._file.read(SIZE.size))
        if size == 0:
            return None
        law, dtype, call = pickle.loads(self._file.read(size))
        return law, dtype, call

    def close(self) -> None:
        self._file.close()
