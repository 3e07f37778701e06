//go:build omnibucket_sdks

package permissions_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/permissions"
	rows "github.com/omnibucket/storage/providers/internal/testing/permissions"
	"github.com/omnibucket/storage/providers/s3"
)

const eitherDoes = "MinIO takes either of the two actions"

// unenforcedByMinIO has the permissions that MinIO does not check. Each value is the reason.
var unenforcedByMinIO = map[string]string{
	"sign": "it needs no policy",
	"set-retention-bypass s3:BypassGovernanceRetention": eitherDoes,
	"set-retention-bypass s3:PutObjectRetention":        eitherDoes,
}

// minio is a MinIO server behind a recorder.
type minio struct{ endpoint, key, secret string }

// The policy of each operation is enough for a session of MinIO. Without any one of its actions, the operation fails or
// does less.
func TestPolicyIsLeastOnMinIO(t *testing.T) {
	m := minio{
		endpoint: testserver.Need(t, "OMNIBUCKET_TEST_MINIO"),
		key:      os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"),
		secret:   os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"),
	}

	// Least makes many trials of each operation: one with the whole policy, and one without each of its actions. Each
	// trial has a new bucket, and a session with the policy to try.
	var number atomic.Int64
	newBucketName := func() string { return fmt.Sprintf("permissions-%d-%d", os.Getpid(), number.Add(1)) }
	open := func(t *testing.T, trial rows.Trial) rows.Account {
		recorder := &rows.Recorder{}
		endpoint := m.record(t, recorder)
		owner := m.service(t, endpoint, s3.Config{AccessKeyID: m.key, SecretKey: m.secret})

		// The user performs the operation with the policy of the trial.
		account := rows.Account{
			Recorder:  recorder,
			Owner:     owner,
			Bucket:    trial.Bucket,
			NewBucket: trial.Bucket,
			Prefix:    trial.Prefix,
			Service:   m.service(t, endpoint, m.session(t, trial.Policy)),
			Key:       s3.WithKMSKey(os.Getenv("OMNIBUCKET_TEST_MINIO_KMS_KEY")),
		}
		if !trial.Creates() {
			createNamed(t, owner, trial.Bucket, trial.Kind)
		}
		t.Cleanup(func() { empty(t, owner, trial.Bucket) })
		return account
	}
	enforcer := rows.Enforcer{
		Provider:   permissions.MinIO,
		Bucket:     newBucketName,
		Open:       open,
		Unenforced: unenforcedByMinIO, // actions that MinIO does not check
	}
	rows.Least(t, enforcer, "users/")
}

// record returns the URL of a server that records and passes on the requests.
func (m minio) record(t *testing.T, recorder *rows.Recorder) string {
	t.Helper()
	target, err := url.Parse(m.endpoint)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme = target.Scheme
		r.Out.URL.Host = target.Host
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(recorder.Wrap(proxy))
	t.Cleanup(server.Close)
	return server.URL
}

// service opens the server at the endpoint with the credentials of c.
func (m minio) service(t *testing.T, endpoint string, c s3.Config) storage.Service {
	t.Helper()
	profile, _ := s3.NamedProfile("minio")
	c.Region = "us-east-1"
	c.Endpoint = endpoint
	c.Profile = &profile
	service, err := s3.NewService(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return service
}

// session returns credentials that have only the rights of a policy.
func (m minio) session(t *testing.T, policy string) s3.Config {
	t.Helper()
	client := sts.New(sts.Options{
		Region:       "us-east-1",
		BaseEndpoint: &m.endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(m.key, m.secret, ""),
	})
	output, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/any"),
		RoleSessionName: aws.String("test"),
		Policy:          &policy,
	})
	require.NoError(t, err)
	c := output.Credentials
	return s3.Config{
		AccessKeyID:  *c.AccessKeyId,
		SecretKey:    *c.SecretAccessKey,
		SessionToken: *c.SessionToken,
	}
}

// empty removes a bucket with everything in it, if it exists.
func empty(t *testing.T, owner storage.Service, bucket string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own is done
	defer cancel()
	b, err := owner.Bucket(bucket)
	require.NoError(t, err)
	for v, err := range storage.Versions(ctx, b) {
		if err != nil {
			break
		}
		_ = storage.SetLegalHold(ctx, b, v.Key, false, storage.WithVersion(v.Version)) // not all buckets have locks
		_ = b.Remove(ctx, v.Key, storage.WithVersion(v.Version), storage.WithGovernanceBypass())
		_ = b.Remove(ctx, v.Key, storage.WithVersion(v.Version))
	}
	_ = owner.DeleteBucket(ctx, bucket)
}
