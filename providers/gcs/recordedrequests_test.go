package gcs_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/omnibucket/storage/internal/testing/recorded"
)

// ruleKinds are the recorded kinds of requests that the rule server can handle.
var ruleKinds = []recorded.Kind{
	recorded.Head, recorded.Get, recorded.GetRange, recorded.Put, recorded.PutIf, recorded.Copy, recorded.CopyIf,
	recorded.Compose, recorded.Delete, recorded.DeleteIf, recorded.Patch, recorded.List, recorded.ListVersions,
	recorded.BucketInfo, recorded.CreateBucket, recorded.UpdateBucket, recorded.DeleteBucket, recorded.GetPolicy,
	recorded.SetPolicy, recorded.ListBuckets,
}

// The rule server gets the requests that the tests of gocloud.dev sent to Google, in the same
// order, and responds as Google did. recorded.Repeat fails if a response differs in more than the
// names in Varying and the known Differences.
func TestRecordedRequestsOfGoogle(t *testing.T) {
	begin := func(*testing.T) func(*http.Request) *http.Response {
		// The tests of gocloud.dev use this bucket, which they do not create.
		s := newRuleServer()
		s.add("go-cloud-blob-test-bucket", &ruleBucket{class: "REGIONAL"})
		return serveLocally(s)
	}

	// unrepeatable returns why a request cannot be repeated, or "" if it can.
	unrepeatable := func(x *recorded.Exchange) string {
		if x.Query.Has("GoogleAccessId") || x.Query.Has("X-Goog-Signature") {
			return "its signature is cleared"
		}
		if !slices.Contains(ruleKinds, x.Kind) {
			return "the rule server does not have this request"
		}
		return ""
	}
	const (
		// These headers and fields have other values at each run.
		headers = "Etag Last-Modified X-Goog-Generation X-Guploader-Uploadid"
		fields  = "id selfLink mediaLink generation etag timeCreated updated timeStorageClassUpdated timeFinalized " +
			"projectNumber nextPageToken"
		typeOfError = `a write, status 400: header Content-Type is ["application/json; charset=UTF-8"] ` +
			`and not ["text/html; charset=UTF-8"]`
	)

	server := recorded.StandIn{
		Name:         "the rule server of `providers/gcs`",
		Begin:        begin,
		Unrepeatable: unrepeatable,
		Varying:      strings.Fields(headers + " " + fields),
		Differences: map[string]string{
			"header X-Goog-Gcs-Base-Ts is missing": "Google documents no such header",
			typeOfError:                            "it is that of a page, and the body is JSON",
		},
	}
	recorded.Repeat(t, server, recorded.GoCloud(t, recorded.Google))
}

// The rule server responds to requests that Google's client sent in 2019 with the same status as Google did, except for
// the known Differences.
func TestRecordedRequestsOfGoogle2019(t *testing.T) {
	begin := func(*testing.T) func(*http.Request) *http.Response {
		return serveLocally(newRuleServer())
	}

	// unrepeatable returns why a request cannot be repeated, or "" if it can.
	unrepeatable := func(x *recorded.Exchange) string {
		if !slices.Contains(ruleKinds, x.Kind) {
			return "the rule server does not have this request"
		}
		if strings.HasPrefix(x.Key, "customer-encryption") {
			return "its customer key is not recorded"
		}
		if bytes.Contains(x.Response.Body, []byte("requester pays")) {
			return "the rule server has no buckets for which the requester pays"
		}
		if x.Kind == recorded.SetPolicy {
			return "its body has the entity tag of the recorded policy"
		}
		return ""
	}
	const (
		otherStatus = "a range of an object, status 200: the stand-in sends 206"
		otherBytes  = "bytes of an object, status 200: other bytes"
	)

	server := recorded.StandIn{
		Name:         "the rule server of `providers/gcs`",
		Begin:        begin,
		OnlyStatus:   true,
		Unrepeatable: unrepeatable,
		Differences: map[string]string{
			otherStatus: "Google sent 200 for a range of the whole object; RFC 9110 permits both",
			otherBytes:  "Google decompressed an object; the rule server does not",
		},
	}
	recorded.Repeat(t, server, recorded.GoogleClient(t))
}

// serveLocally returns a function that sends requests to the server without a network.
func serveLocally(s *ruleServer) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Result()
	}
}
