"""``python -m office365_message_trace``: the command line."""

from office365_message_trace.cli import interrupts

if __name__ == "__main__":
    interrupts.end_at_once()  # importing takes a second

from office365_message_trace.cli.app import main

if __name__ == "__main__":
    interrupts.run(main)
