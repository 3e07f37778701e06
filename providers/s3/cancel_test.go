package s3_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const partSize = 5 << 20

// If the context of an Upload is canceled while parts are sent, Upload removes the parts and makes
// no object.
func TestUploadCanceledLeavesNoParts(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			bucket := s.bucket(t, false)
			b := s.open(t, bucket)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()

			// The body cancels the upload after 20 parts. Memory never holds so many parts at once,
			// so some of them were sent.
			pending := 0 // open uploads at that time
			_, err := b.Upload(ctx, "a", &wiretest.InfiniteBody{
				At: 20 * partSize,
				Then: func() {
					pending = s.uploads(t, bucket, "a")
					cancel()
				},
			}, storage.WithPartSize(partSize))
			require.Equal(t, 1, pending, "an upload must be in progress")
			require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)

			// Neither the upload nor an object is left.
			require.Zero(t, s.uploads(t, bucket, "a"))
			exists, err := b.Exists(t.Context(), "a")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}
