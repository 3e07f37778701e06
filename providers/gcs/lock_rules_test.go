package gcs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Remove with WithGovernanceBypass removes an object under a Governance retention. If it fails because of a hold, the
// retention stays as it was.
func TestDeleteBypassRetentionAtomic(t *testing.T) {
	tests := []struct {
		name     string
		lock     ruleControls // besides the retention
		wantCode storage.Code
	}{
		{name: "nothing else", lock: ruleControls{}, wantCode: ""},
		{name: "a hold", lock: ruleControls{TemporaryHold: true}, wantCode: storage.Locked},
		{name: "an event-based hold", lock: ruleControls{EventBasedHold: new(true)}, wantCode: storage.Locked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startRuleServer(t)
			bucketName := server.bucket(ruleBucket{locking: true})
			bucket := openAt(t, server.URL, bucketName)
			retainUntil := lockedUntil()
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"),
				storage.WithRetention(retainUntil, storage.Governance))
			require.NoError(t, err)
			server.change(bucketName, "a", func(o *ruleObject) {
				o.TemporaryHold = tt.lock.TemporaryHold
				o.EventBasedHold = tt.lock.EventBasedHold
			})

			// Without the bypass, nothing changes the object.
			require.ErrorIs(t, bucket.Remove(t.Context(), "a"), storage.Locked)
			_, err = bucket.Upload(t.Context(), "a", strings.NewReader("y"))
			require.ErrorIs(t, err, storage.Locked, "the bucket keeps no versions")

			_, err = storage.Copy(t.Context(), bucket, "a", bucket, "a", storage.WithContentType("text/x-new"))
			require.ErrorIs(t, err, storage.Locked)

			// With the bypass, only a hold still keeps the object.
			err = bucket.Remove(t.Context(), "a", storage.WithGovernanceBypass())
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			attrs, err := bucket.Attrs(t.Context(), "a")
			if tt.wantCode == "" {
				require.ErrorIs(t, err, storage.ObjectNotFound)
				return
			}
			require.NoError(t, err)
			require.Equal(t, storage.Retention{
				Mode:  storage.Governance,
				Until: retainUntil,
			}, attrs.Retention, "it stays")
		})
	}
}

// Restore of an archived object succeeds.
func TestRestoreArchived(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithStorageClass("ARCHIVE"))
	require.NoError(t, err)

	require.NoError(t, storage.Restore(t.Context(), bucket, "a"))
}

// Restore of a missing object fails with ObjectNotFound.
func TestRestoreMissing(t *testing.T) {
	server := startRuleServer(t)
	bucket := openAt(t, server.URL, server.bucket(ruleBucket{}))

	require.ErrorIs(t, storage.Restore(t.Context(), bucket, "missing"), storage.ObjectNotFound)
}
