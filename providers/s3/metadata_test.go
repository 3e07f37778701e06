package s3_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A dashWriter sends "-" for "_" in names of metadata.
type dashWriter struct{ http.ResponseWriter }

func (w dashWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader replaces "_" by "-" in the names of metadata before it sends the header.
func (w dashWriter) WriteHeader(status int) {
	header := w.Header()
	for name, values := range maps.Clone(header) {
		if dashed := strings.ReplaceAll(name, "_", "-"); dashed != name && strings.HasPrefix(name, "x-amz-meta-") {
			delete(header, name)
			header[dashed] = values
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// dashes is a middleware that sends "-" for "_" in names of metadata.
func dashes(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(dashWriter{w}, r)
	})
}

// startHyphenServer starts a server that returns "-" for "_" in names of metadata, as Ceph RGW
// does before Quincy.
func startHyphenServer(t *testing.T, profile string) (*s3server.Server, storage.Bucket) {
	t.Helper()
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}, Middleware: dashes})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	p, ok := s3.NamedProfile(profile)
	require.True(t, ok)
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &p,
		PathStyle:   new(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return server, b
}

// underscored is metadata whose names have underscores and hyphens.
var underscored = map[string]string{"owner_id": "7", "owner-id": "8", "a-x": "9", "a_x005f_": "10"}

// Metadata whose names have underscores is read as it was written, although the server changes underscores to
// hyphens.
func TestMetadataUnderscores(t *testing.T) {
	for _, profile := range []string{"ceph", "spaces"} {
		t.Run(profile, func(t *testing.T) {
			// The server returns "-" for each "_" in the names of metadata.
			_, b := startHyphenServer(t, profile)
			withUnderscores := storage.WithMetadata(underscored)

			// Upload the object in one request.
			_, err := b.Upload(t.Context(), "one request", strings.NewReader("x"), withUnderscores)
			require.NoError(t, err)
			requireUnderscored(t, b, "one request")

			// Upload an object in parts.
			const partSize, size = 5 << 20, 11 << 20
			stream := io.MultiReader(bytes.NewReader(make([]byte, size)))
			_, err = b.Upload(t.Context(), "parts", stream, storage.WithPartSize(partSize), withUnderscores)
			require.NoError(t, err)
			requireUnderscored(t, b, "parts")

			// Copy the first object.
			_, err = storage.Copy(t.Context(), b, "copy", b, "one request")
			require.NoError(t, err)
			requireUnderscored(t, b, "copy")

			// Upload an object by a signed URL.
			signedURL, err := b.SignedUploadURL(t.Context(), "signed", withUnderscores)
			require.NoError(t, err)
			request, err := signedURL.Request(t.Context(), strings.NewReader("x"))
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)
			requireUnderscored(t, b, "signed")
		})
	}
}

// requireUnderscored requires that Attrs and ReadAll return, for an object, the metadata of the
// variable underscored.
func requireUnderscored(t *testing.T, b storage.Bucket, key string) {
	t.Helper()
	attrs, err := b.Attrs(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, underscored, attrs.Metadata)

	_, attrs, err = storage.ReadAll(t.Context(), b, key)
	require.NoError(t, err)
	require.Equal(t, underscored, attrs.Metadata)
}

// An underscore in a name of metadata is escaped in the fields of a signed form, because the server
// would change it.
func TestSignedUploadFormUnderscores(t *testing.T) {
	_, b := startHyphenServer(t, "ceph")
	form, err := storage.SignedUploadForm(t.Context(), b, "k", 0, 10,
		storage.WithMetadata(map[string]string{"owner_id": "7"}))
	require.NoError(t, err)
	require.Contains(t, form.Fields, "x-amz-meta-owner-x005F-id")
}

// If the response to a completion is lost and the upload is gone, Upload looks for its write id in
// the metadata of the object. It finds the id although this server returns "-" for each "_" in the
// names of metadata.
func TestCompletePartsLostUnderscores(t *testing.T) {
	for _, profile := range []string{"ceph", "unknown", "aws"} {
		t.Run(profile, func(t *testing.T) {
			server, b := startHyphenServer(t, profile)

			// The first completion makes the object, but its response is lost. The next completions
			// find no upload.
			server.Inject(s3server.Fault{Operation: "CompleteMultipartUpload", DropResponse: true, Times: 1})
			server.Inject(s3server.Fault{Operation: "CompleteMultipartUpload", Error: "NoSuchUpload"})

			const partSize, size = 5 << 20, 11 << 20
			body := io.MultiReader(bytes.NewReader(make([]byte, size))) // cannot be rewound
			_, err := b.Upload(t.Context(), "k", body, storage.WithPartSize(partSize))
			require.NoError(t, err)

			attrs, err := b.Attrs(t.Context(), "k")
			require.NoError(t, err)
			require.EqualValues(t, size, attrs.Size)
			require.Empty(t, attrs.Metadata, "the write id must be hidden")
		})
	}
}
