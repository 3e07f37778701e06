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

var errKilled = errors.New("the process was killed")

// A killTransport simulates a process that dies at one of its requests: before the request is sent, or
// after it took effect. No later request is sent. Requests are counted from the call of begin.
type killTransport struct {
	transport     http.RoundTripper
	requestNumber int
	afterEffect   bool

	mu      sync.Mutex
	isArmed bool // true after begin
	count   int  // requests since begin
}

// begin starts to count requests.
func (k *killTransport) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.isArmed = true
}

// reached reports whether the process has died.
func (k *killTransport) reached() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count >= k.requestNumber
}

// RoundTrip sends a request, unless the process is dead already or dies before it. The response is lost
// if the process dies after the request.
func (k *killTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	if k.isArmed {
		k.count++
	}
	diesNow := k.isArmed && k.count == k.requestNumber
	isDead := k.count > k.requestNumber
	k.mu.Unlock()

	if isDead {
		return nil, errKilled
	}
	if diesNow && !k.afterEffect {
		// The process dies before it sends the request.
		return nil, errKilled
	}

	resp, err := k.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if diesNow {
		// The request took effect, but the process never sees the response.
		_ = resp.Body.Close()
		return nil, errKilled
	}
	return resp, nil
}

// mostRequests limits the requests of one completion. The test fails if a completion makes
// mostRequests requests or more.
const mostRequests = 60

// Completion tests that a process may be killed while it completes a multipart upload. It kills a
// process before each request of Complete, and another one after each request has taken effect. Then
// a further process completes the upload. A reader must always see either the state before the upload
// or the whole new object, and no parts may be left.
//
// open opens the bucket with a client that sends all requests of the bucket.
func Completion(t *testing.T, open func(t *testing.T, client *http.Client) storage.Bucket) {
	for _, row := range completionRows() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.killEachRequest(t, http.DefaultTransport, open)
		})
	}
}

// CompletionOnPipes is like Completion, but runs the server in a bubble of testing/synctest, in which
// waiting for the killed process takes no real time.
func CompletionOnPipes(t *testing.T, server http.Handler, open func(t *testing.T, client *http.Client) storage.Bucket) {
	for _, row := range completionRows() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				transport := wiretest.OnPipes(t, &http.Server{Handler: server}).Transport
				row.killEachRequest(t, transport, open)
			})
		})
	}
}

// A completionRow is one subtest.
type completionRow struct {
	name        string
	before      string // content of the object before the upload, or "" if there is none
	afterEffect bool   // true if the process dies when its request has taken effect
}

// completionRows returns the rows of Completion: with and without an object before the upload, and with
// the kill before and after a request's effect.
func completionRows() []completionRow {
	var rows []completionRow
	for _, before := range []string{"", "the old object"} {
		for _, afterEffect := range []bool{false, true} {
			name := fmt.Sprintf("over %q, after the effect: %v", before, afterEffect)
			rows = append(rows, completionRow{name: name, before: before, afterEffect: afterEffect})
		}
	}
	return rows
}

// killEachRequest kills one process at its first request, another one at its second request, and so
// on, until a process makes too few requests to be killed.
func (row completionRow) killEachRequest(
	t *testing.T, transport http.RoundTripper, open func(*testing.T, *http.Client) storage.Bucket,
) {
	kills := 0
	for {
		// d kills the process at the next request.
		d := &killTransport{transport: transport, requestNumber: kills + 1, afterEffect: row.afterEffect}
		wasKilled := complete(t, open, row.before, d)
		if !wasKilled {
			break
		}
		kills++
		require.Less(t, kills, mostRequests)
	}
	require.Positive(t, kills, "no process was killed")
}

const whole = "both parts of the upload"

// complete completes an upload in a process that d kills, and then in another one. before is the object
// before the upload, or "" if there is none. wasKilled is false if the first process made too few
// requests to be killed.
func complete(
	t *testing.T, open func(*testing.T, *http.Client) storage.Bucket, before string, d *killTransport,
) (wasKilled bool) {
	ctx := t.Context()
	row := fmt.Sprintf("killed at request %d", d.requestNumber)

	// One bucket in two processes, of which d kills one.
	survivor := open(t, &http.Client{Transport: d.transport})
	killed := open(t, &http.Client{Transport: d})
	key := fmt.Sprintf("kills/%d-%v-%d", len(before), d.afterEffect, d.requestNumber)

	// Both processes know an upload of two parts.
	if before != "" {
		_, err := survivor.Upload(ctx, key, strings.NewReader(before))
		require.NoError(t, err)
	}
	upload, err := storage.BeginUpload(ctx, killed, key)
	require.NoError(t, err)
	for i, text := range []string{whole[:4], whole[4:]} {
		_, err := upload.PutPart(ctx, i+1, strings.NewReader(text))
		require.NoError(t, err)
	}

	// The first process dies while it completes the upload.
	d.begin()
	_, completeErr := upload.Complete(ctx)
	if !d.reached() {
		require.NoError(t, completeErr, row)
	}

	// A reader sees the state before the upload, or the whole object.
	got := content(ctx, t, survivor, key)
	require.Contains(t, []string{before, whole}, got, row)
	if completeErr == nil {
		require.Equal(t, whole, got, row)
	}

	// The second process completes the upload.
	continued, err := storage.ContinueUpload(ctx, survivor, upload.Token())
	require.NoError(t, err, row)
	_, err = continued.Complete(ctx)
	current := content(ctx, t, survivor, key)
	switch {
	case err == nil:
		require.Equal(t, whole, current, row)
	case before == "" && current == "":
		// The second process cannot know whether the object was made and then removed.
		require.ErrorIs(t, err, storage.ObjectNotFound, row)
	default:
		require.NoError(t, err, row)
	}

	// When the object is removed, nothing brings it back, and no parts are left.
	require.NoError(t, survivor.Remove(ctx, key))
	_, err = continued.Complete(ctx)
	require.ErrorIs(t, err, storage.ObjectNotFound, "%s: a removed object is back", row)
	require.Empty(t, content(ctx, t, survivor, key), row)
	require.NoError(t, continued.Abort(ctx), row)
	for entry, err := range storage.ListUploads(ctx, survivor, storage.WithPrefix(key)) {
		require.NoError(t, err)
		require.Fail(t, "an upload is left", "%s: %+v", row, entry)
	}
	return d.reached()
}

// content returns the content of an object, or "" if the object does not exist.
func content(ctx context.Context, t *testing.T, b storage.Bucket, key string) string {
	text, _, err := storage.ReadAll(ctx, b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return ""
	}
	require.NoError(t, err)
	return string(text)
}
