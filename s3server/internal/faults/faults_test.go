package faults_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/faults"
)

// The fields of a fault select requests.
func TestTriggerMatches(t *testing.T) {
	tests := map[string]struct {
		trigger                faults.Trigger
		operation, bucket, key string
		met                    []bool // by requests one after the other, 100 ms apart
	}{
		"any request": {trigger: faults.Trigger{}, operation: "GetObject", bucket: "b", key: "k", met: []bool{true, true}},
		"an operation": {
			trigger:   faults.Trigger{Operation: "GetObject"},
			operation: "GetObject",
			bucket:    "b",
			key:       "k",
			met:       []bool{true},
		},
		"another operation": {
			trigger:   faults.Trigger{Operation: "PutObject"},
			operation: "GetObject",
			bucket:    "b",
			key:       "k",
			met:       []bool{false},
		},
		"operations by a pattern": {trigger: faults.Trigger{Operation: "List*"}, operation: "ListObjectsV2", bucket: "b", met: []bool{true}},
		"another bucket":          {trigger: faults.Trigger{Bucket: "a"}, operation: "GetObject", bucket: "b", key: "k", met: []bool{false}},
		"keys by a pattern":       {trigger: faults.Trigger{Key: "a/*"}, operation: "GetObject", bucket: "b", key: "a/b/c", met: []bool{true}},
		"another key":             {trigger: faults.Trigger{Key: "a/*"}, operation: "GetObject", bucket: "b", key: "b", met: []bool{false}},
		"once": {
			trigger:   faults.Trigger{Times: 1},
			operation: "GetObject",
			bucket:    "b",
			key:       "k",
			met:       []bool{true, false, false},
		},
		"after one request": {trigger: faults.Trigger{Skip: 1}, operation: "GetObject", bucket: "b", key: "k", met: []bool{false, true, true}},
		"once, after one request": {
			trigger:   faults.Trigger{Skip: 1, Times: 1},
			operation: "GetObject",
			bucket:    "b",
			key:       "k",
			met:       []bool{false, true, false},
		},
		"above 10 a second": {
			trigger:   faults.Trigger{Rate: 10},
			operation: "GetObject",
			bucket:    "b",
			key:       "k",
			met:       []bool{false, false, false},
		},
		"above 5 a second": {
			trigger:   faults.Trigger{Rate: 5},
			operation: "GetObject",
			bucket:    "b",
			key:       "k",
			met:       []bool{false, true, false, true},
		},
		"above 5 a second, skip 1": {
			trigger:   faults.Trigger{Rate: 5, Skip: 1},
			operation: "GetObject",
			bucket:    "b",
			key:       "k",
			met:       []bool{false, false, false, true},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			l := faults.New[string](func() time.Time { return now })
			l.Add(tt.trigger, "fault")
			for i, met := range tt.met {
				require.Equal(t, met, l.Match(tt.operation, tt.bucket, tt.key) != nil, "request %d", i)
				now = now.Add(100 * time.Millisecond)
			}
		})
	}
}

// If several faults select a request, the first one applies.
func TestSelectFirstFault(t *testing.T) {
	l := faults.New[string](time.Now)
	first := l.Add(faults.Trigger{Operation: "GetObject"}, "first")

	second := l.Add(faults.Trigger{}, "second")
	require.Equal(t, "first", *l.Match("GetObject", "b", "k"))
	require.Equal(t, "second", *l.Match("PutObject", "b", "k"))
	require.Equal(t, []faults.Entry[string]{{ID: first, Applied: 1, Fault: "first"}, {ID: second, Applied: 1, Fault: "second"}}, l.All())
	require.True(t, l.Remove(first))
	require.False(t, l.Remove(first))
	require.Equal(t, "second", *l.Match("GetObject", "b", "k"))

	l.Clear()
	require.Nil(t, l.Match("GetObject", "b", "k"))
	require.Empty(t, l.All())
}
