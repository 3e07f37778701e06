package session

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The largest possible state of an upload has less than 1 MiB, as the documentation of States says.
func TestStatesLargestState(t *testing.T) {
	// A control character takes six bytes in JSON.
	s := New(KindParts, User{ID: strings.Repeat("u", 1000)}, Request{
		Name:     strings.Repeat("\x01", MaxMetadataBytes),
		Metadata: map[string]string{"a": strings.Repeat("\x01", MaxMetadataBytes)},
	}, Target{}, time.Time{})

	const maxParts = 10_000
	for range maxParts {
		s.ETags = append(s.ETags, `"`+strings.Repeat("0", 64)+`"`)
	}

	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.Less(t, len(text), 1<<20)
	require.Greater(t, len(text), 64<<10)
}
