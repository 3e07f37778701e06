package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// vend returns temporary credentials for some actions below a prefix, as an Iceberg REST catalog does.
func (s *testServer) vend(
	ctx context.Context, bucket, prefix string, actions ...string,
) (s3.PrefixCredentials, error) {
	client := sts.New(sts.Options{
		HTTPClient:   withoutKeepAlive(),
		Region:       "us-east-1",
		BaseEndpoint: &s.endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(s.key, s.secret, ""),
	})
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [
		{
			"Effect": "Allow", "Action": ["%[3]s"], "Resource": ["arn:aws:s3:::%[1]s/%[2]s*"]
		},
		{
			"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::%[1]s"],
			"Condition": {"StringLike": {"s3:prefix": ["%[2]s*"]}}
		}
	]}`, bucket, prefix, strings.Join(actions, `", "`))
	output, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/catalog"),
		RoleSessionName: aws.String("test"),
		Policy:          &policy,
	})
	if err != nil {
		return s3.PrefixCredentials{}, err
	}

	session := output.Credentials
	return s3.PrefixCredentials{
		Prefix:       prefix,
		AccessKeyID:  *session.AccessKeyId,
		SecretKey:    *session.SecretAccessKey,
		SessionToken: *session.SessionToken,
		Expires:      *session.Expiration,
	}, nil
}

// A bucket with CredentialsFor asks for credentials once for each prefix, and uses them for all
// requests below that prefix. If the credentials do not permit an operation, the operation is
// refused.
func TestCredentialsForPrefix(t *testing.T) {
	server := needServer(t, "minio")
	bucket := server.bucket(t, false)
	var requests atomic.Int32
	profile, _ := s3.NamedProfile("minio")
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:     bucket,
		Region:     "us-east-1",
		Endpoint:   server.endpoint,
		Profile:    &profile,
		HTTPClient: withoutKeepAlive(),
		CredentialsFor: func(ctx context.Context, key string) (s3.PrefixCredentials, error) {
			requests.Add(1)
			switch prefix, _, _ := strings.Cut(key, "/"); prefix {
			case "own":
				return server.vend(ctx, bucket, "own/", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")
			case "read":
				return server.vend(ctx, bucket, "read/", "s3:GetObject")
			}
			return s3.PrefixCredentials{}, errors.New("the catalog has no such table")
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	upload := func(key string) error {
		_, err := b.Upload(t.Context(), key, strings.NewReader(key), storage.IfAbsent())
		return err
	}
	_, err = server.raw.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: &bucket,
		Key:    aws.String("read/1"),
		Body:   strings.NewReader("read/1"),
	})
	require.NoError(t, err)

	// Two writes below one prefix need one request for credentials.
	require.NoError(t, upload("own/1"))
	require.NoError(t, upload("own/2"))
	require.EqualValues(t, 1, requests.Load())

	// The credentials for the other prefix permit only reads.
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(upload("read/2")))
	text, _, err := storage.ReadAll(t.Context(), b, "read/1")
	require.NoError(t, err)
	require.Equal(t, "read/1", string(text))
	require.EqualValues(t, 2, requests.Load())

	// There are no credentials for a third prefix.
	err = upload("other/1")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
	require.ErrorContains(t, err, "the catalog has no such table")

	// Copies read with the credentials of the source, and write with those of the destination.
	for _, key := range []string{"own/1", "read/1"} {
		_, err = storage.Copy(t.Context(), b, "own/copy-of-"+key, b, key)
		require.NoError(t, err)
	}
	var keys []string
	for entry, err := range b.List(t.Context(), storage.WithPrefix("own/")) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	require.Equal(t, []string{"own/1", "own/2", "own/copy-of-own/1", "own/copy-of-read/1"}, keys)

	// A signed URL lasts no longer than the credentials.
	const week = 7 * 24 * time.Hour
	signedURL, err := b.SignedDownloadURL(t.Context(), "own/copy-of-read/1", storage.WithTTL(week))
	require.NoError(t, err)
	require.Less(t, time.Until(signedURL.ExpiresAt), 24*time.Hour)
	response, err := withoutKeepAlive().Get(signedURL.URL)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "read/1", string(body))

	// RemoveAll removes the objects for which the credentials permit a removal.
	removed, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"own/1", "read/1", "own/2"}))
	require.Equal(t, 2, removed)
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))

	_, native := storage.As[*awss3.Client](b)
	require.False(t, native)
}

// noCredentials is a function for Config.CredentialsFor that returns no key.
func noCredentials(context.Context, string) (s3.PrefixCredentials, error) {
	return s3.PrefixCredentials{}, nil
}

// Open fails with InvalidArgument if a Config has both CredentialsFor and other credentials.
func TestCredentialsForExcludesOthers(t *testing.T) {
	for name, c := range map[string]s3.Config{
		"an access key":         {AccessKeyID: "a", SecretKey: "b"},
		"anonymous requests":    {Anonymous: true},
		"the name of a profile": {Credentials: "work"},
		"an aws.Config":         {AWS: &aws.Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Bucket = "photos"
			c.Region = "us-east-1"
			c.CredentialsFor = noCredentials
			_, err := s3.Open(t.Context(), c)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		})
	}
}

// Config.CredentialsFor is called with a key. A service cannot have this function, because requests
// for a bucket name no key.
func TestCredentialsForOfService(t *testing.T) {
	_, err := s3.NewService(t.Context(), s3.Config{Region: "us-east-1", CredentialsFor: noCredentials})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// If Config.CredentialsFor returns no key, requests fail.
func TestCredentialsForReturnsNoKey(t *testing.T) {
	b := openBucket(t, s3.Config{Bucket: "photos", Region: "us-east-1", CredentialsFor: noCredentials})
	_, err := b.Attrs(t.Context(), "a")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
}
