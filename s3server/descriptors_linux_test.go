package s3server_test

import "syscall"

func init() {
	limitDescriptors = func(most uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: most})
	}
}
