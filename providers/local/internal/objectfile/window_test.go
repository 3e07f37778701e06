package objectfile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A window keeps the first names of a large directory in order.
func TestWindowReader(t *testing.T) {
	const (
		names = 5*maxWindow/2 + 17
		step  = 7919 // it has no common factor with names, so that each name occurs once, in another order
	)
	var all []entry
	r := &windowReader{window: window{isComplete: true}}
	for i := range names {
		e := entry{segment: fmt.Sprintf("%07d", i*step%names), isDir: i%3 == 0}
		all = append(all, e)
		r.keepEntry(e)
	}
	r.compact()
	slices.SortFunc(all, entry.order)
	require.False(t, r.window.isComplete)
	require.Equal(t, all[:maxWindow], r.window.entries)
}
