package s3server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const adminToken = "a-token"

// administer sends a request to the admin API, and returns the status and the body of the response.
func (s *store) administer(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	url := s.server.URL + "/_admin/" + path
	response, text := s.send(t, method, url, strings.NewReader(body), http.Header{
		"Authorization": {"Bearer " + adminToken},
	})
	return response.StatusCode, strings.TrimSpace(text)
}

// The admin API adds, lists and removes faults, and lists and forgets the requests of clients.
func TestAdminAPI(t *testing.T) {
	s := startServer(t, s3server.Config{AdminToken: adminToken})

	// At first, there are no faults.
	status, text := s.administer(t, "GET", "faults", "")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"faults":[]}`, text)

	// Add two faults.
	status, text = s.administer(t, "POST", "faults",
		`{"operation":"PutObject","key":"tmp/*","error":"SlowDown","times":2,"retryAfter":"3s"}`)
	require.Equal(t, 201, status)
	require.JSONEq(t, `{"id":1}`, text)
	status, text = s.administer(t, "POST", "faults", `{"operation":"GetObject","cutAfter":0,"latency":"1ms"}`)
	require.Equal(t, 201, status)
	require.JSONEq(t, `{"id":2}`, text)

	// The first fault applies only to the request whose key matches "tmp/*".
	_, err := s.PutObject(t.Context(), putInput("tmp/a/b", "x"))
	requireFailure(t, err, 503, "SlowDown")
	_, err = s.PutObject(t.Context(), putInput("other", "x"))
	require.NoError(t, err)
	status, text = s.administer(t, "GET", "faults", "")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"faults":[
		{"id":1,"applied":1,"fault":{"operation":"PutObject","key":"tmp/*","error":"SlowDown","times":2,"retryAfter":"3s"}},
		{"id":2,"applied":0,"fault":{"operation":"GetObject","cutAfter":0,"latency":"1ms"}}]}`, text)

	// The record has both requests, without their secrets.
	status, text = s.administer(t, "GET", "requests", "")
	require.Equal(t, 200, status)
	require.NotContains(t, text, "Authorization")
	require.NotContains(t, text, "Signature")

	var record struct {
		Total    int
		Counts   map[string]int
		Requests []struct {
			Operation, Key string
			Status         int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &record))
	require.Equal(t, 2, record.Total, "requests of the admin API do not count")
	require.Equal(t, map[string]int{"PutObject": 2}, record.Counts)
	require.Equal(t, "tmp/a/b", record.Requests[0].Key)
	require.Equal(t, 503, record.Requests[0].Status)

	// The record is forgotten.
	status, _ = s.administer(t, "DELETE", "requests", "")
	require.Equal(t, 204, status)
	require.Zero(t, s.server.Count(""))

	// Without the first fault, a write succeeds. Without any fault, a read does, too.
	status, _ = s.administer(t, "DELETE", "faults/1", "")
	require.Equal(t, 204, status)
	s.put(t, "tmp/a/b", "x")
	status, _ = s.administer(t, "DELETE", "faults", "")
	require.Equal(t, 204, status)
	require.Equal(t, "x", s.get(t, "tmp/a/b"))
}

// The request records of the admin API hide secrets.
func TestAdminAPIRequestsHaveNoSecret(t *testing.T) {
	s := startServer(t, s3server.Config{AdminToken: adminToken})

	// Each secret of the request is "hidden".
	s.send(t, "GET", s.server.URL+"/"+bucket+"/k?Signature=hidden&x-amz-security-token=hidden", nil, http.Header{
		"Authorization":        {"AWS key:hidden"},
		"Proxy-Authorization":  {"Basic hidden"},
		"Cookie":               {"session=hidden"},
		"X-Amz-Security-Token": {"hidden"},
		"X-Amz-Server-Side-Encryption-Customer-Key": {"hidden"},
		"Range": {"bytes=0-9"},
	})

	_, text := s.administer(t, "GET", "requests", "")
	require.Contains(t, text, "bytes=0-9")
	require.NotContains(t, text, "hidden")
}

