"""Memberhook's web process without a worker beside it: `python -m benchmarks.web PORT`."""

from __future__ import annotations

import sys

from memberhook.cli import set_up


def main() -> None:
    set_up()
    from memberhook.server.serve import web_server

    web_server("127.0.0.1", int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
