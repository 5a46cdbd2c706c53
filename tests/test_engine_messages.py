"""What is wrong with a cluster is told in one sentence, by the machine that sees it."""

import sys
from dataclasses import replace

import dask
import distributed
import pytest
from click.testing import CliRunner

from cptlab.data import root
from cptlab.lab.cli.main import commands
from cptlab.lab.cli.names import ENGINES
from cptlab.lab.runs.engines import base, check_engine, dask_workers, engine
from cptlab.lab.runs.engines.dask_workers import FAST, slurm_cluster


@pytest.mark.parametrize("where", [*ENGINES, "tcp://a:1", "tls://a:1", "ucx://a:1"])
def test_names_and_addresses_of_schedulers_are_known(where):
    check_engine(where)


UNKNOWN = ["mpi", "tcp://", "http://a:8786", "localhost:8786", "ray", "ray://a:10001"]


@pytest.mark.parametrize("where", UNKNOWN)
def test_other_engines_are_refused_before_any_work(where, tmp_path):
    arguments = ["figures", "01", "--out", str(tmp_path), "--engine", where, "--dry-run"]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code != 0
    message = str(result.exception)
    assert message.startswith(f"Unknown engine '{where}': give loky (processes of this machine),")
    assert "start the same command on several machines" in message


def test_a_worker_without_the_store_or_with_other_versions_is_refused(tmp_path):
    assert base.DATA_ROOT == root.VARIABLE
    with base.caller(tmp_path) as me:
        assert base.call(me, abs, -1) == 1
        newer = replace(me, versions=me.versions | {"torch": "99"})
        with pytest.raises(RuntimeError, match=r"worker on .* has torch \d.*, not 99: .*mixed"):
            base.call(newer, abs, -1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match=r"does not see .*shared file system.*--out"):
        base.call(me, abs, -1)


def test_a_scheduler_that_is_not_there_or_has_no_workers_or_goes_away(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_workers, "SECONDS", 1)
    unreachable = engine("tcp://127.0.0.1:1", tmp_path)
    with pytest.raises(RuntimeError, match="No Dask scheduler answers at tcp://127"), unreachable:
        pass
    with distributed.LocalCluster(
        n_workers=0, dashboard_address=":0", processes=False, protocol="tcp://", silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        lonely = engine(address, tmp_path)
        with pytest.raises(RuntimeError, match="has no workers: start some"), lonely:
            pass


def test_a_package_that_is_not_installed_is_named(monkeypatch, tmp_path):
    for where, module in (("slurm", "dask_jobqueue"), ("tcp://a:1", "distributed")):
        monkeypatch.setitem(sys.modules, module, None)
        message = rf"needs the package {module}: pip install 'cptlab\[dask\]'"
        with pytest.raises(RuntimeError, match=message), engine(where, tmp_path):
            pass


def test_slurm_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="no sbatch here"), engine("slurm", tmp_path):
        pass
    (tmp_path / "sbatch").touch(0o755)
    with (
        dask.config.set({"jobqueue.slurm.cores": None}),
        pytest.raises(
            RuntimeError,
            match=r"SLURM jobs cannot be made \(.*cores and memory per job.*jobqueue\.yaml",
        ),
        engine("slurm", tmp_path),
    ):
        pass


def test_slurm_jobs_are_asked_for_as_the_site_configures_them():
    site = {
        "cores": 1,
        "memory": "4GB",
        "queue": "gpu",
        "job-extra-directives": ["--gres=gpu:1"],
        "job-script-prologue": ["module load cuda"],
    }
    with (
        dask.config.set({f"jobqueue.slurm.{name}": value for name, value in site.items()}),
        slurm_cluster(scheduler_options={"dashboard": False}) as cluster,
    ):
        script = cluster.job_script()
    assert f"module load cuda\n{FAST}\n" in script
    for line in ("#SBATCH -p gpu", "#SBATCH --gres=gpu:1", "#SBATCH --mem=4G", "--nthreads 1"):
        assert line in script
    assert sys.executable in script
