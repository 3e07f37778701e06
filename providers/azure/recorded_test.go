package azure_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/azurite"
	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// The caller learns from the driver what Azure's own responses say. Others have recorded these
// responses.
func TestRecordedResponsesOfAzure(t *testing.T) {
	recorded.Replay(t, recordedStore(), recorded.GoCloud(t, recorded.Azure))
}

// With "make statuses", the test breaks each recorded response. Other runs break only one response
// of each kind and status.
func TestBrokenRecordedResponses(t *testing.T) {
	all := os.Getenv("OMNIBUCKET_STATUSES") != ""
	recorded.Break(t, recordedStore(), recorded.GoCloud(t, recorded.Azure), all)
}

// recordedStore returns the account of the recorded responses.
func recordedStore() recorded.Store {
	return recorded.Store{
		Provider: recorded.Azure,
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			d, err := azure.NewDriver(t.Context(), azure.Config{
				Bucket:     bucket,
				Account:    "gocloudblobtests",
				Key:        base64.StdEncoding.EncodeToString([]byte("key of the test")),
				HTTPClient: client,
			})
			require.NoError(t, err)
			return d
		},
		Extra: func(x *recorded.Exchange, kind recorded.Kind) *recorded.Response {
			if kind == recorded.Head && x.Kind == recorded.Copy { // the source is gone
				return &recorded.Response{
					Status: http.StatusNotFound,
					Header: http.Header{
						"X-Ms-Request-Id": {"1"},
						"X-Ms-Error-Code": {"BlobNotFound"},
						"X-Ms-Version":    {"2026-04-06"},
					},
				}
			}
			return nil
		},
		Token: func(marker string) string { return pagetoken.Encode(marker, "") },
	}
}

// A recording of requests to Azurite and of its responses can be replayed as a recording of Azure
// can.
func TestRecordedResponsesOfAzurite(t *testing.T) {
	server := needAzurite(t)

	// RecordAndReplay runs a part of the suite against Azurite, records it, and replays the responses.
	recorded.RecordAndReplay(t, recordedStore(), recorded.Server{
		Name:    "Azurite",
		Address: "azblob://?endpoint=" + server.endpoint,
		Hidden:  []string{azuriteKey, "devstoreaccount1", "127.0.0.1"},
		Faults:  azurite.Skipped,
		Create: func(t *testing.T, bucket string) {
			_, err := server.raw.CreateContainer(t.Context(), bucket, nil)
			require.NoError(t, err)
			t.Cleanup(func() {
				_, err := server.raw.DeleteContainer(context.WithoutCancel(t.Context()), bucket, nil)
				require.NoError(t, err)
			})
		},
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			d, err := azure.NewDriver(t.Context(), azure.Config{
				Bucket:     bucket,
				Endpoint:   server.endpoint,
				HTTPClient: client,
			})
			require.NoError(t, err)
			return d
		},
	})
}
