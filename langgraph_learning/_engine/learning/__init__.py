"""After the reply: from the messages of a turn to one commit of changes."""
