"""REST: routes, schemas, OpenAPI, problem+json. Read `routes.py` first."""
