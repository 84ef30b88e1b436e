"""One Spark session as the settings want it, or an error that names the cure."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from contracts.errors import MissingInput
from contracts.pipeline import spark_conf
from contracts.settings import Settings

LEAST_JAVA = 17
SHIPPED_PACKAGES = ("contracts", "models", "spark_jobs")


@contextmanager
def spark_application(settings: Settings) -> Iterator[SparkSession]:
    """Start Spark, or join what spark-submit began, and stop it at the end; MissingInput when Java is missing."""
    session = start_session(settings)
    try:
        with tempfile.TemporaryDirectory(prefix="headrace-code-") as folder:
            if not settings.spark_master.startswith("local"):
                session.sparkContext.addPyFile(str(archive_code(Path(folder))))
            yield session
    finally:
        session.stop()


def start_session(settings: Settings) -> SparkSession:
    """A session with the settings' configuration."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("headrace").master(settings.spark_master)
    for name, value in spark_conf(settings).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def check_java() -> None:
    """Raise MissingInput, with what to install, unless a Java runtime that Spark can use is here."""
    cure = f"install Java {LEAST_JAVA} or newer (on Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        raise MissingInput(f"Spark needs Java and found none in {home or 'PATH'}; {cure}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < LEAST_JAVA:
        raise MissingInput(f"Spark needs Java {LEAST_JAVA} and {java} says {said.splitlines()[:1]}; {cure}")


def archive_code(folder: Path) -> Path:
    """Zip our packages for the executors of a cluster, which do not inherit the driver's path."""
    project = Path(__file__).resolve().parent.parent
    archive = folder / "headrace_code.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for package in SHIPPED_PACKAGES:
            for file in sorted((project / package).rglob("*.py")):
                bundle.write(file, file.relative_to(project))
    return archive
