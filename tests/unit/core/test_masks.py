"""Secrets in a path or a query are masked, and everything else stays readable."""

from __future__ import annotations

from time import process_time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace._core.masks import MASK, Masks

MASKS = Masks()

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
BASE64URL = "kJ8x-Q2vT_9mWz4LrB7nYc3HsD6fGpA1"
BASE64 = "kJ8x+Q2vT/9mWz4LrB7nYc3HsD6fGpA1=="
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV"
UUID = "550e8400-e29b-41d4-a716-446655440000"


def masked(target: str, masks: Masks = MASKS) -> str:
    path, mark, query = target.partition("?")
    return masks.path(path) + mark + masks.query(query)


# A target, and what must not be left of it.
SECRETS = [
    # by the name of the parameter
    ("/v?bearer=a1.b2.c3", "a1.b2"),
    ("/v?creds=abc9", "abc9"),
    ("/v?u=bob&pw=hunter2", "hunter2"),
    ("/v?hmac=700e2dad", "700e2dad"),
    ("/v?_xsrf=2|ab9f", "ab9f"),
    ("/v?csrfmiddlewaretoken=ab9f", "ab9f"),
    ("/v?authenticity_token=ab9f", "ab9f"),
    ("/v?invite=aB3dE5fG7h", "aB3dE5fG7h"),
    ("/v?invite_code=aB3d", "aB3d"),
    ("/v?magic=aB3d", "aB3d"),
    ("/v?magicLink=aB3d", "aB3d"),
    ("/v?magiclink=aB3d", "aB3d"),
    ("/v?sso=aB3d&sas=cD4e&ott=eF5g", "aB3d"),
    ("/v?digest=aB3d", "aB3d"),
    ("/v?cf-turnstile-response=aB3d", "aB3d"),
    ("/v?validation=83h2", "83h2"),
    ("/v?vcode=83h2", "83h2"),
    ("/v?parola=ab9f&wachtwoord=cd8e", "cd8e"),
    ("/v?пароль=ab9f", "ab9f"),
    ("/v?%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C=ab9f", "ab9f"),
    ("/v?h=Basic%20dTpodW50ZXIy", "dTpodW50ZXIy"),
    ("/v?h=Authorization:+basic+dTpodW50ZXI", "dTpodW50ZXI"),
    ("/v?next=/reset/abc9def8", "abc9def8"),
    ("/v?next=%2Faccounts%2Freset%2Fabc9def8%2F%3Fa%3D1", "abc9def8"),
    ("/v?next=https://h/hooks/abc9def8?a=1", "abc9def8"),
    ("/v?verify=83h2", "83h2"),
    ("/v?verification=83h2", "83h2"),
    ("/v?verificationCode=83h2", "83h2"),
    ("/v?confirm=83h2", "83h2"),
    ("/v?confirmation=83h2f9a7", "83h2f9a7"),
    ("/v?confirmation_token=83h2", "83h2"),
    ("/v?activation=83h2", "83h2"),
    ("/v?reset=83h2", "83h2"),
    ("/v?unsubscribe=83h2", "83h2"),
    ("/v?otp=482913", "482913"),
    ("/v?totp=482913", "482913"),
    ("/v?mfa_code=482913", "482913"),
    ("/v?2fa=482913", "482913"),
    ("/v?one_time=482913", "482913"),
    ("/v?pin=1234", "1234"),
    ("/v?cvv=123&cvc=456", "123"),
    ("/v?ssn=078-05-1120", "078-05"),
    ("/v?iban=DE89370400440532013000", "DE8937"),
    ("/v?card=4000", "4000"),
    ("/v?pass=hunter2", "hunter2"),
    ("/v?passwd=hunter2", "hunter2"),
    ("/v?passphrase=hunter2", "hunter2"),
    ("/v?passcode=hunter2", "hunter2"),
    ("/v?userPassword=hunter2", "hunter2"),
    ("/v?password1=hunter2&password2=hunter2", "hunter2"),
    ("/v?old_pwd=hunter2", "hunter2"),
    ("/v?pass_word=hunter2", "hunter2"),
    ("/v?PASSWORD=hunter2", "hunter2"),
    ("/v?PaSsWoRd=hunter2", "hunter2"),
    ("/v?PiN=1234", "1234"),
    ("/v?user[password]=hunter2", "hunter2"),
    ("/v?user%5Bpassword%5D=hunter2", "hunter2"),
    ("/v?user%255Bpassword%255D=hunter2", "hunter2"),
    ("/v?filter.token=zzz9", "zzz9"),
    ("/v?filter[auth][pin]=zzz9", "zzz9"),
    ("/v?data.0.apiKey=zzz9", "zzz9"),
    ("/v?api-key=zzz9", "zzz9"),
    ("/v?apikey=zzz9", "zzz9"),
    ("/v?x-api-key=zzz9", "zzz9"),
    ("/v?subscription-key=zzz9", "zzz9"),
    ("/v?accessKeyId=zzz9", "zzz9"),
    ("/v?secretkey=zzz9", "zzz9"),
    ("/v?key=zzz9", "zzz9"),
    ("/v?auth=zzz9", "zzz9"),
    ("/v?oauth2=zzz9", "zzz9"),
    ("/v?Authorization=Basic+dTpw", "dTpw"),
    ("/v?h=Bearer+abc123", "abc123"),
    ("/v?h=bearer%20abc123", "abc123"),
    ("/v?sid=zzz9", "zzz9"),
    ("/v?PHPSESSID=zzz9", "zzz9"),
    ("/v?session_id=abc12345", "abc12345"),
    ("/v?cookie=zzz9", "zzz9"),
    ("/v?sig=zzz9", "zzz9"),
    ("/v?sign=zzz9", "zzz9"),
    ("/v?nonce=zzz9", "zzz9"),
    ("/v?jwt=zzz9", "zzz9"),
    ("/v?%74oken=zzz9", "zzz9"),
    ("/v?%2574oken=zzz9", "zzz9"),
    ("/v?token=a;b?c#d=e", "b"),
    # OAuth, OpenID Connect, SAML, CAS
    ("/cb?code=SplxlOBeZQ&state=xyz1", "SplxlOBeZQ"),
    ("/cb?code=SplxlOBeZQ&state=xyz1", "xyz1"),
    ("/cb?access_token=2YotnFZ&token_type=bearer", "2YotnFZ"),
    ("/cb?id_token=zzz9&refresh_token=yyy8", "yyy8"),
    ("/cb?id_token_hint=zzz9", "zzz9"),
    ("/cb?client_id=a&client_secret=zzz9", "zzz9"),
    ("/cb?code_verifier=zzz9", "zzz9"),
    ("/device?user_code=WDJB-MJHT", "WDJB"),
    ("/cb?oauth_verifier=zzz9", "zzz9"),
    ("/acs?SAMLResponse=PHNhbWw9", "PHNhbWw9"),
    ("/acs?SAMLart=PHNhbWw9", "PHNhbWw9"),
    ("/cas?ticket=ST-1856-aA5Y", "aA5Y"),
    ("/j?jwt=a.b.c&zak=zzz9", "zzz9"),
    # signed URLs: S3, Google, Azure, CloudFront, Akamai, Alibaba
    (f"/o?X-Amz-Credential=AKIDEXAMPLE/2024/s3&X-Amz-Signature={HEX}", HEX[:9]),
    (f"/o?X-Amz-Credential=AKIDEXAMPLE/2024/s3&X-Amz-Signature={HEX}", "AKIDEXAMPLE"),
    ("/o?X-Amz-Security-Token=FwoG", "FwoG"),
    ("/o?AWSAccessKeyId=AKID&Signature=vjby&Expires=1", "vjby"),
    ("/o?GoogleAccessId=a@b.iam&Signature=vjby", "vjby"),
    (f"/o?X-Goog-Signature={HEX}", HEX[:9]),
    ("/o?sv=2022-11-02&sp=r&sig=Z%2FRHIX5Xcg%3D", "RHIX5Xcg"),
    (f"/o?Policy={BASE64URL}&Key-Pair-Id=APKA9ONS7QCOWEXAMPLE", BASE64URL[:9]),
    ("/o?Policy=abc&Signature=zzz9&Key-Pair-Id=APKA9", "APKA9"),
    ("/o?hdnts=exp=1700000000~acl=/*~hmac=ab12cd", "ab12cd"),
    ("/o?OSSAccessKeyId=LTAI&Signature=vjby", "vjby"),
    # the look of a value, under any name
    (f"/v?q={JWT}", "SflKxw"),
    (f"/v?{JWT}", "SflKxw"),
    (f"/v?{JWT}=1", "SflKxw"),
    (f"/v?x={HEX}", HEX[:9]),
    (f"/v?x={BASE64URL}", BASE64URL[:5]),
    (f"/v?x={BASE64}", BASE64[:5]),
    (f"/v?x={quote(BASE64, safe='')}", BASE64[:4]),
    (f"/v?x={quote(quote(BASE64, safe=''), safe='')}", BASE64[:4]),
    ("/v?n=4111111111111111", "41111"),
    ("/v?n=4111-1111-1111-1111", "1111"),
    ("/v?n=4111+1111+1111+1111", "1111"),
    ("/v?n=378282246310005", "378282"),
    ("/v?x=sk_live_4eC39HqLyj", "4eC39HqLyj"),
    ("/v?x=ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
    ("/v?x=xoxb-17653672481-19874698323", "17653672481"),
    ("/v?x=AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    ("/v?x=AIzaSyDaGmWKa4JsXZHjGw7ISLn3namBGewQe", "SyDaGmWKa4"),
    ("/v?x=glpat-abcdefghijklmnopqrst", "abcdefgh"),
    ("/v?x=whsec_abcdefghijkl", "abcdefgh"),
    ("/v?x=SG.abcdefghijkl.mnopqrst", "abcdefgh"),
    ("/v?x=ya29.abcdefghijkl", "abcdefgh"),
    ("/v?x=hvs.abcdefghijkl", "abcdefgh"),
    ("/v?x=sk-proj-abcdefghijkl", "abcdefgh"),
    ("/v?x=sk-ant-api03-abcdefghijkl", "api03"),
    ("/v?x=tRkPqLmZxWvYbNcHdJfG", "tRkPq"),
    # a URL in a value
    ("/v?dsn=postgres://u:hunter2@h/d", "hunter2"),
    ("/v?dsn=postgres%3A%2F%2Fu%3Ahunter2%40h%2Fd", "hunter2"),
    ("/v?dsn=postgres%3A%2F%2Fu%3Ahun%26ter2%40h%2Fd", "hun"),
    ("/v?dsn=postgres%3A%2F%2Fu%3Ahun%252Fter2%40h%2Fd", "ter2"),
    ("/v?dsn=postgres://u:p@hunter2@h/d", "hunter2"),
    ("/v?dsn=redis://:hunter2@h:6379/0", "hunter2"),
    ("/v?dsn=https://3fa9c1@o0.ingest.sentry.io/42", "3fa9c1"),
    ("/v?proxy=user:hunter2@proxy:8080", "hunter2"),
    ("/v?next=/cb?token=zzz9", "zzz9"),
    ("/v?next=/cb?page=2;token=zzz9", "zzz9"),
    ("/v?next=https://h/cb#access_token=zzz9", "zzz9"),
    ("/v?next=%2Fcb%3Ftoken%3Dzzz9", "zzz9"),
    ("/v?next=%2Fcb%3Fpage%3D2%26token%3Dzzz9", "zzz9"),
    ("/v?next=%252Fcb%253Ftoken%253Dzzz9", "zzz9"),
    ("/v?next=%25252Fcb%25253Ftoken%25253Dzzz9", "zzz9"),
    ("/v?next=%2525252Fcb%2525253Ftoken%2525253Dzzz9", "zzz9"),
    ("/v?url=//u:p@h/%3Ftoken%3Dzzz9", "zzz9"),
    ("/v?a=1&amp;token=zzz9", "zzz9"),
    ('/v?filter={"user":"bob","password":"hunter2"}', "hunter2"),
    ("/v?filter=%7B%22password%22%3A%20%22hunter2%22%7D", "hunter2"),
    # a token in the path
    (f"/u/{JWT}", "SflKxw"),
    (f"/u/{JWT}/x", "SflKxw"),
    (f"/u/x.{JWT}", "SflKxw"),
    (f"/u/{HEX}/x", HEX[:9]),
    (f"/u/{BASE64URL}", BASE64URL[:5]),
    (f"/feed/{HEX}.ics", HEX[:9]),
    ("/calendar/ical/bob/private-0123456789abcdef0123456789abcdef/basic.ics", "0123456789"),
    ("/u/Zk3v9QpLm2XcRt7YbN5w", "Zk3v9"),
    ("/u/abcdefghijklmnop1234567890", "abcdef"),
    ("/api/sk_live_4eC39HqLyjWDarjtT1zdp7dc/charges", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("/api/ghp_16C7e42F292c6912E771", "16C7e42F"),
    ("/pay/4111111111111111", "41111"),
    ("/pay/378282246310005", "378282"),
    ("/bot123:ABC/sendMessage", "ABC"),
    ("/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe", "AAHdqT"),
    ("/hooks/T00/B00/XXXX", "XXXX"),
    ("/services/T00000000/B00000000/XXXXXXXX", "XXXXXXXX"),
    ("/hooks/a8f3k2", "a8f3k2"),
    ("/api/webhooks/80351110224678912/aB3dE5fG7h", "aB3dE5fG7h"),
    ("/reset/abc123", "abc123"),
    ("/reset-password/a1b2c3d4e5", "a1b2c3d4e5"),
    ("/resetPassword/ABCDEF", "ABCDEF"),
    ("/accounts/reset/MQ/c9l6qe-3fa9c1/", "MQ"),
    ("/accounts/reset/MQ/c9l6qe-3fa9c1/", "c9l6qe"),
    (f"/password-reset/{UUID}", UUID[:8]),
    ("/verify/482913", "482913"),
    ("/verify/email/abc123", "abc123"),
    ("/confirm-email/bob@example.com/83h2", "83h2"),
    ("/users/confirmation/83h2", "83h2"),
    ("/invite/aB3dE5fG", "aB3dE5fG"),
    ("/magic-link/83h2", "83h2"),
    ("/unsubscribe/bob@example.com/83h2", "83h2"),
    ("/activate/83h2", "83h2"),
    ("/token/83h2", "83h2"),
    # path parameters, and a URL in the path
    ("/a;jsessionid=5AC6268DD8D4D5D1FDF5D41E9F2FD960", "5AC6268DD8"),
    ("/a;jsessionid=5AC6/b", "5AC6"),
    ("/a;v=1;JSESSIONID=5AC6?page=2", "5AC6"),
    ("/a;sid=5AC6", "5AC6"),
    ("/a;token=5AC6;v=1/b", "5AC6"),
    ("/a;x=1,pw=5AC6", "5AC6"),
    ("/proxy/https://bob:hunter2@h/x", "hunter2"),
    ("/proxy/https://h/cb?token=zzz9".replace("?", "%3F"), "zzz9"),
    ("/proxy/token=zzz9", "zzz9"),
    ("/proxy/a&token=zzz9", "zzz9"),
    ("/proxy/cb%253Ftoken%253Dzzz9", "zzz9"),
]


@pytest.mark.parametrize(("target", "secret"), SECRETS)
def test_a_secret_is_masked(target: str, secret: str) -> None:
    """Whatever shape it has, something shows that a secret was there."""
    assert secret in target or secret in BASE64
    shown = masked(target)
    assert secret not in shown
    assert MASK in shown


ORDINARY = [
    "/",
    "/api/payment",
    "/users/42/orders/100012345",
    "/users/80351110224678912",
    f"/users/{UUID}",
    f"/users/{UUID.upper()}/avatar.png",
    f"/v?order={UUID}&page=2",
    f"/v?ids={UUID},{UUID}",
    "/v?id=42&max_id=1234567890123456789",
    "/v?_=1700000000000",
    "/v?isbn=9780306406157",
    "/blog/2024/01/15/how-to-write-a-very-long-slug-with-10-words",
    "/blog/2024-01-15-how-to-reset-your-iphone-15-without-a-computer",
    "/blog/a-story-of-one-summer-3f2a9c1b4d5e",
    "/blog/covid19-and-5g-facts-2nd-edition",
    "/Antidisestablishmentarianism/Donaudampfschifffahrtsgesellschaft",
    "/api/getUserProfileByIdAndName",
    "/static/app.3f2a9c1b.js",
    "/static/js/main.4f3c2b1a0d9e8f7a6b5c.chunk.js",
    f"/assets/application-{HEX}.css",
    "/assets/index-B7gXk2_q.js",
    "/fonts/inter-v13-latin-600.woff2",
    "/static/logo@2x.3f2a9c1b.png",
    "/simple/numpy-1.26.4-cp312-cp312-manylinux_2_17_x86_64.whl",
    "/npm/@scope/package-name@18.2.0/dist/umd.min.js",
    "/dist/jquery-3.6.0.min.js?v=3.6.0",
    "/photos/IMG_20240115_103000.jpg",
    "/files/My Report (final) 2024.pdf",
    "/r/20240115T103000Z-report.csv",
    "/@51.5072,-0.1276,15z",
    "/mcp",
    "/messages/",
    "/login/oauth2/authorize",
    "/verify/email",
    "/accounts/reset/done/",
    "/password/reset/complete",
    "/api/v2/invite/42",
    "/token/refresh",
    "/webhooks/stripe",
    "/repos/o/r/hooks/123456789/deliveries",
    f"/api/webhooks/{UUID}",
    "/tokens/42",
    "/keyboard/monkey/design/passenger",
    "/a;v=1/b;lang=en",
    "/статьи/новости",
    "/v?page=2&per_page=50&offset=100&limit=20",
    "/v?cursor=abc123&sort=-created_at&order_by=createdAt",
    "/v?sort=name:asc&fields=id,name,created_at",
    "/v?q=shoes",
    "/v?q=blue+suede+shoes+for+men+and+women",
    "/v?q=iphone+15+pro+max+256gb+blue",
    "/v?q=COVID-19+mRNA+vaccine+side+effects",
    "/v?q=basic+training+for+the+bearer+of+news",
    "/v?q=%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8",
    "/v?q=100%25+wool",
    "/v?q=a%26b%3Dc",
    "/v?q=state:open+is:issue+author:bob",
    "/v?from=2024-01-15&to=2024-02-15T10:30:00.000%2B00:00",
    "/v?at=20240115T103000Z",
    "/v?lat=51.5072&lon=-0.1276&zoom=15",
    "/v?bbox=-122.4194,37.7749,-122.3,37.8",
    "/v?utm_source=newsletter&utm_campaign=spring_sale_2024_de",
    "/v?redirect=/some/long/path/of/things/page/2",
    "/v?next=/accounts/reset/done/&back=https://h/api/v2/invite/42",
    "/v?plan=basic+monthly&q=basic:+a+story",
    "/v?next=%2Fcb%3Fpage%3D2%26sort%3Dname",
    "/v?url=https://example.com/blog/a-long-slug-of-words",
    "/v?url=https%3A%2F%2Fexample.com%3A8080%2Fa",
    "/v?scope=openid+profile+email+offline_access",
    "/v?email=firstname.lastname@example.com",
    "/v?resource=acct:bob@example.com",
    "/v?to=mailto:bob@example.com",
    "/v?filter[name]=bob&filter%5Bage%5D=7",
    '/v?filter={"name":"bob","age":7}',
    "/v?pinned=1&pins=2&shipping=dhl&opinion=good",
    "/v?author=bob&authors=a,b&author_id=7&authority=x",
    "/v?keyboard=us&keyword=a&keywords=b&monkey=1&turkey=2&hockey=3",
    "/v?design=flat&designer=bob&assign=me&assignee=bob",
    "/v?passenger=2&passengers=3&compass=n&bypass=1&passive=1",
    "/v?country_code=DE&zip_code=12345&lang_code=en&countryCode=DE",
    "/v?barcode=123&postcode=SW1A&geocode=x&decode=1&encode=2",
    "/v?sort_key=name&primary_key=id",
    "/v?secretary=ann&discard=1&cardinality=2&wildcard=3",
    "/v?statement=7&estate=8&stateless=1",
    "/v?sessions=3&obsession=1&inviter=bob&verified=true&confirmed=1",
    "/v?magical=1&spinner=2&tick=3&ticker=AAPL&hashtag=x",
    "/v?photoAuthor=bob&two_authors=1&brokenId=7",
    "/v?token=&a&b=&=c",
    "/v?promo=p9q8",
]


@pytest.mark.parametrize("target", ORDINARY)
def test_an_ordinary_target_is_readable(target: str) -> None:
    assert masked(target) == target


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/v?token=abc&page=2", "/v?token=***&page=2"),
        ("/v?user[password]=x", "/v?user[password]=***"),
        ("/v?dsn=postgres://u:p@h/d", "/v?dsn=postgres://***@h/d"),
        ("/v?next=/cb?page=2&b=1", "/v?next=/cb?page=2&b=1"),
        ("/v?next=/cb?token=zzz9&b=1", "/v?next=/cb?token=***&b=1"),
        ("/v?next=%2Fcb%3Ftoken%3Dzzz9&b=1", "/v?next=***&b=1"),
        (f"/v?x=a,{HEX},b", "/v?x=a,***,b"),
        (f"/u/{HEX}/x", "/u/***/x"),
        (f"/u/{JWT}.json", "/u/***"),
        ("/a;jsessionid=5AC6/b;v=1", "/a;jsessionid=***/b;v=1"),
        ("/bot123:ABC/getMe", "/***/getMe"),
        ("/hooks/T00/B00/XXXX", "/hooks/***"),
        ("/reset/abc123/done", "/reset/***/done"),
    ],
)
def test_what_is_around_a_secret_stays(target: str, shown: str) -> None:
    assert masked(target) == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("page=2&q=shoes", "page=2&q=shoes"),
        ("token=abc", "token=***"),
        ("access_token=abc&page=2", "access_token=***&page=2"),
        ("X-Amz-Signature=0af", "X-Amz-Signature=***"),
        (
            "api_key=1&password=2&pwd=3&sid=4&code=5",
            "api_key=***&password=***&pwd=***&sid=***&code=***",
        ),
        ("q=eyJhbGciOiJIUzI1NiJ9abc", "q=***"),
        ("eyJhbGciOiJIUzI1NiJ9abc", "***"),
        ("n=4111111111111111&card=1&page=1234", "n=***&card=***&page=1234"),
        ("%74oken=abc", "%74oken=***"),
        ("token=", "token="),
        ("a&b=&=c", "a&b=&=c"),
        ("session_id=abc12345", "session_id=***"),
    ],
)
def test_a_name_stays_where_its_value_is_masked(query: str, shown: str) -> None:
    assert MASKS.query(query) == shown


