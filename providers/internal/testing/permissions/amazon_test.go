//go:build omnibucket_sdks

package permissions_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
	rows "github.com/omnibucket/storage/providers/internal/testing/permissions"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// toServer returns a client that reaches the server at every host name.
func toServer(t *testing.T, address string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate does not name the provider's hosts
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(address, "https://"))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// An amazonServer is our own S3 server. It records the requests.
type amazonServer struct {
	recorder *rows.Recorder
	server   *s3server.Server
}

// startAmazon starts an amazonServer.
func startAmazon(t *testing.T, c s3server.Config) *amazonServer {
	t.Helper()
	a := &amazonServer{recorder: &rows.Recorder{}}
	c.Middleware = a.recorder.Wrap
	c.TLS = &tls.Config{}
	var err error
	a.server, err = s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(a.server.Close)
	return a
}

// service opens the service of a user.
func (a *amazonServer) service(t *testing.T, key, secret string) storage.Service {
	t.Helper()
	pathStyle := true
	service, err := s3.NewService(t.Context(), s3.Config{
		Region:      s3server.DefaultRegion,
		AccessKeyID: key,
		SecretKey:   secret,
		PathStyle:   &pathStyle,
		HTTPClient:  toServer(t, a.server.URL),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return service
}

// create makes the bucket "photos", which has the given kind.
func create(t *testing.T, service storage.Service, kind rows.Kind) {
	t.Helper()
	createNamed(t, service, "photos", kind)
}

// createNamed makes a bucket of the given kind.
func createNamed(t *testing.T, service storage.Service, bucket string, kind rows.Kind) {
	t.Helper()
	setting := map[rows.Kind][]storage.BucketOption{
		rows.Versions: {storage.WithVersioning(true)},
		rows.Locks:    {storage.WithObjectLock()},
	}
	_, err := service.CreateBucket(t.Context(), bucket, setting[kind]...)
	require.NoError(t, err)
	if kind != rows.AccessLists {
		return
	}

	// A new bucket refuses access control lists.
	controls := &types.OwnershipControls{
		Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipObjectWriter}},
	}
	b, err := service.Bucket(bucket)
	require.NoError(t, err)
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	_, err = client.PutBucketOwnershipControls(
		t.Context(), &awss3.PutBucketOwnershipControlsInput{Bucket: &bucket, OwnershipControls: controls},
	)
	require.NoError(t, err)
}

// Each operation on AWS needs the permissions in docs/permissions.md.
func TestPermissionsOfAmazon(t *testing.T) {
	rows.Check(t, permissions.AWS, func(t *testing.T, kind rows.Kind) rows.Account {
		amazon := startAmazon(t, s3server.Config{Strict: kind != rows.AccessLists})
		service := amazon.service(t, s3server.DefaultAccessKeyID, s3server.DefaultSecretKey)
		create(t, service, kind)
		return rows.Account{
			Recorder: amazon.recorder,
			Service:  service,
			Bucket:   "photos",
			Key:      s3.WithKMSKey("1234abcd-12ab-34cd-56ef-1234567890ab"),
			Archive:  "GLACIER",
		}
	})
}

// A bucket policy with the permissions in docs/permissions.md lets a user of another account perform each operation.
func TestPolicyOfAmazonSuffices(t *testing.T) {
	const key, secret, account = "AKIAUSERUSERUSERUSER", "user-secret-key", "210987654321"
	for name, operations := range map[string][]permissions.Operation{
		"reader": rows.Reader,
		"writer": rows.Writer,
		"full":   rows.Full,
	} {
		t.Run(name, func(t *testing.T) {
			// Suffices performs each operation in an account that this function opens, with a bucket of the given kind.
			rows.Suffices(t, operations, func(t *testing.T, kind rows.Kind) rows.Account {
				// The server knows the owner of the bucket, and the user of another account.
				ownerCredential := s3server.Credential{
					AccessKeyID: s3server.DefaultAccessKeyID,
					SecretKey:   s3server.DefaultSecretKey,
					Account:     s3server.DefaultAccountID,
				}
				userCredential := s3server.Credential{AccessKeyID: key, SecretKey: secret, Account: account}
				amazon := startAmazon(t, s3server.Config{
					Strict:      true,
					Credentials: []s3server.Credential{ownerCredential, userCredential},
				})
				owner := amazon.service(t, s3server.DefaultAccessKeyID, s3server.DefaultSecretKey)
				create(t, owner, kind)

				// The policy of a bucket needs a principal in each statement. Here, the principal
				// is the other account.
				policy := strings.ReplaceAll(rows.Policy(permissions.AWS, operations),
					`"Effect": "Allow",`, `"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+account+`:root"},`)
				grant(t, owner, policy)
				return rows.Account{
					Recorder: amazon.recorder,
					Service:  amazon.service(t, key, secret),
					Owner:    owner,
					Bucket:   "photos",
				}
			})
		})
	}
}

// grant gives the bucket a policy.
func grant(t *testing.T, service storage.Service, policy string) {
	t.Helper()
	b, err := service.Bucket("photos")
	require.NoError(t, err)
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	_, err = client.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{
		Bucket: aws.String("photos"),
		Policy: &policy,
	})
	require.NoError(t, err)
}