// The admin API refuses malformed requests.
func TestAdminAPIRefuses(t *testing.T) {
	s := startServer(t, s3server.Config{AdminToken: adminToken})
	tests := []struct {
		name               string
		method, path, body string
		wantStatus         int
		wantText           string
	}{
		{
			name:       "unknown field",
			method:     "POST",
			path:       "faults",
			body:       `{"eror":"SlowDown"}`,
			wantStatus: 400,
			wantText:   `unknown field`,
		},
		{
			name:       "body is not JSON",
			method:     "POST",
			path:       "faults",
			body:       `SlowDown`,
			wantStatus: 400,
			wantText:   "invalid character",
		},
		{
			name:       "two documents",
			method:     "POST",
			path:       "faults",
			body:       `{"error":"SlowDown"}{}`,
			wantStatus: 400,
			wantText:   "invalid character",
		},
		{
			name:       "fault without an effect",
			method:     "POST",
			path:       "faults",
			body:       `{"operation":"PutObject"}`,
			wantStatus: 400,
			wantText:   "must do something",
		},
		{
			name:       "unknown error code",
			method:     "POST",
			path:       "faults",
			body:       `{"error":"Slow"}`,
			wantStatus: 400,
			wantText:   `error must be a known code, or status must be set: \"Slow\"`,
		},
		{
			name:       "invalid status",
			method:     "POST",
			path:       "faults",
			body:       `{"status":99}`,
			wantStatus: 400,
			wantText:   "from 200 to 599",
		},
		{
			name:       "invalid duration",
			method:     "POST",
			path:       "faults",
			body:       `{"latency":"1 fortnight"}`,
			wantStatus: 400,
			wantText:   "duration",
		},
		{
			name:       "number as duration",
			method:     "POST",
			path:       "faults",
			body:       `{"latency":5}`,
			wantStatus: 400,
			wantText:   "jsonDuration",
		},
		{
			name:       "a negative number",
			method:     "POST",
			path:       "faults",
			body:       `{"error":"SlowDown","times":-1}`,
			wantStatus: 400,
			wantText:   "times must not be negative",
		},
		{
			name:       "body too large",
			method:     "POST",
			path:       "faults",
			body:       `"` + strings.Repeat("x", 100<<10),
			wantStatus: 400,
			wantText:   "too large",
		},
		{name: "unknown ID", method: "DELETE", path: "faults/7", wantStatus: 404, wantText: "no fault"},
		{name: "invalid ID", method: "DELETE", path: "faults/x", wantStatus: 404, wantText: "no fault"},
		{name: "unknown path", method: "GET", path: "else", wantStatus: 404, wantText: "nothing"},
		{name: "unknown method", method: "PATCH", path: "faults", wantStatus: 404, wantText: "nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, text := s.administer(t, tt.method, tt.path, tt.body)
			require.Equal(t, tt.wantStatus, status, text)
			require.Contains(t, text, tt.wantText)
		})
	}

	// A server has at most 1000 faults.
	for i := range 1000 {
		status, text := s.administer(t, "POST", "faults", fmt.Sprintf(`{"error":"SlowDown","key":"%d"}`, i))
		require.Equal(t, 201, status, text)
	}
	status, _ := s.administer(t, "POST", "faults", `{"error":"SlowDown"}`)
	require.Equal(t, 409, status)
}

// The admin API needs its token. At the host of a bucket, or in a server without a token, its paths are keys of
// objects.
func TestAdminAPINeedsToken(t *testing.T) {
	const faults = "/_admin/faults"

	t.Run("wrong token", func(t *testing.T) {
		s := startServer(t, s3server.Config{AdminToken: adminToken})
		for _, authorization := range []string{"", "Bearer ", "Bearer wrong", "Basic " + adminToken} {
			body := strings.NewReader(`{"error":"SlowDown"}`)
			response, text := s.send(t, "POST", s.server.URL+faults, body, http.Header{
				"Authorization": {authorization},
			})
			require.Equal(t, 401, response.StatusCode)
			require.NotContains(t, text, adminToken)
		}
		s.put(t, "k", "x") // succeeds, because no fault was set
	})

	t.Run("host of a bucket", func(t *testing.T) {
		s := startServer(t, s3server.Config{AdminToken: adminToken})
		for _, host := range []string{"photos.localhost", "photos.s3-website.localhost"} {
			_, text := s.send(t, "GET", s.server.URL+faults, nil, http.Header{"Host": {host}})
			require.NotContains(t, text, "Bearer", "the response must not be the admin API's")
		}
	})

	t.Run("no admin API", func(t *testing.T) {
		s := startServer(t, s3server.Config{})
		response, _ := s.send(t, "GET", s.server.URL+faults, nil, http.Header{
			"Authorization": {"Bearer "},
		})
		require.Equal(t, 400, response.StatusCode, "the response must be that of S3")
	})
}

