#!/bin/sh
# A machine of its own for a real systemd, which wants to be the first process: it sees the programs
# of this one, read only, and has its own files, processes and control groups. The network is shared.
#
# usage: machine.sh boot ROOT GROUP     in new PID, mount, UTS and IPC namespaces; becomes systemd
#        machine.sh clean GROUP         in a new mount namespace; removes what it left
#
# ROOT holds etc/ and local/ (its /usr/local); GROUP is a name for its control group. Where this
# machine does not allow what that needs it exits with 77.
set -eu

case $1 in
boot)
  if [ ! -x /lib/systemd/systemd ]; then
    echo 'no /lib/systemd/systemd (make e2e-tools installs it)'
    exit 1
  fi
  trap 'exit 77' EXIT # until systemd takes over
  ;;
clean) ;;
*) exit 2 ;;
esac

mount --make-rprivate /

# groups mounts the control groups, which this machine may have elsewhere or not at all.
groups() {
  mount -t tmpfs none /mnt
  mkdir /mnt/groups
  mount -t cgroup2 none /mnt/groups
}

if [ "$1" = clean ]; then
  groups
  find "/mnt/groups/$2" -depth -type d -exec rmdir {} +
  exit
fi

if [ $# -eq 3 ]; then
  groups
  mkdir "/mnt/groups/$3"
  echo 0 >"/mnt/groups/$3/cgroup.procs"
  umount /mnt/groups /mnt
  exec unshare --cgroup sh "$0" boot "$2"
fi

root=$2
mount --bind "$root" "$root"
cd "$root"
mkdir -p usr proc sys dev run tmp root home opt var/log var/tmp old
for link in bin sbin lib lib64; do
  [ ! -e "/$link" ] || ln -s "usr/$link" "$link"
done
mount --bind /usr usr
mount -o remount,bind,ro usr
mount --bind local usr/local
mount -t proc none proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs none sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs none run
mount -t tmpfs none dev
mkdir dev/pts dev/shm
mount -t tmpfs none dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
ln -s pts/ptmx dev/ptmx
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
pivot_root . old
umount -l /old
export container=e2e SYSTEMD_UNIT_PATH=/etc/systemd/system
exec /lib/systemd/systemd --system --unit=basic.target --show-status=no --log-target=console \
  --log-level=notice
