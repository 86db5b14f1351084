"""``python -m agent``: the agent without the farm's other commands."""

from agent.cli import agent_command

if __name__ == "__main__":
    agent_command()
