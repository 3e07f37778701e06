package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func BenchmarkPut(b *testing.B) {
	data := make([]byte, 1024)
	for _, v := range []struct {
		name                       string
		cross, xattr, utime, otmp bool
	}{{"base", false, false, false, false}, {"xattr", false, true, false, false}, {"utime", false, false, true, false}, {"cross", true, false, false, false}, {"all", true, true, true, false}, {"all-samedir", false, true, true, false}, {"otmpfile-all", false, true, true, true}} {
		b.Run(v.name, func(b *testing.B) {
			root := b.TempDir()
			dst := filepath.Join(root, "folder")
			tmp := filepath.Join(root, "tmp")
			os.Mkdir(dst, 0o755)
			os.Mkdir(tmp, 0o755)
			dir := dst
			if v.cross {
				dir = tmp
			}
			attr := make([]byte, 75)
			unix.Sync()
			b.ResetTimer()
			for i := range b.N {
				name := filepath.Join(dir, fmt.Sprint("t", rand.Uint32()))
				var f *os.File
				if v.otmp {
					fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR, 0o644)
					if err != nil {
						b.Fatal(err)
					}
					f = os.NewFile(uintptr(fd), "x")
				} else {
					var err error
					f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
					if err != nil {
						b.Fatal(err)
					}
				}
				f.Write(data)
				if v.xattr {
					if err := unix.Fsetxattr(int(f.Fd()), "user.omnibucket", attr, 0); err != nil {
						b.Fatal(err)
					}
				}
				if v.utime {
					now := time.Now()
					tv := []unix.Timespec{unix.NsecToTimespec(now.UnixNano()), unix.NsecToTimespec(now.UnixNano())}
					_ = tv
					unix.Futimes(int(f.Fd()), []unix.Timeval{unix.NsecToTimeval(now.UnixNano()), unix.NsecToTimeval(now.UnixNano())})
				}
				if v.otmp {
					if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
						b.Fatal(err)
					}
				}
				f.Close()
				if err := os.Rename(name, filepath.Join(dst, fmt.Sprint("key", i%64))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
