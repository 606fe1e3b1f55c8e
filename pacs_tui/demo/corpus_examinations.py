"""What the demo hospital's departments produce: each kind of examination, its series, and the images behind them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeriesPattern:
    """One series: `count` instances drawn in turn from `sources` (names for `Sources`)."""

    modality: str
    description: str
    sources: tuple[str, ...]
    count: int
    step: float = 0.0
    """Millimetres from slice to slice; 0 leaves every slice where its source has it."""
    window: tuple[int, int] | None = None
    """Centre and width, for sources that carry none."""
    refers: bool = False
    """True for objects about other instances (RT, SR, SEG): their references are led to the new study."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One kind of study. `station` is the modality's AE title."""

    description: str
    body_part: str
    station: str
    series: tuple[SeriesPattern, ...]

    @property
    def instances(self) -> int:
        return sum(series.count for series in self.series)


def _stack(
    modality: str, description: str, source: str, count: int, step: float, window: tuple[int, int] | None = None
) -> SeriesPattern:
    """Slices of one source, a step apart."""
    return SeriesPattern(modality, description, (source,), count, step, window)


def _each(modality: str, description: str, sources: str, window: tuple[int, int] | None = None) -> SeriesPattern:
    """Every named source once, as it is."""
    names = tuple(sources.split())
    return SeriesPattern(modality, description, names, len(names), window=window)


def _about(modality: str, description: str, sources: str) -> SeriesPattern:
    """Objects that refer to what stands before them in the study."""
    names = tuple(sources.split())
    return SeriesPattern(modality, description, names, len(names), refers=True)


def _disc(folder: str, names: str) -> str:
    return " ".join(f"dicomdirtests/{folder}/{name}" for name in names.split())


def _ear(variant: str, count: int, scout: str = "MR_small") -> tuple[SeriesPattern, ...]:
    return (_stack("MR", "LOCALIZER", scout, 3, 8.0), _stack("MR", "AX T2 0.8", variant, count, 0.8))


_SOFT, _LUNG, _BONE = (40, 400), (-500, 1500), (450, 1500)

_CT: dict[str, Examination] = {
    "ct-chest": Examination("CT CHEST W CONTRAST", "CHEST", "CT1", (
        _stack("CT", "SCOUT", "CT_small", 2, 50.0, _SOFT),
        _stack("CT", "AXIAL 5.0 SOFT", "CT_small", 40, 5.0, _SOFT),
        _stack("CT", "AXIAL 1.25 LUNG", "CT_small", 96, 1.25, _LUNG),
        _about("SR", "REPORT", "reportsi"),
    )),
    "ct-chest-low-dose": Examination("CT CHEST LOW DOSE", "CHEST", "CT1", (
        _stack("CT", "SCOUT", "CT_small", 1, 50.0, _SOFT),
        _stack("CT", "AXIAL 3.0 LUNG", "CT_small", 48, 3.0, _LUNG),
    )),
    "ct-abdomen": Examination("CT ABDOMEN PORTAL VENOUS", "ABDOMEN", "CT2", (
        _stack("CT", "SCOUT", "explicit_VR-UN", 2, 60.0, _SOFT),
        _stack("CT", "AXIAL 3.0 PORTAL VENOUS", "explicit_VR-UN", 48, 3.0, _SOFT),
        _about("SEG", "LIVER SEGMENTATION", "liver liver_1frame"),
    )),
    "ct-abdomen-plain": Examination("CT ABDOMEN PLAIN", "ABDOMEN", "CT2", (
        _stack("CT", "AXIAL 5.0 PLAIN", "explicit_VR-UN", 24, 5.0, _SOFT),
        _about("SEG", "LIVER SEGMENTATION", "liver_expb liver_expb_1frame"),
    )),
    "ct-head": Examination("CT HEAD PLAIN", "HEAD", "CT2", (
        _stack("CT", "AXIAL 5.0 PLAIN", "693_UNCR", 28, 5.0),
        _stack("CT", "AXIAL 5.0 SKULL BASE", "J2K_pixelrep_mismatch", 12, 5.0),
    )),
    "ct-head-trauma": Examination("CT HEAD TRAUMA", "HEAD", "CT-ED", (
        _stack("CT", "SCOUT", "693_J2KI", 1, 50.0),
        _stack("CT", "AXIAL 3.0 BRAIN", "693_J2KR", 48, 3.0),
        _stack("CT", "AXIAL 3.0 SKULL BASE", "J2K_pixelrep_mismatch", 20, 3.0),
    )),
    "ct-head-control": Examination("CT HEAD CONTROL", "HEAD", "CT2", (
        _stack("CT", "AXIAL 5.0 PLAIN", "693_J2KI", 30, 5.0),
        _stack("CT", "AXIAL 5.0 THICK", "693_UNCI", 4, 10.0),
    )),
    "ct-stroke": Examination("CT HEAD STROKE PROTOCOL", "HEAD", "CT-ED", (
        _stack("CT", "AXIAL 5.0 PLAIN", "693_J2KR", 24, 5.0),
        _each("CT", "PERFUSION MAPS", "eCT_Supplemental"),
    )),
    "ct-spine": Examination("CT THORACIC SPINE", "TSPINE", "CT2", (
        _stack("CT", "AXIAL 1.0 BONE", "bad_sequence", 44, 1.0),
        _stack("CT", "AXIAL 3.0 OVERVIEW", "CT_small", 20, 3.0, _BONE),
    )),
    "rt-plan": Examination("RADIOTHERAPY PLANNING", "CHEST", "RTPLAN1", (
        _stack("CT", "PLANNING CT 3.0", "CT_small", 30, 3.0, _SOFT),
        _about("RTSTRUCT", "STRUCTURES", "rtstruct"),
        _about("RTPLAN", "PLAN 1", "rtplan"),
        _about("RTDOSE", "DOSE PLAN 1", "rtdose rtdose_1frame"),
    )),
    "rt-boost": Examination("RADIOTHERAPY BOOST", "CHEST", "RTPLAN1", (
        _stack("CT", "PLANNING CT 3.0", "CT_small", 24, 3.0, _SOFT),
        _about("RTSTRUCT", "STRUCTURES", "rtstruct"),
        _about("RTPLAN", "BOOST", "rtplan"),
        _about("RTDOSE", "DOSE BOOST", "rtdose_rle rtdose_rle_1frame rtdose_expb rtdose_expb_1frame"),
    )),
}  # fmt: skip

