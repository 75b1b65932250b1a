"""Reports and lists as files, in every kind of content that :mod:`delivery.exports` makes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import azure.functions as func
import msgspec

from functions.access.audit import MOST_USER_IDS, Attempt
from functions.http.accepting import CSV, HTML, PDF, XLSX, ContentKind
from functions.http.file_answers import file_response
from records import PersonSummary, Record, Run, Summary

type _Line = Summary | PersonSummary
LISTS = (CSV, XLSX)
REPORTS = (CSV, XLSX, HTML, PDF)


def report_file(kind: ContentKind, report: bytes) -> func.HttpResponse:
    """Return a report, given as its JSON, as a file with the person and the day in its name."""
    from delivery.exports.reports import document_of

    document = document_of(msgspec.json.decode(report))
    if kind == CSV:
        from delivery.exports.csv_file import report_as_csv as made
    elif kind == XLSX:
        from delivery.exports.xlsx_file import report_as_xlsx as made
    elif kind == HTML:
        from delivery.exports.html_file import report_as_html as made
    else:
        from delivery.exports.pdf_file import report_as_pdf as made
    return file_response(made(document), kind, name=f"portfolio-{document.as_of}-{document.title}")


def portfolios_file(kind: ContentKind, run: Run, summaries: Iterable[Summary], attempt: Attempt) -> func.HttpResponse:
    """Return summaries of a run as a file, and put on record which users are in it."""
    columns, name = Summary.__struct_fields__, _dated("portfolios", run.as_of, run.run_id)
    return _recorded(kind, columns, summaries, attempt, name=name, title="Portfolios")


def people_file(
    kind: ContentKind, day: date | None, people: Iterable[PersonSummary], attempt: Attempt
) -> func.HttpResponse:
    """Return people of the newest night as a file, without their values, and put on record who is in it."""
    columns = tuple(name for name in PersonSummary.__struct_fields__ if name != "values")
    return _recorded(kind, columns, people, attempt, name=_dated("portfolios", day), title="Portfolios")


def _dated(name: str, day: date | None, *more: str) -> str:
    return "-".join([name, *([] if day is None else [day.isoformat()]), *more])


def _recorded(
    kind: ContentKind, columns: Sequence[str], lines: Iterable[_Line], attempt: Attempt, *, name: str, title: str
) -> func.HttpResponse:
    user_ids: list[str] = []
    number = 0

    def passing() -> Iterator[_Line]:
        nonlocal number
        for line in lines:
            number += 1
            if number <= MOST_USER_IDS:
                user_ids.append(line.user_id)
            yield line

    answer = list_file(kind, columns, passing(), name=name, title=title)
    attempt.tell(action="export_portfolios", user_ids=user_ids, user_ids_count=number)
    return answer


def list_file(
    kind: ContentKind, columns: Sequence[str], records: Iterable[Record], *, name: str, title: str
) -> func.HttpResponse:
    """Return these members of records as a file with a column for each; the records are never all in memory."""
    rows = (tuple(getattr(record, column) for column in columns) for record in records)
    if kind == CSV:
        from delivery.exports.csv_file import list_as_csv

        return file_response(list_as_csv(columns, rows), kind, name=name)
    from delivery.exports.xlsx_file import list_as_xlsx

    return file_response(list_as_xlsx(title, columns, rows), kind, name=name)
