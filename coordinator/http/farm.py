"""The farm as a whole."""

import asyncio
import shutil
from typing import Literal

import msgspec
from aiohttp import web

from coordinator.keys import DATABASE, SETTINGS
from coordinator.services import farm
from coordinator.services.farm_schemas import FarmView, SampleView
from coordinator.services.schemas import Page


class SampleQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which samples."""

    span: Literal["minute", "hour"] = "minute"
    """Minutes of the last day, or hours of the last month."""


async def show(request: web.Request) -> FarmView:
    """Show how busy the farm is, what waits longest, and the disk."""
    disk = await asyncio.to_thread(shutil.disk_usage, request.app[SETTINGS].folder)
    return await request.app[DATABASE].read(farm.overview, disk.free, disk.total)


async def samples(request: web.Request, query: SampleQuery) -> Page[SampleView]:
    """List what the farm did, minute by minute or hour by hour, oldest first."""
    span = farm.MINUTE if query.span == "minute" else farm.HOUR
    return Page(items=await request.app[DATABASE].read(farm.samples, span))
