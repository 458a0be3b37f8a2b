"""Contacts, lists, imports and templates as Piccolo knows them; the migrations are the truth and a test compares both."""

from piccolo.columns import JSONB, UUID, Array, BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import OLTP


class Contact(Table, tablename="contacts", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    email = Varchar(length=254)
    email_key = Varchar(length=254)
    first_name = Varchar(length=200)
    last_name = Varchar(length=200)
    company = Varchar(length=200)
    fields = JSONB()
    status = Varchar(length=20)
    import_id = UUID(null=True)
    version = Integer()
    created_at = Timestamptz()
    updated_at = Timestamptz()


class ContactList(Table, tablename="contact_lists", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    name = Varchar(length=120)
    contact_count = Integer()
    version = Integer()
    created_at = Timestamptz()
    updated_at = Timestamptz()


class ContactListMember(Table, tablename="contact_list_members", db=OLTP):
    """Keyed by all of tenant, list and contact."""

    tenant_id = UUID()
    list_id = UUID()
    contact_id = UUID(primary_key=True)
    added_at = Timestamptz()


class ContactImport(Table, tablename="contact_imports", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    list_id = UUID(null=True)
    upload_id = UUID()
    file_name = Varchar(length=255)
    size_bytes = BigInt()
    state = Varchar(length=20)
    on_duplicate = Varchar(length=10)
    format = JSONB()
    columns = JSONB()
    part = Integer()
    next_offset = BigInt()
    next_row = Integer()
    rows_read = Integer()
    rows_created = Integer()
    rows_updated = Integer()
    rows_duplicate = Integer()
    rows_rejected = Integer()
    failure = Text(null=True)
    version = Integer()
    created_at = Timestamptz()
    updated_at = Timestamptz()
    finished_at = Timestamptz(null=True)


class ContactImportError(Table, tablename="contact_import_errors", db=OLTP):
    """Keyed by tenant, import and row."""

    tenant_id = UUID()
    import_id = UUID()
    row_number = Integer(primary_key=True)
    problem = Varchar(length=20)
    message = Text()
    cells = JSONB()


class Template(Table, tablename="templates", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    name = Varchar(length=120)
    current_version_id = UUID()
    version_ids = Array(base_column=UUID())
    archived_at = Timestamptz(null=True)
    version = Integer()
    created_at = Timestamptz()
    updated_at = Timestamptz()
