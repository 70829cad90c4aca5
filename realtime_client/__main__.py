"""`python -m realtime_client`."""

from realtime_client.cli import main

main()
