"""E-mail by SMTP."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal

from coordinator.outward.webhooks import NotDelivered

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Mail:
    """A server that takes mail."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str | None
    password: str | None
    sender: str

    async def send(self, address: str, subject: str, text: str) -> None:
        """Send a message.

        Raises:
            NotDelivered: the server did not take it.
        """
        message = EmailMessage()
        # A name with line breaks in it must not become a header.
        message["Subject"] = " ".join(subject.split())
        message["From"] = self.sender
        message["To"] = address
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid()
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            await asyncio.to_thread(self._send, message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NotDelivered(f"The mail server did not take it: {_words(error)}.") from error

    def _send(self, message: EmailMessage) -> None:
        context = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        with server:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user is not None:
                server.login(self.user, self.password or "")
            server.send_message(message)


def _words(error: Exception) -> str:
    """Return what a server said, without who was written to."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}".strip(". ")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refused the address"
    return str(error).strip(". ") or type(error).__name__
