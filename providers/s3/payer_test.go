package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// With Config.RequesterPays, all calls succeed on a bucket whose requester pays. Without it, they are refused.
func TestConfigRequesterPays(t *testing.T) {
	guest := startRequesterPays(t)
	tests := []struct {
		name   string
		client *http.Client // of the Config
	}{
		{name: "by the raw client"},
		{name: "by the SDK", client: &http.Client{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := guest
			c.HTTPClient = tt.client

			// Without RequesterPays, a request does not say that its sender pays.
			b, err := s3.Open(t.Context(), c)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
			require.ErrorIs(t, err, storage.PermissionDenied)

			// With RequesterPays, each call succeeds.
			c.RequesterPays = true
			b, err = s3.Open(t.Context(), c)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
			require.NoError(t, err)
			_, _, err = storage.ReadAll(t.Context(), b, "k")
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), b, "copy", b, "k")
			require.NoError(t, err)
			for _, err := range b.List(t.Context()) {
				require.NoError(t, err)
			}
			require.NoError(t, b.Remove(t.Context(), "copy"))

			// A copy to a bucket without RequesterPays passes the bytes through the process.
			ownConfig := guest
			ownConfig.Bucket = "own"
			ownConfig.HTTPClient = tt.client
			own, err := s3.Open(t.Context(), ownConfig)
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), own, "copy", b, "k")
			require.NoError(t, err)

			// A signed URL downloads the object.
			download, err := b.SignedDownloadURL(t.Context(), "k", storage.WithDownloadName("a b.txt"))
			require.NoError(t, err)
			response, err := http.Get(download.URL)
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, "x", string(text))
			require.Contains(t, response.Header.Get("Content-Disposition"), "a b.txt")

			// A signed URL uploads an object, but there are no signed forms.
			upload, err := b.SignedUploadURL(t.Context(), "signed", storage.WithSize(1))
			require.NoError(t, err)
			request, err := upload.Request(t.Context(), strings.NewReader("y"))
			require.NoError(t, err)
			response, err = http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.False(t, storage.Supports(b, storage.SignedForms))
		})
	}
}

// startRequesterPays starts a server with the bucket "photos", whose requester pays. It returns the
// Config of another account. This account may use the bucket, and has a bucket "own".
func startRequesterPays(t *testing.T) s3.Config {
	t.Helper()
	owner := s3server.Credential{
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}
	guest := s3server.Credential{AccessKeyID: "GUEST", SecretKey: "guest-secret", Account: "210987654321"}
	server, err := s3server.Start(s3server.Config{
		Strict:      true,
		Buckets:     []string{"photos"},
		Credentials: []s3server.Credential{owner, guest},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)

	// The owner lets the guest use the bucket.
	ownerServer := &testServer{endpoint: server.URL, key: owner.AccessKeyID, secret: owner.SecretKey}
	raw := ownerServer.clientOver(withoutKeepAlive())
	_, err = raw.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{
		Bucket: aws.String("photos"),
		Policy: aws.String(`{"Version": "2012-10-17", "Statement": [{
			"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "s3:*",
			"Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]
		}]}`),
	})
	require.NoError(t, err)
	_, err = raw.PutBucketRequestPayment(t.Context(), &awss3.PutBucketRequestPaymentInput{
		Bucket:                      aws.String("photos"),
		RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: types.PayerRequester},
	})
	require.NoError(t, err)

	// The guest creates a bucket.
	profile, _ := s3.NamedProfile("aws")
	account := s3.Config{
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		PathStyle:   new(true),
		AccessKeyID: guest.AccessKeyID,
		SecretKey:   guest.SecretKey,
	}
	service, err := s3.NewService(t.Context(), account)
	require.NoError(t, err)
	_, err = service.CreateBucket(t.Context(), "own")
	require.NoError(t, err)
	require.NoError(t, service.Close())

	c := account
	c.Bucket = "photos"
	return c
}
