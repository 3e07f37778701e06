package s3_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

const partSize = 5 << 20

// endless is a body without end that calls at once, when that many bytes of it
// have been read.
type endless struct {
	read, at int64
	then     func()
}

func (e *endless) Read(p []byte) (int, error) {
	before := e.read
	e.read += int64(len(p))
	if before < e.at && e.read >= e.at {
		e.then()
	}
	return len(p), nil
}

func TestACanceledUploadLeavesNoParts(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			bucket := s.bucket(t, false)
			b := s.open(t, bucket)
			defer func() { require.NoError(t, storage.Close(b)) }()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pending := 0
			_, err := b.Upload(ctx, "a", &endless{at: 3 * partSize, then: func() {
				pending = s.uploads(t, bucket, "a")
				cancel()
			}}, storage.WithPartSize(partSize))
			require.Equal(t, 1, pending, "an upload was under way")
			require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Zero(t, s.uploads(t, bucket, "a"))
			there, err := b.Exists(t.Context(), "a")
			require.NoError(t, err)
			require.False(t, there)
		})
	}
}
