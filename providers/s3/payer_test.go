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

// Config.RequesterPays permits requests to a bucket whose requester pays.
func TestConfigRequesterPays(t *testing.T) {
	guest := s3server.Credential{AccessKeyID: "GUEST", SecretKey: "guest-secret", Account: "210987654321"}
	owner := s3server.Credential{
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}
	server, err := s3server.Start(s3server.Config{
		Strict:      true,
		Buckets:     []string{"photos"},
		Credentials: []s3server.Credential{owner, guest},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	raw := (&testServer{endpoint: server.URL, key: owner.AccessKeyID, secret: owner.SecretKey}).clientOver(withoutKeepAlive())
	_, err = raw.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{Bucket: aws.String("photos"), Policy: aws.String(`{
		"Version": "2012-10-17",
		"Statement": [{"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]}]
	}`)})
	require.NoError(t, err)
	_, err = raw.PutBucketRequestPayment(t.Context(), &awss3.PutBucketRequestPaymentInput{
		Bucket:                      aws.String("photos"),
		RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: types.PayerRequester},
	})
	require.NoError(t, err)
	profile, _ := s3.NamedProfile("aws")
	config := s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		PathStyle:   new(true),
		AccessKeyID: guest.AccessKeyID,
		SecretKey:   guest.SecretKey,
	}
	service, err := s3.NewService(t.Context(), s3.Config{
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		PathStyle:   new(true),
		AccessKeyID: guest.AccessKeyID,
		SecretKey:   guest.SecretKey,
	})
	require.NoError(t, err)
	_, err = service.CreateBucket(t.Context(), "own")
	require.NoError(t, err)
	require.NoError(t, service.Close())

	for _, row := range []struct {
		name   string
		client *http.Client // of the user's: the SDK makes the requests
	}{{name: "on the fast path"}, {name: "by the SDK", client: &http.Client{}}} {
		t.Run(row.name, func(t *testing.T) {
			c := config
			c.HTTPClient = row.client
			b, err := s3.Open(t.Context(), c)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
			require.ErrorIs(t, err, storage.PermissionDenied, "the request must say that its signer pays")

			c.RequesterPays = true
			b, err = s3.Open(t.Context(), c)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
			require.NoError(t, err)
			_, _, err = storage.ReadAll(t.Context(), b, "k")
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), b, "copy", b, "k")
			require.NoError(t, err)
			payerConfig := config
			payerConfig.Bucket = "own"
			payerConfig.HTTPClient = row.client
			mine, err := s3.Open(t.Context(), payerConfig)
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), mine, "copy", b, "k")
			require.NoError(t, err, "the bytes must be streamed, because no request says that its signer pays")
			for _, err := range b.List(t.Context()) {
				require.NoError(t, err)
			}
			require.NoError(t, b.Remove(t.Context(), "copy"))

			download, err := b.SignedDownloadURL(t.Context(), "k", storage.WithDownloadName("a b.txt"))
			require.NoError(t, err)
			response, err := http.Get(download.URL)
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)

			require.NoError(t, response.Body.Close())
			require.Equal(t, "x", string(text))
			require.Contains(t, response.Header.Get("Content-Disposition"), "a b.txt")

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
