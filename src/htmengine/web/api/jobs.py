"""Jobs: how far they are, their results, and how they end early."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from htmengine.web import problems
from htmengine.web.jobs import Job
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import Document, JobAnswer, JobList

operations = Operations()

JobId = Annotated[str, Meta(min_length=1, max_length=40)]


@operations("GET", "/jobs", "read")
def jobs(call: Call) -> JobList:
    """List the jobs of this server, the newest first."""
    return JobList([shown(job) for job in call.site.jobs.all()])


@operations("GET", "/jobs/{job_id}", "read", problems.JOB_NOT_FOUND)
def job(call: Call, job_id: JobId) -> JobAnswer:
    """Tell how far a job is."""
    return shown(_found(call, job_id))


@operations("GET", "/jobs/{job_id}/result", "read", problems.JOB_NOT_FOUND, problems.CONFLICT)
def job_result(call: Call, job_id: JobId) -> Document:
    """Give the result of a job that is done."""
    found = _found(call, job_id)
    if found.result is None:
        detail = "its result is not kept any more" if found.state == "done" else "there is no result (yet)"
        raise Problem(problems.CONFLICT, f"The job is {found.state}; {detail}.")
    return Document(found.result)


@operations("DELETE", "/jobs/{job_id}", "write", problems.JOB_NOT_FOUND)
def cancel_job(call: Call, job_id: JobId) -> JobAnswer:
    """Cancel a job; what it has done so far stays. One that is over stays as it is."""
    found = _found(call, job_id)
    found.cancelled.set()
    return shown(found)


def _found(call: Call, job_id: str) -> Job:
    found = call.site.jobs.get(job_id)
    if found is None:
        raise Problem(problems.JOB_NOT_FOUND, "It was forgotten, or this server was started again since.")
    return found


def shown(job: Job) -> JobAnswer:
    """Return a job as the API shows it."""
    return JobAnswer(
        id=job.id,
        kind=job.kind,
        state=job.state,
        done=job.done,
        total=job.total,
        stage=job.stage,
        started=job.started,
        result_url=f"jobs/{job.id}/result" if job.result is not None else None,
        error=job.error,
    )
