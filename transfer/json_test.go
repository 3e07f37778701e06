package transfer_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// Programs store the reports of nightly jobs. So reports keep the JSON names of their fields, and can be read back.
func TestReportInJSON(t *testing.T) {
	report := &transfer.Report{
		Transferred:  1,
		Skipped:      2,
		Ignored:      3,
		Failed:       4,
		Deleted:      5,
		Aborted:      6,
		Changed:      7,
		Bytes:        8,
		DeletedBytes: 9,
		Failures: []transfer.Failure{{
			Key: "a",
			Err: &storage.Error{Code: storage.ObjectNotFound, Key: "a", Err: errors.New("gone")},
		}},
		Started:       time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC),
		Duration:      time.Second,
		DryRun:        true,
		PlacesUnknown: true,
		FailedOver:    true,
		Forecast: &transfer.Forecast{
			Reads:    1,
			Writes:   2,
			Removals: 3,
			Sent:     4,
			Received: 5,
			Needed:   6,
			Free:     7,
		},
	}
	const want = `{
	"transferred": 1,
	"skipped": 2,
	"ignored": 3,
	"failed": 4,
	"deleted": 5,
	"aborted": 6,
	"changed": 7,
	"bytes": 8,
	"deletedBytes": 9,
	"failures": [
		{
			"key": "a",
			"code": "object not found",
			"error": "storage: \"a\": object not found: gone"
		}
	],
	"started": "2026-11-28T10:00:00Z",
	"durationNanoseconds": 1000000000,
	"dryRun": true,
	"placesUnknown": true,
	"failedOver": true,
	"forecast": {
		"reads": 1,
		"writes": 2,
		"removals": 3,
		"sent": 4,
		"received": 5,
		"needed": 6,
		"free": 7
	}
}`

	text, err := json.MarshalIndent(report, "", "\t")
	require.NoError(t, err)
	require.Equal(t, want, string(text))

	// Failures are read back with their texts and codes, but not with their types.
	var back transfer.Report
	require.NoError(t, json.Unmarshal(text, &back))
	require.ErrorIs(t, back.Failures[0].Err, storage.ObjectNotFound)
	require.Equal(t, storage.ObjectNotFound, storage.CodeOf(back.Failures[0].Err))
	require.EqualError(t, back.Failures[0].Err, report.Failures[0].Err.Error())
	require.Equal(t, "a", back.Failures[0].Key)

	back.Failures = nil
	report.Failures = nil
	require.Equal(t, report, &back)
}