// A fault with all its fields is encoded as this JSON. Decoding the JSON returns the same fault.
func TestFaultJSON(t *testing.T) {
	fault := s3server.Fault{
		Operation:      "Put*",
		Bucket:         "b",
		Key:            "k?",
		Skip:           1,
		Times:          2,
		Rate:           3,
		Error:          "SlowDown",
		Status:         503,
		RetryAfter:     time.Second,
		In200:          true,
		Redirect:       "eu-west-1",
		DropConnection: true,
		DropResponse:   true,
		CutAfter:       new(int64(0)),
		StallAfter:     new(int64(1)),
		FlipAt:         new(int64(2)),
		Latency:        time.Minute,
		Bandwidth:      4,
		ETag:           `"x"`,
		ClockSkew:      -time.Hour,
		Stale:          time.Millisecond,
		Ignore:         []string{"If-Match"},
		Hide:           []string{"ETag"},
		Reverse:        true,
	}
	const document = `{
		"operation": "Put*",
		"bucket": "b",
		"key": "k?",
		"skip": 1,
		"times": 2,
		"rate": 3,
		"error": "SlowDown",
		"status": 503,
		"retryAfter": "1s",
		"in200": true,
		"redirect": "eu-west-1",
		"dropConnection": true,
		"dropResponse": true,
		"cutAfter": 0,
		"stallAfter": 1,
		"flipAt": 2,
		"latency": "1m0s",
		"bandwidth": 4,
		"etag": "\"x\"",
		"clockSkew": "-1h0m0s",
		"stale": "1ms",
		"ignore": ["If-Match"],
		"hide": ["ETag"],
		"reverse": true
	}`

	data, err := json.Marshal(fault)
	require.NoError(t, err)
	require.JSONEq(t, document, string(data))

	var decoded s3server.Fault
	require.NoError(t, json.Unmarshal(data, &decoded))
	require.Equal(t, fault, decoded)
}

// The admin API lists multipart uploads in progress, in pages of 100.
func TestAdminAPIShowsUploads(t *testing.T) {
	const uploads, wantPages = 120, 2
	s := startServer(t, s3server.Config{AdminToken: adminToken})
	for i := range uploads {
		created, err := s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: aws.String(bucket),
			Key:    aws.String(fmt.Sprintf("key %03d", i)),
		})
		require.NoError(t, err)
		_, err = s.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket:     aws.String(bucket),
			Key:        created.Key,
			UploadId:   created.UploadId,
			PartNumber: aws.Int32(1),
			Body:       strings.NewReader("hello"),
		})
		require.NoError(t, err)
	}

	// Read all pages.
	var keys []string
	pages := 0
	startAfter := ""
	for {
		query := url.Values{"bucket": {bucket}, "after": {startAfter}}
		status, text := s.administer(t, "GET", "uploads?"+query.Encode(), "")
		require.Equal(t, 200, status, text)

		var page struct {
			Uploads []struct {
				Key         string
				Parts, Size int
			}
			Next string
		}
		require.NoError(t, json.Unmarshal([]byte(text), &page))
		for _, u := range page.Uploads {
			require.Equal(t, 1, u.Parts)
			require.Equal(t, 5, u.Size)
			keys = append(keys, u.Key)
		}

		pages++
		if page.Next == "" {
			break
		}
		startAfter = page.Next
	}
	require.Equal(t, wantPages, pages)
	require.Len(t, keys, uploads)
	require.True(t, slices.IsSorted(keys))

	// A missing bucket is an error.
	status, _ := s.administer(t, "GET", "uploads?bucket=none", "")
	require.Equal(t, 400, status)
}
