package s3server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/omnibucket/storage/s3server"
)

// A fault first skips a number of requests. It then makes a number of requests fail with its error
// and its Retry-After.
func TestFaultErrors(t *testing.T) {
	const failures = 2
	tests := []struct {
		code       string
		wantStatus int
	}{
		{code: "ConditionalRequestConflict", wantStatus: 409},
		{code: "TooManyRequests", wantStatus: 429},
		{code: "SlowDown", wantStatus: 503},
		{code: "InternalError", wantStatus: 500},
		{code: "RequestTimeout", wantStatus: 400},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			s.server.Inject(s3server.Fault{
				Operation:  "PutObject",
				Error:      tt.code,
				Skip:       1,
				Times:      failures,
				RetryAfter: 3 * time.Second,
			})
			put := func(content string) error {
				_, err := s.PutObject(t.Context(), putInput("k", content))
				return err
			}

			// The fault skips the first request.
			require.NoError(t, put("first"))

			// It fails the next requests, which change nothing.
			for range failures {
				err := put("x")
				requireFailure(t, err, tt.wantStatus, tt.code)
				var response *awshttp.ResponseError
				require.ErrorAs(t, err, &response)
				require.Equal(t, "3", response.Response.Header.Get("Retry-After"))
			}
			require.Equal(t, "first", s.get(t, "k"))

			// The fault makes no more requests fail. The server's count includes the failed
			// requests.
			require.NoError(t, put("last"))
			require.Equal(t, 4, s.server.Count("PutObject"))
		})
	}
}

// With In200, the fault's error is in the body of a response with status 200, and the request has no effect.
func TestFaultErrorIn200(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "from", "x")

	// CopyObject.
	s.server.Inject(s3server.Fault{Operation: "CopyObject", Error: "InternalError", In200: true, Times: 1})
	_, err := s.CopyObject(t.Context(), copyInput("from", "to"))
	require.ErrorContains(t, err, "InternalError")

	// The client can send CompleteMultipartUpload again.
	upload := s.beginUpload(t, "k")
	part := s.uploadPart(t, "k", upload, 1, "x")
	s.server.Inject(s3server.Fault{
		Operation: "CompleteMultipartUpload",
		Error:     "InternalError",
		In200:     true,
		Times:     1,
	})
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, part))
	require.ErrorContains(t, err, "InternalError")
	require.Equal(t, []string{"from"}, s.keys(t))

	// The failed request has not ended the upload, so the request can be repeated.
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, part))
	require.NoError(t, err)
}

// A fault can redirect requests to another region.
func TestFaultRedirect(t *testing.T) {
	s := startServer(t, s3server.Config{})
	const requests = 2
	s.server.Inject(s3server.Fault{Redirect: "eu-west-1", Times: requests})

	// The error response to PutObject has a code. The response to HEAD has no body, and names the
	// region in a header.
	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 301, "PermanentRedirect")

	_, err = s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	var response *awshttp.ResponseError
	require.ErrorAs(t, err, &response)
	require.Equal(t, 301, response.HTTPStatusCode())
	require.Equal(t, "eu-west-1", response.Response.Header.Get("X-Amz-Bucket-Region"))
}

// A fault can drop the connection before a request takes effect, or drop the response after it.
func TestFaultDropsResponse(t *testing.T) {
	s := startServer(t, s3server.Config{})

	// DropConnection ends the connection before the request takes effect.
	s.server.Inject(s3server.Fault{Operation: "PutObject", DropConnection: true, Times: 1})
	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	require.Error(t, err)
	require.Empty(t, s.keys(t))

	// DropResponse ends the connection after the object was written.
	s.server.Inject(s3server.Fault{Operation: "PutObject", DropResponse: true, Times: 1})
	_, err = s.PutObject(t.Context(), putInput("k", "x"))
	require.Error(t, err)
	require.Equal(t, []string{"k"}, s.keys(t))

	// A removal takes effect without a response, too.
	s.server.Inject(s3server.Fault{Operation: "DeleteObject", DropResponse: true, Times: 1})
	_, err = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.Error(t, err)
	require.Empty(t, s.keys(t))

	require.Zero(t, s.server.Requests()[0].Status, "there was no response")
}

