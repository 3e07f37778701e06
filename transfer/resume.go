package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/durable"
)

const (
	// resumeBytes is the size of the smallest file that may be uploaded in parts.
	resumeBytes  = 5 << 20
	resumeSuffix = ".upload"
	// abandonAfter is the time after which an unfinished upload is abandoned. By then Azure and
	// GCS have dropped the parts.
	abandonAfter = 7 * 24 * time.Hour
)

// WithResume keeps the state of large uploads in the directory dir, which is created if
// necessary, in a small file for each upload in progress. If the job is killed and then
// repeated, it sends only the missing parts of such a file, as [storage.WithResume] does. It
// sends again at most 16 MiB, or a tenth of the file, of the bytes that were sent.
//
// A download of at least 16 MiB needs no such file. If its job is killed, the next one
// into the directory continues it, also without WithResume, if the object has the same
// revision. With WithResume, it also stays for the next job if this one is canceled, or
// fails for a reason that passes. The temporary file lies in the directory of the file.
//
// Each job needs its own directory on this machine. If dir lies in a directory of the
// job, it is skipped. If it is that directory, the job fails with InvalidArgument. A
// file that another run of the job is sending fails with Locked. An upload that was
// not resumed within a week is abandoned, and its parts are removed, by the next job
// that uses dir.
func WithResume(dir string) Option {
	return checked(dir != "", "WithResume", "must name a directory", func(s *settings) { s.resume = dir })
}

// resumeDir is the directory of WithResume, or "".
type resumeDir string

// prepare creates the directory.
func (b resumeDir) prepare() error {
	if b == "" {
		return nil
	}
	return fileError("WithResume", string(b), durable.MkdirAll(string(b), 0o700))
}

// file returns the file of [storage.WithResume] for the upload of a file, or "" if there is none.
func (b resumeDir) file(key string, size int64) string {
	if b == "" || size < resumeBytes {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(string(b), hex.EncodeToString(sum[:16])+resumeSuffix)
}

// sweep abandons uploads that were not resumed. If that fails, the next job tries
// again.
func (b resumeDir) sweep(ctx context.Context, to storage.Uploader, now time.Time) {
	if b == "" {
		return
	}
	kept, _ := os.ReadDir(string(b)) // may be incomplete
	for _, entry := range kept {
		if !isResumeFile(entry.Name()) {
			continue
		}
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > abandonAfter {
			_ = storage.AbandonUpload(ctx, to, filepath.Join(string(b), entry.Name()))
		}
	}
}

// isResumeFile reports whether file returns a path with such a name.
func isResumeFile(name string) bool {
	digits, ok := strings.CutSuffix(name, resumeSuffix)
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
