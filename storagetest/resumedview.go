package storagetest

import (
	"os"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/storagetest/faults"
)

// resumedViewCases are about resume files that a view finds.
var resumedViewCases = []Case{
	{
		Name: "a view leaves the upload of another prefix", Rule: "W13",
		Explanation: "if the file of WithResume describes an upload outside of the prefix, that is not aborted, and can still be resumed",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := t.interruptUpload(bodies["in place"])
			file, err := os.ReadFile(h.path)
			require.NoError(t, err)

			other := &interruptedUpload{bucket: storage.Prefixed(h.bucket, "b/"), text: body(2*t.unit+1, 2), path: h.path}
			attrs, err := t.upload(t.Context(), other, strings.NewReader(other.text))
			require.NoError(t, err)
			require.Equal(t, int64(len(other.text)), attrs.Size)
			t.requireContent(h.bucket, "b/a", other.text)
			require.NoFileExists(t, h.path)
			if _, ours := h.bucket.(serving.Bucket); !ours {
				return // a view of a type of one's own passes on whole keys: the engine sees one bucket, and abandons the upload
			}
			require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)

			t.faults.Reset()
			require.NoError(t, os.WriteFile(h.path, file, 0o600))
			attrs, err = t.upload(t.Context(), h, strings.NewReader(h.text))
			require.NoError(t, err)
			require.Zero(t, t.faults.Count(faults.BeginParts), "%v", t.faults)
			require.GreaterOrEqual(t, t.faults.Count(faults.PutPart), t.partsLeft(1), "a busy store gets a part again: %v", t.faults)
			t.requireCompleted(h, attrs, h.text)
		},
	},
}
