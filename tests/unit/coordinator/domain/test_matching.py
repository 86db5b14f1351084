"""What a job needs against what slots have, and how one tells its owner."""

from dataclasses import replace

import pytest

from coordinator.domain.matching import (
    MEMORY_STEP,
    Capability,
    Needs,
    can_run,
    capability_of,
    decode_needs,
    engine_name,
    explain,
    needs_of,
)
from tests.unit.coordinator.domain.records import GIB, a_job, an_agent

CPU = Capability(blender=405, ram_bytes=32 * GIB)
GPU = replace(CPU, device="OPTIX", vram_bytes=12 * GIB)


@pytest.mark.parametrize(
    ("needs", "slot", "can"),
    [
        (Needs(), CPU, True),
        (Needs(tags=frozenset({"a", "b"})), replace(CPU, tags=frozenset({"a", "b", "c"})), True),
        (Needs(tags=frozenset({"a", "b"})), replace(CPU, tags=frozenset({"a"})), False),
        (Needs(pool="film"), replace(CPU, pools=frozenset({"film", "tv"})), True),
        (Needs(pool="film"), replace(CPU, pools=frozenset({"tv"})), False),
        (Needs(pool="film"), CPU, False),
        (Needs(), replace(CPU, pools=frozenset({"film"})), True),  # a pool is asked for, never forced on a job
        (Needs(min_blender=405), CPU, True),
        (Needs(min_blender=500), CPU, False),
        (Needs(max_blender=405), CPU, True),
        (Needs(max_blender=402), CPU, False),
        (Needs(engine="CYCLES"), CPU, True),  # an agent that names no engine has all of them
        (Needs(engine="CYCLES"), replace(CPU, engines=frozenset({"CYCLES", "EEVEE"})), True),
        (Needs(engine="LUXCORE"), replace(CPU, engines=frozenset({"CYCLES"})), False),
        (Needs(device="GPU"), CPU, False),
        (Needs(device="GPU"), GPU, True),
        (Needs(device="GPU"), replace(GPU, device="METAL"), True),
        (Needs(device="CPU"), GPU, False),
        (Needs(device="CUDA"), GPU, False),
        (Needs(device="OPTIX"), GPU, True),
        (Needs(platform="linux"), CPU, True),
        (Needs(platform="windows"), CPU, False),
        (Needs(ram_bytes=32 * GIB), CPU, True),
        (Needs(ram_bytes=33 * GIB), replace(CPU, ram_bytes=32 * GIB - 2**29), True),  # sold as 33, reports a bit less
        (Needs(ram_bytes=34 * GIB), CPU, False),
        (Needs(ram_used=32 * GIB), CPU, True),
        (Needs(ram_used=32 * GIB + 1), CPU, False),  # what was measured is not rounded in a slot's favour
        (Needs(ram_bytes=33 * GIB), GPU, True),
        (Needs(ram_used=32 * GIB + 1), GPU, False),
        (Needs(vram_bytes=12 * GIB), GPU, True),
        (Needs(vram_bytes=24 * GIB), GPU, False),
        (Needs(vram_used=12 * GIB + 1), GPU, False),
        (Needs(vram_bytes=24 * GIB), CPU, True),  # asked of graphics cards only
        (Needs(vram_bytes=24 * GIB), replace(GPU, vram_bytes=None), True),  # nobody can tell
    ],
)
def test_which_slot_can_render_what(needs: Needs, slot: Capability, can: bool) -> None:
    assert can_run(needs, slot) is can
    assert (explain(needs, [slot]) is None) is can


FILM = frozenset({"film"})


