package faults_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/faults"
)

// A fault applies to the requests that its trigger selects by operation, bucket, key, number and
// rate. At any moment, a tenth of the requests of one second, but at least one, are within the
// rate.
func TestTriggerMatches(t *testing.T) {
	tests := []struct {
		name        string
		trigger     faults.Trigger
		operation   string
		bucket      string
		key         string
		wantApplies []bool // to requests that follow each other at intervals of 100 ms
	}{
		{
			name:        "any request",
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{true, true},
		},
		{
			name:        "operation",
			trigger:     faults.Trigger{Operation: "GetObject"},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{true},
		},
		{
			name:        "other operation",
			trigger:     faults.Trigger{Operation: "PutObject"},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{false},
		},
		{
			name:        "pattern of operations",
			trigger:     faults.Trigger{Operation: "List*"},
			operation:   "ListObjectsV2",
			bucket:      "b",
			wantApplies: []bool{true},
		},
		{
			name:        "other bucket",
			trigger:     faults.Trigger{Bucket: "a"},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{false},
		},
		{
			name:        "pattern of keys",
			trigger:     faults.Trigger{Key: "a/*"},
			operation:   "GetObject",
			bucket:      "b",
			key:         "a/b/c",
			wantApplies: []bool{true},
		},
		{
			name:        "other key",
			trigger:     faults.Trigger{Key: "a/*"},
			operation:   "GetObject",
			bucket:      "b",
			key:         "b",
			wantApplies: []bool{false},
		},
		{
			name:        "one time",
			trigger:     faults.Trigger{Times: 1},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{true, false, false},
		},
		{
			name:        "skip 1",
			trigger:     faults.Trigger{Skip: 1},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{false, true, true},
		},
		{
			name:        "skip 1, one time",
			trigger:     faults.Trigger{Skip: 1, Times: 1},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{false, true, false},
		},
		{
			name:        "above 10 requests per second",
			trigger:     faults.Trigger{Rate: 10},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{false, false, false},
		},
		{
			name:        "above 5 requests per second",
			trigger:     faults.Trigger{Rate: 5},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{false, true, false, true},
		},
		{
			name:        "above 5 requests per second, skip 1",
			trigger:     faults.Trigger{Rate: 5, Skip: 1},
			operation:   "GetObject",
			bucket:      "b",
			key:         "k",
			wantApplies: []bool{false, false, false, true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Unix(0, 0)
			l := faults.New[string](func() time.Time { return now })
			l.Add(tt.trigger, "fault")
			for i, want := range tt.wantApplies {
				got := l.Match(tt.operation, tt.bucket, tt.key) != nil
				require.Equal(t, want, got, "request %d", i)
				now = now.Add(100 * time.Millisecond)
			}
		})
	}
}

// If several faults match a request, the first one applies until it is removed.
func TestSelectFirstFault(t *testing.T) {
	l := faults.New[string](time.Now)
	first := l.Add(faults.Trigger{Operation: "GetObject"}, "first")
	second := l.Add(faults.Trigger{}, "second")

	require.Equal(t, "first", *l.Match("GetObject", "b", "k"))
	require.Equal(t, "second", *l.Match("PutObject", "b", "k"))
	require.Equal(t, []faults.Entry[string]{
		{ID: first, Applied: 1, Fault: "first"},
		{ID: second, Applied: 1, Fault: "second"},
	}, l.All())

	require.True(t, l.Remove(first))
	require.False(t, l.Remove(first))
	require.Equal(t, "second", *l.Match("GetObject", "b", "k"))

	l.Clear()
	require.Nil(t, l.Match("GetObject", "b", "k"))
	require.Empty(t, l.All())
}
