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

// If an object is above the limit of one request, the server copies it in parts, and the copy keeps
// the attributes of its source. Compose joins the source with another object, and sets other
// attributes with a condition. S3 has a limit of 5 GiB. This test lowers it to 5 MiB, and copies 12
// MiB.
func TestCopyInPartsOnServers(t *testing.T) {
	const limit = 5 << 20
	text := strings.Repeat("0123456789abcdef", 12<<20/16)
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			bucket := s.bucket(t, false)

			// The driver d copies in parts. reader opens the same bucket without the lowered limit.
			d, err := s3.NewDriver(t.Context(), s.config(t, bucket))
			require.NoError(t, err)
			s3.LowerCopyLimit(d, limit)
			reader := s.open(t, bucket)
			_, err = reader.Upload(t.Context(), "source", strings.NewReader(text),
				storage.WithContentType("text/x"),
				storage.WithMetadata(map[string]string{"k": "v ä"}))
			require.NoError(t, err)
			_, err = reader.Upload(t.Context(), "tail", strings.NewReader("tail"))
			require.NoError(t, err)

			// b fails the test if content passes through this process.
			b := engine.New(newServerSideOnly(t, d))

			// A copy.
			dstAttrs, err := storage.Copy(t.Context(), b, "copy", b, "source")
			require.NoError(t, err)
			got, attrs, err := storage.ReadAll(t.Context(), reader, "copy")
			require.NoError(t, err)
			require.Equal(t, text, string(got))
			require.Equal(t, dstAttrs.Revision, attrs.Revision)
			require.Equal(t, "text/x", attrs.ContentType)
			require.Equal(t, map[string]string{"k": "v ä"}, attrs.Metadata)

			// Compose joins the two objects. Its condition is that no object has the new key.
			_, err = storage.Compose(t.Context(), b, "joined", []string{"source", "tail"},
				storage.WithContentType("text/y"), storage.IfAbsent())
			require.NoError(t, err)
			got, attrs, err = storage.ReadAll(t.Context(), reader, "joined")
			require.NoError(t, err)
			require.Equal(t, text+"tail", string(got))
			require.Equal(t, "text/y", attrs.ContentType)

			_, err = storage.Compose(t.Context(), b, "joined", []string{"source", "tail"}, storage.IfAbsent())
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.NoError(t, storage.Close(b))
			require.NoError(t, storage.Close(reader))
		})
	}
}
