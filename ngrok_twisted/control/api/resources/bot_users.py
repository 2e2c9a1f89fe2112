"""
``/bot_users``: service users under the route of older clients, with ids of another prefix.
"""

from __future__ import annotations

from ngrok_twisted.control.api.resources.service_users import ServiceUsers
from ngrok_twisted.records.service_user import BOT_PREFIX, service_user_id


class BotUsers(ServiceUsers):
    """The same records as `ServiceUsers`."""

    name = "bot_users"
    path = "/bot_users"
    list_key = "bot_users"
    noun = "bot user"
    declared_at = ""
    filterable = ()
    deprecated = True

    @property
    def prefix(self) -> str:
        """Collection."""
        return BOT_PREFIX

    def stored_id(self, id: str) -> str:
        """Collection."""
        return service_user_id(id)


bot_users = BotUsers()
