"""
Mask the secrets in a URL's path and query, for log lines and spans.

A secret is recognised by the name of its parameter, by its form, or by the word before it in a
path. A short secret under an ordinary name is not: the user names such parameters. Every step takes
linear time, since anybody may send a path or a query of any length.

This module works on strings.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterable
from functools import lru_cache

from .patterns import Pattern

__all__ = ("MASK", "Masks")

MASK = "***"

# A parameter's name is compared as "-user-access-token-": its words in lower case, without the
# digits at their ends. The first half are whole words. The rest may be part of any word, such as
# "phpsessid" and "accesstoken".
_SECRET_NAME = Pattern(
    r"""
    -(?: 2fa | activat(?:e|ion) | assertion | captcha | card | clave | code | confirm(?:ation)?
       | contrasena | cookie | creds? | csc | cv[cnv] | digest | has[lł]o | hash | hmac | hotp
       | iban | invit(?:e|ation) | kennwort | keys? | l[oö]senord | magic(?:link)? | mdp | mfa
       | mnemonic | motdepasse | nonce | ot[cpt] | parola | pass | pin | pincode | puk | pw
       | recaptcha | recover(?:y)? | reset | salasana | sas | senha | sess | session | sid | sig
       | sign | ssn | sso | state | ticket | tk | tkn | tok | totp | turnstile | unlock
       | unsub(?:scribe)? | validation | vcode | verif(?:y|ication) | wachtwoord | zak
       | пароль | 密码 )(?=-)
    | token | secret(?!ar) | pass-?(?:word|wd|wort|phrase|code|key) | pwd | credential | csrf | xsrf
    | jwt | bearer | signature | verifier | one-?time | saml | sess(?:ion)?-?(?:id|key)
    | (?:credit|debit)-?card | card-?(?:no-|num)
    | (?:access|account|api|app|auth|client|consumer|encryption|hash|licen[cs]e|master|priv|private
       |secret|shared|signing|ssh|storage|subscription)key
    | (?:access|activation|auth|backup|confirm|confirmation|device|invitation|invite|login|otp
       |recovery|reset|security|sms|verification|verify)code
    | -(?:basic|http|o|proxy|user|x)?auth(?!or(?!i[sz]))  # not author and authority
    """,
    re.VERBOSE,
)
# Names that contain such a word, but have no secret as their value.
_ORDINARY_NAME = Pattern(
    r"-(?:area|color|country|currency|error|lang|language|locale|post|postal|region|status|zip)-code(?=-)"
    r"|-(?:foreign|group|order|partition|primary|public|sort)-key(?=-)"
)
_CAMEL = Pattern(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_WORD = Pattern(r"[\W_]+")
_LAST_DIGITS = Pattern(r"(?<![0-9])[0-9]+(?=-)")

# A name before its value, in a query, a path or JSON. The look-behind allows one attempt per name.
_NAME = Pattern(r"""(?<![\w.\[\]$-])([\w.\[\]$-]+)(?:=|["']\s{0,4}:)""")

# The userinfo of a URL (RFC 3986, § 3.2.1), and "user:password@" without a scheme. The text before
# "@" in an address of mail or chat is not masked.
_USERINFO = Pattern(r"//[^/?#\s]*@")
_BARE_USERINFO = Pattern(
    r"(?<![\w.%+-])(?!(?:acct|email|im|mailto|sips?|xmpp):)"
    r"[\w.%+-]+:[^\s/@:]+@"
)
# RFC 7617: base64 of "user:password".
_BASIC = Pattern(r"(?i)(?<![a-z])(basic[ +]+)([A-Za-z0-9+/_-]{4,}={0,2})")
_BEARER = Pattern(r"(?i)(?<![a-z])(bearer[ +]+)(?=[^\s+&]*[0-9])[^\s+&]+")

# A path, or a URL up to its query, that is a parameter's value.
_NESTED_PATH = Pattern(r"(?<==)(?:[a-z]{2,8}://[^/?#&]*)?/[^?#&]*", re.IGNORECASE)

# Between the pairs of a query in a query.
_PART_ENDS = Pattern("([&#])")

# "k=1" has a name and a value; "bot123:ABC" has the form of a token.
_SHORTEST = 3
_SHORTEST_KNOWN = 10

# Texts that are secrets by their form, in any place, even short ones.
_KNOWN = Pattern(
    r"""
    (?<![A-Za-z0-9])
    (?: eyJ[\w-]{8,}(?:\.[\w-]*){0,4}  # JSON in base64: JWT and its like
      | (?: (?:sk|pk|rk)[_-](?:live|test|proj|ant)[_-] | gh[oprsu]_ | github_pat_
          | gl(?:pat|dt|rt|ptt|soat)- | xox[a-z]- | xapp- | whsec_ | shp[a-z]{2}_ | sq0[a-z]{3}-
          | hf_ | gsk_ | dop_v1_ | dckr_pat_ | hvs\. | SG\. | ya29\. | GOCSPX- | AIza | AKIA | ASIA
          | gAAAAA | v[1-4]\.(?:local|public)\.
        )[A-Za-z0-9][\w.~-]{7,}
      | (?:bot)?[0-9]{6,12}:[\w-]{20,} | bot[0-9]+:[\w-]+  # of Telegram
    )
    """,
    re.VERBOSE,
)
_SLACK_HOOK = Pattern(r"(?<=/)T[A-Z0-9]{2,}/B[A-Z0-9]{2,}/[^/]+")

_CARD = Pattern(
    r"(?<![\w.])(?:(?:2[2-7]|[3-6][0-9])[0-9]{2}(?:[ +-]?[0-9]{4}){3}"
    r"|3[47][0-9]{2}[ +-]?[0-9]{6}[ +-]?[0-9]{5}|3[0-9]{13}|4[0-9]{12}|[46][0-9]{18})(?![\w])"
)

# Candidates for tokens: long texts without a separator. Their runs of letters and digits decide.
_LONG_IN_PATH = Pattern(r"[A-Za-z0-9_.~+-]{20,}=*")
_LONG_IN_QUERY = Pattern(r"[A-Za-z0-9_.~+/-]{20,}=*")
_RUN = Pattern(r"[A-Za-z0-9]+")
_CHANGE = Pattern(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")
_A_UUID = r"(?<![a-z0-9])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![a-z0-9])"
_UUID = Pattern(_A_UUID, re.IGNORECASE)
_TIMESTAMP = Pattern(r"[0-9]{8}T[0-9]{4,9}Z?")
# The digest in the name of a static file: app.3f2a9c1b.js
_FILE_DIGEST = Pattern(
    r"(?<![A-Za-z0-9])[0-9a-f]{8,64}(?=(?:\.[a-z]{2,9}){0,2}"
    r"\.(?:avif|css|eot|gif|ico|jpe?g|js|map|mjs|otf|png|svg|ttf|wasm|webp|woff2?)$)"
)
# Slugs end with digests of up to 12 characters.
_MOST_ODD_IN_PATH = 12

# After a segment with a word of the first list, ids and numbers are secrets too; after a word of
# the second list they are not.
_ONE_TIME = Pattern(
    r"""
    -(?: activat(?:e|ion) | apikey | confirm(?:ation)? | invit(?:e|ation) | magic(?:link)? | onetime
       | optout | otp | passwd | password(?:less)? | recover(?:y)? | reset | secret | token | unlock
       | unsubscribe | verif(?:y|ication) )(?=-)
    """,
    re.VERBOSE,
)
_HOOK = Pattern(r"-(?:web)?hooks?(?=-)")
# Longer segments are slugs: "how-to-reset-a-phone".
_MOST_WORDS = 3
_PLAIN_SEGMENT = Pattern(r"(?:[A-Za-z][a-z]*(?:[-_. ][A-Za-z][a-z]*)*[0-9]?|v[0-9]+|[0-9]{1,3})?")
_ID = Pattern(rf"[0-9]+|{_A_UUID}", re.IGNORECASE)

# A path in lower case without any of these has nothing to mask: one search, for most paths.
_NOTABLE = Pattern(
    r"[;=@%:&\"'?#+]|[\w.~-]{16}|[0-9]{13}|[0-9]{4}[ -][0-9]{4}|eyj|/t[0-9a-z]+/b|activat|apikey|confirm|hook"
    "|invit|magic|onetime|optout|otp|passw|recover|reset|secret|token|unlock|unsubscribe|verif"
)

_ENCODED = Pattern(r"(?:%[0-9A-Fa-f]{2})+")
# A URL in a URL in a URL; text that is encoded more often is masked without decoding.
_MOST_ENCODED = 3

# A program has few names and paths; those that clients make up must not fill the memory.
_REMEMBERED = 256
_LONGEST_REMEMBERED = 64


class Masks:
    """
    Masks the secrets of URLs.

    :param names: further parameters with secret values. A name also matches longer names that have
        its words: ``promo`` matches ``promo``, ``promoCode`` and ``order[promo]``, in any case.
    :raises ValueError: when *names* is no sequence of names.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
            raise ValueError(f"mask is {names!r}; expected a sequence of names, such as ('promo',)")
        own: set[str] = set()
        for name in names:
            if (
                not isinstance(name, str)
                or re.search(r"[\s=&?#;/%]", name)
                or not any(map(str.isalpha, name))
            ):
                raise ValueError(f"mask has {name!r}; expected a parameter's name, such as 'promo'")
            own.update(_forms(name))
        self._own = own
        self._remembers = lru_cache(_REMEMBERED)(self._find_secret)
        self._plain_paths: set[str] = set()  # paths without a secret

    def query(self, query: str) -> str:
        """Return the *query* string, as it was sent, without its secrets."""
        return "&".join([self._mask_pair(pair) for pair in query.split("&")]) if query else ""

    def _mask_pair(self, pair: str) -> str:
        # Most pairs are a short name and a short value, of which only the name can show
        # a secret: 4,300 instructions, where a search for all kinds takes 14,000 to 27,000.
        name, _, value = pair.partition("=")
        if (
            len(name) < _SHORTEST_KNOWN > len(value)
            and name.isidentifier()
            and value.isalnum()
            and len(pair) >= _SHORTEST
        ):
            return f"{name}={MASK}" if self._is_secret(name) else pair
        return self._mask(pair, in_query=True)

    def path(self, path: str) -> str:
        """Return the *path* without its secrets."""
        if path in self._plain_paths:
            return path
        if not _NOTABLE.search(path.lower()):
            self._remember_plain(path)
            return path
        segments = _SLACK_HOOK.sub(MASK, path).split("/")
        words: re.Pattern[str] | None = None  # segments after these words are secrets
        for index, segment in enumerate(segments):
            if words is not None and _is_secret_after(words, segment):
                segments[index] = MASK
            elif _NOTABLE.search(segment.lower()) and not _UUID.fullmatch(segment):
                segments[index] = self._mask(segment, in_query=False)
                words = _announced_by(segment) or words
        return "/".join(segments)

    def _remember_plain(self, path: str) -> None:
        if len(path) <= _LONGEST_REMEMBERED:
            if len(self._plain_paths) >= _REMEMBERED:
                self._plain_paths.clear()
            self._plain_paths.add(path)

    def _mask(self, piece: str, *, in_query: bool) -> str:
        """Return a pair or a segment without its secrets, also if they are percent-encoded."""
        if len(piece) < _SHORTEST:
            return piece
        plain = piece
        for _ in range(_MOST_ENCODED):
            decoded = _decode(plain)
            if decoded == plain:
                return self._mask_text(piece, in_query)
            if self._mask_text(decoded, in_query) != decoded:
                return self._hide(piece)
            plain = decoded
        return self._mask_text(piece, in_query) if _decode(plain) == plain else self._hide(piece)

    def _hide(self, piece: str) -> str:
        name, equals, _ = piece.partition("=")
        if not equals or _mask_by_look(_decode(name), in_query=True) != _decode(name):
            return MASK
        return f"{name}={MASK}"

    def _mask_text(self, text: str, in_query: bool) -> str:
        if "@" in text:
            text = _USERINFO.sub(f"//{MASK}@", text)
            text = _BARE_USERINFO.sub(f"{MASK}@", text)
        lower = text.lower()
        if "bearer" in lower:
            text = _BEARER.sub(rf"\1{MASK}", text)
        if "basic" in lower:
            text = _BASIC.sub(_mask_basic, text)
        if in_query and "=" in text and "/" in text:
            text = _NESTED_PATH.sub(self._mask_nested_path, text)
        if "&" not in text and "#" not in text:
            return self._mask_part(text, in_query)
        return "".join([self._mask_part(part, in_query) for part in _PART_ENDS.split(text)])

    def _mask_nested_path(self, match: re.Match[str]) -> str:
        return self.path(match[0])

    def _mask_part(self, text: str, in_query: bool) -> str:
        if "=" in text or ":" in text:
            text = self._mask_by_name(text)
        return text if len(text) < _SHORTEST_KNOWN else _mask_by_look(text, in_query)

    def _mask_by_name(self, text: str) -> str:
        """Mask all that follows the first name of a secret."""
        for name in _NAME.finditer(text):
            if name.end() < len(text) and self._is_secret(name[1]):
                return text[: name.end()] + MASK
        return text

    def _is_secret(self, name: str) -> bool:
        return (
            self._remembers(name) if len(name) <= _LONGEST_REMEMBERED else self._find_secret(name)
        )

    def _find_secret(self, name: str) -> bool:
        forms = _forms(name)
        if any(own in form for own in self._own for form in forms):
            return True
        return any(_SECRET_NAME.search(_ORDINARY_NAME.sub("", form)) for form in forms)


def _forms(name: str) -> set[str]:
    """
    Return *name* as ``-its-words-`` in two forms: divided at capital letters, and not divided.
    """
    return {_form(_CAMEL.sub("-", name)), _form(name)}


def _form(name: str) -> str:
    words = _NOT_WORD.sub("-", name.casefold()).strip("-")
    form: str = _LAST_DIGITS.sub("", f"-{words}-")
    return form


def _decode(text: str) -> str:
    return _ENCODED.sub(_decoded, text) if "%" in text else text


def _decoded(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")


def _mask_by_look(text: str, in_query: bool) -> str:
    text = _KNOWN.sub(MASK, text)
    text = _CARD.sub(_mask_card, text)
    if in_query:
        masked: str = _LONG_IN_QUERY.sub(_mask_in_query, text)
    else:
        masked = _LONG_IN_PATH.sub(_mask_in_path, text)
    return masked


def _mask_in_query(match: re.Match[str]) -> str:
    runs = _RUN.findall(_UUID.sub("", match[0]))
    return MASK if any(_is_odd(run) or _is_long_odd(run) for run in runs) else match[0]


def _mask_in_path(match: re.Match[str]) -> str:
    runs = _RUN.findall(_FILE_DIGEST.sub("", _UUID.sub("", match[0])))
    odd = sum(len(run) for run in runs if _is_odd(run))
    return MASK if odd > _MOST_ODD_IN_PATH else match[0]


def _is_odd(run: str) -> bool:
    """Return whether *run* alternates letters and digits more than words, versions and dates do."""
    if run.isalpha() or run.isdigit() or _TIMESTAMP.fullmatch(run):
        return False
    return len(run) >= 20 or len(_CHANGE.findall(run)) > 2


def _is_long_odd(run: str) -> bool:
    """Return whether *run* is a number that is too long for an id, or letters of mixed case."""
    if len(run) < 20 or run.islower() or run.isupper():
        return False
    return not run[1:].islower()


def _mask_card(match: re.Match[str]) -> str:
    """Mask a number if it is a card's: its check digit is right (Luhn, ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in match[0] if digit.isdigit()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return MASK if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else match[0]


def _mask_basic(match: re.Match[str]) -> str:
    """Mask the text after the word "basic" if it is a user and a password."""
    encoded = match[2].rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        decoded = a2b_base64(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return match[0]
    return f"{match[1]}{MASK}" if b":" in decoded else match[0]


def _announced_by(segment: str) -> re.Pattern[str] | None:
    """Return the words of which *segment* has one: a secret may follow it. None without one."""
    forms = _forms(segment)
    if max(form.count("-") for form in forms) > _MOST_WORDS + 1:
        return None
    return next((words for words in (_ONE_TIME, _HOOK) if any(map(words.search, forms))), None)


def _is_secret_after(words: re.Pattern[str], segment: str) -> bool:
    if _PLAIN_SEGMENT.fullmatch(segment):
        return False
    return words is _ONE_TIME or not _ID.fullmatch(segment)
