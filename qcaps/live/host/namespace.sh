# usage: bash namespace.sh KVM_MODE driver|daemon [FOLDER...] -- COMMAND...
#
# Runs in mount, PID and network namespaces of its own. Makes everything private that libvirt would write to,
# then runs the command. A FOLDER is where a daemon that was built for another prefix keeps what it knows. This shell stays, as process 1, to reap what QEMU and libvirt leave behind.
set -eu
kvm_mode=$1
subject=$2
shift 2
folders=()
while [ "$1" != -- ]; do
    folders+=("$1")
    shift
done
shift

# What libvirt's QEMU driver keeps outside the root it is given: the state of host devices.
mount -t tmpfs -o mode=755 tmpfs /run
home=/run/qcaps
mkdir -p "$home"

# A daemon has fixed places, and must not find the host's domains there: it would start them.
if [ "$subject" = daemon ]; then
    for folder in etc var; do
        mkdir "$home/$folder-upper" "$home/$folder-work"
        layers=lowerdir=/$folder,upperdir=$home/$folder-upper,workdir=$home/$folder-work
        mount -t overlay -o "$layers" overlay "/$folder"
    done
    for folder in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
        mkdir -p "$folder"
        mount -t tmpfs -o mode=755 tmpfs "$folder"
    done
    # One that is not there is made in what is there of its path, which is laid over for that.
    number=0
    for folder in "${folders[@]}"; do
        case $folder in /etc | /var) continue ;; esac
        there=$folder
        while [ ! -d "$there" ]; do there=$(dirname "$there"); done
        if [ "$there" = / ]; then
            echo "unshare: $folder: cannot be made private: make it, or build with --sysconfdir=/etc" >&2
            exit 1
        fi
        number=$((number + 1))
        mkdir "$home/upper-$number" "$home/work-$number"
        mount -t overlay -o "lowerdir=$there,upperdir=$home/upper-$number,workdir=$home/work-$number" overlay "$there"
        mkdir -p "$folder"
        for known in libvirt lib/libvirt cache/libvirt log/libvirt; do
            if [ -d "$folder/$known" ]; then mount -t tmpfs -o mode=755 tmpfs "$folder/$known"; fi
        done
    done
fi

# QEMU's user must have a name, or the driver does not start.
for file in passwd group; do
    if ! grep -q '^libvirt-qemu:' "/etc/$file"; then
        cp "/etc/$file" "$home/$file"
        case $file in
        passwd) echo "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin" ;;
        group) echo "libvirt-qemu:x:64055:" ;;
        esac >>"$home/$file"
        mount --bind "$home/$file" "/etc/$file"
    fi
done

# QEMU's user may or may not use the host's; with our own we know, and its ctime is ours.
if [ -c /dev/kvm ]; then
    mknod -m "$kvm_mode" "$home/kvm" c "0x$(stat -c %t /dev/kvm)" "0x$(stat -c %T /dev/kvm)"
    mount --bind "$home/kvm" /dev/kvm
fi

"$@"
exit $?
