package memoryfiles

import "golang.org/x/sys/unix"

// enough is the number of free bytes that the directory must have. Packages that are tested in
// parallel need much less.
const enough = 4 << 30

// suits reports whether dir is in memory, has enough free space, and permits programs in it to run.
func suits(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC && s.Flags&unix.ST_NOEXEC == 0 &&
		s.Bavail >= enough/uint64(s.Bsize) && unix.Access(dir, unix.W_OK) == nil
}
