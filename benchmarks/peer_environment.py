"""Creates Python environments for the peers of a benchmark on first use."""

import pathlib
import subprocess
import venv

HERE = pathlib.Path(__file__).parent


def create_environment(requirements):
    """Returns the Python of an environment with the packages of a requirements file."""
    wanted = (HERE / requirements).read_text("utf-8")
    folder = HERE / requirements.replace("requirements", ".venv").removesuffix(".txt")
    python = folder / "bin" / "python"
    done = folder / "installed.txt"
    if not done.exists() or done.read_text("utf-8") != wanted:
        venv.create(folder, with_pip=True)
        command = [python, "-m", "pip", "install", "-q", "-r", HERE / requirements]
        subprocess.run(command, check=True)
        done.write_text(wanted, "utf-8")
    return python
