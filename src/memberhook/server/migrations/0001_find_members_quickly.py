"""Members are found by e-mail and username in any case: index the lower-cased columns of Django's own users."""

from django.db import migrations

COLUMNS = ("email", "username")


class Migration(migrations.Migration):
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.RunSQL(
            f"CREATE INDEX memberhook_user_{column} ON auth_user (LOWER({column}))",
            f"DROP INDEX memberhook_user_{column}",
        )
        for column in COLUMNS
    ]
