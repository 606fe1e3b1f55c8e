"""The people of the demo hospital: every one made up, every name written in a character set its country really uses."""

from __future__ import annotations

from dataclasses import dataclass

ASCII: tuple[str, ...] = ()
"""The default repertoire: SpecificCharacterSet is left out (PS3.3 C.12.1.1.2)."""
LATIN_1 = ("ISO_IR 100",)
GREEK = ("ISO_IR 126",)
ARABIC = ("ISO_IR 127",)
HEBREW = ("ISO_IR 138",)
CYRILLIC = ("ISO_IR 144",)
THAI = ("ISO_IR 166",)
KANJI = ("ISO 2022 IR 6", "ISO 2022 IR 87")
KATAKANA_KANJI = ("ISO 2022 IR 13", "ISO 2022 IR 87")
KOREAN = ("", "ISO 2022 IR 149")
CHINESE = ("GB18030",)
UNICODE = ("ISO_IR 192",)


@dataclass(frozen=True, slots=True)
class Identity:
    """One patient as the registration desk wrote it down."""

    patient_id: str
    name: str
    """Family^given of the first component group (PS3.5 6.2.1)."""
    charset: tuple[str, ...]
    birth: str
    """YYYYMMDD; empty for a phantom."""
    sex: str
    referring: str
    """Plain ASCII, so that it fits beside every character set."""
    ideographic: str = ""
    phonetic: str = ""

    @property
    def person_name(self) -> str:
        """All component groups as one PN value, without trailing empty ones."""
        return "=".join((self.name, self.ideographic, self.phonetic)).rstrip("=")


