#!/bin/bash
# Boots a systemd of its own beside the system's, in namespaces of its own but for the network: with the programs and
# libraries of this machine, and nothing else of it. Run as root by `unshare --pid --fork --kill-child --mount --ipc --uts
# --cgroup`. Arguments: a folder that becomes /out there, one whose content becomes /etc/loghost, a unit, and the program that is
# /usr/local/bin/loghost there.
set -euo pipefail
out=$1 etc=$2 unit=$3 program=$4
root="$out/root"
mount --make-rprivate /
mkdir -p "$root"
mount -t tmpfs tmpfs "$root"
for folder in bin lib lib32 lib64 libx32 sbin; do
    if [ -L "/$folder" ]; then ln -s "$(readlink "/$folder")" "$root/$folder"; fi
done
mkdir -p "$root"/{usr,etc/systemd/system,run,var/lib,var/cache,var/tmp,tmp,dev,proc,sys,root,home,out,old}
mount --rbind /usr "$root/usr"
# Only the file is another one.
touch "$out/program"
mount -t tmpfs tmpfs "$root/usr/local/bin"
install -m 755 "$program" "$root/usr/local/bin/loghost"
cp -r /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d /etc/hosts "$root/etc/"
: >"$root/etc/machine-id"
cp -r "$etc" "$root/etc/loghost"
cp "$unit" "$root/etc/systemd/system/"
mount --bind "$out" "$root/out"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o dev tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root"/dev/{shm,pts,mqueue,hugepages}
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
printf '[Unit]\nDescription=nothing\n' >"$root/etc/systemd/system/nothing.target"
cd "$root"
pivot_root . old
umount -l /old
# As a system has it: what systemd mounts for a service is seen there.
mount --make-rshared /
exec env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin container=test SYSTEMD_LOG_TARGET=null \
    /lib/systemd/systemd --system --unit=nothing.target
