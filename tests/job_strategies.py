"""What the random interleavings are drawn from."""

from __future__ import annotations

from hypothesis import strategies as st

from tasks.jobs.models import Priority

#: Owner, priority, deadline in seconds.
NewJobDrawn = tuple[str, Priority, float | None]
#: What a worker does with a claim, the text that it adds, by how much it mistakes the stored length.
Write = tuple[str, str, int]

NEW_JOB = st.tuples(
    st.sampled_from(["", "owner-1"]),
    st.sampled_from([Priority.HIGH, Priority.LOW]),
    st.sampled_from([None, 550.0]),
)
SOME_JOBS = st.lists(NEW_JOB, min_size=2, max_size=6)
CLIENT_ACTS = st.sampled_from(["submit", "submit", "cancel", "submit again"])

WORKERS = st.sampled_from(["worker-1", "worker-2"])
CLAIM_ACTS = st.sampled_from(["with a new nonce", "with a new nonce", "with the last nonce", "no"])
WRITES = st.lists(
    st.tuples(
        st.sampled_from(["step", "step", "finish", "release"]),
        st.text(alphabet="aé😀\0", max_size=4),
        st.sampled_from([0, 0, 0, 1, -1]),
    ),
    max_size=3,
)

#: Whether the reply of a call is lost: it is made again.
LOST = st.booleans()
#: Which of several jobs or claims.
PICK = st.integers(0, 1000)
SECONDS = st.sampled_from([0.0, 100.0, 200.0, 200.0, 400.0, 700.0, 4000.0])
REAP = st.booleans()