@pytest.mark.parametrize(
    ("name", "is_masked"),
    [
        ("promo", True),
        ("PROMO", True),
        ("promoCode", True),
        ("promo_code", True),
        ("order[promo]", True),
        ("order.promo.0", True),
        ("order%5Bpromo%5D", True),
        ("promo2", True),
        ("promotion", False),
        ("compromo", False),
    ],
)
def test_a_users_own_names_are_masked(name: str, is_masked: bool) -> None:
    """As words of a parameter's name, in any case; and ours are masked all the same."""
    shown = Masks(["promo"]).query(f"{name}=p9q8&token=zzz9&page=2")
    assert shown == f"{name}={MASK if is_masked else 'p9q8'}&token=***&page=2"


@pytest.mark.parametrize(
    "names",
    [
        ("giftCode",),
        ("gift_code",),
        ("gift-code",),
        {"GIFT.CODE"},
        iter(["gift code".replace(" ", "_")]),
    ],
)
def test_a_name_of_several_words_is_found_in_any_spelling(names: object) -> None:
    masks = Masks(names)  # type: ignore[arg-type]
    for name in ("giftCode", "gift_code", "gift-code", "gift.code", "GIFT_CODE", "my[gift_code]"):
        assert masks.query(f"{name}=p9q8") == f"{name}=***"
    assert masks.query("gift=1&code_of_gift=p9q8").startswith("gift=1&")


