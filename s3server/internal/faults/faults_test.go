package faults_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/faults"
)

// The fields of a fault select requests.
func TestTriggerMatches(t *testing.T) {
	for name, test := range map[string]struct {
		trigger                faults.Trigger
		operation, bucket, key string
		met                    []bool // by requests one after the other, 100 ms apart
	}{
		"any request":              {faults.Trigger{}, "GetObject", "b", "k", []bool{true, true}},
		"an operation":             {faults.Trigger{Operation: "GetObject"}, "GetObject", "b", "k", []bool{true}},
		"another operation":        {faults.Trigger{Operation: "PutObject"}, "GetObject", "b", "k", []bool{false}},
		"operations by a pattern":  {faults.Trigger{Operation: "List*"}, "ListObjectsV2", "b", "", []bool{true}},
		"another bucket":           {faults.Trigger{Bucket: "a"}, "GetObject", "b", "k", []bool{false}},
		"keys by a pattern":        {faults.Trigger{Key: "a/*"}, "GetObject", "b", "a/b/c", []bool{true}},
		"another key":              {faults.Trigger{Key: "a/*"}, "GetObject", "b", "b", []bool{false}},
		"once":                     {faults.Trigger{Times: 1}, "GetObject", "b", "k", []bool{true, false, false}},
		"after one request":        {faults.Trigger{Skip: 1}, "GetObject", "b", "k", []bool{false, true, true}},
		"once, after one request":  {faults.Trigger{Skip: 1, Times: 1}, "GetObject", "b", "k", []bool{false, true, false}},
		"above 10 a second":        {faults.Trigger{Rate: 10}, "GetObject", "b", "k", []bool{false, false, false}},
		"above 5 a second":         {faults.Trigger{Rate: 5}, "GetObject", "b", "k", []bool{false, true, false, true}},
		"above 5 a second, skip 1": {faults.Trigger{Rate: 5, Skip: 1}, "GetObject", "b", "k", []bool{false, false, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			l := faults.New[string](func() time.Time { return now })
			l.Add(test.trigger, "fault")
			for i, met := range test.met {
				require.Equal(t, met, l.Match(test.operation, test.bucket, test.key) != nil, "request %d", i)
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