// A fault can cut off, change, stall or slow down the body of a response.
func TestFaultBreaksBody(t *testing.T) {
	const (
		cutAfter   = 40_001
		flipAt     = 40_000
		stallAfter = 10
	)
	// The client does not validate checksums. Otherwise, it would notice the faults itself.
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	content := strings.Repeat("0123456789", 5000)
	s.put(t, "k", content)
	get := func(ctx context.Context) io.ReadCloser {
		output, err := s.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		require.NoError(t, err)
		require.Equal(t, int64(len(content)), *output.ContentLength)
		t.Cleanup(func() {
			_ = output.Body.Close()
		})
		return output.Body
	}

	// The body ends early.
	s.server.Inject(s3server.Fault{Operation: "GetObject", CutAfter: new(int64(cutAfter)), Times: 1})
	got, err := io.ReadAll(get(t.Context()))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Len(t, got, cutAfter)

	// One byte is wrong.
	s.server.Inject(s3server.Fault{Operation: "GetObject", FlipAt: new(int64(flipAt)), Times: 1})
	got, err = io.ReadAll(get(t.Context()))
	require.NoError(t, err)
	require.Equal(t, content[:flipAt], string(got[:flipAt]))
	require.NotEqual(t, content[flipAt], got[flipAt])

	// After some bytes, nothing comes until the client gives up.
	s.server.Inject(s3server.Fault{Operation: "GetObject", StallAfter: new(int64(stallAfter)), Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	body := get(ctx)
	_, err = io.ReadFull(body, make([]byte, stallAfter))
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(body)
	require.ErrorIs(t, err, context.Canceled)

	// The body comes slowly, but complete.
	s.server.Inject(s3server.Fault{Operation: "GetObject", Bandwidth: 10 << 20, Times: 1})
	got, err = io.ReadAll(get(t.Context()))
	require.NoError(t, err)
	require.Equal(t, content, string(got))
}

// Fault.Deny makes the deletion of some keys of DeleteObjects fail. The fault can change the keys
// and versions in the response.
func TestFaultNamesFailuresOfBatchDifferently(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "a", "x")
	s.put(t, "b", "x")

	// Deny the deletion of "a", and return another key and version for it.
	s.server.Inject(s3server.Fault{
		Operation: "DeleteObjects",
		Deny: func(key, _ string) (shownKey, shownVersion string, denied bool) {
			return "", "null", key == "a"
		},
		Times: 1,
	})

	output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{
			Objects: []types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("b")}},
		},
	})
	require.NoError(t, err)

	// The response names another key and another version than the request.
	require.Len(t, output.Errors, 1)
	require.Equal(t, "", *output.Errors[0].Key)
	require.Equal(t, "null", *output.Errors[0].VersionId)
	require.Equal(t, "AccessDenied", *output.Errors[0].Code)
	require.Equal(t, []string{"a"}, s.keys(t))
}

// Close ends a request that a fault stalls. Otherwise, the end of this test would wait for that
// request.
func TestFaultStallEndsWithClose(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")
	s.server.Inject(s3server.Fault{Operation: "GetObject", StallAfter: new(int64(1)), Times: 1})
	output, err := s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)

	// This cleanup runs before the one that closes the server.
	t.Cleanup(func() {
		_ = output.Body.Close()
	})

	// The request is still in progress. The end of the test closes the server.
	require.Equal(t, 1, s.server.Busy())
}

