"""Settings: read once at each process's edge into frozen values, from HEADRACE_* variables.

An unknown name is an error that lists near ones. `.env.example` and docs/settings.md say the same,
and a test holds the three together.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from contracts.errors import BadInput
from contracts.event_weights import parse_event_weights

ENV_PREFIX = "HEADRACE_"
ALS_ENGINES = ("auto", "implicit", "spark")


def setting(default: Any, doc: str) -> Any:
    """A field with its default and the sentence that explains it."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one installation; each has a default that works on one machine."""

    root: Path = setting(Path("var"), "Folder of everything a run writes: lake, bundles, Airflow, logs.")

    # Redis
    redis_url: str = setting(
        "redis://127.0.0.1:6379/0", "Server of the lists: redis://, rediss:// or unix://; rebuildable."
    )
    redis_cluster: bool = setting(False, "Whether redis_url is one node of a Redis Cluster.")
    list_ttl_seconds: int = setting(259_200, "Life of a published list; long enough for a stall of two days.")

    # The hour
    event_weights: str = setting(
        "view=1,click=2,add_to_cart=4,purchase=8,rating=4,remove_from_cart=0,not_interested=0",
        "Weight of an event by type; unnamed types weigh 1, and what weighs 0 is no sign of interest.",
    )
    half_life_days: float = setting(60.0, "Age at which an interaction counts half.")
    window_days: int = setting(365, "How far back interactions and features look from the hour's end.")
    head_share: float = setting(0.2, "Share of known users that get a precomputed list, most active first.")
    head_items: int = setting(2_000, "How many popular items get a list of similar items.")
    list_size: int = setting(50, "Items in a published list.")
    candidate_count: int = setting(500, "Candidates a user that the ranker scores.")
    als_engine: str = setting("auto", "auto, implicit or spark: who factorises.")
    als_factors: int = setting(64, "Dimensions of the factors.")
    als_iterations: int = setting(10, "Sweeps of a cold fit; a warm start does a third of them.")
    als_regularization: float = setting(0.05, "L2 penalty of the factors.")
    als_memory_bytes: int = setting(4 * 1024**3, "What auto lets implicit use before it takes Spark.")
    new_items: int = setting(
        100_000, "Catalogue items without any event that can be found by their category, at most; 0 is none."
    )
    taste_clusters: int = setting(8, "Clusters of users on their factors.")

    # Ranker
    label_window_hours: int = setting(168, "Span after the features' hour whose events are the ranker's labels.")
    ranker_trees: int = setting(200, "Trees of the ranker.")
    ranker_leaves: int = setting(31, "Leaves a tree.")
    session_events: int = setting(200_000, "Newest events that the session model learns from.")
    training_users: int = setting(20_000, "Users sampled into one training set, by hash of the user id.")

    # Gates
    minimum_overlap: float = setting(0.05, "Least mean share of items kept against the version that serves.")
    minimum_ndcg: float = setting(0.0, "Least NDCG@10 of the lists on the hour's own events; 0 only reports.")
    minimum_coverage: float = setting(0.95, "Least share of head users who have a full list.")

    # Spark
    spark_master: str = setting("local[*]", "Where Spark runs: local[*], or spark://host:port.")
    spark_driver_host: str = setting("127.0.0.1", "Address at which the workers of a cluster reach the driver.")
    spark_driver_memory: str = setting("4g", "Heap of the driver; on local it is the executor too.")
    spark_shuffle_partitions: int = setting(8, "Partitions of a shuffle.")

    # Serving
    bind: str = setting("127.0.0.1:8080", "Address of the HTTP server.")
    workers: int = setting(2, "Processes of gunicorn.")
    threads: int = setting(8, "Threads a process.")
    redis_timeout_ms: int = setting(30, "Deadline of one round trip to Redis on a request.")
    pointer_cache_ms: int = setting(1_000, "How long a process trusts the pointer that it read.")
    breaker_open_ms: int = setting(1_000, "How long an open breaker waits before it probes Redis again.")
    request_timeout_ms: int = setting(200, "Deadline of a whole look-up, from its receipt to its answer.")
    inference_timeout_ms: int = setting(150, "Longest wait of a look-up for on-demand inference.")
    answer_reserve_ms: int = setting(
        20, "What of a look-up's deadline is kept for writing the answer, with or without inference."
    )
    placements_file: str = setting("", "TOML of placements; empty takes the one that ships with serving.")
    cors_origins: str = setting("", "Origins allowed to call from a browser, by comma; empty allows none.")
    access_log: bool = setting(False, "Whether gunicorn writes a line a request.")

    # Inference
    inference_url: str = setting(
        "", "Listener of the inference service: unix:///path or tcp://host:port; empty is a socket under root."
    )
    inference_workers: int = setting(2, "Processes of the inference service that compute, one question at a time each.")
    inference_queue: int = setting(64, "Questions that may wait for a worker; beyond that the service refuses at once.")
    inference_cache_ms: int = setting(3_000, "How long an answer is kept for equal questions; 0 keeps none.")
    inference_stuck_ms: int = setting(2_000, "How long one question may take before its worker is killed.")
    inference_worker_bytes: int = setting(4 * 1024**3, "Memory that a worker may take before it ends and is replaced.")
    inference_metrics: str = setting(
        "127.0.0.1:9109", "Address of the inference service's own /metrics; empty opens none."
    )

    # Warm memory
    profiles_url: str = setting(
        "", "Where the hour's profiles lie: postgresql://…, or empty for a file of the hour under root."
    )
    feature_log_one_in: int = setting(
        1_000, "Of so many on-demand answers one is logged with its features, for comparison; 0 logs none."
    )
    feature_log_bytes: int = setting(64 * 1024**2, "Size of the log of features; the oldest go.")

    # Events
    stream_url: str = setting(
        "redis://127.0.0.1:6380/0", "Server of the event stream: redis://, unix:// or kafka://host:port/topic."
    )
    stream_max_bytes: int = setting(1024**3, "Memory of the stream's server at which new events are put off.")
    spool_max_bytes: int = setting(1024**3, "Size of the spool that takes events while the stream is down.")
    api_keys_file: str = setting("", "JSON of hashed API keys; empty is api_keys.json under root.")
    key_events_per_second: int = setting(2_000, "Events a second that one API key may send.")
    session_ttl_minutes: int = setting(30, "How long after the last event a session is remembered hot.")
    bought_hidden_hours: int = setting(24, "How long a bought item stays out of its buyer's lists.")
    dismissed_hidden_days: int = setting(30, "How long a dismissed item stays out of that person's lists.")
    archive_flush_seconds: float = setting(5.0, "Longest wait of an event between the stream and the lake.")
    seal_wait_seconds: int = setting(120, "How long an hour waits for the archiver to have caught up with its end.")
    late_hours: int = setting(72, "How late an event may come and still make its hour be computed again.")
    attribution_hours: int = setting(24, "Span after an impression whose clicks and purchases are put down to it.")

    # Airflow
    airflow_database_url: str = setting("", "SQLAlchemy URL of Airflow's metadata; empty is SQLite under root.")
    airflow_port: int = setting(8793, "Port of Airflow's UI and API on loopback.")
    failure_webhook: str = setting("", "URL that gets a JSON post when an hour failed.")
    schedule_from: str = setting(
        "", "First hour that the schedule makes up for, such as 2026-01-31T07; empty only looks ahead."
    )
    catch_up_hours: int = setting(24, "Missed hours made up for by the schedule after a stall; backfill older ones.")

    # Retention
    keep_hours: int = setting(48, "Hours of interval partitions and candidate bundles kept.")
    keep_event_days: int = setting(400, "Days of events, impressions and attributions kept in the lake.")
    keep_ranker_bundles: int = setting(14, "Ranker bundles kept.")
    keep_log_days: int = setting(14, "Days of logs, of what was refused and of Airflow's history kept.")


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Build Settings from HEADRACE_* in `environ`; BadInput names what is wrong and what was meant."""
    known = {ENV_PREFIX + f.name.upper(): f for f in fields(Settings)}
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(ENV_PREFIX):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:3]
            raise BadInput(f"setting {name} is unknown; near ones are {', '.join(near)}")
        values[known[name].name] = _parse(name, text, known[name].default)
    settings = Settings(**values)
    _refuse_impossible(settings)
    return settings


def as_environment(settings: Settings) -> dict[str, str]:
    """HEADRACE_* variables that make these settings in another process; defaults are left out."""
    values = ((f.name.upper(), getattr(settings, f.name), f.default) for f in fields(Settings))
    return {ENV_PREFIX + name: str(value) for name, value, default in values if value != default}


def _parse(name: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() not in ("0", "1", "false", "true"):
            raise BadInput(f"setting {name} is {text!r}; write true or false")
        return text.lower() in ("1", "true")
    kind = type(default) if not isinstance(default, Path) else Path
    try:
        return kind(text)  # type: ignore[call-arg]
    except ValueError:
        raise BadInput(f"setting {name} is {text!r}; it takes a {kind.__name__}, such as {default}") from None


def _refuse_impossible(settings: Settings) -> None:
    shares = ("head_share", "minimum_overlap", "minimum_ndcg", "minimum_coverage")
    zero_is_fine = {
        *shares,
        "als_regularization",
        "new_items",
        "feature_log_one_in",
        "pointer_cache_ms",
        "breaker_open_ms",
        "inference_cache_ms",
    }
    for f in fields(Settings):
        value, name = getattr(settings, f.name), ENV_PREFIX + f.name.upper()
        if isinstance(value, int | float) and not isinstance(value, bool):
            low_enough = f.name not in shares or value <= 1
            high_enough = value > 0 or (value == 0 and f.name in zero_is_fine)
            if not (low_enough and high_enough):
                bound = "a share from 0 to 1" if f.name in shares else "a number above zero"
                raise BadInput(f"setting {name} is {value}; it takes {bound}, such as {f.default}")
    if settings.als_engine not in ALS_ENGINES:
        raise BadInput(f"setting HEADRACE_ALS_ENGINE is {settings.als_engine!r}; it takes {', '.join(ALS_ENGINES)}")
    parse_event_weights(settings.event_weights)


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders under the root."""

    root: Path

    @property
    def lake(self) -> Path:
        """Parquet tables."""
        return self.root / "lake"

    @property
    def candidates(self) -> Path:
        """Candidate bundles, one folder an hour."""
        return self.root / "bundles" / "candidates"

    @property
    def rankers(self) -> Path:
        """Ranker bundles, one folder a version."""
        return self.root / "bundles" / "ranker"

    @property
    def sessions(self) -> Path:
        """Session models, one folder a version."""
        return self.root / "bundles" / "session"

    @property
    def profiles(self) -> Path:
        """What is known of people as of an hour, one folder an hour."""
        return self.root / "bundles" / "profiles"

    @property
    def serving_models(self) -> Path:
        """Which bundles answer for an hour, one file an hour."""
        return self.root / "bundles" / "serving"

    @property
    def cache(self) -> Path:
        """What can be made again: compiled rankers, the serving process's last list."""
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        """Log files of the local run."""
        return self.root / "logs"
