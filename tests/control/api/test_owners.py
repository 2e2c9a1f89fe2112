"""
Tests for `ngrok_twisted.control.api.owners`, through the resources that use it.
"""

from __future__ import annotations

from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.user import User
from tests.control.api.harness import ACCOUNT, OTHER, OWNER, APIHarness, APITestCase, principal

STRANGER = declared_id("usr", "users", "other")


class OwnerTests(APITestCase):
    """Who may own a new credential."""

    def setUp(self) -> None:
        """A service user, and a second person with an e-mail address."""
        self.ann = User(id="usr_" + "1" * 27, account_id=ACCOUNT, email="ann@example.com", declared=True)
        self.api = APIHarness([self.ann])
        self.bot = self.ok("POST", "/service_users", {"name": "ci"})["id"]

    def owner(self, **body: str) -> str:
        """The owner of a new authtoken."""
        owner: str = self.ok("POST", "/credentials", body)["owner_id"]
        return owner

    def refusal(self, **body: str) -> tuple[int, int | None]:
        """Status and code of an authtoken that is not made."""
        error = self.refused("POST", "/credentials", body)
        self.assertLess(set(error.details), {*body, ""})
        return error.status, error.code

    def test_caller(self) -> None:
        """Without a word of the owner it is the caller; empty is the same as nothing."""
        self.assertEqual([self.owner(), self.owner(owner_id="", owner_email="")], [OWNER, OWNER])
        self.api.caller = principal(owner_id=self.bot)
        self.assertEqual(self.owner(), self.bot)

    def test_named(self) -> None:
        """An administrator names others by id, or people by their e-mail address, whatever its case."""
        self.assertEqual(self.owner(owner_id=self.bot), self.bot)
        self.assertEqual(self.owner(owner_id=self.ann.id), self.ann.id)
        self.assertEqual(self.owner(owner_email="Ann@Example.com"), self.ann.id)
        self.assertEqual(self.owner(owner_id="ann@example.com"), self.ann.id)

    def test_several(self) -> None:
        """Two words of the owner are one too many."""
        self.assertEqual(self.refusal(owner_id=OWNER, owner_email="ann@example.com"), (400, 631))

    def test_nobody(self) -> None:
        """Who is not of the account is not there."""
        for id in (STRANGER, "usr_" + "2" * 27, "service_" + "2" * 27, "bot_" + "2" * 27):
            self.assertEqual(self.refusal(owner_id=id), (400, 634))
        self.assertEqual(self.refusal(owner_email="eve@example.com"), (400, 634))
        self.assertEqual(self.refusal(owner_email=" "), (400, 634))
        self.assertEqual(self.refusal(scim_user_id="1"), (400, 634))

    def test_ids(self) -> None:
        """What is no id, or the id of something else, has codes of its own."""
        self.assertEqual(self.refusal(owner_id="ann"), (400, 223))
        self.assertEqual(self.refusal(owner_id="ak_" + "0" * 27), (400, 243))

    def test_disabled(self) -> None:
        """Nothing is made for whom it would be of no use."""
        self.ok("PATCH", f"/service_users/{self.bot}", {"active": False})
        self.assertEqual(self.refusal(owner_id=self.bot), (403, 636))

    def test_no_administrator(self) -> None:
        """A service user names itself, under either id, and nobody else; it does not learn who there is."""
        self.api.caller = principal(owner_id=self.bot)
        other = self.bot.replace("service_", "bot_")
        self.assertEqual([self.owner(owner_id=self.bot), self.owner(owner_id=other)], [self.bot, other])
        for body in ({"owner_id": OWNER}, {"owner_id": "usr_" + "2" * 27}, {"owner_email": "ann@example.com"}):
            self.assertEqual(self.refusal(**body), (403, 630))

    def test_other_account(self) -> None:
        """What belongs to nobody in particular is shown as the default user's of its own account."""
        self.api.caller = principal(OTHER, owner_id="")
        self.assertEqual(self.owner(), STRANGER)