// Until ClearFaults removes it, a fault can ignore request headers, hide response headers and
// reverse listings.
func TestFaultIgnoresHeaders(t *testing.T) {
	s := startServer(t, s3server.Config{})
	oldETag := s.put(t, "k", "0123456789")

	// The server ignores the condition of PutObject. The condition does not hold, because the
	// object exists.
	s.server.Inject(s3server.Fault{Operation: "PutObject", Ignore: []string{"If-None-Match"}, Times: 1})
	input := putInput("k", "9876543210")
	input.IfNoneMatch = aws.String("*")
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	// The server ignores the range of GetObject, and its response has no entity tag.
	s.server.Inject(s3server.Fault{
		Operation: "GetObject",
		Ignore:    []string{"Range"},
		Hide:      []string{"ETag"},
		Times:     1,
	})
	output, err := s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
		Range:  aws.String("bytes=5-"),
	})
	require.NoError(t, err)
	require.Equal(t, "9876543210", readBody(t, output.Body))
	require.Nil(t, output.ETag)

	// A listing is in reverse order.
	s.put(t, "l", "")
	s.server.Inject(s3server.Fault{Operation: "ListObjectsV2", Reverse: true, Times: 1})
	require.Equal(t, []string{"l", "k"}, s.keys(t))

	// The server ignores the condition of DeleteObjects. The condition does not hold, because the
	// object has changed.
	s.server.Inject(s3server.Fault{Operation: "DeleteObjects", Ignore: []string{"ETag"}, Times: 1})
	deleted, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k"), ETag: &oldETag}}},
	})
	require.NoError(t, err)
	require.Empty(t, deleted.Errors)

	// ClearFaults removes a fault.
	s.server.Inject(s3server.Fault{Error: "SlowDown"})
	s.server.ClearFaults()
	require.Equal(t, []string{"l"}, s.keys(t))
}

// The server records its latest requests, and counts them since the last Reset.
func TestRequestsAreRecorded(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "a b", "x")
	s.server.Reset()

	s.put(t, "a b", "x")

	require.Equal(t, 1, s.server.Count(""))
	require.Zero(t, s.server.Count("GetObject"))
	r := s.server.Requests()[0]
	require.Equal(t, "PutObject", r.Operation)
	require.Equal(t, "/photos/a%20b", r.Path)
	require.Equal(t, "a b", r.Key)
	require.Equal(t, 200, r.Status)
	require.NotEmpty(t, r.Header.Get("Authorization"))
}

// A fault can limit the requests per second of an operation. If many requests come at once, the server serves as many
// as the rate permits in a tenth of a second.
func TestFaultThrottles(t *testing.T) {
	now := time.Now()
	s := startServer(t, s3server.Config{Now: func() time.Time { return now }})
	s.server.Inject(s3server.Fault{Operation: "PutObject", Error: "SlowDown", Rate: 20})

	// countServed sends ten requests at once, and returns how many of them the server served.
	countServed := func() (served int) {
		for range 10 {
			_, err := s.PutObject(t.Context(), putInput("k", "x"))
			if err == nil {
				served++
				continue
			}
			requireFailure(t, err, http.StatusServiceUnavailable, "SlowDown")
		}
		return served
	}

	// A rate of 20 requests per second permits 2 in a tenth of a second, and one in 50
	// milliseconds.
	require.Equal(t, 2, countServed())
	now = now.Add(50 * time.Millisecond)
	require.Equal(t, 1, countServed())
	now = now.Add(10 * time.Second)
	require.Equal(t, 2, countServed(), "a time without requests does not count")

	require.Equal(t, "x", s.get(t, "k"), "other operations are not throttled")
}

