"""Who may do what."""

from helpdesk.models import User

USERS = {
    "ada": User(name="ada", role="admin"),
    "bob": User(name="bob"),
    "guest": User(name="guest", role="guest"),
}

ROLES = {
    "admin": {"tickets:export", "tickets:archive"},
    "agent": {"tickets:archive"},
}


async def find_user(name: str) -> User | None:
    return USERS.get(name)


async def allowed(user: User, action: str) -> bool:
    return action in ROLES.get(user.role, ())
