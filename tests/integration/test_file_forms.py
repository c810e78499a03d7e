"""Each form in which figures come is read, or refused with a hint of its own: as docs/files.md says."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from report_service.adapters.table_files import table_files
from report_service.errors import BadInput
from report_service.services.import_files import Imported, import_files
from tests.support.file_forms import DOCS, FOLDER, FORMS, FileForm, documented
from tests.support.remembering_intake import RememberingIntake


def take_in(form: FileForm) -> tuple[Imported, list[dict[str, object]]]:
    files, _ = table_files([FOLDER / form.folder], ZoneInfo("Europe/Berlin"))
    intake = RememberingIntake()
    (imported,) = import_files(files, intake, progress=lambda read: None)
    return imported, intake.taken


@pytest.mark.parametrize("form", [form for form in FORMS if form.stored], ids=lambda form: form.folder)
def test_what_has_one_meaning_is_read(form: FileForm) -> None:
    imported, rows = take_in(form)
    column, _, value = form.stored.partition("=")

    assert (imported.problem, imported.faults, imported.warnings) == (None, [], [])
    assert rows
    assert [str(row[column]) for row in rows] == [value] * len(rows)


@pytest.mark.parametrize("form", [form for form in FORMS if form.warning], ids=lambda form: form.folder)
def test_what_is_odd_in_a_row_is_stored_with_a_warning(form: FileForm) -> None:
    imported, rows = take_in(form)

    assert (imported.problem, imported.faults) == (None, [])
    assert [str(warning) for warning in imported.warnings + imported.remarks] == [form.warning]
    assert rows


@pytest.mark.parametrize("form", [form for form in FORMS if form.refused], ids=lambda form: form.folder)
def test_what_has_two_meanings_or_none_is_refused_with_the_place_and_the_way_out(form: FileForm) -> None:
    try:
        imported, rows = take_in(form)
    except BadInput as before_anything_is_read:
        imported, rows = Imported(file="", table="", problem=before_anything_is_read), []

    assert rows == []
    if form.hint:
        assert imported.problem is not None
        assert imported.problem.message.startswith(f"{FOLDER / form.folder}/{form.refused}")
        assert form.hint in (imported.problem.hint or "")
    else:
        assert str(imported.faults[0]).startswith(form.refused)


def test_the_docs_have_each_form_and_what_becomes_of_it() -> None:
    text = DOCS.read_text()

    assert text == documented(text), "python -m tests.support.file_forms writes it anew"


def test_every_folder_of_small_files_is_a_form() -> None:
    assert {folder.name for folder in FOLDER.iterdir()} == {form.folder for form in FORMS}