_MR: dict[str, Examination] = {
    "mr-shoulder": Examination("MR SHOULDER LEFT", "SHOULDER", "MR2", (
        _stack("MR", "LOCALIZER", "MR2_J2KI", 3, 12.0),
        _stack("MR", "COR T1", "MR2_J2KR", 8, 6.0),
        _stack("MR", "COR PD FS", "MR2_UNCR", 3, 6.0),
    )),
    "mr-shoulder-short": Examination("MR SHOULDER LIMITED", "SHOULDER", "MR2", (
        _stack("MR", "COR T1", "MR2_UNCI", 2, 6.0),
        _stack("MR", "COR PD FS", "MR2_J2KI", 10, 6.0),
    )),
    "mr-liver": Examination("MR LIVER W CONTRAST", "ABDOMEN", "MR1", (
        _stack("MR", "AX T1 VIBE", "MR-SIEMENS-DICOM-WithOverlays", 20, 4.0),
        _each("MR", "MARKED LESION", "examples_overlay"),
    )),
    "mr-ear": Examination("MR INNER EAR", "HEAD", "MR1", (
        *_ear("MR_small", 60), _stack("MR", "AX T1 0.8", "MR_small_padded", 24, 0.8),
    )),
    "mr-ear-implicit": Examination("MR INNER EAR", "HEAD", "MR-OLD", _ear("MR_small_implicit", 40)),
    "mr-ear-big-endian": Examination("MR INNER EAR", "HEAD", "MR-OLD", (
        *_ear("MR_small_bigendian", 32, "MR_small_bigendian"),
        _stack("MR", "AX T1 0.8", "MR_small_expb", 8, 0.8),
    )),
    "mr-ear-rle": Examination("MR INNER EAR", "HEAD", "MR1", _ear("MR_small_RLE", 32)),
    "mr-ear-jpeg-ls": Examination("MR INNER EAR", "HEAD", "MR1", _ear("MR_small_jpeg_ls_lossless", 32)),
    "mr-ear-jpeg2000": Examination("MR INNER EAR", "HEAD", "MR1", _ear("MR_small_jp2klossless", 32)),
    "mr-brain": Examination("MR BRAIN", "HEAD", "MR3", (
        _each("MR", "AX 3D ENHANCED", "emri_small"), _each("MR", "AX 3D ENHANCED RLE", "emri_small_RLE"),
    )),
    "mr-brain-archive": Examination("MR BRAIN", "HEAD", "MR3", (
        _each("MR", "AX 3D ENHANCED", "emri_small_big_endian"),
        _each("MR", "AX 3D ENHANCED", "emri_small_jpeg_2k_lossless emri_small_jpeg_ls_lossless"),
    )),
}  # fmt: skip