// A fault selects requests by patterns of their operation, bucket and key, and by their number.
func TestFaultPatternsAndCounts(t *testing.T) {
	keys := []string{"a", "tmp/a", "tmp/a/b", "x*y"}
	tests := []struct {
		name  string
		fault s3server.Fault
		want  []string // the keys whose writes fail
	}{
		{name: "an operation", fault: s3server.Fail("PutObject", "SlowDown"), want: keys},
		{
			name:  "a pattern of operations",
			fault: s3server.Fail("Put*", "SlowDown").On("photos", "a"),
			want:  []string{"a"},
		},
		{name: "another operation", fault: s3server.Fail("Get*", "SlowDown"), want: nil},
		{name: "another bucket", fault: s3server.Fail("", "SlowDown").On("other", ""), want: nil},
		{
			name:  "a prefix",
			fault: s3server.Fail("", "SlowDown").On("", "tmp/*"),
			want:  []string{"tmp/a", "tmp/a/b"},
		},
		{
			name:  "a suffix",
			fault: s3server.Fail("", "SlowDown").On("p*s", "*b"),
			want:  []string{"tmp/a/b"},
		},
		{
			name:  "one character",
			fault: s3server.Fail("", "SlowDown").On("", "tmp?a"),
			want:  []string{"tmp/a"},
		},
		{
			name:  "a key with a star",
			fault: s3server.Fail("", "SlowDown").On("", "x*y"),
			want:  []string{"x*y"},
		},
		{name: "the first", fault: s3server.Fail("PutObject", "SlowDown").Once(), want: []string{"a"}},
		{
			name:  "the second and third",
			fault: s3server.Fault{Error: "SlowDown", Skip: 1, Times: 2},
			want:  []string{"tmp/a", "tmp/a/b"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			s.server.Inject(tt.fault)

			// Write the keys in order, and collect those that fail.
			var failures []string
			for _, key := range keys {
				if _, err := s.PutObject(t.Context(), putInput(key, "x")); err != nil {
					requireFailure(t, err, 503, "SlowDown")
					failures = append(failures, key)
				}
			}
			require.Equal(t, tt.want, failures)
		})
	}
}

// The function that Inject returns removes only the fault of that call.
func TestFaultUndo(t *testing.T) {
	s := startServer(t, s3server.Config{})
	undo := s.server.Inject(s3server.Fail("PutObject", "SlowDown"))
	s.server.Inject(s3server.Fail("GetObject", "SlowDown"))

	// Until it is removed, the fault makes each PutObject fail.
	for range 3 {
		_, err := s.PutObject(t.Context(), putInput("k", "x"))
		requireFailure(t, err, 503, "SlowDown")
	}

	// A second call of the function has no effect. The other fault stays.
	undo()
	undo()
	s.put(t, "k", "x")
	_, err := s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	requireFailure(t, err, 503, "SlowDown")
}

// Each constructor of a fault makes the server do what the constructor's name says.
func TestFaultConstructors(t *testing.T) {
	now := time.Now()
	s := startServer(t, s3server.Config{Now: func() time.Time { return now }}, func(o *s3.Options) {
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	put := func(content string) error {
		_, err := s.PutObject(t.Context(), putInput("k", content))
		return err
	}
	get := func() (io.ReadCloser, error) {
		output, err := s.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		})
		if err != nil {
			return nil, err
		}
		return output.Body, nil
	}

	// Drop: the request has no effect.
	s.server.Inject(s3server.Drop("PutObject").Once())
	require.Error(t, put("x"))
	require.Empty(t, s.keys(t))

	// Lose: the response is lost.
	s.server.Inject(s3server.Lose("PutObject").Once())
	require.Error(t, put("content"))
	require.Equal(t, []string{"k"}, s.keys(t))

	// CutAfter: the body ends early.
	s.server.Inject(s3server.CutAfter("GetObject", 3).Once())
	body, err := get()
	require.NoError(t, err)
	content, err := io.ReadAll(body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "con", string(content))
	require.NoError(t, body.Close())

	// FlipAt: a byte is wrong.
	s.server.Inject(s3server.FlipAt("GetObject", 0).Once())
	body, err = get()
	require.NoError(t, err)
	require.Equal(t, "\x9content", readBody(t, body))

	// StallAfter: the body stops, as TestFaultBreaksBody shows.
	require.Equal(t, s3server.Fault{Operation: "GetObject", StallAfter: new(int64(1))},
		s3server.StallAfter("GetObject", 1))

	// Delay: the response comes late.
	const delay = 20 * time.Millisecond
	s.server.Inject(s3server.Delay("GetObject", delay).Once())
	startTime := time.Now()
	body, err = get()
	require.NoError(t, err)
	require.Equal(t, "content", readBody(t, body))
	require.GreaterOrEqual(t, time.Since(startTime), delay)

	// Throttle: only one request is served until the clock moves.
	s.server.Inject(s3server.Throttle("GetObject", 10))
	_, err = get()
	require.NoError(t, err)
	_, err = get()
	requireFailure(t, err, 503, "SlowDown")
}