IDENTITIES: tuple[Identity, ...] = (
    Identity("4711", "MEIER^ANNA", ASCII, "19610203", "F", "WEBER^KLARA^^DR."),
    Identity("0815", "MEIER^BERT", ASCII, "19481130", "M", "WEBER^KLARA^^DR."),
    Identity("100234", "ROSSI^GIULIA", ASCII, "19750619", "F", "CONTI^PAOLO^^DR."),
    Identity("100377", "SMITH^JOHN^ALAN", ASCII, "19550908", "M", "TAYLOR^RUTH^^DR."),
    Identity("100412", "O'BRIEN^SIOBHAN", ASCII, "19820314", "F", "TAYLOR^RUTH^^DR."),
    Identity("100518", "VAN DEN BERG^PIETER", ASCII, "19400725", "M", "DE WIT^HANNA^^DR."),
    Identity("100655", "FERRARI^LUCA", ASCII, "19930102", "M", "CONTI^PAOLO^^DR."),
    Identity("100731", "OKAFOR^CHIDI", ASCII, "19880527", "M", "ADEYEMI^GRACE^^DR."),
    Identity("100802", "SILVA^MARIA^DAS DORES", ASCII, "19670811", "F", "MOREIRA^RUI^^DR."),
    Identity("100940", "HANSEN^NILS", ASCII, "20140423", "M", "LUND^INGRID^^DR."),
    Identity("101003", "SCHMIDT^ERIKA", ASCII, "19530612", "F", "KRAUSE^OTTO^^DR."),
    Identity("101117", "KOWALSKI^JAN", ASCII, "19710930", "M", "KRAUSE^OTTO^^DR."),
    Identity("EXT-77654", "BECK^PETER", ASCII, "19580117", "M", "EXTERNAL^PHYSICIAN"),
    Identity("EXT-98891", "LANG^SABINE", ASCII, "19691204", "F", "EXTERNAL^PHYSICIAN"),
    Identity("EXT-98893", "HORN^MARTIN", ASCII, "19840606", "M", "EXTERNAL^PHYSICIAN"),
    Identity("QA-0001", "QUALITY^DISPLAY PHANTOM", ASCII, "", "O", "PHYSICS^MEDICAL"),
    Identity("QA-0002", "QUALITY^CODEC PHANTOM", ASCII, "", "O", "PHYSICS^MEDICAL"),
    Identity("200016", "MÜLLER^JÜRGEN", LATIN_1, "19450518", "M", "WEBER^KLARA^^DR."),
    Identity("200087", "GARCÍA NÚÑEZ^JOSÉ", LATIN_1, "19620929", "M", "MOREIRA^RUI^^DR."),
    Identity("200121", "LEFÈVRE^HÉLÈNE", LATIN_1, "19790704", "F", "ROUSSEL^MARC^^DR."),
    Identity("200198", "ÅSTRÖM^BJÖRN", LATIN_1, "19510310", "M", "LUND^INGRID^^DR."),
    Identity("200240", "GONÇALVES^JOÃO", LATIN_1, "19861021", "M", "MOREIRA^RUI^^DR."),
    Identity("200305", "SØRENSEN^KÅRE", LATIN_1, "19731215", "M", "LUND^INGRID^^DR."),
    Identity("200366", "WEIß^KÄTHE", LATIN_1, "19380827", "F", "KRAUSE^OTTO^^DR."),
    Identity("200419", "DUPRÉ^FRANÇOISE", LATIN_1, "19640201", "F", "ROUSSEL^MARC^^DR."),
    Identity("200482", "BJÖRKLUND^MÄRTA", LATIN_1, "19910613", "F", "LUND^INGRID^^DR."),
    Identity("300045", "Παπαδοπούλου^Ελένη", GREEK, "19700428", "F", "GEORGIOU^ANDREAS^^DR."),
    Identity("300092", "Νικολάου^Γιώργος", GREEK, "19591019", "M", "GEORGIOU^ANDREAS^^DR."),
    Identity("300138", "Οικονόμου^Σοφία", GREEK, "19850107", "F", "GEORGIOU^ANDREAS^^DR."),
    Identity("310020", "Иванова^Ольга^Сергеевна", CYRILLIC, "19660315", "F", "ORLOVA^IRINA^^DR."),
    Identity("310077", "Петров^Алексей^Николаевич", CYRILLIC, "19491202", "M", "ORLOVA^IRINA^^DR."),
    Identity("310104", "Кузнецова^Мария", CYRILLIC, "19920822", "F", "ORLOVA^IRINA^^DR."),
    Identity("400011", "SATO^HANAKO", KANJI, "19771103", "F", "MORI^AKIRA^^DR.", "佐藤^花子", "さとう^はなこ"),
    Identity("400058", "TANAKA^KENJI", KANJI, "19520216", "M", "MORI^AKIRA^^DR.", "田中^健二", "たなか^けんじ"),
    Identity("400113", "SUZUKI^AIKO", KANJI, "19890905", "F", "MORI^AKIRA^^DR.", "鈴木^愛子", "すずき^あいこ"),
    Identity("400167", "WATANABE^HIROSHI", KANJI, "19440630", "M", "MORI^AKIRA^^DR.", "渡辺^博", "わたなべ^ひろし"),
    Identity("400204", "ﾀｶﾊｼ^ﾕｷ", KATAKANA_KANJI, "19680519", "F", "MORI^AKIRA^^DR.", "高橋^由紀", "たかはし^ゆき"),
    Identity("400259", "ｲﾄｳ^ﾏｻﾙ", KATAKANA_KANJI, "19570124", "M", "MORI^AKIRA^^DR.", "伊藤^勝", "いとう^まさる"),
    Identity("410032", "KIM^MINJUN", KOREAN, "19810711", "M", "HAN^SORA^^DR.", "金^民俊", "김^민준"),
    Identity("410079", "LEE^SEOYEON", KOREAN, "19940228", "F", "HAN^SORA^^DR.", "李^書娟", "이^서연"),
    Identity("410123", "PARK^JIHO", KOREAN, "19561009", "M", "HAN^SORA^^DR.", "朴^智浩", "박^지호"),
    Identity("420014", "WANG^XIAOMING", CHINESE, "19741226", "M", "LIN^YAN^^DR.", "王^小明"),
    Identity("420066", "LI^NA", CHINESE, "19830417", "F", "LIN^YAN^^DR.", "李^娜"),
    Identity("420101", "CHEN^MEILING", UNICODE, "19600803", "F", "LIN^YAN^^DR.", "陳^美玲"),
    Identity("420155", "ZHANG^WEI", UNICODE, "19470521", "M", "LIN^YAN^^DR.", "张^伟"),
    Identity("500028", "الخطيب^أحمد", ARABIC, "19650914", "M", "SALEH^NADIA^^DR."),
    Identity("500071", "حداد^ليلى", ARABIC, "19870330", "F", "SALEH^NADIA^^DR."),
    Identity("500119", "منصور^يوسف", ARABIC, "19540722", "M", "SALEH^NADIA^^DR."),
    Identity("510036", "כהן^מרים", HEBREW, "19630111", "F", "SALEH^NADIA^^DR."),
    Identity("520047", "ใจดี^สมชาย", THAI, "19760608", "M", "LIN^YAN^^DR."),
    Identity("600021", "YILDIZ^AYŞE", UNICODE, "19801018", "F", "DEMIR^KEMAL^^DR."),
    Identity("600064", "NOVÁK^JIŘÍ", UNICODE, "19500405", "M", "KRAUSE^OTTO^^DR."),
    Identity("600110", "NGUYỄN^THỊ LAN", UNICODE, "19950919", "F", "LIN^YAN^^DR."),
    Identity("600153", "WÓJCIK^ŁUKASZ", UNICODE, "19720123", "M", "KRAUSE^OTTO^^DR."),
)
