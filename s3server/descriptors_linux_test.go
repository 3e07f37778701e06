package s3server_test

import "syscall"

func init() {
	limitDescriptors = func(limit uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit})
	}
}
