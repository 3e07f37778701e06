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
	// resumeBytes is the smallest file that may go in parts.
	resumeBytes  = 5 << 20
	resumeSuffix = ".upload"
	// abandonAfter is how long nothing was written to what a job kept that did
	// not come back: Azure and GCS have dropped the parts by then.
	abandonAfter = 7 * 24 * time.Hour
)

// WithResume keeps in the directory dir, which is made where it is missing, how
// far large files on their way into a bucket have come, a small file for each
// while it is under way: a job that was killed and is begun again then sends of
// such a file only the parts that are not there yet, as storage.WithResume does.
// Each job needs a directory of its own, on this machine; where it lies in a
// directory that is transferred, it is left out; that directory itself is
// InvalidArgument. A file that another run of the job is just sending is counted as
// failed, Locked. What a job has kept and did not come back for in a week is given
// up, and its parts removed, by the next one that uses the directory.
func WithResume(dir string) Option {
	return option(func(s *settings) {
		if dir == "" {
			s.fail("WithResume", "must name a directory")
		}
		s.resume = dir
	})
}

// resumeDir is where the uploads of a job are kept; "": nowhere.
type resumeDir string

// prepare makes the directory.
func (b resumeDir) prepare() error {
	if b == "" {
		return nil
	}
	if err := durable.MkdirAll(string(b), 0o700); err != nil {
		return fileError("WithResume", string(b), err)
	}
	return nil
}

// option is what an upload of a file has to be told; nil: nothing.
func (b resumeDir) option(key string, size int64) storage.ResumeOption {
	if b == "" || size < resumeBytes {
		return nil
	}
	sum := sha256.Sum256([]byte(key))
	return storage.WithResume(filepath.Join(string(b), hex.EncodeToString(sum[:16])+resumeSuffix))
}

// sweep gives up what nobody came back for. What cannot be given up now is left
// to the next time.
func (b resumeDir) sweep(ctx context.Context, to storage.Uploader, now time.Time) {
	if b == "" {
		return
	}
	kept, _ := os.ReadDir(string(b)) // as much as can be read
	for _, entry := range kept {
		if !isResumeFile(entry.Name()) {
			continue
		}
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > abandonAfter {
			_ = storage.AbandonUpload(ctx, to, filepath.Join(string(b), entry.Name()))
		}
	}
}

// isResumeFile reports whether a file is named as option names them.
func isResumeFile(name string) bool {
	digits, ok := strings.CutSuffix(name, resumeSuffix)
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