_PLAIN: dict[str, Examination] = {
    "cr-chest": Examination("CHEST PA", "CHEST", "CR1", (_each("CR", "PA", "RG1_J2KI"),)),
    "cr-chest-fine": Examination("CHEST PA", "CHEST", "CR1", (_each("CR", "PA", "RG1_J2KR"),)),
    "cr-chest-raw": Examination("CHEST PA", "CHEST", "CR1", (
        _each("CR", "PA", "RG1_UNCR"), _each("CR", "PA EDGE ENHANCED", "RG1_UNCI"),
    )),
    "cr-chest-report": Examination("CHEST PA", "CHEST", "CR1", (
        _each("CR", "PA", "RG1_J2KI"),
        _about("SR", "REPORT", "reportsi"),
        _about("SR", "STRUCTURED FINDINGS", "test-SR"),
    )),
    "cr-leg": Examination("LOWER LEG AP", "EXTREMITY", "CR2", (_each("CR", "AP", "RG3_J2KI"),)),
    "cr-leg-fine": Examination("LOWER LEG 2 VIEWS", "EXTREMITY", "CR2", (_each("CR", "AP", "RG3_J2KR RG3_J2KI"),)),
    "cr-leg-raw": Examination("LOWER LEG AP", "EXTREMITY", "CR2", (
        _each("CR", "AP", "RG3_UNCR"), _each("CR", "AP EDGE ENHANCED", "RG3_UNCI"),
    )),
    "us-soft-tissue": Examination("US LYMPH NODE", "NECK", "US1", (
        _each("US", "POWER DOPPLER", "US1_UNCI US1_UNCR US1_J2KI US1_J2KR"),
    )),
    "us-soft-tissue-short": Examination("US LYMPH NODE", "NECK", "US1", (
        _each("US", "POWER DOPPLER", "examples_rgb_color examples_jpeg2k"),
    )),
    "us-heart": Examination("ECHOCARDIOGRAPHY", "HEART", "US2", (
        _each("US", "4 CHAMBER CINE", "color3d_jpeg_baseline"), _each("US", "STILL", "JPGLosslessP14SV1_1s_1f_8b"),
    )),
    "us-heart-short": Examination("ECHOCARDIOGRAPHY", "HEART", "US2", (
        _each("US", "4 CHAMBER CINE", "examples_ybr_color"), _each("US", "STILL", "JPGLosslessP14SV1_1s_1f_8b"),
    )),
    "us-obstetric": Examination("US OBSTETRIC", "UTERUS", "US1", (
        _each("US", "STILLS", "OBXXXX1A OBXXXX1A_rle examples_palette"),
        _each("US", "CINE", "OBXXXX1A_2frame OBXXXX1A_rle_2frame"),
    )),
    "us-obstetric-archive": Examination("US OBSTETRIC", "UTERUS", "US1", (
        _each("US", "STILLS", "OBXXXX1A_expb"), _each("US", "CINE", "OBXXXX1A_expb_2frame"),
    )),
    "us-pelvis": Examination("US PELVIS", "PELVIS", "US1", (
        _each("US", "STILLS", "gdcm-US-ALOKA-16 gdcm-US-ALOKA-16_big"),
    )),
    "us-vessels": Examination("US DUPLEX", "NECK", "US2", (
        _each("US", "COLOUR DOPPLER", "color-pl color-px"), _each("US", "EPICARDIAL", "ExplVR_BigEnd"),
    )),
    "nm-bone": Examination("NM BONE SCAN", "WHOLEBODY", "NM1", (
        _each("NM", "WHOLE BODY", "JPEG-LL JPEG2000_UNC"), _each("NM", "WHOLE BODY COMPRESSED", "JPGExtended JPEG2000"),
    )),
    "ecg-rest": Examination("ECG 12 LEADS AT REST", "HEART", "ECG1", (_each("ECG", "REST", "waveform_ecg"),)),
}  # fmt: skip

