#!/bin/bash
# up.sh SCRATCHDIR [NNODES=2] [CPUS_PER_NODE=8] : start a private single-box SLURM (root, no systemd).
# Prints "export SLURM_CONF=..." on stdout (everything else on stderr). Idempotent: if already up, just prints.
set -euo pipefail
umask 022
[ $# -ge 1 ] || { echo "usage: $0 SCRATCHDIR [NNODES] [CPUS]" >&2; exit 2; }
mkdir -p "$1"; D=$(cd "$1" && pwd -P); NN=${2:-2}; CPUS=${3:-8}
[ "$(id -u)" = 0 ] || { echo "must be root" >&2; exit 2; }
HN=$(hostname -s); export SLURM_CONF=$D/slurm.conf
alive() { local p; p=$(cat "$1" 2>/dev/null) && [ -n "$p" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:.Z' "/proc/$p/status"; }  # a zombie is dead
nidle() { timeout 5 sinfo -h -N -o '%N %t' 2>/dev/null | grep -cE ' (idle|mix|alloc|comp)$' || true; }
if alive $D/munged.pid munged && alive $D/slurmctld.pid slurmctld && [ "$(nidle)" = "$NN" ]; then echo "export SLURM_CONF=$SLURM_CONF"; exit 0; fi
"$(dirname "$(readlink -f "$0")")/down.sh" "$D" >&2 || true      # half-up leftovers of this directory only
rm -rf "$D"/state "$D"/spool.n* "$D"/tmp.n* "$D"/*.log "$D"/*.pid "$D"/jobcomp.txt
chmod go-w "$D"; mkdir -p "$D/state"
# R: run dir for unix sockets (munge, slurmstepd); sun_path is 108 bytes, so long scratch paths get a short /tmp dir
R=$D; if [ ${#D} -gt 60 ]; then R=$(mktemp -d -t slurmrun.XXXXXX); chmod 755 "$R"; fi
echo "$R" >"$D/run.dir"; M=$R/munge; mkdir -p "$M"; chmod 755 "$M"      # no parent of $M may be group/other-writable unless sticky
for i in $(seq $NN); do mkdir -p "$R/spool.n$i" "$R/tmp.n$i"; chmod 1777 "$R/tmp.n$i"; done
head -c 1024 /dev/urandom >"$M/key.new"; chmod 400 "$M/key.new"; mv -f "$M/key.new" "$M/key"
free_ports() { # N free consecutive ports below the ephemeral range
  local n=$1 b i ok; for _ in $(seq 200); do b=$((20000 + RANDOM % 10000)); ok=1
    for ((i=0;i<n;i++)); do (exec 3<>/dev/tcp/127.0.0.1/$((b+i))) 2>/dev/null && { ok=0; break; }; done
    [ $ok = 1 ] && { echo $b; return; }; done; return 1; }
P=$(free_ports $((NN+1)))
cat >"$D/slurm.conf" <<CONF
ClusterName=dev
SlurmctldHost=$HN(127.0.0.1)
SlurmctldPort=$P
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$M/sock,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$D/state
SlurmdSpoolDir=$R/spool.%n
TmpFS=$R/tmp.%n
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.%n.pid
SlurmctldLogFile=$D/slurmctld.log
SlurmdLogFile=$D/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog=$D/task_prolog.sh
SwitchType=switch/none
MpiDefault=pmix
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$D/jobcomp.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1,bf_resolution=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=3600
CompleteWait=0
JobRequeue=1
SlurmctldTimeout=30
SlurmdTimeout=60
UnkillableStepTimeout=30
MailProg=/bin/true
PropagateResourceLimits=NONE
NodeName=n[1-$NN] NodeHostname=$HN NodeAddr=127.0.0.1 Port=[$((P+1))-$((P+NN))] CPUs=$CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=dev Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 OverSubscribe=YES State=UP
CONF
printf 'CgroupAutomount=no\n' >"$D/cgroup.conf"
# In a container without a cgroup file system slurmd cannot find out which version there is, and none is used here
grep -qs ' /sys/fs/cgroup' /proc/mounts || printf 'CgroupPlugin=cgroup/v1\n' >>"$D/cgroup.conf"
: >"$D/plugstack.conf"
# two "nodes" share one kernel: OpenMPI's vader shm files are /dev/shm/vader_segment.HOST.UID.JOB.LOCALRANK and would collide
# across virtual nodes (segfaults!), so use TCP over lo only. TaskProlog reaches srun tasks AND batch scripts (so mpirun in them too)
cat >"$D/task_prolog.sh" <<'TP'
#!/bin/sh
echo "export OMPI_MCA_pml=ob1"
echo "export OMPI_MCA_btl=self,tcp"
echo "export OMPI_MCA_btl_tcp_if_include=lo"
TP
chmod 755 "$D/task_prolog.sh"
T0=$(date +%s%N)
setsid munged --num-threads=2 --key-file="$M/key" --socket="$M/sock" --pid-file="$D/munged.pid" --log-file="$D/munged.log" --seed-file="$M/seed" </dev/null >/dev/null 2>"$D/munged.err"
for _ in $(seq 50); do munge -S "$M/sock" -n >/dev/null 2>&1 && break; sleep 0.1; done
munge -S "$M/sock" -n | unmunge -S "$M/sock" >/dev/null || { cat "$D/munged.err" "$D/munged.log" >&2; exit 1; }
setsid slurmctld -f "$SLURM_CONF" -i -c </dev/null >"$D/slurmctld.err" 2>&1
for i in $(seq $NN); do setsid slurmd -f "$SLURM_CONF" -N n$i -c </dev/null >"$D/slurmd.n$i.err" 2>&1; done
for _ in $(seq 150); do [ "$(nidle)" = "$NN" ] && break; sleep 0.2; done
if [ "$(nidle)" != "$NN" ]; then echo "SLURM did not come up; logs in $D" >&2; sinfo -N -l >&2 || true; tail -n 20 "$D"/*.log "$D"/*.err >&2; exit 1; fi
echo "# up after $(( ($(date +%s%N)-T0)/1000000 )) ms: $(sinfo -h -o '%P %D %t %C')" >&2
echo "export SLURM_CONF=$SLURM_CONF"
