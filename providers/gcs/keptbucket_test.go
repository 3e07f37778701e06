package gcs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// In a bucket that puts an event-based hold on each new object, an open upload can still replace and remove its
// parts. https://cloud.google.com/storage/docs/object-holds.
func TestBeginUploadHoldingBucket(t *testing.T) {
	server := startRuleServer(t)
	name := server.bucket(ruleBucket{holding: true})
	bucket := openAt(t, server.URL, name)

	// Part 1 is sent twice, and the second one replaces the first.
	u, err := storage.BeginUpload(t.Context(), bucket, "a")
	require.NoError(t, err)
	_, err = u.PutPart(t.Context(), 1, strings.NewReader("first"))
	require.NoError(t, err)
	_, err = u.PutPart(t.Context(), 1, strings.NewReader("hello"))
	require.NoError(t, err, "a part can be replaced")
	_, err = u.Complete(t.Context())
	require.NoError(t, err)

	// The upload is over, and only the new object is held.
	_, err = u.PutPart(t.Context(), 2, strings.NewReader("late"))
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, []string{"a"}, server.names(name), "the parts are gone")
	require.ErrorIs(t, bucket.Remove(t.Context(), "a"), storage.Locked,
		"the object is held, as the bucket wants it")
}

// In a bucket whose new objects get a hold, Abort also removes parts with the hold. Clients that upload parts by signed
// URLs make such parts.
func TestAbortUploadHoldingBucket(t *testing.T) {
	server := startRuleServer(t)
	name := server.bucket(ruleBucket{holding: true})
	bucket := openAt(t, server.URL, name)

	upload, err := storage.BeginUpload(t.Context(), bucket, "b")
	require.NoError(t, err)
	_, err = upload.PutPart(t.Context(), 1, strings.NewReader("of a client"))
	require.NoError(t, err)

	// The driver itself stores parts without a hold. The test sets the hold that the parts of a
	// client would have.
	for _, key := range server.names(name) {
		server.change(name, key, func(o *ruleObject) {
			o.EventBasedHold = new(true)
		})
	}

	require.NoError(t, upload.Abort(t.Context()))
	require.Empty(t, server.names(name))
}

// In a bucket that holds new objects, an object cannot be removed before its hold ends. Compose of more than 32
// objects nevertheless leaves no intermediate objects.
func TestComposeHoldingBucket(t *testing.T) {
	server := startRuleServer(t)
	name := server.bucket(ruleBucket{holding: true})
	bucket := openAt(t, server.URL, name)
	keys := make([]string, 40)
	for i := range keys {
		keys[i] = fmt.Sprintf("part-%02d", i)
		_, err := bucket.Upload(t.Context(), keys[i], strings.NewReader("x"))
		require.NoError(t, err)
	}

	_, err := storage.Compose(t.Context(), bucket, "whole", keys)
	require.NoError(t, err)
	require.Len(t, server.names(name), len(keys)+1)
}

// In a bucket with a retention policy, BeginUpload fails with Unsupported, because the policy would keep parts,
// too. https://cloud.google.com/storage/docs/bucket-lock.
func TestBeginUploadRetentionPolicy(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{retention: time.Hour}))

	_, err := storage.BeginUpload(t.Context(), bucket, "a")

	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "retention policy")
}

// In a bucket with a retention policy, an upload to a new key succeeds. Another upload to this key
// fails with Locked.
func TestUploadRetentionPolicy(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{retention: time.Hour}))

	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("y"))
	require.ErrorIs(t, err, storage.Locked)
}

// SweepParts skips parts that the retention of the bucket still protects, and removes the others.
func TestSweepPartsSkipsKeptParts(t *testing.T) {
	server := startRuleServer(t)
	name := server.bucket(ruleBucket{retention: time.Hour})
	bucket, err := gcs.Open(t.Context(), gcs.Config{
		Bucket:            name,
		Endpoint:          server.URL,
		ParallelComposite: true,
	})
	require.NoError(t, err)
	uploadFourParts(t, bucket)

	names := server.names(name)
	require.Len(t, names, 1+4, "the object and its parts, which the retention keeps")

	// End the retention of the last part. SweepParts lists this part after the parts that stay.
	lastPart := ""
	for _, key := range names {
		if strings.HasPrefix(key, reserved) {
			lastPart = max(lastPart, key)
		}
	}
	server.change(name, lastPart, func(o *ruleObject) {
		o.KeptUntil = nil
	})

	client, ok := storage.As[*sdk.Client](bucket)
	require.True(t, ok)

	// SweepParts removes the last part, although it cannot remove the others.
	removed, err := gcs.SweepParts(t.Context(), client, name, anyAge)

	require.ErrorIs(t, err, storage.Locked)
	require.Equal(t, 1, removed)
	require.NotContains(t, server.names(name), lastPart)
}
