"""The TLS context of HTTP clients whose servers use no TLS."""

import ssl

PLAIN_HTTP = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""It knows no authority: a client without a context reads the certificates of all, which takes it 30 ms."""
