package s3_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/s3"
)

// newServerSideOnly returns d, and fails the test if content passes through this process.
func newServerSideOnly(t *testing.T, d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		require.NotContains(t, []string{"Get", "PutPart"}, call)
		return next(ctx)
	})
}

// A copy of 12 MiB is made in parts, as S3 requires for more than 5 GiB, and keeps the attributes of its source.
// Compose joins the source with another object, and sets other attributes with a condition.
func TestCopyInPartsOnServers(t *testing.T) {
	const limit = 5 << 20
	text := strings.Repeat("0123456789abcdef", 12<<20/16)
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			bucket := s.bucket(t, false)

			// This driver copies in parts, and the bucket "reading" reads the results.
			d, err := s3.NewDriver(t.Context(), s.config(t, bucket))
			require.NoError(t, err)
			s3.LowerCopyLimit(d, limit)
			reading := s.open(t, bucket)
			_, err = reading.Upload(t.Context(), "from", strings.NewReader(text),
				storage.WithContentType("text/x"),
				storage.WithMetadata(map[string]string{"k": "v ä"}))
			require.NoError(t, err)
			_, err = reading.Upload(t.Context(), "tail", strings.NewReader("tail"))
			require.NoError(t, err)
			b := engine.New(newServerSideOnly(t, d))

			// A copy.
			dstAttrs, err := storage.Copy(t.Context(), b, "to", b, "from")
			require.NoError(t, err)
			got, attrs, err := storage.ReadAll(t.Context(), reading, "to")
			require.NoError(t, err)
			require.Equal(t, text, string(got))
			require.Equal(t, dstAttrs.Revision, attrs.Revision)
			require.Equal(t, "text/x", attrs.ContentType)
			require.Equal(t, map[string]string{"k": "v ä"}, attrs.Metadata)

			// A composition, which must be created only once.
			_, err = storage.Compose(t.Context(), b, "joined", []string{"from", "tail"},
				storage.WithContentType("text/y"), storage.IfAbsent())
			require.NoError(t, err)
			got, attrs, err = storage.ReadAll(t.Context(), reading, "joined")
			require.NoError(t, err)
			require.Equal(t, text+"tail", string(got))
			require.Equal(t, "text/y", attrs.ContentType)

			_, err = storage.Compose(t.Context(), b, "joined", []string{"from", "tail"}, storage.IfAbsent())
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.NoError(t, storage.Close(b))
			require.NoError(t, storage.Close(reading))
		})
	}
}
