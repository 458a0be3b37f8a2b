"""A person's account in the public schema: signing up, proving the address, passwords."""

from typing import Annotated

import strawberry

from app.identity import accounts as use
from app.identity import sign_ups
from graph.context import Info
from graph.core.mutation import Payload, mutation
from graph.identity.sessions import SessionTokens
from graph.identity.viewers import Tenant
from graph.identity.workspaces import Workspace

CHECK_YOUR_MAIL = "Check your mail: we have sent you a link to go on with."
PROVE_YOUR_ADDRESS = "You are in. Check your mail and prove that the address is yours."


# ---- inputs
@strawberry.input(description="What signUp needs.")
class SignUpInput:
    email: str = strawberry.field(description="Your address; a mail will prove that it is yours.")
    password: str = strawberry.field(description="At least 12 characters; a few words make a good one.")
    name: str = strawberry.field(description="Your name, as other members see it.")
    tenant_name: str = strawberry.field(description="The name of your organisation.")


@strawberry.input(description="What verifyEmail needs.")
class VerifyEmailInput:
    token: str = strawberry.field(description="The code from the mail.")


@strawberry.input(description="What requestPasswordReset needs.")
class RequestPasswordResetInput:
    email: str = strawberry.field(description="The address of the account.")


@strawberry.input(description="What resetPassword needs.")
class ResetPasswordInput:
    token: str = strawberry.field(description="The code from the mail; it works once, within an hour.")
    new_password: str = strawberry.field(description="At least 12 characters; a few words make a good one.")


@strawberry.input(description="What changePassword needs.")
class ChangePasswordInput:
    current_password: str = strawberry.field(description="The password as it is now.")
    new_password: str = strawberry.field(description="At least 12 characters; a few words make a good one.")


# ---- payloads
@strawberry.type(description="The answer of signUp: the same whether or not the address has an account.")
class SignUpPayload(Payload):
    message: str | None = strawberry.field(default=None, description="What to do next, for the person.")
    session: SessionTokens | None = strawberry.field(
        default=None, description="The tokens of a new session: you may work before the address is proved."
    )
    tenant: Tenant | None = strawberry.field(default=None, description="The new tenant; your own, if you have one.")
    workspace: Workspace | None = strawberry.field(default=None, description="The first workspace that you see in it.")


@strawberry.type(description="The answer of verifyEmail.")
class VerifyEmailPayload(Payload):
    email: str | None = strawberry.field(default=None, description="The address that is proved now.")


@strawberry.type(description="The answer of requestPasswordReset: the same whether or not there is such an account.")
class RequestPasswordResetPayload(Payload):
    message: str | None = strawberry.field(default=None, description="What to do next, for the person.")


@strawberry.type(description="The answer of resetPassword.")
class ResetPasswordPayload(Payload):
    email: str | None = strawberry.field(default=None, description="The address to sign in with now.")


@strawberry.type(description="The answer of changePassword.")
class ChangePasswordPayload(Payload):
    sessions_ended: int | None = strawberry.field(
        default=None, description="How many other sessions of this tenant were ended; those of other tenants are too."
    )


# ---- mutations
@strawberry.type
class AccountMutations:
    @mutation(
        uses=sign_ups.sign_up,
        anonymous=True,
        description="Makes a user, a tenant and its first workspace, opens a session, and mails the address.",
    )
    async def sign_up(
        self, info: Info, input: Annotated[SignUpInput, strawberry.argument(description="Who you are.")]
    ) -> SignUpPayload:
        form = sign_ups.SignUp(input.email, input.password, input.name, input.tenant_name)
        entered = await sign_ups.sign_up(info.context.caller, form)
        return SignUpPayload(
            message=PROVE_YOUR_ADDRESS,
            session=SessionTokens.of(entered.tokens),
            tenant=Tenant.of(entered.tenant),
            workspace=Workspace.of(entered.workspace) if entered.workspace else None,
        )

    @mutation(uses=use.verify_email, anonymous=True, description="Proves an address with the code from the mail.")
    async def verify_email(
        self, info: Info, input: Annotated[VerifyEmailInput, strawberry.argument(description="The code.")]
    ) -> VerifyEmailPayload:
        user = await use.verify_email(info.context.caller, input.token)
        return VerifyEmailPayload(email=user.email)

    @mutation(
        uses=use.request_password_reset,
        anonymous=True,
        description="Mails a link to set a new password, if the address has an account.",
    )
    async def request_password_reset(
        self, info: Info, input: Annotated[RequestPasswordResetInput, strawberry.argument(description="The account.")]
    ) -> RequestPasswordResetPayload:
        await use.request_password_reset(info.context.caller, input.email)
        return RequestPasswordResetPayload(message=CHECK_YOUR_MAIL)

    @mutation(
        uses=use.reset_password,
        anonymous=True,
        description="Sets a new password with the code from the mail, and ends all sessions in all tenants.",
    )
    async def reset_password(
        self, info: Info, input: Annotated[ResetPasswordInput, strawberry.argument(description="The new password.")]
    ) -> ResetPasswordPayload:
        user = await use.reset_password(info.context.caller, input.token, input.new_password)
        return ResetPasswordPayload(email=user.email)

    @mutation(uses=use.change_password, description="Sets a new password, and ends all your other sessions.")
    async def change_password(
        self, info: Info, input: Annotated[ChangePasswordInput, strawberry.argument(description="Old and new.")]
    ) -> ChangePasswordPayload:
        ended = await use.change_password(info.context.caller, input.current_password, input.new_password)
        return ChangePasswordPayload(sessions_ended=ended)