@pytest.mark.parametrize(
    ("needs", "slots", "sentence"),
    [
        (Needs(), [], "No agent is online."),
        (
            Needs(vram_bytes=24 * GIB),
            [GPU, replace(GPU, vram_bytes=8 * GIB)],
            "It needs 24 GB of GPU memory; the largest agent has 12 GB.",
        ),
        (
            # The largest of all lacks the tag: it is no help to name it.
            Needs(vram_bytes=24 * GIB, tags=FILM),
            [replace(GPU, tags=FILM), replace(GPU, vram_bytes=16 * GIB)],
            "It needs 24 GB of GPU memory; the largest agent that could otherwise has 12 GB.",
        ),
        (
            Needs(ram_used=32 * GIB + 1),
            [CPU],
            "It needs 32.1 GB of memory; the largest agent has 32 GB.",
        ),
        (Needs(tags=FILM), [CPU], "It needs the tag “film”; no agent has it."),
        (
            Needs(tags=frozenset({"a", "b"})),
            [replace(CPU, tags=frozenset({"a"})), replace(CPU, tags=frozenset({"b"}))],
            "It needs the tags “a” and “b”; no agent has them all.",
        ),
        (
            Needs(tags=frozenset({"a", "b"})),
            [replace(CPU, tags=frozenset({"a"})), CPU],
            "It needs the tags “a” and “b”; no agent has the tag “b”.",
        ),
        (Needs(pool="film"), [CPU], "It needs an agent of the pool “film”; no agent is in it."),
        (
            Needs(pool="film", platform="windows"),
            [replace(CPU, platform="windows"), replace(CPU, pools=FILM)],
            "It needs an agent of the pool “film”; no agent that could otherwise is in it.",
        ),
        (
            Needs(platform="windows"),
            [CPU, replace(CPU, platform="macos")],
            "It needs Windows; the agents run Linux and macOS.",
        ),
        (
            Needs(min_blender=500),
            [CPU, replace(CPU, blender=402)],
            "It needs Blender 5.0 or newer; the nearest that an agent has is 4.5.",
        ),
        (
            Needs(min_blender=403, max_blender=404),
            [CPU, replace(CPU, blender=402), replace(CPU, blender=306)],
            "It needs Blender 4.3 to 4.4; the nearest that an agent has is 4.2 or 4.5.",
        ),
        (
            Needs(min_blender=500, max_blender=500),
            [CPU],
            "It needs Blender 5.0; the nearest that an agent has is 4.5.",
        ),
        (
            Needs(max_blender=306),
            [CPU],
            "It needs Blender 3.6 or older; the nearest that an agent has is 4.5.",
        ),
        (
            Needs(engine="LUXCORE"),
            [replace(CPU, engines=frozenset({"CYCLES", "EEVEE"}))],
            "It needs the engine LUXCORE; the agents have Cycles and EEVEE.",
        ),
        (Needs(device="GPU"), [CPU], "It needs a GPU; the agents render with the CPU."),
        (Needs(device="CUDA"), [CPU, GPU], "It needs CUDA; the agents render with OptiX and the CPU."),
        (Needs(device="CPU"), [GPU], "It needs the CPU; the agents render with OptiX."),
        (
            Needs(vram_bytes=24 * GIB, tags=FILM, pool="film", platform="windows", min_blender=500),
            [
                CPU,
                replace(GPU, pools=FILM, platform="windows", blender=500, vram_bytes=8 * GIB),
                replace(GPU, pools=FILM, platform="windows", blender=500),
            ],
            (
                "It needs the tag “film” and 24 GB of GPU memory; "
                "the agent that comes closest does not have the tag “film” and has 12 GB of GPU memory."
            ),
        ),
        (
            Needs(device="OPTIX", engine="LUXCORE", ram_bytes=64 * GIB, pool="film", platform="macos", min_blender=500),
            [replace(CPU, engines=frozenset({"EEVEE"}))],
            (
                "It needs an agent of the pool “film”, macOS, Blender 5.0 or newer, the engine LUXCORE, OptiX and 64 "
                "GB of memory; the agent that comes closest is not in that pool, runs Linux, has Blender 4.5, has only "
                "EEVEE, renders with the CPU and has 32 GB of memory."
            ),
        ),
    ],
)
def test_why_no_slot_can_render_it(needs: Needs, slots: list[Capability], sentence: str) -> None:
    assert explain(needs, slots) == sentence


def test_needs_as_a_submission_writes_them() -> None:
    assert decode_needs("{}", 402) == Needs(min_blender=402)
    text = (
        '{"tags": ["a", "b"], "pool": "film", "max_blender": [5, 1], "engine": "BLENDER_EEVEE_NEXT", "device": "GPU",'
        ' "platform": "macos", "ram_bytes": 5, "vram_bytes": 6}'
    )
    assert decode_needs(text, 402) == Needs(
        tags=frozenset({"a", "b"}),
        pool="film",
        min_blender=402,
        max_blender=501,
        engine="EEVEE",
        device="GPU",
        platform="macos",
        ram_bytes=5,
        vram_bytes=6,
    )


def test_measured_memory_joins_what_was_asked_for() -> None:
    job = a_job(needs=f'{{"ram_bytes": {GIB}}}', ram_needed=0, vram_needed=3 * GIB + 1)
    needs = needs_of(job)
    assert (needs.ram_bytes, needs.ram_used, needs.vram_bytes) == (GIB, 0, 0)
    # In steps, so that jobs that need about the same have the same needs.
    assert needs.vram_used == 3 * GIB
    assert needs_of(replace(job, vram_needed=3 * GIB + 2)) == needs


def test_what_runs_scripts_needs_a_sandbox() -> None:
    needs = Needs(sandbox=True)
    assert can_run(needs, capability_of(an_agent(sandboxed=True)))
    assert explain(needs, [capability_of(an_agent(sandboxed=False))]) == (
        "It needs an agent with a sandbox; no agent has one (bubblewrap must be installed on it)."
    )


@pytest.mark.parametrize("memory", [16 * GIB - 1, 16 * GIB, 16 * GIB + 1])
def test_what_was_enough_stays_enough_and_what_was_too_little_is_not_tried_again(memory: int) -> None:
    slot = replace(CPU, ram_bytes=memory)
    assert can_run(needs_of(a_job(ram_needed=memory)), slot)
    assert not can_run(needs_of(a_job(ram_needed=memory + MEMORY_STEP)), slot)


def test_what_an_agent_has() -> None:
    agent = an_agent(
        tags='["a"]', pools='["film"]', engines='["BLENDER_WORKBENCH"]', device="HIP", platform="windows", vram_bytes=7
    )
    slot = capability_of(agent)
    assert slot == Capability(
        tags=frozenset({"a"}),
        pools=FILM,
        blender=405,
        engines=frozenset({"WORKBENCH"}),
        device="HIP",
        platform="windows",
        sandboxed=True,
        ram_bytes=16 * GIB,
        vram_bytes=7,
    )
    assert capability_of(agent, 402) == replace(slot, blender=402)


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("CYCLES", "CYCLES"),
        ("cycles", "CYCLES"),
        ("BLENDER_EEVEE", "EEVEE"),
        ("BLENDER_EEVEE_NEXT", "EEVEE"),
        ("BLENDER_WORKBENCH", "WORKBENCH"),
        ("LUXCORE", "LUXCORE"),
    ],
)
def test_engines_have_one_name_in_all_versions(identifier: str, name: str) -> None:
    assert engine_name(identifier) == name
