// Package killtest tests what is left at a store if a process dies in the middle of an operation.
package killtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

var errDead = errors.New("the process was killed")

// A death simulates a process that dies at one of its requests: before the request is sent, or
// after it took effect. No later request is sent. Requests are counted from the call of begin.
type death struct {
	transport     http.RoundTripper
	requestNumber int
	afterEffect   bool

	mu      sync.Mutex
	isArmed bool
	count   int
}

func (d *death) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isArmed = true
}

func (d *death) reached() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count >= d.requestNumber
}

func (d *death) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	if d.isArmed {
		d.count++
	}
	current := d.isArmed && d.count == d.requestNumber
	isDead := d.count > d.requestNumber
	d.mu.Unlock()
	if isDead || current && !d.afterEffect {
		return nil, errDead
	}
	response, err := d.transport.RoundTrip(r)
	if err != nil || !current {
		return response, err
	}
	_ = response.Body.Close()
	return nil, errDead
}

// mostRequests limits the requests of one completion. The test fails if a completion makes
// mostRequests requests or more.
const mostRequests = 60

// Completion tests that a process may be killed while it completes a multipart upload. It kills a
// process before each request of Complete. It also kills a process after each request, when the
// request has taken effect. After each kill, another process completes the upload. A reader must
// always see the state before the upload, or the whole new object. At the end, no parts may be
// left.
//
// open opens the bucket with a client that sends all requests of the bucket.
func Completion(t *testing.T, open func(t *testing.T, client *http.Client) storage.Bucket) {
	completion(t, func(t *testing.T, row func(*testing.T, http.RoundTripper)) { row(t, http.DefaultTransport) }, open)
}

// CompletionOnPipes is like Completion, but runs the server in a bubble of testing/synctest.
// Waiting for the killed process takes no real time in the bubble.
func CompletionOnPipes(t *testing.T, server http.Handler, open func(t *testing.T, client *http.Client) storage.Bucket) {
	completion(t, func(t *testing.T, row func(*testing.T, http.RoundTripper)) {
		synctest.Test(t, func(t *testing.T) { row(t, wiretest.OnPipes(t, &http.Server{Handler: server}).Transport) })
	}, open)
}

// completion starts the subtests of the test. Each subtest needs a transport to the server. The
// callback run gets the subtest as row. It must call row with the transport.
func completion(
	t *testing.T, run func(t *testing.T, row func(*testing.T, http.RoundTripper)),
	open func(*testing.T, *http.Client) storage.Bucket,
) {
	for _, content := range []string{"", "the old object"} {
		for _, afterEffect := range []bool{false, true} {
			t.Run(fmt.Sprintf("over %q, after the effect: %v", content, afterEffect), func(t *testing.T) {
				t.Parallel()
				run(t, func(t *testing.T, base http.RoundTripper) {
					killed := 0
					for i := 1; complete(t, open, content, &death{transport: base, requestNumber: i, afterEffect: afterEffect}); i++ {
						require.Less(t, i, mostRequests)
						killed++
					}
					require.Positive(t, killed, "no process was killed")
				})
			})
		}
	}
}

const whole = "both parts of the upload"

// complete completes the upload in a process that d kills. Then another process
// completes the upload. It returns false if the first process made too few requests to be killed at
// request d.at.
func complete(t *testing.T, open func(*testing.T, *http.Client) storage.Bucket, before string, d *death) bool {
	ctx := t.Context()
	row := fmt.Sprintf("killed at request %d", d.requestNumber)
	survivor := open(t, &http.Client{Transport: d.transport})
	mortal := open(t, &http.Client{Transport: d})
	key := fmt.Sprintf("kills/%d-%v-%d", len(before), d.afterEffect, d.requestNumber)
	if before != "" {
		_, err := survivor.Upload(ctx, key, strings.NewReader(before))
		require.NoError(t, err)
	}
	upload, err := storage.BeginUpload(ctx, mortal, key)
	require.NoError(t, err)
	for number, text := range []string{whole[:4], whole[4:]} {
		_, err := upload.PutPart(ctx, number+1, strings.NewReader(text))
		require.NoError(t, err)
	}
	d.begin()
	_, completeErr := upload.Complete(ctx)
	if !d.reached() {
		require.NoError(t, completeErr, row)
	}
	got := content(ctx, t, survivor, key)
	require.Contains(t, []string{before, whole}, got, row)
	if completeErr == nil {
		require.Equal(t, whole, got, row)
	}

	continued, err := storage.ContinueUpload(ctx, survivor, upload.Token())
	require.NoError(t, err, row)
	_, err = continued.Complete(ctx)
	current := content(ctx, t, survivor, key)
	switch {
	case err == nil:
		require.Equal(t, whole, current, row)
	case before == "" && current == "": // the second process cannot know whether the object was made and then removed
		require.ErrorIs(t, err, storage.ObjectNotFound, row)
	default:
		require.NoError(t, err, row)
	}
	require.NoError(t, survivor.Remove(ctx, key))
	_, err = continued.Complete(ctx)
	require.ErrorIs(t, err, storage.ObjectNotFound, "%s: a removed object is back", row)
	require.Empty(t, content(ctx, t, survivor, key), row)
	require.NoError(t, continued.Abort(ctx), row)
	for upload, err := range storage.ListUploads(ctx, survivor, storage.WithPrefix(key)) {
		require.NoError(t, err)
		require.Fail(t, "an upload is left", "%s: %+v", row, upload)
	}
	return d.reached()
}

// content returns the text of the object, or "" if the object does not exist.
func content(ctx context.Context, t *testing.T, b storage.Bucket, key string) string {
	text, _, err := storage.ReadAll(ctx, b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return ""
	}
	require.NoError(t, err)
	return string(text)
}
