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
	// resumeBytes is the size in bytes of the smallest file that may be uploaded in parts.
	resumeBytes  = 5 << 20
	resumeSuffix = ".upload"
	// abandonAfter is the time after which an unfinished upload is abandoned. By then Azure and
	// GCS have dropped the parts.
	abandonAfter = 7 * 24 * time.Hour
)

// WithResume keeps the state of large uploads in the directory dir. Each upload in progress has one
// small state file there. The directory is created if necessary. If the job is killed and then
// repeated, it sends only the missing parts of each file, as [storage.WithResume] does. At most 16
// MiB or a tenth of the file, whichever is more, are sent a second time.
//
// A download of at least 16 MiB needs no state file. If the job is killed, the next job into the
// same directory continues the download, if the object still has the same revision. That happens
// without WithResume, too. The download has a temporary file in the directory of the downloaded
// file. With WithResume, the temporary file also stays if the job is canceled, or fails with a
// temporary error.
//
// Each job needs its own directory dir on this machine. If dir lies in a source or destination
// directory, the job skips dir. If dir is that directory itself, or lies in a local bucket of the
// job, the job fails with InvalidArgument. If another run of the job is sending a file, that file
// fails with Locked. If a later version of this library has begun to send a file, that file fails
// with Unsupported. If an upload was not resumed within a week, the next job that uses dir
// abandons the upload and removes its parts.
func WithResume(dir string) Option {
	return checked(dir != "", "WithResume", "must name a directory", func(s *settings) {
		s.resume = dir
	})
}

// A resumeDir is the directory of WithResume, or "" without that option.
type resumeDir string

// prepare creates the directory, if the option is given.
func (b resumeDir) prepare() error {
	if b == "" {
		return nil
	}
	return fileError("WithResume", string(b), durable.MkdirAll(string(b), 0o700))
}

// file returns the path of the state file for the upload of key, for [storage.WithResume]. If no
// state of the upload is kept, file returns "".
func (b resumeDir) file(key string, size int64) string {
	if b == "" || size < resumeBytes {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(string(b), hex.EncodeToString(sum[:16])+resumeSuffix)
}

// sweep abandons uploads that were not resumed for a week. If that fails, the next job tries it
// again.
func (b resumeDir) sweep(ctx context.Context, dst storage.Uploader, now time.Time) {
	if b == "" {
		return
	}
	entries, _ := os.ReadDir(string(b)) // after an error, the list is incomplete
	for _, entry := range entries {
		if !isResumeFile(entry.Name()) {
			continue
		}
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > abandonAfter {
			_ = storage.AbandonUpload(ctx, dst, filepath.Join(string(b), entry.Name()))
		}
	}
}

// isResumeFile reports whether name has the form of the file names that resumeDir.file makes.
func isResumeFile(name string) bool {
	digits, ok := strings.CutSuffix(name, resumeSuffix)
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
