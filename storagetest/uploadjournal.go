package storagetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// uploadJournalCases are about the file that WithResume keeps.
var uploadJournalCases = []Case{
	{
		Name: "an upload is abandoned", Rule: "W13",
		Explanation: "AbandonUpload removes the parts and the file, and returns nil if they are gone. If another bucket or prefix began the upload, it returns InvalidArgument",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := t.interruptUpload(bodies["in place"])
			same, err := storage.Open(t.Context(), "mem://"+t.desc.Bucket)
			require.NoError(t, err)
			for name, b := range map[string]storage.Bucket{"another bucket with the same name": same, "another prefix": storage.Prefixed(h.bucket, "b/")} {
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(storage.AbandonUpload(t.Context(), b, h.path)), name)
				require.FileExists(t, h.path)
			}
			require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)
			for range 2 {
				require.NoError(t, storage.AbandonUpload(t.Context(), h.bucket, h.path))
				require.NoFileExists(t, h.path)
				require.Zero(t, t.countPendingUploads(), "%v", t.faults)
			}
			t.requireMissing(h.bucket, "a")
		},
	},
	{
		Name: "a torn resume file is not trusted", Rule: "W13",
		Explanation: "a line or file that a killed process left incomplete is ignored",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			for name, tear := range map[string]func(kept string) string{
				"the last line torn":   func(kept string) string { return kept[:len(kept)-7] },
				"the first line torn":  func(kept string) string { return kept[:len(kept)/4] },
				"half a line too many": func(kept string) string { return kept + `{"Part":{"Num` },
				"empty":                func(string) string { return "" },
			} {
				h := t.interruptUpload(bodies["in place"])
				kept, err := os.ReadFile(h.path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(h.path, []byte(tear(string(kept))), 0o600))
				attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text))
				require.NoError(t, err, name)
				require.Equal(t, int64(len(h.text)), attrs.Size)
				t.requireContent(h.bucket, "a", h.text)
				require.NoFileExists(t, h.path)
			}
		},
	},
	{
		Name: "a file that is not a resume file is never touched", Rule: "W13",
		Explanation: "WithResume and AbandonUpload with a file that they did not write are InvalidArgument, without a request. A file that cannot be written is Internal, and the error names it",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := &interruptedUpload{bucket: t.openForParts(), text: body(2*t.unit+1, 1)}
			dir := t.TempDir()
			own := filepath.Join(dir, "thesis.txt")
			require.NoError(t, os.WriteFile(own, []byte("hello\nworld\n"), 0o644))
			for _, path := range []string{own, dir} {
				h.path = path
				t.requireNoRequests(func() {
					_, err := t.upload(t.Context(), h, strings.NewReader(h.text))
					t.requireCode(err, storage.InvalidArgument)
					t.requireCode(storage.AbandonUpload(t.Context(), h.bucket, path), storage.InvalidArgument)
				})
			}
			kept, err := os.ReadFile(own)
			require.NoError(t, err)
			require.Equal(t, "hello\nworld\n", string(kept))

			h.path = filepath.Join(dir, "missing", "upload")
			_, err = t.upload(t.Context(), h, strings.NewReader(h.text))
			t.requireCode(err, storage.Internal)
			var path *fs.PathError
			require.True(t, errors.As(err, &path))
			require.Equal(t, h.path, path.Path)
			t.requireMissing(h.bucket, "a")
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
		},
	},
	{
		Name: "only one call at a time resumes an upload", Rule: "W13",
		Explanation: "a second call with the same file is Locked and disturbs nothing",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			var h *interruptedUpload
			var others []error
			h = &interruptedUpload{text: body(2*t.unit+1, 1), path: filepath.Join(t.TempDir(), "upload")}
			h.bucket = t.openForParts(observe.BeforeCall("PutPart", 2, func() {
				_, err := t.upload(t.Context(), h, strings.NewReader(h.text))
				others = append(others, err, storage.AbandonUpload(t.Context(), h.bucket, h.path))
			}))
			attrs, err := t.upload(t.Context(), h, strings.NewReader(h.text))
			require.NoError(t, err)
			require.Len(t, others, 2)
			for _, other := range others {
				require.Equal(t, storage.Locked, storage.CodeOf(other), "%v", other)
			}
			t.requireCompleted(h, attrs, h.text)
		},
	},
}
