package copier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

const (
	// resumeBytes is the size in bytes of the smallest file that may be uploaded in parts.
	resumeBytes  = 5 << 20
	resumeSuffix = ".upload"
	// abandonAfter is the time after which an unfinished upload is abandoned. By then Azure and
	// GCS have dropped the parts.
	abandonAfter = 7 * 24 * time.Hour
)

// A ResumeDir is the directory of WithResume, or "" without that option.
type ResumeDir string

// Prepare creates the directory, if there is one.
func (d ResumeDir) Prepare() error {
	if d == "" {
		return nil
	}
	return joberror.OfFile("WithResume", string(d), localfile.MkdirAll(string(d), 0o700))
}

// stateFile returns the path of the state file for the upload of key, for [storage.WithResume]. It
// returns "" for a file that is too small, or without a directory.
func (d ResumeDir) stateFile(key string, size int64) string {
	if d == "" || size < resumeBytes {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(string(d), hex.EncodeToString(sum[:16])+resumeSuffix)
}

// Sweep abandons uploads that were not resumed for a week. If it fails to do so, the next job tries
// again.
func (d ResumeDir) Sweep(ctx context.Context, dst storage.Uploader, now time.Time) {
	if d == "" {
		return
	}

	entries, _ := os.ReadDir(string(d)) // after an error, the list is incomplete
	for _, entry := range entries {
		if !isResumeFile(entry.Name()) {
			continue
		}
		info, err := entry.Info()
		if err == nil && now.Sub(info.ModTime()) > abandonAfter {
			_ = storage.AbandonUpload(ctx, dst, filepath.Join(string(d), entry.Name()))
		}
	}
}

// isResumeFile reports whether name has the form of the file names that ResumeDir.stateFile makes.
func isResumeFile(name string) bool {
	digits, ok := strings.CutSuffix(name, resumeSuffix)
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
