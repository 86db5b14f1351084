"""Inspections: people ask what is in a pack's .blend, and an agent looks."""

import secrets
from datetime import timedelta

import msgspec

from coordinator.db import agents, inspections, packs
from coordinator.db.engine import INSPECTION, Transaction
from coordinator.domain.inspections import Inspection, InspectionState, goes_on
from coordinator.domain.model import AgentState
from coordinator.domain.timing import Timing
from coordinator.domain.transitions import NEW, check
from coordinator.domain.versions import blender_number, blender_version
from coordinator.protocol import (
    ErrorCode,
    Findings,
    InspectionGrant,
    InspectionReport,
    InspectionRequest,
    InspectionResult,
    Manifest,
)
from coordinator.services.assets import check_complete
from coordinator.services.errors import Refused, not_found
from coordinator.services.inspection_schemas import InspectionAsk, InspectionView
from coordinator.services.schemas import Version

#: It is handed out for so long after someone last asked: nobody waits for it any more then.
WANTED = timedelta(hours=1)

#: What was found is kept so long after someone last asked.
KEPT = timedelta(days=30)

#: So many are looked at to find one that an agent's Blender can open.
_CHOICE = 20

_AGENTS_LOST = (
    "The agents that looked into this file were lost over it, one after the other; it may be damaged, or too large for "
    "their memory."
)


def ask(tx: Transaction, pack_id: str, request: InspectionAsk) -> InspectionView:
    """Have a pack looked into unless that was done, and return how far it is.

    Raises:
        Refused: NOT_FOUND, no such pack; MISSING_BLOBS; INVALID, no Blender of the farm can open the file.
    """
    check_complete(tx, pack_id)
    if request.blender is not None and (problem := too_new(tx, request.blender)) is not None:
        raise Refused(ErrorCode.INVALID, problem, {"blender": problem})
    found = inspections.get(tx.conn, pack_id, lock=True)
    if found is None:
        check("inspection", pack_id, NEW, InspectionState.WAITING, list)
        inspections.insert_inspection(
            tx.conn, pack_id, blender_number(*request.blender) if request.blender else 0, tx.now
        )
    elif found.state == InspectionState.FAILED:
        _move(tx, found, InspectionState.WAITING, attempts=0, asked_at=tx.now, reason=None)
    else:
        inspections.change(tx.conn, found, asked_at=tx.now)
    tx.notify(INSPECTION)
    return view(tx, pack_id)


def view(tx: Transaction, pack_id: str) -> InspectionView:
    """Return how far the look into a pack is.

    Raises:
        Refused: NOT_FOUND, nobody has asked for one.
    """
    found, manifest = inspections.get(tx.conn, pack_id), packs.manifest(tx.conn, pack_id)
    if found is None or manifest is None:
        raise not_found(f"inspection of pack {pack_id}")
    findings = None if found.findings is None else msgspec.json.decode(found.findings, type=Findings)
    agent = None if found.agent_id is None else agents.get(tx.conn, found.agent_id)
    return InspectionView(
        pack=pack_id,
        main=msgspec.json.decode(manifest, type=Manifest).main,
        state=found.state,
        stage=found.stage,
        agent=None if agent is None else agent.name,
        reason=found.reason,
        problem=None if findings is None else too_new(tx, findings.file_version[:2]),
        findings=findings,
    )


def claim(tx: Transaction, agent_id: int, request: InspectionRequest, timing: Timing) -> InspectionGrant | bool:
    """Give an agent a pack to look into; False, none waits; True, some do, but not for this one."""
    agent = agents.get(tx.conn, agent_id)
    trusted = agent is not None and agent.state != AgentState.LEFT and not agent.kept_from_work
    some = False
    for found in inspections.waiting(tx.conn, tx.now - WANTED, _CHOICE):
        some = True
        if trusted and found.min_blender <= blender_number(*request.blender[:2]):
            token = secrets.token_hex(8)
            _move(
                tx,
                found,
                InspectionState.RUNNING,
                claim=token,
                agent_id=agent_id,
                attempts=found.attempts + 1,
                expires_at=tx.now + timedelta(seconds=timing.lease_seconds),
            )
            return InspectionGrant(claim=token, pack_id=found.pack_id)
    return some


