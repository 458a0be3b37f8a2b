"""The Content tier's tables as Piccolo knows them; the migrations are the truth and a test compares both."""

from piccolo.columns import UUID, BigInt, Bytea, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import CONTENT


class Upload(Table, tablename="uploads", db=CONTENT):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    purpose = Varchar(length=20)
    state = Varchar(length=20)
    attempt = Integer()
    file_name = Varchar(length=255)
    size_bytes = BigInt()
    sha256 = Bytea(null=True)
    secret_hash = Bytea()
    created_at = Timestamptz()
    expires_at = Timestamptz()
    completed_at = Timestamptz(null=True)


class UploadChunk(Table, tablename="upload_chunks", db=CONTENT):
    """Keyed by tenant, upload, attempt and number."""

    tenant_id = UUID()
    upload_id = UUID()
    attempt = Integer()
    number = Integer(primary_key=True)
    data = Bytea()


class TemplateVersion(Table, tablename="template_versions", db=CONTENT):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    template_id = UUID()
    number = Integer()
    subject = Varchar(length=998)
    text_body = Text(null=True)
    html_body = Text(null=True)
    on_missing_field = Varchar(length=10)
    created_at = Timestamptz()
