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

// vend returns temporary credentials for a prefix, as an Iceberg REST catalog does.
func (s *testServer) vend(ctx context.Context, bucket, prefix string, actions ...string) (given s3.PrefixCredentials, err error) {
	client := sts.New(sts.Options{
		HTTPClient:   withoutKeepAlive(),
		Region:       "us-east-1",
		BaseEndpoint: &s.endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(s.key, s.secret, ""),
	})
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["%[3]s"], "Resource": ["arn:aws:s3:::%[1]s/%[2]s*"]},
		{"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::%[1]s"], "Condition": {"StringLike": {"s3:prefix": ["%[2]s*"]}}}
	]}`, bucket, prefix, strings.Join(actions, `", "`))
	output, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/catalog"),
		RoleSessionName: aws.String("test"),
		Policy:          &policy,
	})
	if err != nil {
		return given, err
	}
	c := output.Credentials
	return s3.PrefixCredentials{Prefix: prefix, AccessKeyID: *c.AccessKeyId, SecretKey: *c.SecretAccessKey, SessionToken: *c.SessionToken, Expires: *c.Expiration}, nil
}

// Credentials hold for the objects of a prefix.
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
	put := func(key string) error {
		_, err := b.Upload(t.Context(), key, strings.NewReader(key), storage.IfAbsent())
		return err
	}
	_, err = server.raw.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: &bucket,
		Key:    aws.String("read/1"),
		Body:   strings.NewReader("read/1"),
	})
	require.NoError(t, err)

	require.NoError(t, put("own/1"))
	require.NoError(t, put("own/2"))
	require.EqualValues(t, 1, requests.Load())
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(put("read/2")))

	text, _, err := storage.ReadAll(t.Context(), b, "read/1")
	require.NoError(t, err)
	require.Equal(t, "read/1", string(text))
	require.EqualValues(t, 2, requests.Load())

	err = put("other/1")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
	require.ErrorContains(t, err, "the catalog has no such table")

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

	signedURL, err := b.SignedDownloadURL(t.Context(), "own/copy-of-read/1", storage.WithTTL(7*24*time.Hour))
	require.NoError(t, err)
	require.Less(t, time.Until(signedURL.ExpiresAt), 24*time.Hour, "no longer than the credentials")

	response, err := withoutKeepAlive().Get(signedURL.URL)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "read/1", string(body))

	n, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"own/1", "read/1", "own/2"}))
	require.Equal(t, 2, n)
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	_, native := storage.As[*awss3.Client](b)
	require.False(t, native)
}

func TestCredentialsForExcludesOthers(t *testing.T) {
	ask := func(context.Context, string) (s3.PrefixCredentials, error) { return s3.PrefixCredentials{}, nil }
	for name, c := range map[string]s3.Config{
		"a key":      {AccessKeyID: "a", SecretKey: "b"},
		"anonymous":  {Anonymous: true},
		"a name":     {Credentials: "work"},
		"an AWS one": {AWS: &aws.Config{}},
	} {
		c.Bucket = "photos"
		c.Region = "us-east-1"
		c.CredentialsFor = ask
		_, err := s3.Open(t.Context(), c)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), name)
	}

	_, err := s3.NewService(t.Context(), s3.Config{Region: "us-east-1", CredentialsFor: ask})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	b, err := s3.Open(t.Context(), s3.Config{Bucket: "photos", Region: "us-east-1", CredentialsFor: ask})
	require.NoError(t, err)
	_, err = b.Attrs(t.Context(), "a")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err), "no key")
	require.NoError(t, storage.Close(b))
}
