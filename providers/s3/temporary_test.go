package s3

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server"
)

func TestErrorsOfACredentialServiceAreTemporary(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		want   storage.Code
	}{
		{"an internal error", http.StatusInternalServerError, storage.Unavailable},
		{"a refusal", http.StatusForbidden, storage.Unauthenticated},
	} {
		t.Run(row.name, func(t *testing.T) {
			sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(row.status) }))
			t.Cleanup(sts.Close)
			config := filepath.Join(t.TempDir(), "config")
			require.NoError(t, os.WriteFile(config, []byte("[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nregion = us-east-1\n[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600))
			setEnv(t, map[string]string{"AWS_CONFIG_FILE": config, "AWS_PROFILE": "role", "AWS_ENDPOINT_URL_STS": sts.URL, "AWS_MAX_ATTEMPTS": "1"})
			b, err := Open(t.Context(), Config{Bucket: "photos", Region: "us-east-1"}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			_, err = b.Attrs(t.Context(), "k")
			require.ErrorIs(t, err, row.want)
			var own *storage.Error
			require.ErrorAs(t, err, &own)
			require.Equal(t, row.want == storage.Unavailable, own.Retryable)
		})
	}
}

func TestAMissChecksTheBucketOnlyOnceAMinute(t *testing.T) {
	now := time.Now()
	server, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	opened, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: server.URL, Region: s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID, SecretKey: s3server.DefaultSecretKey})
	require.NoError(t, err)
	d := opened.(*objectDriver)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	d.account.clock.now = func() time.Time { return now }
	miss := func() {
		_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.ErrorIs(t, err, storage.ObjectNotFound)
	}
	for range 10 {
		miss()
	}
	require.Equal(t, 10, server.Count("HeadObject"))
	require.Equal(t, 1, server.Count("HeadBucket"))
	now = now.Add(bucketRemembered)
	miss()
	require.Equal(t, 2, server.Count("HeadBucket"), "it may have been removed meanwhile")
}
