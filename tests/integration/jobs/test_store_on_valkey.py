"""The contract tests of the store again, on a real server: scripts there carry flags, and time is its own."""

# ruff: noqa: F403
from tests.unit.jobs.test_backlog import *
from tests.unit.jobs.test_batch_list import *
from tests.unit.jobs.test_batch_repairs import *
from tests.unit.jobs.test_batch_submit import *
from tests.unit.jobs.test_batches import *
from tests.unit.jobs.test_cancel import *
from tests.unit.jobs.test_catalog import *
from tests.unit.jobs.test_claim import *
from tests.unit.jobs.test_finish import *
from tests.unit.jobs.test_fleet import *
from tests.unit.jobs.test_job_list import *
from tests.unit.jobs.test_reap import *
from tests.unit.jobs.test_stats import *
from tests.unit.jobs.test_step import *
from tests.unit.jobs.test_submit import *
from tests.unit.jobs.test_versions import *
from tests.unit.jobs.test_webhooks import *
from tests.unit.jobs.test_wrong_types import *
