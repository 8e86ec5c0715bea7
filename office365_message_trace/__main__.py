"""``python -m office365_message_trace``: the command line."""

from office365_message_trace.commands.line import main

if __name__ == "__main__":
    main()
