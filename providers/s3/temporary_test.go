package s3

import (
	"fmt"
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

// If STS fails with a server error, the call is Unavailable and retryable. If STS refuses, it is
// Unauthenticated.
func TestCredentialServiceErrorsTemporary(t *testing.T) {
	tests := []struct {
		name   string
		status int
		want   storage.Code
	}{
		{"an internal error", http.StatusInternalServerError, storage.Unavailable},
		{"a refusal", http.StatusForbidden, storage.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
			}))
			t.Cleanup(sts.Close)
			config := filepath.Join(t.TempDir(), "config")
			require.NoError(t, os.WriteFile(config, []byte("[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nregion = us-east-1\n[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600))
			setEnv(t, map[string]string{
				"AWS_CONFIG_FILE":      config,
				"AWS_PROFILE":          "role",
				"AWS_ENDPOINT_URL_STS": sts.URL,
				"AWS_MAX_ATTEMPTS":     "1",
			})
			b, err := Open(t.Context(), Config{Bucket: "photos", Region: "us-east-1"},
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			_, err = b.Attrs(t.Context(), "k")
			require.ErrorIs(t, err, tt.want)
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, tt.want == storage.Unavailable, storageErr.Retryable)
		})
	}
}

// Credentials of a role are replaced before they expire, because S3 refuses a request that arrives
// after that.
// https://github.com/peak/s5cmd/issues/678, https://github.com/awslabs/aws-c-s3/issues/471.
func TestCredentialsOfARoleAreReplacedBeforeTheyExpire(t *testing.T) {
	requests := 0
	used := []string{}
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		lasts := time.Duration(requests*requests) * 20 * time.Second
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
			`<SessionToken>token %d</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, requests, time.Now().Add(lasts).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(sts.Close)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		used = append(used, r.Header.Get("X-Amz-Security-Token"))
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("X-Amz-Request-Id", "R1")
	}))
	t.Cleanup(store.Close)
	config := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(config, []byte("[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600))
	setEnv(t, map[string]string{
		"AWS_CONFIG_FILE":      config,
		"AWS_PROFILE":          "role",
		"AWS_ENDPOINT_URL_STS": sts.URL,
	})
	b, err := Open(t.Context(), Config{Bucket: "photos", Region: "us-east-1", Endpoint: store.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	for range 3 {
		require.NoError(t, b.Remove(t.Context(), "k"))
	}

	require.Equal(t, []string{"token 1", "token 2", "token 2"}, used)
}

// If Head finds no object, it checks at most once a minute whether the bucket exists.
func TestHeadMissingChecksBucketOnce(t *testing.T) {
	now := time.Now()
	server, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	drv, err := NewDriver(t.Context(), Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	d := drv.(*objectDriver)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	d.account.clock.Now = func() time.Time { return now }
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

// MinIO says in a header of its own whether the object or the bucket is missing.
func TestHeadMissingOnMinIO(t *testing.T) {
	for _, tt := range []struct {
		said string
		want storage.Code
	}{
		{said: "NoSuchKey", want: storage.ObjectNotFound},
		{said: "NoSuchVersion", want: storage.ObjectNotFound},
		{said: "NoSuchBucket", want: storage.BucketNotFound},
	} {
		t.Run(tt.said, func(t *testing.T) {
			server := newStandIn(t, reply{
				Status: 404,
				Header: map[string]string{"X-Minio-Error-Code": tt.said},
			})
			_, err := server.openDriver(t, "minio").Head(t.Context(), &driver.GetRequest{
				Key:    "k",
				Length: -1,
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, []string{"HEAD /photos/k"}, server.Lines())
		})
	}
}

// MinIO's headers have the code and the message of every error of a HEAD.
func TestHeadReadsTheErrorOfMinIO(t *testing.T) {
	tests := []struct {
		code, desc string
		status     int
		want       storage.Code
		hint       string // is part of it
	}{
		{code: "InvalidAccessKeyId", status: 403, want: storage.Unauthenticated, hint: "access key"},
		{code: "SlowDownRead", status: 503, want: storage.RateLimited},
		{code: "XMinioStorageFull", status: 507, want: storage.Internal, hint: "free some space"},
		{code: "kms:KeyNotFound", status: 404, want: storage.InvalidArgument, hint: "check its id"},
		{
			code:   "InvalidRequest",
			desc:   `"The object was stored using a form of Server Side Encryption."`,
			status: 400,
			want:   storage.InvalidArgument,
			hint:   "pass that key",
		},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			header := map[string]string{"X-Minio-Error-Code": tt.code, "X-Minio-Error-Desc": tt.desc}
			server := newStandIn(t, reply{Status: tt.status, Header: header})
			_, err := server.openDriver(t, "minio").Head(t.Context(), &driver.GetRequest{
				Key:    "k",
				Length: -1,
			})
			e := &storage.Error{}
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code, "%v", err)
			require.Contains(t, e.Hint, tt.hint)
		})
	}
}
