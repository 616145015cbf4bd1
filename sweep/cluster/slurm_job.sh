#!/bin/bash
{% for option in options -%}
#SBATCH {{ option }}
{% endfor %}
# Made by `catsweep slurm`; docs/slurm.md explains it. Submit it with sbatch, or let `--submit` do it.
set -u
umask 077
export PYTHONUNBUFFERED=1
nodes_pid= driver= out_of_time=

# {{ seconds_to_end }} s before the time is up SLURM sends USR1: packs keep their last checkpoints, and the job goes
# on from them once it is requeued.
trap 'out_of_time=1; [ -z "$driver" ] || kill -INT "$driver"' USR1

wait_for_driver() {  # a signal that is trapped ends `wait` early
    while wait "$driver"; status=$?; kill -0 "$driver" 2> /dev/null; do :; done
}
{% if nodes > 1 %}
# A Ray cluster of this job alone. The node may be shared with other jobs, hence a token, a folder that nobody else
# may enter, and ports that are free. Ray opens its own folder to everybody, which is why it lies in that one.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export folder=$(mktemp -d "${RAY_TMPDIR:-/tmp}/catsweep-job-XXXXXXXX")
read -r address port client_port < <({{ python }} -c '
import socket
with socket.socket(type=socket.SOCK_DGRAM) as way, socket.socket() as one, socket.socket() as another:
    try:
        way.connect(("192.0.2.1", 9))  # sends nothing, but says which address leads out of here
        address = way.getsockname()[0]
    except OSError:
        address = socket.gethostbyname(socket.gethostname())
    one.bind(("", 0))
    another.bind(("", 0))
    print(address, one.getsockname()[1], another.getsockname()[1])
')
export address port client_port
node='
    mkdir -p -m 700 "$folder"
    common="--num-cpus=$SLURM_CPUS_ON_NODE --object-store-memory={{ object_store_bytes }} --disable-usage-stats"
    common="$common --min-worker-port=0 --max-worker-port=0 --dashboard-agent-listen-port=0 --block"
    if [ "$SLURM_PROCID" = 0 ]; then
        {{ ray }} start --head --node-ip-address="$address" --port="$port" --temp-dir="$folder/ray" \
            --ray-client-server-port="$client_port" --include-dashboard=false $common || touch "$folder/failed"
        exit
    fi
    until (exec 3<> /dev/tcp/"$address"/"$port") 2> /dev/null; do sleep 1; done
    exec {{ ray }} start --address="$address:$port" $common
'
srun --ntasks-per-node=1 --kill-on-bad-exit=0 bash -c "$node" > "$folder/nodes.log" 2>&1 &
nodes_pid=$!
until [ -S "$folder/ray/session_latest/sockets/raylet" ]; do
    if [ -e "$folder/failed" ] || ! kill -0 "$nodes_pid" 2> /dev/null; then
        cat "$folder/nodes.log" >&2
        exit 1
    fi
    sleep 1
done
{% endif %}
{{ command }} &
driver=$!
[ -z "$out_of_time" ] || kill -INT "$driver"
wait_for_driver
{% if nodes > 1 %}
kill -TERM "$nodes_pid" 2> /dev/null
wait "$nodes_pid"
srun --ntasks-per-node=1 rm -rf "$folder"
{% endif %}
if [ -n "$out_of_time" ] && [ "$status" = {{ interrupted }} ]; then
    echo 'out of time; the job is requeued and goes on from the last checkpoints' >&2
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
