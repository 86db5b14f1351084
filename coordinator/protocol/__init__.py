"""The agent protocol: messages, their one codec, and error codes.

The agent imports this package and nothing else of the coordinator.  docs/PROTOCOL.md says, for every answer, what
the caller must do.
"""

from coordinator.protocol.codec import CONTENT_TYPE, DecodeError, decode, encode
from coordinator.protocol.errors import ErrorBody, ErrorCode, ErrorEnvelope
from coordinator.protocol.messages import (
    PROTOCOL_VERSION,
    BlenderBuild,
    Device,
    FrameAnswer,
    FrameFailure,
    FrameResult,
    Gpu,
    Hardware,
    ImageFormat,
    JobSpec,
    LeaseGrant,
    LeaseRequest,
    OutputSpec,
    Platform,
    RegisterRequest,
    RegisterResponse,
    RenderSpec,
    ReportRequest,
    ReportResponse,
    SoundResult,
    Stage,
    StoredFile,
)
from coordinator.protocol.packs import (
    BlobRef,
    Manifest,
    ManifestError,
    ManifestFile,
    manifest_digest,
    validate_manifest,
)

__all__ = [
    "CONTENT_TYPE",
    "PROTOCOL_VERSION",
    "BlenderBuild",
    "BlobRef",
    "DecodeError",
    "Device",
    "ErrorBody",
    "ErrorCode",
    "ErrorEnvelope",
    "FrameAnswer",
    "FrameFailure",
    "FrameResult",
    "Gpu",
    "Hardware",
    "ImageFormat",
    "JobSpec",
    "LeaseGrant",
    "LeaseRequest",
    "Manifest",
    "ManifestError",
    "ManifestFile",
    "OutputSpec",
    "Platform",
    "RegisterRequest",
    "RegisterResponse",
    "RenderSpec",
    "ReportRequest",
    "ReportResponse",
    "SoundResult",
    "Stage",
    "StoredFile",
    "decode",
    "encode",
    "manifest_digest",
    "validate_manifest",
]
