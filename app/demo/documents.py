"""The GraphQL operations of the demo, as any client would write them."""

SIGN_IN = """
mutation SignIn($input: SignInInput!) {
  signIn(input: $input) {
    session { accessToken refreshToken expiresAt } tenant { id } userErrors { code message path }
  }
}
"""

REFRESH_SESSION = """
mutation RefreshSession($input: RefreshSessionInput!) {
  refreshSession(input: $input) {
    session { accessToken refreshToken expiresAt } userErrors { code message path }
  }
}
"""

TENANT_SETTINGS = """
query TenantSettings { tenantSettings { postalAddress } }
"""

UPDATE_TENANT_SETTINGS = """
mutation UpdateTenantSettings($input: UpdateTenantSettingsInput!) {
  updateTenantSettings(input: $input) { tenantSettings { postalAddress } userErrors { code message path } }
}
"""

CREATE_WORKSPACE = """
mutation CreateWorkspace($input: CreateWorkspaceInput!) {
  createWorkspace(input: $input) { workspace { id name } userErrors { code message path } }
}
"""

CREATE_UPLOAD = """
mutation CreateUpload($input: CreateUploadInput!) {
  createUpload(input: $input) {
    upload { id } url method headers { name value } userErrors { code message path }
  }
}
"""

CREATE_CONTACT_LIST = """
mutation CreateContactList($input: CreateContactListInput!) {
  createContactList(input: $input) { contactList { id } userErrors { code message path } }
}
"""

PREVIEW_CONTACT_IMPORT = """
mutation PreviewContactImport($input: PreviewContactImportInput!) {
  previewContactImport(input: $input) {
    preview { encoding delimiter hasHeader columns { header field } } userErrors { code message path }
  }
}
"""

IMPORT_FIELDS = "id state rowsRead rowsImported rowsDuplicate rowsRejected progress problem errorReportUrl"

IMPORT_CONTACTS = f"""
mutation ImportContacts($input: ImportContactsInput!) {{
  importContacts(input: $input) {{ contactImport {{ {IMPORT_FIELDS} }} userErrors {{ code message path }} }}
}}
"""

CONTACT_IMPORT_STATUS = f"""
subscription ContactImportStatus($id: ID!) {{ contactImportStatus(id: $id) {{ {IMPORT_FIELDS} }} }}
"""

CREATE_TEMPLATE = """
mutation CreateTemplate($input: CreateTemplateInput!) {
  createTemplate(input: $input) { template { id } userErrors { code message path } }
}
"""

MAILBOX_FIELDS = "id address state pausedAt pauseReason verdict { ok sentence }"

CONNECT_MAILBOX = f"""
mutation ConnectMailbox($input: ConnectMailboxInput!) {{
  connectMailbox(input: $input) {{ mailbox {{ {MAILBOX_FIELDS} }} userErrors {{ code message path }} }}
}}
"""

MAILBOXES = f"""
query Mailboxes($workspaceId: ID!) {{
  mailboxes(workspaceId: $workspaceId, first: 100) {{ edges {{ node {{ {MAILBOX_FIELDS} }} }} }}
}}
"""

RESUME_MAILBOX = """
mutation ResumeMailbox($input: ResumeMailboxInput!) {
  resumeMailbox(input: $input) { mailbox { id } userErrors { code message path } }
}
"""

WAITING_MESSAGES = """
query WaitingMessages($campaignId: ID!, $state: MessageState!, $after: String) {
  messages(campaignId: $campaignId, state: $state, first: 100, after: $after) {
    edges { node { dueAt } } pageInfo { hasNextPage endCursor }
  }
}
"""

CAMPAIGN_FIELDS = """
id state enrolling sentPerSecond
counts { enrolled waiting queued deferred sent bounced failed inDoubt cancelled suppressed }
"""

CREATE_CAMPAIGN = """
mutation CreateCampaign($input: CreateCampaignInput!) {
  createCampaign(input: $input) { campaign { id } userErrors { code message path } }
}
"""

LAUNCH_CAMPAIGN = f"""
mutation LaunchCampaign($input: LaunchCampaignInput!) {{
  launchCampaign(input: $input) {{ campaign {{ {CAMPAIGN_FIELDS} }} userErrors {{ code message path }} }}
}}
"""

CAMPAIGN = f"""
query Campaign($id: ID!) {{ campaign(id: $id) {{ {CAMPAIGN_FIELDS} }} }}
"""

CAMPAIGN_STATUS = f"""
subscription CampaignStatus($id: ID!) {{ campaignStatus(id: $id) {{ {CAMPAIGN_FIELDS} }} }}
"""

CAMPAIGN_EVENTS = """
subscription CampaignEvents($id: ID!, $after: String) {
  campaignEvents(id: $id, after: $after) { cursor topic recipient state reply }
}
"""
