"""Alembic runs this for each command: the connection and its transaction are `migrations.upgrade`'s."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
