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

// writeRoleConfig writes a configuration file of AWS with a profile "role", whose credentials STS returns. It
// returns the path of the file.
func writeRoleConfig(t *testing.T) string {
	t.Helper()
	const content = `
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = base
[profile base]
aws_access_key_id = a
aws_secret_access_key = b
`
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

// If STS has a server error, a call fails with a retryable Unavailable. If STS refuses the request,
// the call fails with Unauthenticated.
func TestCredentialServiceErrorsTemporary(t *testing.T) {
	tests := []struct {
		name          string
		status        int
		want          storage.Code
		wantRetryable bool
	}{
		{
			name:          "an internal error",
			status:        http.StatusInternalServerError,
			want:          storage.Unavailable,
			wantRetryable: true,
		},
		{name: "a refusal", status: http.StatusForbidden, want: storage.Unauthenticated},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
			}))
			t.Cleanup(sts.Close)
			setEnv(t, map[string]string{
				"AWS_CONFIG_FILE":      writeRoleConfig(t),
				"AWS_PROFILE":          "role",
				"AWS_REGION":           "us-east-1",
				"AWS_ENDPOINT_URL_STS": sts.URL,
				"AWS_MAX_ATTEMPTS":     "1",
			})
			b, err := Open(t.Context(), Config{Bucket: "photos", Region: "us-east-1"},
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			_, err = b.Attrs(t.Context(), "k")
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, tt.want, storageErr.Code, "%v", err)
			require.Equal(t, tt.wantRetryable, storageErr.Retryable)
		})
	}
}

// Credentials of a role are replaced before they expire, because S3 refuses a request that arrives
// after that. The first credentials last 20 seconds, which is so short that they are replaced at
// once. https://github.com/peak/s5cmd/issues/678, https://github.com/awslabs/aws-c-s3/issues/471.
func TestCredentialsOfARoleAreReplacedBeforeTheyExpire(t *testing.T) {
	// The token service gives each session the next lifetime, and a token that contains the number of the session.
	lifetimes := []time.Duration{20 * time.Second, 80 * time.Second}
	sessions := 0
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		expiration := time.Now().Add(lifetimes[sessions]).UTC().Format(time.RFC3339)
		sessions++
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials>`+
			`<AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
			`<SessionToken>token %d</SessionToken><Expiration>%s</Expiration>`+
			`</Credentials></AssumeRoleResult></AssumeRoleResponse>`, sessions, expiration)
	}))
	t.Cleanup(sts.Close)

	var tokens []string // of the requests
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("X-Amz-Security-Token"))
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("X-Amz-Request-Id", "R1")
	}))
	t.Cleanup(store.Close)

	setEnv(t, map[string]string{
		"AWS_CONFIG_FILE":      writeRoleConfig(t),
		"AWS_PROFILE":          "role",
		"AWS_ENDPOINT_URL_STS": sts.URL,
	})
	b, err := Open(t.Context(), Config{Bucket: "photos", Region: "us-east-1", Endpoint: store.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	// The second session lasts long enough for two requests.
	for range 3 {
		require.NoError(t, b.Remove(t.Context(), "k"))
	}
	require.Equal(t, []string{"token 1", "token 2", "token 2"}, tokens)
}

// If Head finds no object, it checks at most once a minute whether the bucket exists.
func TestHeadMissingChecksBucketOnce(t *testing.T) {
	server, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	opened, err := NewDriver(t.Context(), Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	d := opened.(*objectDriver)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	now := time.Now()
	d.account.clock.Now = func() time.Time { return now }

	// Only the first of these calls looks for the bucket.
	const heads = 10
	for range heads {
		_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.ErrorIs(t, err, storage.ObjectNotFound)
	}
	require.Equal(t, heads, server.Count("HeadObject"))
	require.Equal(t, 1, server.Count("HeadBucket"))

	// After a minute, the bucket may have been removed.
	now = now.Add(bucketRemembered)
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, 2, server.Count("HeadBucket"))
}

// Head reads from a header of MinIO whether the object or the bucket is missing, and sends no
// second request to find out.
func TestHeadMissingOnMinIO(t *testing.T) {
	for code, want := range map[string]storage.Code{
		"NoSuchKey":     storage.ObjectNotFound,
		"NoSuchVersion": storage.ObjectNotFound,
		"NoSuchBucket":  storage.BucketNotFound,
	} {
		t.Run(code, func(t *testing.T) {
			server := newStandIn(t, reply{
				Status: 404,
				Header: map[string]string{"X-Minio-Error-Code": code},
			})
			d := server.openDriver(t, "minio")

			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			require.Equal(t, want, storage.CodeOf(err), "%v", err)
			require.Equal(t, []string{"HEAD /photos/k"}, server.Lines())
		})
	}
}

// Head reads the code and the message of an error from the headers of MinIO, because the response
// to a HEAD has no body.
func TestHeadReadsTheErrorOfMinIO(t *testing.T) {
	tests := []struct {
		code     string
		message  string
		status   int
		want     storage.Code
		wantHint string // a part of the hint
	}{
		{code: "InvalidAccessKeyId", status: 403, want: storage.Unauthenticated, wantHint: "access key"},
		{code: "SlowDownRead", status: 503, want: storage.RateLimited},
		{code: "XMinioStorageFull", status: 507, want: storage.Internal, wantHint: "free some space"},
		{code: "kms:KeyNotFound", status: 404, want: storage.InvalidArgument, wantHint: "check its id"},
		{
			code:     "InvalidRequest",
			message:  `"The object was stored using a form of Server Side Encryption."`,
			status:   400,
			want:     storage.InvalidArgument,
			wantHint: "pass that key",
		},
	}

	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			header := map[string]string{"X-Minio-Error-Code": tt.code, "X-Minio-Error-Desc": tt.message}
			server := newStandIn(t, reply{Status: tt.status, Header: header})
			d := server.openDriver(t, "minio")

			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			e := &storage.Error{}
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code, "%v", err)
			require.Contains(t, e.Hint, tt.wantHint)
		})
	}
}
