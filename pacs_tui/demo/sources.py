"""Where the demo hospital's pictures come from: the test images that pydicom and pydicom-data carry in their wheels."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from pacs_tui.errors import StorageError

LEFT_OUT: dict[str, str] = {
    "dicomdirtests/DICOMDIR": "a directory of files, not an instance",
    "dicomdirtests/DICOMDIR-bigEnd": "a directory of files, not an instance",
    "dicomdirtests/DICOMDIR-empty.dcm": "a directory of files, not an instance",
    "dicomdirtests/DICOMDIR-implicit": "a directory of files, not an instance",
    "dicomdirtests/DICOMDIR-nooffset": "a directory of files, not an instance",
    "dicomdirtests/DICOMDIR-nopatient": "a directory of files, not an instance",
    "dicomdirtests/DICOMDIR-reordered": "a directory of files, not an instance",
    "dicomdirtests/TINY_ALPHA/": "fifty CT headers without a picture, made to fill a directory",
    "ExplVR_BigEndNoMeta.dcm": "a bare data set of a few elements, no class and no instance UID",
    "ExplVR_LitEndNoMeta.dcm": "a bare data set of a few elements, no class and no instance UID",
    "JPEG-lossy.dcm": "its JPEG stream is faulty; JPGExtended.dcm is the same picture repaired",
    "JPEG2000-embedded-sequence-delimiter.dcm": "four bytes of its code stream were overwritten on purpose",
    "MR_truncated.dcm": "cut off in the middle of its pixels",
    "OT-PAL-8-face.dcm": "a photograph of a recognisable person; it has no business among patients",
    "SC_rgb_jpeg.dcm": "encoded as implicit VR under a syntax that says explicit",
    "UN_sequence.dcm": "a fragment: one sequence, no instance UID",
    "badVR.dcm": "its Number of Frames is not a number",
    "empty_charset_LEI.dcm": "a fragment: no class and no instance UID",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "cut off inside a sequence",
    "meta_missing_tsyntax.dcm": "a fragment whose File Meta Information names no transfer syntax",
    "nested_priv_SQ.dcm": "a fragment: private sequences, no instance UID",
    "no_meta.dcm": "CT_small.dcm once more, without its File Meta Information",
    "no_meta_group_length.dcm": "a fragment: no instance UID",
    "priv_SQ.dcm": "a fragment: private sequences, no instance UID",
    "reportsi_with_empty_number_tags.dcm": "reportsi.dcm once more; its empty numbers would be filled in here",
    "rtplan_truncated.dcm": "cut off inside a sequence",
}
"""Files that hold DICOM but no patient's picture worth showing, and why; a trailing slash means the whole folder."""

_BARE = {"rtstruct.dcm": "1.2.840.10008.1.2"}
"""Complete data sets without File Meta Information, and the transfer syntax they are in."""


def roots() -> tuple[Path, ...]:
    """The folders that hold the images; StorageError says what to install where one is missing."""
    found = []
    for package, inner in (("pydicom", "data/test_files"), ("data_store", "data")):
        spec = importlib.util.find_spec(package)
        folder = Path(spec.origin).parent / inner if spec and spec.origin else None
        if folder is None or not folder.is_dir():
            raise StorageError("The demo needs the images of pydicom-data: run pip install 'pacs-tui[demo]'.")
        found.append(folder)
    return tuple(found)


class Sources:
    """Opens the images by their path below a root, with or without `.dcm`."""

    def __init__(self) -> None:
        self._roots = roots()

    def path(self, name: str) -> Path:
        """The file of that name; StorageError where neither wheel has it."""
        for root in self._roots:
            for candidate in (root / f"{name}.dcm", root / name):
                if candidate.is_file():
                    return candidate
        raise StorageError(f"The demo image {name} is missing: reinstall pydicom and pydicom-data.")

    def read(self, name: str) -> Any:
        """The data set as pydicom reads it, elements still raw; its file_meta always names a transfer syntax."""
        import pydicom

        path = self.path(name)
        syntax = _BARE.get(path.name)
        try:
            ds = pydicom.dcmread(path, force=syntax is not None)
        except OSError as error:
            raise StorageError(f"The demo image {path} cannot be read: {error}.") from error
        if syntax is not None:
            ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
        return ds
