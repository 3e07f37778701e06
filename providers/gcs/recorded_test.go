package gcs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/providers/gcs"
)

// The caller learns from the driver what Google's own responses say. Others have recorded these
// responses.
func TestRecordedResponsesOfGoogle(t *testing.T) {
	recorded.Replay(t, recordedStore(), recorded.GoCloud(t, recorded.Google))
	recorded.Replay(t, recordedStore(), recorded.GoogleClient(t))
}

// With "make statuses", the test breaks each recorded response. Other runs break only one response
// of each kind and status.
func TestBrokenRecordedResponses(t *testing.T) {
	all := os.Getenv("OMNIBUCKET_STATUSES") != ""
	recorded.Break(t, recordedStore(), recorded.GoCloud(t, recorded.Google), all)
	recorded.Break(t, recordedStore(), recorded.GoogleClient(t), all)
}

// recordedStore returns the project of the recorded responses.
func recordedStore() recorded.Store {
	return recorded.Store{
		Provider: recorded.Google,
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			d, err := gcs.NewDriver(t.Context(), gcs.Config{
				Bucket:      bucket,
				TokenSource: hostileToken,
				HTTPClient:  client,
			})
			require.NoError(t, err)
			return d
		},
		OpenService: func(t *testing.T, client *http.Client) driver.ServiceDriver {
			s, err := gcs.NewServiceDriver(t.Context(), gcs.Config{
				Project:     "project",
				TokenSource: hostileToken,
				HTTPClient:  client,
			})
			require.NoError(t, err)
			return s
		},
		Extra: googleExtra,
		SkipReason: func(x *recorded.Exchange) string {
			h := x.Response.Header
			if h.Get("X-Goog-Stored-Content-Encoding") == "gzip" && h.Get("Content-Encoding") != "gzip" {
				return "Google decompressed the bytes, because the client did not accept gzip; the driver accepts it"
			}
			return ""
		},
	}
}

// googleExtra returns the response to a request that this driver makes in addition to the recorded one, or nil if the
// driver makes no such request. For example, the driver also requests the attributes of a public object, because a
// cache may have sent the bytes.
func googleExtra(x *recorded.Exchange, kind recorded.Kind) *recorded.Response {
	documents := map[recorded.Kind]string{
		recorded.List:      `{"kind":"storage#objects"}`,
		recorded.GetPolicy: `{"kind":"storage#policy","etag":"CAE=","bindings":[]}`,
		recorded.SetPolicy: `{"kind":"storage#policy","etag":"CAE=","bindings":[]}`,
	}
	bucket := fmt.Sprintf(`{"kind":"storage#bucket","name":%q,"metageneration":"1","etag":"CAE="}`, x.Bucket)
	documents[recorded.BucketInfo] = bucket
	documents[recorded.UpdateBucket] = bucket
	if x.Kind == recorded.Get || x.Kind == recorded.GetRange {
		documents[recorded.Head] = objectOf(x)
	}
	document := documents[kind]
	if document == "" {
		return nil
	}
	return &recorded.Response{
		Status: http.StatusOK,
		Header: http.Header{
			"Content-Type":         {"application/json; charset=UTF-8"},
			"X-Guploader-Uploadid": {"1"},
		},
		Body: []byte(document),
	}
}

// objectOf makes the JSON resource of an object from the headers of a response with the object's
// bytes.
func objectOf(x *recorded.Exchange) string {
	h := x.Response.Header
	created, _ := http.ParseTime(h.Get("Last-Modified"))
	object := map[string]any{
		"kind":            "storage#object",
		"name":            x.Key,
		"bucket":          x.Bucket,
		"generation":      h.Get("X-Goog-Generation"),
		"size":            h.Get("X-Goog-Stored-Content-Length"),
		"contentType":     h.Get("Content-Type"),
		"contentEncoding": h.Get("Content-Encoding"),
		"contentLanguage": h.Get("Content-Language"),
		"cacheControl":    h.Get("Cache-Control"),
		"storageClass":    h.Get("X-Goog-Storage-Class"),
		"timeCreated":     created,
		"etag":            "CAE=",
	}
	jsonNames := map[string]string{"crc32c": "crc32c", "md5": "md5Hash"}
	for _, sum := range h.Values("X-Goog-Hash") {
		name, value, _ := strings.Cut(sum, "=")
		object[jsonNames[name]] = value
	}
	document, _ := json.Marshal(object)
	return string(document)
}

// The driver passes a part of the conformance suite with responses of a ruleServer that RecordAndReplay has
// recorded, as it does with recordings of Google's server.
func TestRecordedResponsesOfRuleServer(t *testing.T) {
	server := startSignedServer(t)
	recorded.RecordAndReplay(t, recordedStore(), recorded.Server{
		Name:    "the rule server",
		Address: "gs://?endpoint=" + server.URL,
		Hidden:  []string{signedServerToken, server.email, "127.0.0.1"},
		Create: func(_ *testing.T, bucket string) {
			server.rules.mu.Lock()
			defer server.rules.mu.Unlock()
			server.rules.add(bucket, &ruleBucket{})
		},
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			c := server.config(bucket)
			c.HTTPClient = client
			d, err := gcs.NewDriver(t.Context(), c)
			require.NoError(t, err)
			return d
		},
	})
}

// The driver passes a part of the conformance suite with responses of fake-gcs-server that RecordAndReplay has
// recorded, as it does with recordings of Google's server.
func TestRecordedResponsesOfFakeServer(t *testing.T) {
	server := needServer(t)
	recorded.RecordAndReplay(t, recordedStore(), recorded.Server{
		Name:    "fake-gcs-server",
		Address: "gs://?endpoint=" + server.endpoint,
		Hidden:  []string{"127.0.0.1"},
		Faults:  fakeServerSkips,
		Create: func(t *testing.T, bucket string) {
			require.NoError(t, server.raw.Bucket(bucket).Create(t.Context(), "project", nil))
			t.Cleanup(func() { server.remove(t, bucket) })
		},
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			d, err := gcs.NewDriver(t.Context(), gcs.Config{
				Bucket:     bucket,
				Endpoint:   server.endpoint,
				HTTPClient: client,
			})
			require.NoError(t, err)
			return d
		},
	})
}
