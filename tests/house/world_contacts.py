"""A world's contacts, lists, uploads, imports and templates."""

import hashlib
import zlib

from app.core.secrets import Token, hash_secret
from app.outreach.rules.csv_format import sniff
from app.outreach.rules.import_plans import format_to_json
from app.outreach.uploads import CHUNK_BYTES, TOKEN_KIND
from tests.house.world_rows import Ground, insert


def _csv(ground: Ground) -> bytes:
    return f"email,first_name\n{ground.email('new')},Ada\nno address,{ground.text('name')}\n".encode()


async def insert_content(ground: Ground) -> None:
    """In the Content tier: uploads and template versions."""
    uploaded, csv = ground.new("Upload", "complete"), _csv(ground)
    token = Token.new(TOKEN_KIND, ground.tenant_id, ground.new("Upload", "waiting"))
    common = {
        "workspace_id": ground.workspace_id,
        "purpose": "contacts",
        "created_at": ground.now,
        "expires_at": ground.ago(hours=-1),
    }
    await insert(
        "uploads",
        id=uploaded,
        state="complete",
        attempt=1,
        file_name=f"{ground.marker}.csv",
        size_bytes=len(csv),
        sha256=hashlib.sha256(csv).digest(),
        secret_hash=hash_secret("x"),
        completed_at=ground.now,
        **common,
    )
    assert len(csv) < CHUNK_BYTES
    await insert("upload_chunks", upload_id=uploaded, attempt=1, number=0, data=zlib.compress(csv))
    await insert(
        "uploads",
        id=token.row_id,
        state="waiting",
        attempt=0,
        file_name=f"{ground.marker} waiting.csv",
        size_bytes=0,
        secret_hash=hash_secret(token.secret),
        **common,
    )
    await insert(
        "template_versions",
        id=ground.new("TemplateVersion"),
        template_id=ground.new("Template"),
        number=1,
        subject=ground.text("subject for {{ first_name }}"),
        text_body=ground.text("text for {{ first_name }}"),
        html_body=f"<p>{ground.marker}</p>",
        on_missing_field="empty",
        created_at=ground.now,
    )


async def insert_contacts(ground: Ground) -> None:
    """In the OLTP tier: two contacts, lists, an import that runs and one that has ended with errors, a template."""
    for state in ("plain", "second"):
        await insert(
            "contacts",
            id=ground.new("Contact", state),
            workspace_id=ground.workspace_id,
            email=ground.email(state),
            email_key=ground.email(state),
            first_name=ground.text("first"),
            last_name=ground.text("last"),
            company=ground.text("company"),
            fields={"city": ground.text("city")},
            status="active",
            **ground.times(),
        )
    for state, count in (("plain", 2), ("spare", 0)):
        await insert(
            "contact_lists",
            id=ground.new("ContactList", state),
            workspace_id=ground.workspace_id,
            name=ground.text(f"list {state}"),
            contact_count=count,
            **ground.times(),
        )
    for contact_id in ground.made["Contact"].values():
        await insert(
            "contact_list_members", list_id=ground.new("ContactList"), contact_id=contact_id, added_at=ground.now
        )
    await _insert_imports(ground)
    version_id = ground.new("TemplateVersion")
    await insert(
        "templates",
        id=ground.new("Template"),
        workspace_id=ground.workspace_id,
        name=ground.text("template"),
        current_version_id=version_id,
        version_ids=[version_id],
        **ground.times(),
    )


async def _insert_imports(ground: Ground) -> None:
    csv = _csv(ground)
    form = sniff(csv, complete=True, encoding=None)
    for state, finished_at in (("queued", None), ("completed", ground.now)):
        await insert(
            "contact_imports",
            id=ground.new("ContactImport", state),
            workspace_id=ground.workspace_id,
            list_id=ground.new("ContactList"),
            upload_id=ground.new("Upload", "complete"),
            file_name=f"{ground.marker}.csv",
            size_bytes=len(csv),
            state=state,
            on_duplicate="skip",
            format=format_to_json(form),
            columns=["email", "first_name"],
            part=1,
            next_offset=form.data_offset,
            next_row=form.data_row,
            rows_read=2,
            rows_created=1,
            rows_updated=0,
            rows_duplicate=0,
            rows_rejected=1,
            finished_at=finished_at,
            **ground.times(),
        )
        await insert(
            "contact_import_errors",
            import_id=ground.new("ContactImport", state),
            row_number=2,
            problem="no_address",
            message=ground.text("is no address"),
            cells=[ground.text("no address"), "Grace"],
        )
