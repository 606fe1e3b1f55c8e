"""Who was examined when, and which nodes hold the study: the demo hospital's five years, counted back from today."""

from __future__ import annotations

from dataclasses import dataclass

AE_TITLES = ("IMAGECTN", "MED1", "MED2", "ORTHO1", "ORTHO2", "EMERGENCY", "OT")


@dataclass(frozen=True, slots=True)
class Visit:
    """One study: an examination of a patient, so many days before today."""

    patient_id: str
    examination: str
    days_ago: int
    nodes: str
    """AE titles that hold the whole study, separated by spaces."""
    description: str = ""
    """StudyDescription in the patient's own language, else the examination's."""
    first_series_at: str = ""
    """A node that got only the first series, so that a comparison finds something missing."""


VISITS: tuple[Visit, ...] = (
    # Today and yesterday: what an administrator would be asked about now.
    Visit("4711", "ct-chest", 0, "IMAGECTN MED1"),
    Visit("200016", "cr-chest-report", 0, "IMAGECTN", "Röntgen Thorax p.a."),
    Visit("100377", "ct-head-trauma", 0, "EMERGENCY IMAGECTN"),
    Visit("100377", "ecg-rest", 0, "EMERGENCY"),
    Visit("100940", "cr-leg", 0, "ORTHO1"),
    Visit("400011", "mr-ear", 0, "IMAGECTN", "内耳MRI"),
    Visit("310077", "ct-stroke", 0, "EMERGENCY", "КТ головного мозга", first_series_at="IMAGECTN"),
    Visit("QA-0001", "qa-grey", 0, "IMAGECTN OT"),
    Visit("0815", "ct-abdomen", 1, "IMAGECTN", first_series_at="MED2"),
    Visit("200121", "us-obstetric", 1, "MED2", "Échographie obstétricale"),
    Visit("410032", "ct-head", 1, "IMAGECTN EMERGENCY", "두부 CT"),
    Visit("100412", "cr-leg-fine", 1, "ORTHO2"),
    Visit("500028", "cr-chest", 1, "IMAGECTN EMERGENCY", "أشعة الصدر"),
    Visit("300045", "us-vessels", 1, "MED1"),
    # This fortnight.
    Visit("100234", "mr-liver", 2, "IMAGECTN MED2"),
    Visit("420014", "ct-chest-low-dose", 2, "MED1", "胸部低剂量CT"),
    Visit("200366", "cr-chest", 3, "IMAGECTN"),
    Visit("101003", "rt-plan", 3, "IMAGECTN MED1"),
    Visit("600021", "us-soft-tissue", 4, "MED2", "Boyun ultrasonu"),
    Visit("400204", "us-heart", 5, "IMAGECTN MED1", "心臓超音波"),
    Visit("101117", "ct-spine", 5, "ORTHO2 OT"),
    Visit("310020", "mr-ear-rle", 6, "IMAGECTN", "МРТ внутреннего уха"),
    Visit("600110", "cr-chest", 7, "MED1", "X-quang ngực thẳng"),
    Visit("200305", "mr-shoulder", 8, "ORTHO1 IMAGECTN", "MR venstre skulder"),
    Visit("EXT-77654", "disc-chest", 9, "IMAGECTN"),
    Visit("EXT-98891", "disc-ct", 9, "IMAGECTN"),
    Visit("EXT-98893", "disc-mr", 9, "IMAGECTN"),
    Visit("520047", "us-pelvis", 10, "MED2", "อัลตราซาวด์อุ้งเชิงกราน"),
    Visit("510036", "cr-chest", 11, "IMAGECTN", "צילום חזה"),
    Visit("100731", "cr-leg-raw", 12, "ORTHO1 OT"),
    Visit("410079", "ecg-rest", 13, "MED1"),
    # This quarter.
    Visit("QA-0002", "qa-codecs", 16, "IMAGECTN"),
    Visit("200087", "nm-bone", 18, "IMAGECTN MED2", "Gammagrafía ósea"),
    Visit("100802", "ct-chest", 21, "IMAGECTN", "TC TORAX COM CONTRASTE"),
    Visit("300092", "ct-head-control", 23, "IMAGECTN", "Αξονική τομογραφία κεφαλής"),
    Visit("420155", "us-heart-short", 26, "MED1", "超声心动图"),
    Visit("101003", "rt-boost", 28, "MED1"),
    Visit("400113", "cr-leg", 30, "ORTHO2", "右下腿X線"),
    Visit("200198", "ct-abdomen-plain", 34, "IMAGECTN"),
    Visit("500071", "us-obstetric", 37, "MED2"),
    Visit("600064", "mr-ear-jpeg-ls", 41, "IMAGECTN", "MR vnitřního ucha"),
    Visit("100655", "cr-leg-fine", 45, "ORTHO1"),
    Visit("410123", "cr-chest-fine", 52, "IMAGECTN", "흉부 PA"),
    Visit("200016", "ct-chest-low-dose", 60, "IMAGECTN MED1", "CT Thorax nativ"),
    Visit("310104", "us-soft-tissue-short", 66, "MED2", "УЗИ лимфатических узлов"),
    Visit("100518", "cr-chest", 73, "IMAGECTN"),
    Visit("400259", "mr-ear-jpeg2000", 80, "IMAGECTN", "ﾅｲｼﾞ MRI 検査"),
    Visit("QA-0002", "qa-colour", 88, "IMAGECTN"),
    # This year.
    Visit("420066", "mr-brain", 97, "IMAGECTN", "头部磁共振"),
    Visit("300138", "us-obstetric-archive", 110, "MED2"),
    Visit("100377", "cr-chest", 120, "IMAGECTN EMERGENCY"),
    Visit("200240", "mr-shoulder-short", 133, "ORTHO2", "RM do ombro"),
    Visit("200482", "ct-stroke", 145, "EMERGENCY IMAGECTN"),
    Visit("420101", "ct-head-trauma", 160, "EMERGENCY", "頭部外傷CT"),
    Visit("500119", "ct-spine", 175, "IMAGECTN ORTHO1"),
    Visit("600153", "cr-leg", 190, "ORTHO1", "RTG podudzia"),
    Visit("100234", "us-soft-tissue-short", 204, "MED2"),
    Visit("4711", "cr-chest", 220, "IMAGECTN"),
    Visit("200419", "us-vessels", 236, "MED1", "Écho-Doppler des troncs supra-aortiques"),
    Visit("400058", "ct-chest", 251, "IMAGECTN", "胸部造影CT"),
    Visit("310077", "ct-head-control", 268, "IMAGECTN"),
    Visit("200016", "ecg-rest", 290, "MED1"),
    Visit("100377", "ct-chest-low-dose", 310, "IMAGECTN"),
    Visit("400167", "cr-chest", 335, "IMAGECTN", "胸部正面"),
    # The years before.
    Visit("400058", "ct-chest-low-dose", 402, "IMAGECTN", "胸部CT"),
    Visit("200016", "cr-chest", 431, "IMAGECTN"),
    Visit("100518", "nm-bone", 468, "IMAGECTN"),
    Visit("310077", "cr-chest", 505, "IMAGECTN", "Рентгенография грудной клетки"),
    Visit("100377", "us-heart-short", 540, "MED1"),
    Visit("101117", "cr-leg-fine", 588, "ORTHO2 IMAGECTN"),
    Visit("200366", "ct-head-control", 630, "IMAGECTN"),
    Visit("300092", "cr-chest", 677, "IMAGECTN", "Ακτινογραφία θώρακος"),
    Visit("400058", "cr-chest", 730, "IMAGECTN"),
    Visit("420155", "ct-chest-low-dose", 790, "IMAGECTN MED1"),
    Visit("200016", "ct-abdomen-plain", 815, "IMAGECTN", "CT Abdomen nativ"),
    Visit("100377", "cr-leg", 860, "ORTHO1 IMAGECTN"),
    Visit("500028", "mr-ear-implicit", 921, "IMAGECTN", "رنين الأذن الداخلية"),
    Visit("100802", "us-pelvis", 978, "MED2"),
    Visit("310077", "us-heart-short", 1030, "MED1"),
    Visit("400058", "us-vessels", 1095, "MED1"),
    Visit("200198", "ct-chest-low-dose", 1150, "IMAGECTN"),
    Visit("0815", "cr-chest-raw", 1204, "IMAGECTN"),
    Visit("200016", "mr-ear-big-endian", 1268, "IMAGECTN", "MRT Felsenbein"),
    Visit("410123", "mr-brain-archive", 1333, "IMAGECTN", "뇌 MRI"),
    Visit("100377", "mr-ear-implicit", 1390, "IMAGECTN"),
    Visit("310020", "cr-chest", 1455, "IMAGECTN"),
    Visit("200087", "cr-leg", 1521, "ORTHO2"),
    Visit("400058", "mr-ear-big-endian", 1588, "IMAGECTN"),
    Visit("100518", "ct-head-control", 1650, "IMAGECTN"),
    Visit("200016", "cr-leg", 1711, "ORTHO1"),
    Visit("310077", "ecg-rest", 1764, "EMERGENCY"),
    Visit("101003", "cr-chest", 1820, "IMAGECTN"),
)
