package uploads_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
)

// Finish keeps no attribute, such as a disposition or metadata, that the sender set on the file.
func TestFinishKeepsNoAttributeOfSender(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{CacheControl: map[string]string{}})

		// The sender sets every attribute that it can.
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, uploads.User{})
		require.NoError(t, err)
		_, err = bucket.Upload(
			t.Context(),
			signedKeyOf(ticket),
			strings.NewReader(newPNG()),
			storage.WithContentDisposition(`attachment; filename="photo.hta"`),
			storage.WithContentEncoding("gzip"),
			storage.WithContentLanguage("de"),
			storage.WithCacheControl("max-age=1"),
			storage.WithStorageClass("REDUCED_REDUNDANCY"),
			storage.WithMetadata(map[string]string{"name": "evil"}),
		)
		require.NoError(t, err)

		// The file has only the type that its content shows.
		file, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
		require.NoError(t, err)
		attrs, err := bucket.Attrs(t.Context(), file.Key)
		require.NoError(t, err)
		require.Equal(t, storage.Properties{ContentType: "image/png"}, attrs.Properties)
	})
}

// Some stores accept headers that the ticket's URL did not sign. Finish does not copy such headers to the file.
func TestFinishKeepsNoUnsignedHeader(t *testing.T) {
	bucket := openAmazonRules(t)
	s := newService(t, bucket, uploads.Config{})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, uploads.User{})
	require.NoError(t, err)

	// The client sends the file with headers that it was not told to send.
	req, err := ticket.Put.Request(t.Context(), strings.NewReader(newPNG()))
	require.NoError(t, err)
	req.Header.Set("Content-Disposition", `attachment; filename="photo.hta"`)
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Content-Language", "de")
	require.Equal(t, http.StatusOK, statusOf(t, req))

	// The store keeps the headers with the object of the ticket.
	pending, err := bucket.Attrs(t.Context(), signedKeyOf(ticket))
	require.NoError(t, err)
	require.Equal(t, "gzip", pending.ContentEncoding)

	// The file has only the properties that the service sets.
	file, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	attrs, err := bucket.Attrs(t.Context(), file.Key)
	require.NoError(t, err)
	want := storage.Properties{
		ContentType:  "image/png",
		CacheControl: "private, max-age=31536000, immutable",
	}
	require.Equal(t, want, attrs.Properties)
}

// openAmazonRules returns a bucket of a server that follows Amazon's rules strictly.
func openAmazonRules(t *testing.T) storage.Bucket {
	t.Helper()
	server, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)

	profile, ok := s3.NamedProfile("aws")
	require.True(t, ok)

	bucket, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		PathStyle:   new(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		HTTPClient:  client,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return bucket
}

// With PublicRead, anybody can read the stored files. A file that Finish has not checked stays
// private.
func TestPublicReadOfStoredFiles(t *testing.T) {
	tests := []struct {
		name       string
		publicRead bool
		want       int // status of a GET of a stored file
	}{
		{name: "without PublicRead", publicRead: false, want: http.StatusForbidden},
		{name: "with PublicRead", publicRead: true, want: http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := openMemory(t, storage.WithPublicAccess(true))
			s := newService(t, bucket, uploads.Config{Link: uploads.PublicLink, PublicRead: tt.publicRead})
			getStatus := func(address string) int {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
				require.NoError(t, err)
				return statusOf(t, req)
			}

			// Store stores a file. Anybody can read it if PublicRead is set.
			file, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
			require.NoError(t, err)
			require.Equal(t, tt.want, getStatus(file.Location))

			// A file is sent with a ticket. Nobody can read it before Finish. After Finish, anybody
			// can read it if PublicRead is set.
			ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, uploads.User{})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, send(t, ticket, newPNG()))
			pending, err := bucket.PublicURL(signedKeyOf(ticket))
			require.NoError(t, err)
			require.Equal(t, http.StatusForbidden, getStatus(pending), "a file that was not checked is not public")

			finished, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
			require.NoError(t, err)
			require.Equal(t, tt.want, getStatus(finished.Location))
		})
	}
}

// Store and Finish give each file the tags of Config.Tags, and no tags of the sender.
func TestTagsOfStoredFiles(t *testing.T) {
	tests := []struct {
		name string
		tags map[string]string
	}{
		{name: "no tags"},
		{name: "two tags", tags: map[string]string{"class": "user-file", "scan": "pending"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := openMemory(t)
			s := newService(t, bucket, uploads.Config{Tags: tt.tags})

			// One file comes by Store.
			stored, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
			require.NoError(t, err)

			// Another file comes by a ticket, and its sender sets a tag.
			ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, uploads.User{})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, send(t, ticket, newPNG()))
			senderTags := map[string]string{"of": "the sender"}
			require.NoError(t, storage.SetTags(t.Context(), bucket, signedKeyOf(ticket), senderTags))
			finished, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
			require.NoError(t, err)

			// Both files have exactly the tags of Config.Tags.
			for _, key := range []string{stored.Key, finished.Key} {
				got, err := storage.Tags(t.Context(), bucket, key)
				require.NoError(t, err)
				require.Len(t, got, len(tt.tags))
				for name, value := range tt.tags {
					require.Equal(t, value, got[name])
				}
			}
		})
	}
}

// New refuses invalid Config.Tags.
func TestTagsAreChecked(t *testing.T) {
	_, err := uploads.New(memstore.New(), uploads.Config{Tags: map[string]string{"a,b": "v"}})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "Config.Tags")
}

// New refuses Config.Tags for a bucket without ObjectTags.
func TestTagsNeedObjectTags(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ObjectTags})))
	_, err := uploads.New(bucket, uploads.Config{Tags: map[string]string{"k": "v"}})
	require.ErrorIs(t, err, storage.Unsupported)

	_, err = uploads.New(bucket, uploads.Config{})
	require.NoError(t, err)
}

// New refuses Config.PublicRead for a bucket without ACLs of objects.
func TestPublicReadNeedsObjectACL(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ObjectACLs})))
	_, err := uploads.New(bucket, uploads.Config{PublicRead: true})
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "PublicRead")
}

// New refuses a bucket that keeps no content types.
func TestNewRefusesBucketWithoutContentTypes(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ContentProperties})))
	_, err := uploads.New(bucket, uploads.Config{})
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "ContentProperties")
}
