"""Files of exchange rates as the ECB and others ship them."""

import io
import zipfile
from collections.abc import Mapping

# The beginning of the header, and rows of the real file: the newest first, a comma at every end, N/A for no rate.
ECB = """Date,USD,JPY,BGN,CYP,GBP,HRK,CHF,RUB,ILS,ZAR,
2022-12-28,1.064,142.21,1.9558,N/A,0.88058,7.5365,0.9863,N/A,3.7526,18.289,
2022-12-27,1.0624,141.68,1.9558,N/A,0.88333,7.5365,0.9896,N/A,3.7366,18.3625,
2022-12-23,1.0622,140.86,1.9558,N/A,0.8803,7.5365,0.9867,N/A,3.7123,18.086,
2022-03-01,1.1162,128.69,1.9558,N/A,0.8335,7.5685,1.0247,117.201,3.5985,17.2123,
"""
PAIR = "Date,Open,High,Low,Close,Adj Close,Volume\n2022-12-27,1,1,1,1.1,1.1,0\n2022-12-28,2,2,2,1.2,1.2,0\n"


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip file of ``files``."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()