_PHANTOM: dict[str, Examination] = {
    "qa-grey": Examination("MONITOR CONSTANCY", "PHANTOM", "QA", (
        _each("OT", "MODALITY LUT", "mlut_18"), _each("OT", "VOI LUT", "vlut_04"), _each("OT", "CHECKERS", "image_dfl"),
    )),
    "qa-colour": Examination("COLOUR BARS", "PHANTOM", "QA", (
        _each("OT", "NATIVE", "SC_rgb SC_rgb_16bit SC_rgb_16bit_2frame SC_rgb_2frame SC_rgb_32bit SC_rgb_32bit_2frame"
              " SC_rgb_gdcm2k_uncompressed SC_ybr_full_uncompressed SC_ybr_full_422_uncompressed SC_rgb_small_odd"
              " SC_rgb_jpeg_dcmd"),
        _each("OT", "NATIVE BIG ENDIAN", "SC_rgb_expb SC_rgb_expb_16bit SC_rgb_expb_16bit_2frame SC_rgb_expb_2frame"
              " SC_rgb_expb_32bit SC_rgb_expb_32bit_2frame SC_rgb_small_odd_big_endian"),
        _each("OT", "DECOMPRESSED", "SC_rgb_dcmtk_ebcr_dcmd SC_rgb_dcmtk_ebcyn1_dcmd SC_rgb_dcmtk_ebcyn2_dcmd"
              " SC_rgb_dcmtk_ebcynp_dcmd SC_rgb_dcmtk_ebcys2_dcmd SC_rgb_dcmtk_ebcys4_dcmd"),
    )),
    "qa-codecs": Examination("CODEC CONSTANCY", "PHANTOM", "QA", (
        _each("OT", "JPEG", "SC_rgb_dcmtk_+eb+cr SC_rgb_dcmtk_+eb+cy+n1 SC_rgb_dcmtk_+eb+cy+n2 SC_rgb_dcmtk_+eb+cy+np"
              " SC_rgb_dcmtk_+eb+cy+s2 SC_rgb_dcmtk_+eb+cy+s4 SC_rgb_jpeg_dcmtk SC_rgb_jpeg_gdcm SC_rgb_jpeg_lossy_gdcm"
              " SC_rgb_small_odd_jpeg SC_jpeg_no_color_transform SC_jpeg_no_color_transform_2 SC_rgb_jpeg_app14_dcmd"),
        _each("OT", "JPEG-LS", "JPEGLSNearLossless_08 JPEGLSNearLossless_16 SC_rgb_jls_lossy_line"
              " SC_rgb_jls_lossy_sample"),
        _each("OT", "JPEG 2000", "SC_rgb_gdcm_KY GDCMJ2K_TextGBR"),
        _each("OT", "RLE", "SC_rgb_rle SC_rgb_rle_16bit SC_rgb_rle_16bit_2frame SC_rgb_rle_2frame SC_rgb_rle_32bit"
              " SC_rgb_rle_32bit_2frame"),
    )),
}  # fmt: skip

_DISC: dict[str, Examination] = {
    "disc-chest": Examination("OUTSIDE CR CHEST", "CHEST", "DISC", (
        _each("CR", "CHEST", _disc("77654033", "CR1/6154 CR2/6247 CR3/6278")),
    )),
    "disc-ct": Examination("OUTSIDE CT", "CHEST", "DISC", (
        _each("CT", "SCOUT", _disc("98892001", "CT2N/6293 CT2N/6924")),
        _each("CT", "AXIAL", _disc("98892001", "CT5N/2062 CT5N/2392 CT5N/2693 CT5N/3023 CT5N/3353")),
        _each("CT", "AXIAL FOLLOW-UP", _disc("77654033", "CT2/17106 CT2/17136 CT2/17166 CT2/17196")),
    )),
    "disc-mr": Examination("OUTSIDE MR", "HEAD", "DISC", (
        _each("MR", "LOCALIZER", _disc("98892003", "MR1/15820 MR1/4919 MR1/5641")),
        _each("MR", "AXIAL", _disc("98892003", "MR2/15970 MR2/4950 MR2/4981 MR2/5011 MR2/6273 MR2/6605 MR2/6935")),
        _each("MR", "ANGIO", _disc("98892003", "MR700/4467 MR700/4528 MR700/4558 MR700/4588 MR700/4618 MR700/4648"
              " MR700/4678")),
    )),
}  # fmt: skip

EXAMINATIONS: dict[str, Examination] = {**_CT, **_MR, **_PLAIN, **_PHANTOM, **_DISC}