// The bandwidth of a fault limits the bytes per second of the bodies of requests and responses.
func TestFaultBandwidth(t *testing.T) {
	const (
		size      = 10_000
		bandwidth = 100_000               // the content takes 100 ms
		minTime   = 90 * time.Millisecond // the clock may be inexact
	)
	s := startServer(t, s3server.Config{})
	s.server.Inject(s3server.Fault{Bandwidth: bandwidth})
	content := strings.Repeat("x", size)

	startTime := time.Now()
	s.put(t, "k", content)
	require.GreaterOrEqual(t, time.Since(startTime), minTime)

	startTime = time.Now()
	require.Equal(t, content, s.get(t, "k"))
	require.GreaterOrEqual(t, time.Since(startTime), minTime)
}

// A fault can replace the entity tags in headers and documents.
func TestFaultWrongETag(t *testing.T) {
	const wrongETag = `"wrong"`
	s := startServer(t, s3server.Config{})
	s.server.Inject(s3server.Fault{ETag: wrongETag})

	require.Equal(t, wrongETag, s.put(t, "k", "x"))
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, wrongETag, *head.ETag)

	list, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, wrongETag, *list.Contents[0].ETag)

	// Parts have the wrong entity tag as well as objects.
	upload := s.beginUpload(t, "m")
	part := s.uploadPart(t, "m", upload, 1, "x")
	require.Equal(t, wrongETag, *part.ETag)

	// Without the fault, the entity tag is right.
	s.server.ClearFaults()
	require.NotEqual(t, wrongETag, s.put(t, "k", "x"))
}

// If a fault shifts the server's clock by an hour, the server refuses signatures. If it shifts the
// clock by ten minutes, the server accepts them.
func TestFaultSkewedClock(t *testing.T) {
	s := startServer(t, s3server.Config{})

	s.server.Inject(s3server.Fault{ClockSkew: time.Hour, Times: 1})
	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 403, "RequestTimeTooSkewed")

	// The first client has learned the shifted time from the error response, so take another
	// client.
	s.server.Inject(s3server.Fault{ClockSkew: -10 * time.Minute, Times: 1})
	_, err = s.client().PutObject(t.Context(), putInput("k", "x"))
	require.NoError(t, err)
}

// A fault can make listings stale. They then lack the objects that were written in the last
// seconds, but the objects can be read.
func TestFaultStaleListing(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, key := range []string{"b", "d", "e/1"} {
		s.put(t, key, "x")
	}

	// The objects written so far are a minute old, and the next ones are new.
	s.clock.move(time.Minute)
	for _, key := range []string{"a", "c", "e/2", "f", "g"} {
		s.put(t, key, "x")
	}
	s.server.Inject(s3server.Fault{Operation: "ListObjects*", Stale: 10 * time.Second})

	require.Equal(t, []string{"b", "d", "e/1"}, s.keys(t))
	require.Equal(t, "x", s.get(t, "a"))

	// Each page has as many objects as if the new objects did not exist.
	var pages [][]string
	pager := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{
		Bucket:  aws.String(bucket),
		MaxKeys: aws.Int32(2),
	})
	for pager.HasMorePages() {
		page, err := pager.NextPage(t.Context())
		require.NoError(t, err)
		var keys []string
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
		pages = append(pages, keys)
	}
	require.Equal(t, [][]string{{"b", "d"}, {"e/1"}}, pages)

	// The position of the next page is the last object that is shown.
	first, err := s.ListObjects(t.Context(), &s3.ListObjectsInput{
		Bucket:    aws.String(bucket),
		Delimiter: aws.String("/"),
		MaxKeys:   aws.Int32(2),
	})
	require.NoError(t, err)
	require.Equal(t, "d", *first.NextMarker)

	// A page of 0 objects says that nothing follows.
	none, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:  aws.String(bucket),
		MaxKeys: aws.Int32(0),
	})
	require.NoError(t, err)
	require.False(t, *none.IsTruncated)

	// Later, the objects are no longer new.
	s.clock.move(11 * time.Second)
	require.Len(t, s.keys(t), 8)
}
