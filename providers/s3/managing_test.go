package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/storagetest"
)

func (s *testServer) service(t *testing.T) storage.Service {
	t.Helper()
	service, err := s3.NewService(t.Context(), s.config(t, ""))
	require.NoError(t, err)
	return service
}

// Each server passes the conformance suite for a service.
func TestService(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			storagetest.RunService(t, s.service, storagetest.WithName("s3 ("+name+")"))
		})
	}
}

// createBucket creates a bucket that is named after the test, and removes it after the test.
func (s *testServer) createBucket(t *testing.T, service storage.Service, opts ...storage.BucketOption) (string, storage.Bucket) {
	t.Helper()
	const maxSuffix = 40 // a name has at most 63 characters
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	name = "omnibucket-" + name[max(0, len(name)-maxSuffix):]
	_, err := service.CreateBucket(t.Context(), name, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { s.remove(t, name) })
	b, err := service.Bucket(name)
	require.NoError(t, err)
	return name, b
}

// An object of a bucket with public access can be read without credentials until that access is
// removed.
func TestWithPublicAccessAnonymously(t *testing.T) {
	for _, server := range serverNames {
		t.Run(server, func(t *testing.T) {
			s := needServer(t, server)
			service := s.service(t)
			name, b := s.createBucket(t, service, storage.WithPublicAccess(true))
			_, err := b.Upload(t.Context(), "a b", strings.NewReader("text"))
			require.NoError(t, err)

			public, err := s3.Open(t.Context(), s.config(t, name), storage.WithPublicAccess(true))
			require.NoError(t, err)
			address, err := public.PublicURL("a b")
			require.NoError(t, err)

			getStatus := func() int {
				response, err := withoutKeepAlive().Get(address)
				require.NoError(t, err)
				defer response.Body.Close()
				_, _ = io.Copy(io.Discard, response.Body)
				return response.StatusCode
			}
			require.Equal(t, http.StatusOK, getStatus())

			// Without public access, a request for the same address is refused.
			_, err = service.UpdateBucket(t.Context(), name, storage.WithPublicAccess(false))
			require.NoError(t, err)
			require.Equal(t, http.StatusForbidden, getStatus())
		})
	}
}

// A browser gets the header that permits a request only if the CORS rule has the browser's origin.
func TestWithCORSApplies(t *testing.T) {
	s := needServer(t, "versitygw") // MinIO has no CORS of a bucket
	service := s.service(t)
	rule := storage.CORSRule{
		Origins:        []string{"https://page.example"},
		Methods:        []string{"PUT"},
		AllowedHeaders: []string{"content-type"},
		ExposedHeaders: []string{"ETag"},
		MaxAge:         time.Hour,
	}
	_, b := s.createBucket(t, service, storage.WithCORS(rule))
	signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithContentType("text/plain"))
	require.NoError(t, err)

	// A browser first asks with OPTIONS.
	for origin, want := range map[string]string{
		"https://page.example": "https://page.example",
		"https://evil.example": "",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, signedURL.URL, nil)
		require.NoError(t, err)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "PUT")
		r.Header.Set("Access-Control-Request-Headers", "content-type")

		response, err := withoutKeepAlive().Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.Header.Get("Access-Control-Allow-Origin"))
	}
}

// MinIO drops AbortUploadsAfterDays of a lifecycle rule without an error. UpdateBucket then fails
// with Unsupported, and the bucket keeps its earlier rules.
func TestWithLifecycleDroppedByMinIO(t *testing.T) {
	s := needServer(t, "minio")
	service := s.service(t)
	name, _ := s.createBucket(t, service)
	rule := storage.LifecycleRule{ID: "kept", Prefix: "tmp/", ExpireAfterDays: 1}
	_, err := service.UpdateBucket(t.Context(), name, storage.WithLifecycle(rule))
	require.NoError(t, err)

	_, err = service.UpdateBucket(t.Context(), name, storage.WithLifecycle(storage.LifecycleRule{
		ID:                    "lost",
		Prefix:                "x/",
		ExpireAfterDays:       1,
		AbortUploadsAfterDays: 1,
	}))
	require.ErrorIs(t, err, storage.Unsupported)

	info, err := service.BucketInfo(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, []storage.LifecycleRule{rule}, info.Lifecycle)
}

// OpenService takes the endpoint from the address and the credentials from the environment. The
// credentials of the service contain both.
func TestOpenServiceByAddress(t *testing.T) {
	s := needServer(t, "minio")
	t.Setenv("AWS_ACCESS_KEY_ID", s.key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.secret)
	service, err := storage.OpenService(t.Context(),
		"s3://?region=us-east-1&profile=minio&endpoint="+s.endpoint)
	require.NoError(t, err)
	name, _ := s.createBucket(t, service)

	credentials, err := service.Credentials(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, s.endpoint, credentials.Endpoint)
	require.Equal(t, s.key, credentials.AccessKeyID)
}