def test_a_users_own_name_is_masked_in_any_alphabet() -> None:
    assert Masks(["código"]).query("c%C3%B3digo=p9q8") == "c%C3%B3digo=***"


@pytest.mark.parametrize("names", ["promo", b"promo", None, 7, True])
def test_names_are_a_sequence(names: object) -> None:
    with pytest.raises(
        ValueError, match=r"mask is .*; expected a sequence of names, such as \('promo',\)"
    ):
        Masks(names)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "promo=", "a&b", "---", "42", None, 7, b"promo", ["promo"]]
)
def test_a_name_that_is_none_fails_early(name: object) -> None:
    with pytest.raises(
        ValueError, match=r"mask has .*; expected a parameter's name, such as 'promo'"
    ):
        Masks(["gift", name])  # type: ignore[list-item]


@given(
    st.text(max_size=40),
    st.sampled_from(["", "/", "&", "=", ";", "%2F", "%25", " "]),
    st.text(max_size=40),
)
def test_a_token_is_masked_in_any_text(before: str, between: str, after: str) -> None:
    """And no text is a fault of ours."""
    target = f"{before}{between}{BASE64URL}{between}{after}"
    for shown in (MASKS.query(target), MASKS.path(target)):
        assert BASE64URL not in shown
        assert MASK in shown


