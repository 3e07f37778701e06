package memoryfiles

import "golang.org/x/sys/unix"

// enough is many times what the packages need that run beside each other.
const enough = 4 << 30

// suits reports whether the directory is in memory and large enough, and programs may run there.
func suits(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC && s.Flags&unix.ST_NOEXEC == 0 &&
		s.Bavail >= enough/uint64(s.Bsize) && unix.Access(dir, unix.W_OK) == nil
}
