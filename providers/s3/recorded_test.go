package s3_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// The driver reads responses of Amazon that others have recorded.
func TestRecordedResponsesOfAmazon(t *testing.T) {
	recorded.Replay(t, recordedStore(), recorded.GoCloud(t, recorded.Amazon))
}

// If a recorded response is broken, calls fail and do not return wrong data. A plain run breaks one response of
// each kind. "make statuses" breaks all of them.
func TestBrokenRecordedResponses(t *testing.T) {
	all := os.Getenv("OMNIBUCKET_STATUSES") != ""
	recorded.Break(t, recordedStore(), recorded.GoCloud(t, recorded.Amazon), all)
}

// recordedStore returns the store for recordings: drivers that send their requests with the client of
// a recording.
func recordedStore() recorded.Store {
	return recorded.Store{
		Provider: recorded.Amazon,
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			d, err := s3.NewDriver(t.Context(), s3.Config{
				Bucket:      bucket,
				Region:      "us-west-1",
				AccessKeyID: "AKIDRECORDED",
				SecretKey:   "secret key of the test",
				HTTPClient:  client,
			})
			require.NoError(t, err)
			return d
		},
		Extra: func(_ *recorded.Exchange, kind recorded.Kind) *recorded.Response {
			if kind == "HEAD bucket" { // the bucket exists
				return &recorded.Response{
					Status: http.StatusOK,
					Header: http.Header{"X-Amz-Request-Id": {"1"}},
				}
			}
			return nil
		},
	}
}

// The driver passes a part of the suite with responses of our own server, which RecordAndReplay has
// recorded. It replays them as it replays recordings of Amazon S3.
func TestRecordedResponsesOfS3server(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{})
	config := s3.Config{
		Endpoint:    server.URL,
		Region:      "us-east-1",
		PathStyle:   aws.Bool(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}
	account, err := s3.NewService(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	recorded.RecordAndReplay(t, recordedStore(), recorded.Server{
		Name:    "s3server",
		Address: "s3://?path_style=true&endpoint=" + server.URL,
		Hidden:  []string{s3server.DefaultAccessKeyID, s3server.DefaultSecretKey, "127.0.0.1"},
		Create: func(t *testing.T, bucket string) {
			_, err := account.CreateBucket(t.Context(), bucket)
			require.NoError(t, err)
		},
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			c := config
			c.Bucket = bucket
			c.HTTPClient = client
			d, err := s3.NewDriver(t.Context(), c)
			require.NoError(t, err)
			return d
		},
	})
}
