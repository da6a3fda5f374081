"""Steps that a later call goes on with: what a step finds is a file of the output directory, which appears whole. A step counts as done when
its file says that it passed, with the kit that is used now."""

import hashlib
import json
import lzma
import os
import pathlib
import shutil
import tarfile

FOUND = "found.tar.xz"


def write_whole(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + f".{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)


class Output:
    """The output directory, and in it the kit, unpacked from kit.tar.xz."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        packed = self.directory / "kit.tar.xz"
        if not packed.exists():
            raise SystemExit(f"gpu: {packed} is not there; ./dev gpu --prepare makes it where normforge can be built")
        self.hash = hashlib.sha256(packed.read_bytes()).hexdigest()[:16]
        self.kit = self.directory / f"kit-{self.hash}"
        if not self.kit.exists():
            beside = self.unpack(packed, "./dev gpu --prepare makes it anew")
            (beside / "kit").replace(self.kit)
            shutil.rmtree(beside)
        if (self.directory / FOUND).exists() and not self.path("device").exists():
            beside = self.unpack(self.directory / FOUND, "bring it anew from where it was made, or go on without it")
            shutil.copytree(beside, self.directory, dirs_exist_ok=True)
            shutil.rmtree(beside)
        self.facts = json.loads((self.kit / "kit.json").read_text())

    def unpack(self, packed, remedy):
        """The directory, of this process's own, that then has what was packed."""
        beside = self.directory / f"unpacked.{os.getpid()}"
        try:
            with tarfile.open(packed, "r:xz") as tar:
                tar.extractall(beside)
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            shutil.rmtree(beside, ignore_errors=True)
            raise SystemExit(f"gpu: {packed} is damaged ({error}); {remedy}") from None
        return beside

    def libraries(self):
        return ["suite_" + mix for mix in self.facts["mixes"]] + ["bench"]

    def path(self, name):
        return self.directory / f"{name}.json"

    def read(self, name):
        """What the step found with this kit; None: it was not run."""
        try:
            found = json.loads(self.path(name).read_text())
        except FileNotFoundError:
            return None
        return found if found.get("kit") == self.hash else None

    def done(self, name):
        return (self.read(name) or {}).get("passed") is True

    def carry(self):
        """Packs all that was found into one file, found.tar.xz, to be carried where the next run goes on from it."""
        packed = self.directory / FOUND
        beside = packed.with_name(f"{FOUND}.{os.getpid()}")
        with tarfile.open(beside, "w:xz", preset=1) as tar:
            for path in sorted(self.directory.rglob("*")):
                name = path.relative_to(self.directory)
                if path.is_file() and not name.parts[0].startswith(("kit", FOUND, "unpacked")):
                    tar.add(path, name)
            if (self.kit / "pack").exists():
                tar.add(self.kit / "pack/tuned.problems", "tuned.problems")  # what a lockfile is made of at home, with records.db
        beside.replace(packed)
        return packed

    def write(self, name, result):
        write_whole(self.path(name), json.dumps(result | {"kit": self.hash}, indent=1) + "\n")
