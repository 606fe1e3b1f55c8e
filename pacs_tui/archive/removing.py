"""An instance out of the index: its row goes, and the counts above it follow."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select, update

from pacs_tui.archive.schema import area, instance, patient, series, study, uid


def remove(connection: Connection, instance_id: int) -> None:
    """Delete an instance and every row above it that is empty then; the file is the caller's."""
    row = connection.execute(
        select(instance.c.area_id, instance.c.size, series.c.id, study.c.id, study.c.patient_key)
        .select_from(instance.join(series, instance.c.series_id == series.c.id).join(study))
        .where(instance.c.id == instance_id)
    ).one()
    area_id, size, series_id, study_id, patient_key = row
    connection.execute(delete(instance).where(instance.c.id == instance_id))
    count = series.c.number_of_series_related_instances
    connection.execute(update(series).where(series.c.id == series_id).values({count: count - 1}))
    gone = connection.execute(delete(series).where(series.c.id == series_id, count <= 0)).rowcount
    connection.execute(
        update(study).where(study.c.id == study_id).values(
            number_of_study_related_series=study.c.number_of_study_related_series - gone,
            number_of_study_related_instances=study.c.number_of_study_related_instances - 1,
            bytes=study.c.bytes - size,
            modalities_in_study=_joined(connection, select(series.c.modality).where(series.c.study_id == study_id)),
            sop_classes_in_study=_joined(
                connection,
                select(uid.c.uid).join(instance, instance.c.sop_class_id == uid.c.id).join(series)
                .where(series.c.study_id == study_id),
            ),
        )
    )  # fmt: skip
    empty = study.c.number_of_study_related_instances <= 0
    ended = connection.execute(delete(study).where(study.c.id == study_id, empty)).rowcount
    connection.execute(
        update(patient).where(patient.c.id == patient_key).values(
            number_of_patient_related_studies=patient.c.number_of_patient_related_studies - ended,
            number_of_patient_related_series=patient.c.number_of_patient_related_series - gone,
            number_of_patient_related_instances=patient.c.number_of_patient_related_instances - 1,
        )
    )  # fmt: skip
    left = select(func.count()).select_from(study).where(study.c.patient_key == patient_key)
    if not connection.scalar(left):
        connection.execute(delete(patient).where(patient.c.id == patient_key))
    connection.execute(
        update(area).where(area.c.id == area_id).values(instances=area.c.instances - 1, bytes=area.c.bytes - size)
    )


def _joined(connection: Connection, query: object) -> str:
    found = connection.execute(query.distinct()).scalars()  # type: ignore[attr-defined]
    return "\\".join(sorted(text for text in found if text))
