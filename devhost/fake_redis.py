"""A Redis stand-in for machines without redis-server: ``python -m devhost.fake_redis <port>``."""

import sys

from fakeredis import TcpFakeServer


def main() -> None:
    """Serve on the loopback interface until killed."""
    TcpFakeServer(("127.0.0.1", int(sys.argv[1]))).serve_forever()


if __name__ == "__main__":
    main()
