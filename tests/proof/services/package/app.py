from svc.main import app