def report(tx: Transaction, agent_id: int, claim: str, request: InspectionReport, timing: Timing) -> None:
    """Take note that an agent is at it.

    Raises:
        Refused: LEASE_LOST.
    """
    found = _held(tx, agent_id, claim)
    expires_at = tx.now + timedelta(seconds=timing.lease_seconds)
    inspections.change(tx.conn, found, stage=request.stage.value, expires_at=expires_at)


def finish(tx: Transaction, agent_id: int, claim: str, result: InspectionResult) -> None:
    """Take what an agent found.

    Raises:
        Refused: LEASE_LOST.
    """
    found = _held(tx, agent_id, claim)
    findings = result.findings
    if findings is None:
        _did_not_manage(tx, found, result.failure or "The agent did not say why.", again=result.again)
    elif _another_should(tx, found, findings):
        _wait_again(tx, found, min_blender=blender_number(*findings.file_version[:2]))
    else:
        _end(tx, found, InspectionState.DONE, findings=msgspec.json.encode(findings))


def reap(tx: Transaction) -> int:
    """Take back what agents that fell silent had, and return how many there were."""
    gone = inspections.expired(tx.conn, tx.now)
    for found in gone:
        _did_not_manage(tx, found, _AGENTS_LOST, again=True)
    return len(gone)


def any_to_reap(tx: Transaction) -> bool:
    """Tell whether an agent fell silent over one."""
    return inspections.any_expired(tx.conn, tx.now)


def give_back(tx: Transaction, agent_id: int) -> None:
    """Take back what an agent has that leaves."""
    for found in inspections.held_by(tx.conn, agent_id):
        _wait_again(tx, found, attempts=found.attempts - 1)


def forget_old(tx: Transaction) -> int:
    """Forget what no one has asked for in a month, and return how many there were."""
    return inspections.forget(tx.conn, tx.now - KEPT)


def too_new(tx: Transaction, version: Version) -> str | None:
    """Return why no Blender of the farm can open a file that this one has saved; None if one can, or none is known."""
    newest = agents.newest_blender(tx.conn)
    if newest is None or newest >= blender_number(*version):
        return None
    have, saved = (".".join(map(str, parts)) for parts in (blender_version(newest), version))
    return (
        f"the file was saved by Blender {saved}, and the newest one on the farm is {have};"
        f" install Blender {saved} or newer on an agent, or save the file with Blender {have}"
    )


def _held(tx: Transaction, agent_id: int, claim: str) -> Inspection:
    found = inspections.held(tx.conn, agent_id, claim)
    if found is None:
        raise Refused(ErrorCode.LEASE_LOST, "this inspection has ended, or another agent has it now: drop it")
    return found


def _another_should(tx: Transaction, found: Inspection, findings: Findings) -> bool:
    """Tell whether the file is newer than the Blender that looked, and the farm has one that reads all of it."""
    saved = findings.file_version[:2]
    return saved > findings.blender[:2] and goes_on(found.attempts) and too_new(tx, saved) is None


def _did_not_manage(tx: Transaction, found: Inspection, reason: str, *, again: bool) -> None:
    if again and goes_on(found.attempts):
        _wait_again(tx, found)
    else:
        _end(tx, found, InspectionState.FAILED, reason=reason)


def _wait_again(tx: Transaction, found: Inspection, **values: int) -> None:
    _end(tx, found, InspectionState.WAITING, **values)
    tx.notify(INSPECTION)


def _end(tx: Transaction, found: Inspection, state: InspectionState, **values: object) -> None:
    _move(tx, found, state, claim=None, expires_at=None, stage=None, **values)


def _move(tx: Transaction, found: Inspection, state: InspectionState, **values: object) -> None:
    check("inspection", found.pack_id, found.state, state, list)
    inspections.change(tx.conn, found, state=state, **values)
