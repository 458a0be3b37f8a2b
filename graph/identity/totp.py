"""Two-step sign-in in the public schema: setting it up, recovery codes, turning it off."""

from typing import Annotated

import strawberry

from app.identity import totp as use
from graph.context import Info
from graph.core.mutation import Payload, mutation


# ---- inputs
@strawberry.input(description="What enrollTotp needs.")
class EnrollTotpInput:
    password: str = strawberry.field(description="Your password, once more.")


@strawberry.input(description="What confirmTotp needs.")
class ConfirmTotpInput:
    code: str = strawberry.field(description="The code that the authenticator app shows now.")


@strawberry.input(description="What disableTotp needs.")
class DisableTotpInput:
    password: str = strawberry.field(description="Your password, once more.")
    code: str = strawberry.field(description="A code of the authenticator app, or a recovery code.")


@strawberry.input(description="What regenerateRecoveryCodes needs.")
class RegenerateRecoveryCodesInput:
    password: str = strawberry.field(description="Your password, once more.")
    code: str = strawberry.field(description="A code of the authenticator app, or a recovery code.")


# ---- payloads
@strawberry.type(description="The answer of enrollTotp: the same secret three times, shown this once.")
class EnrollTotpPayload(Payload):
    secret: str | None = strawberry.field(default=None, description="The secret in base32, to be typed into an app.")
    provisioning_uri: str | None = strawberry.field(
        default=None, description="The secret as an otpauth:// link, which opens an app on the same device."
    )
    qr_svg: str | None = strawberry.field(default=None, description="The link as a QR code: a whole SVG document.")


@strawberry.type(description="The answer of confirmTotp.")
class ConfirmTotpPayload(Payload):
    recovery_codes: list[str] | None = strawberry.field(
        default=None, description="Ten codes, each good once in place of the app's; shown this once."
    )


@strawberry.type(description="The answer of disableTotp.")
class DisableTotpPayload(Payload):
    disabled: bool | None = strawberry.field(default=None, description="True when the password alone signs in again.")


@strawberry.type(description="The answer of regenerateRecoveryCodes.")
class RegenerateRecoveryCodesPayload(Payload):
    recovery_codes: list[str] | None = strawberry.field(
        default=None, description="Ten new codes; the earlier ones do not work any more. Shown this once."
    )


# ---- mutations
@strawberry.type
class TotpMutations:
    @mutation(
        uses=use.enroll_totp,
        description="Makes a secret for an authenticator app. It asks for nothing until confirmTotp.",
    )
    async def enroll_totp(
        self, info: Info, input: Annotated[EnrollTotpInput, strawberry.argument(description="Your password.")]
    ) -> EnrollTotpPayload:
        made = await use.enroll_totp(info.context.caller, input.password)
        return EnrollTotpPayload(secret=made.secret, provisioning_uri=made.provisioning_uri, qr_svg=made.qr_svg)

    @mutation(
        uses=use.confirm_totp,
        description="Turns two-step sign-in on with the app's first code; sessions go on.",
    )
    async def confirm_totp(
        self, info: Info, input: Annotated[ConfirmTotpInput, strawberry.argument(description="The code.")]
    ) -> ConfirmTotpPayload:
        return ConfirmTotpPayload(recovery_codes=await use.confirm_totp(info.context.caller, input.code))

    @mutation(uses=use.disable_totp, description="Turns two-step sign-in off; the recovery codes go with it.")
    async def disable_totp(
        self, info: Info, input: Annotated[DisableTotpInput, strawberry.argument(description="Password and code.")]
    ) -> DisableTotpPayload:
        await use.disable_totp(info.context.caller, input.password, input.code)
        return DisableTotpPayload(disabled=True)

    @mutation(uses=use.regenerate_recovery_codes, description="Makes new recovery codes in place of all earlier ones.")
    async def regenerate_recovery_codes(
        self,
        info: Info,
        input: Annotated[RegenerateRecoveryCodesInput, strawberry.argument(description="Password and code.")],
    ) -> RegenerateRecoveryCodesPayload:
        codes = await use.regenerate_recovery_codes(info.context.caller, input.password, input.code)
        return RegenerateRecoveryCodesPayload(recovery_codes=codes)
