"""Durable jobs. `Jobs` is the door; DBOS stands behind it and is imported after the service answers."""

from app.services.jobs.base import JOBS, Context, Job, JobState, jobs_url
from app.services.jobs.runtime import Jobs

__all__ = ["JOBS", "Context", "Job", "JobState", "Jobs", "jobs_url"]
