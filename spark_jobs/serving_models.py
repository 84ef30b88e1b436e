"""The note of which models answer on demand for an hour; it is written when all of them are in place."""

from contracts.serving_model import ServingModel, write_serving_model
from models.bundle import read_manifest
from models.profile_file import MADE_BY
from spark_jobs.context import JobContext
from spark_jobs.rankers import ranker_of, session_model_of


def name_serving_model(context: JobContext) -> ServingModel:
    """Name the interval's models for those who answer on demand; MissingInput when it has no profiles."""
    read_manifest(context.layout.profiles / context.key, made_by=MADE_BY)
    session = session_model_of(context)
    model = ServingModel(
        interval=context.key,
        candidates=context.candidate_bundle.name,
        ranker=ranker_of(context).name,
        session=session.name if session else "",
        profiles=context.key,
    )
    write_serving_model(context.layout, model)
    return model
