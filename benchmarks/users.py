"""A bare loop that creates Django users, one transaction each: `python -m benchmarks.users COUNT`; prints users/s."""

from __future__ import annotations

import sys
import time

from memberhook.cli import set_up


def main() -> None:
    set_up()
    from django.contrib.auth import get_user_model

    from memberhook.sites.local.site import first_hash

    count, model = int(sys.argv[1]), get_user_model()
    start = time.perf_counter()
    for number in range(count):
        user = model(username=f"ada.{number}@example.com", email=f"ada.{number}@example.com", first_name="Ada")
        user.password = first_hash(f"generated-password-{number}", generated=True)
        user.save()
    print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
