import os
from functools import lru_cache


class Settings:
    def __init__(self):
        self.url = os.environ["UPSTREAM_URL"]
        self.prefix = "/sub"
        self.timeout = 10


settings = Settings()


@lru_cache(maxsize=None)
def get_settings():
    return settings