@given(st.binary(min_size=16, max_size=48).map(bytes.hex))
def test_no_hexadecimal_token_is_left(token: str) -> None:
    if not token.isdigit() and not token.isalpha():
        assert masked(f"/u/{token}?x={token}") == "/u/***?x=***"


_NAMES = st.sampled_from(["page", "sid", "eyJhbGciO", "basic", "bearer", "Key", "_", "é", ""])
_PIECE = st.text("aeyJ09_-=.:/%@+ é", max_size=12) | st.text(max_size=12)


@given(_NAMES | _PIECE, st.sampled_from(["=", "", "=="]), _PIECE)
def test_a_short_pair_is_masked_as_any_other(name: str, equals: str, value: str) -> None:
    """The look at its name alone comes to the same as the look for all kinds of secrets."""
    pair = f"{name}{equals}{value}".replace("&", "")
    assert MASKS.query(pair) == (MASKS._mask(pair, in_query=True) if pair else "")


HOSTILE = [
    *"aA0%=&/;.-_@:[#? +*'\"\\é",
    *(
        "1a",
        "Aa",
        "a.",
        "a-",
        "a=",
        "a:",
        "a:b@",
        "//",
        "//a",
        "://a:",
        "%2",
        "%25",
        "%41",
        "eyJ",
        "eyJa.",
        "&a=",
        ";a=",
    ),
    *(
        "token=",
        "bearer ",
        "bearer+",
        "bot1:",
        "/T00/B00",
        "reset/",
        "sk_live_",
        "AKIA",
        "'a':",
        "4111 ",
        "-code",
        "(a",
    ),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_target_takes_linear_time(piece: str) -> None:
    """Four times the length takes less than eight times as long."""

    def work(size: int) -> float:
        text = piece * (size // len(piece))
        began = process_time()
        for hostile in (text, f"{text}!", f"x=//{text}", f"/reset/{text}"):
            MASKS.query(hostile), MASKS.path(hostile)
        return process_time() - began

    few = min(work(10_000) for _ in range(3))
    many = min(work(40_000) for _ in range(2))
    assert many < 8 * few + 0.001
