package s3_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/providers/s3"
)

// Amazon's own responses, which others have recorded.
func TestAmazonsRecordedResponses(t *testing.T) {
	recorded.Play(t, recordedStore(), recorded.GoCloud(t, recorded.Amazon))
}

// "make statuses" breaks each recorded response, and not only one of each kind.
func TestBrokenRecordedResponses(t *testing.T) {
	all := os.Getenv("OMNIBUCKET_STATUSES") != ""
	recorded.Break(t, recordedStore(), recorded.GoCloud(t, recorded.Amazon), all)
}

func recordedStore() recorded.Store {
	return recorded.Store{
		Provider: recorded.Amazon,
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			d, err := s3.NewDriver(t.Context(), s3.Config{
				Bucket: bucket, Region: "us-west-1", AccessKeyID: "AKIDRECORDED", SecretKey: "secret key of the test",
				HTTPClient: client,
			})
			require.NoError(t, err)
			return d
		},
		Aside: func(_ *recorded.Exchange, kind recorded.Kind) *recorded.Response {
			if kind == "HEAD bucket" { // the bucket exists
				return &recorded.Response{Status: http.StatusOK, Header: http.Header{"X-Amz-Request-Id": {"1"}}}
			}
			return nil
		},
	}
}
