"""Portal: the web pages where customers see plans, keys, usage and invoices."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tollgate_core.manifests.base import HttpsUrl, Model, Resource, SecretKeyRef
from tollgate_core.manifests.rules import KeysMatch, ListMap

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$", max_length=7)]
#: No character that could end the declaration, the style element or hide one of these.
CssValue = Annotated[str, StringConstraints(pattern=r"^[^;{}<>\\]+$", max_length=256)]
Domain = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$", max_length=253)
]


class Colors(Model):
    """Colours of the pages, as #rrggbb; the built-in ones where absent."""

    primary: Annotated[Color | None, Field(description="Buttons and links.")] = None
    background: Annotated[Color | None, Field(description="Behind everything.")] = None
    text: Annotated[Color | None, Field(description="Text on the background.")] = None


class OIDC(Model):
    """An OpenID Connect provider where customers sign in."""

    issuer: Annotated[HttpsUrl, Field(description="The provider's issuer URL, as in its discovery document.")]
    client_id: Annotated[str, Field(min_length=1, max_length=256, description="Client id of the portal there.")]
    client_secret_key_ref: Annotated[SecretKeyRef, Field(description="Client secret of the portal there.")]


class LegalLink(Model):
    """A link in the footer."""

    title: Annotated[str, Field(min_length=1, max_length=64, description="Text of the link, for example Imprint.")]
    url: Annotated[HttpsUrl, Field(description="Where it leads.")]


class PortalSpec(Model):
    """What the portal looks like and how customers sign in."""

    display_name: Annotated[str, Field(min_length=1, max_length=128, description="Name in the page's head.")]
    logo_url: Annotated[HttpsUrl | None, Field(description="Image in the page's head.")] = None
    colors: Annotated[Colors, Field(description="Colours of the pages.")] = Colors()
    css_variables: Annotated[
        dict[str, CssValue],
        Field(max_length=64, description="Further CSS custom properties, for example --radius: 4px."),
        KeysMatch(r"^--[A-Za-z0-9_-]{1,61}$", "a CSS variable is -- and then letters, digits, - and _"),
    ] = {}
    domain: Annotated[
        Domain | None, Field(description="Host name that customers use; the gateway's own address if absent.")
    ] = None
    oidc: Annotated[OIDC | None, Field(description="Sign-in by OpenID Connect; by e-mail link if absent.")] = None
    legal_links: Annotated[
        list[LegalLink], Field(max_length=16, description="Links in the footer, by title."), ListMap("title")
    ] = []


class Portal(Resource[PortalSpec]):
    """The web pages where customers see plans, keys, usage and invoices."""

    kind: Literal["Portal"] = "Portal"
